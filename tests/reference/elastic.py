"""Samples between samples, one at a time: the filter evaluated where it is needed, no table.

And the conversion with its pace: all that ever came is kept, and places are counted in whole 2⁻³² of a sample.
"""

import math

import numpy as np
from numpy.typing import NDArray

from dsp._elastic import interpolate


def at_position(
    x: NDArray[np.float32], position: float, rate_in: int, rate_out: int, reach: int, attenuation_db: float
) -> float:
    """x at `position`: Kaiser-windowed sinc of half the lower rate, its taps summing to 1."""
    k = np.arange(len(x))
    u = k - position
    near = np.abs(u) <= reach
    inside = np.sqrt(np.clip(1 - (u[near] / reach) ** 2, 0, None))
    beta = 0.1102 * (attenuation_db - 8.7)
    taps = np.sinc(min(rate_in, rate_out) / rate_in * u[near]) * np.i0(beta * inside) / np.i0(beta)
    return float(np.sum(taps * x[near]) / np.sum(taps))


ONE = 1 << 32


class Stretch:
    """table: of the filter at each phase. ratio: samples of input for one of output."""

    def __init__(self, table: NDArray[np.float32], ratio: float) -> None:
        self.table, self.ratio = table, ratio
        self.reach = table.shape[1] // 2
        self.x = np.zeros(0, np.float32)
        self.place = 0
        self.set_ppm(0.0)

    def set_ppm(self, ppm: float) -> None:
        self.step = round(self.ratio * (1 + ppm * 1e-6) * ONE)

    @property
    def end(self) -> int:
        return len(self.x)

    @property
    def position(self) -> float:
        return float(self.place / ONE)

    @property
    def held(self) -> float:
        return float(self.end - self.reach - self.place / ONE)

    def possible(self) -> int:
        return len(range(self.place, (self.end - self.reach) * ONE, self.step))

    def push(self, x: NDArray[np.float32]) -> None:
        self.x = np.concatenate([self.x, x])

    def move(self, position: float) -> None:
        self.place = round(position * ONE)

    def pull(self, n: int) -> NDArray[np.float32]:
        out = np.empty(n, np.float32)
        short = n > self.possible()
        before, after = 2 * self.reach, math.ceil(n * self.step / ONE) + 2 * self.reach + 2
        around = np.concatenate([np.zeros(before, np.float32), self.x, np.zeros(after, np.float32)])
        assert interpolate(around, before + (self.place >> 32), self.place % ONE, self.step, self.table, out)
        self.place += n * self.step
        if short and self.place >> 32 > self.end - self.reach:
            self.place = (self.end - self.reach) * ONE
        return out
