"""FIR filtering and interpolation of one stream, the same bit for bit however the stream is cut.

    y[iL + p] = Σ_d x[i + d] · h[(len − 1)/2 + p − dL],   p = 0 … L − 1,   d = −q … q,   q = (len − 1) / 2L

Each tap is one array multiply and one array add, so a sample's sum is formed in the same order whatever the block
length; a dot product or an FFT of the block would not be. No kernel: there is no state from sample to sample, and a
transmitter is one row.
"""

import numpy as np
from numpy.typing import NDArray

from dsp.errors import RangeError

Samples = NDArray[np.float64] | NDArray[np.complex128]


class Interpolator:
    """Interpolates by an integer factor with the given FIR; a factor of 1 is a plain filter.

    taps: (2·q·factor + 1,) float64 or complex128, designed at the output rate, unit gain for unit gain.
    delay: q, the input samples held back. Raises `RangeError` for another number of taps.

    `process(x)` takes (n,) and returns (n·factor,): the output for the input that ended `delay` samples ago, with
    zeros before the first sample. Indices are the caller's business.
    """

    def __init__(self, taps: Samples, factor: int = 1) -> None:
        half, odd = divmod(len(taps) - 1, 2)
        if odd or half % factor:
            raise RangeError(f"{len(taps)} taps do not interpolate by {factor}; it takes 2·{factor}·q + 1")
        self.factor = factor
        self.delay = half // factor
        padded = np.concatenate([taps, np.zeros(factor - 1, taps.dtype)])
        # Row d + q holds h[half + p − dL] for p = 0 … L − 1: the taps from the last L backwards.
        self._taps = padded.reshape(-1, factor)[::-1] * factor
        self.reset()

    def reset(self) -> None:
        """Forget the past: zeros before the next sample."""
        self._past: Samples = np.zeros(2 * self.delay)

    def process(self, x: NDArray[np.float64]) -> Samples:
        """(n,) float64 → (n·factor,) of the taps' type."""
        x = np.concatenate([self._past, x])
        n = len(x) - 2 * self.delay
        y = np.zeros((n, self.factor), self._taps.dtype)
        for k, row in enumerate(self._taps):
            y += x[k : k + n, None] * row
        self._past = x[n:]
        return y.reshape(-1)


def span(length: int, factor: int) -> int:
    """The next number of taps from `length` up that interpolates by `factor`: 2·factor·q + 1."""
    return 2 * factor * -(-(length - 1) // (2 * factor)) + 1
