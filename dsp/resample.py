"""From any sample rate to any other near it, with exact time: output j is the signal at input sample j·R/r.

    y[j] = Σ x[k] h(k − j·R/r)

R, r: rates in and out. h is a Kaiser low-pass of half the lower rate, flat to 0.45 of it, ≥ 80 dB down from 0.55.
The place of an output is a ratio of whole numbers, so it never drifts. Its fraction picks the taps: exactly while
r/gcd(R, r) is at most `PHASES`, else between two of `PHASES` neighbouring sets, which costs an error of −100 dB.

Before index 0 nothing was on the air and the samples are zero. Any other jump of the index is loss: outputs that would
touch a missing sample are not given out, and the output index jumps.
"""

import math

import numpy as np
from numpy.typing import NDArray

from dsp._resample import resample_into
from dsp.blocks import IqBlock
from dsp.design import kaiser_beta, kaiser_length
from dsp.errors import RateError, ShapeError

PHASES = 512

USABLE = 0.45
"""Part of the lower rate to which the band is flat, each side of 0 Hz."""

ATTENUATION_DB = 86.0


def filter_at(u: NDArray[np.float64], rate: int, out_rate: int, reach: int) -> NDArray[np.float64]:
    """The resampler's filter h at `u` input samples from its centre, zero beyond ±reach; it sums to about 1."""
    cutoff = min(1.0, out_rate / rate) / 2
    inside = np.clip(1 - (u / reach) ** 2, 0, None)
    window = np.i0(kaiser_beta(ATTENUATION_DB) * np.sqrt(inside)) / np.i0(kaiser_beta(ATTENUATION_DB))
    return np.asarray(2 * cutoff * np.sinc(2 * cutoff * u) * window * (np.abs(u) < reach))


class Resampler:
    """Stage from `rate` to `out_rate`, IqBlock in, IqBlock out. Raises `RateError` unless both are positive."""

    def __init__(self, rate: int, out_rate: int) -> None:
        if rate <= 0 or out_rate <= 0:
            raise RateError(f"cannot resample from {rate} to {out_rate} S/s; both must be above 0")
        self.rate, self.out_rate = rate, out_rate
        common = math.gcd(rate, out_rate)
        self._q, self._p = rate // common, out_rate // common
        lower = min(rate, out_rate)
        length = kaiser_length(ATTENUATION_DB, (1 - 2 * USABLE) * lower, rate)
        self._reach = -(-(length + 1) // 8) * 4
        rows = self._p if self._p <= PHASES else PHASES
        at = np.arange(1 - self._reach, self._reach + 1)[None, :] - np.arange(rows + 1)[:, None] / rows
        taps = filter_at(at, rate, out_rate, self._reach)
        taps /= taps.sum(axis=1, keepdims=True)
        self._table = np.repeat(taps, 2, axis=1).astype(np.float32)
        self._held = np.zeros(0, dtype=np.complex64)
        self._first = self._next = self._output = 0
        self.reset()

    @property
    def delay(self) -> int:
        """Input samples by which the output lags: half the filter."""
        return self._reach

    def process(self, block: IqBlock) -> IqBlock:
        """All outputs that the samples so far suffice for, newly allocated.

        Raises `RateError` for a block of another rate and `ShapeError` for samples that are not contiguous complex64.
        """
        x = block.samples
        if block.rate != self.rate:
            raise RateError(f"block of {block.rate} S/s given to a resampler for {self.rate} S/s")
        if x.ndim != 1 or x.dtype != np.complex64 or not x.flags.c_contiguous:
            raise ShapeError(f"IQ is {x.dtype} {x.shape}; the resampler takes contiguous complex64 (n,)")
        if block.index != self._next:
            self._start_at(block.index)
        self._next = block.end
        x = np.concatenate([self._held, x[max(0, self._first - block.index) :] if not len(self._held) else x])
        first, output = self._first, self._output
        end = max(output, -((self._reach - block.end) * self._p // self._q))
        y = np.empty(end - output, dtype=np.complex64)
        at, phase = divmod(output * self._q, self._p)
        step, rest = divmod(self._q, self._p)
        resample_into(x, at - self._reach + 1 - first, phase, step, rest, self._p, self._table, y)
        self._output = end
        self._first = end * self._q // self._p - self._reach + 1
        self._held = x[max(0, self._first - first) :].copy()
        return IqBlock(y, self.out_rate, output)

    def reset(self) -> None:
        """Back to the start of a source."""
        self._start_at(0)

    def _start_at(self, index: int) -> None:
        """Go on at `index` with the first output that touches no missing sample."""
        self._next = index
        if index == 0:
            self._output, self._first = 0, 1 - self._reach
            self._held = np.zeros(self._reach - 1, dtype=np.complex64)
        else:
            self._output = -(-(index + self._reach - 1) * self._p // self._q)
            self._first = self._output * self._q // self._p - self._reach + 1
            self._held = np.zeros(0, dtype=np.complex64)
