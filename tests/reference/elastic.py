"""Samples between samples, one at a time: the filter evaluated where it is needed, no table."""

import numpy as np
from numpy.typing import NDArray


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
