"""Slow twin of dsp/resample.py: every output by itself in float64, with the filter at its exact place."""

import numpy as np
from numpy.typing import NDArray

from dsp.resample import filter_at


def resample(x: NDArray[np.complex64], rate: int, out_rate: int, reach: int, outputs: int) -> NDArray[np.complex128]:
    """Outputs 0 … outputs − 1 of a source that begins at index 0."""
    y = np.zeros(outputs, dtype=np.complex128)
    for j in range(outputs):
        place = j * rate
        k = np.arange(place // out_rate - reach + 1, place // out_rate + reach + 1)
        away = np.asarray(k - place // out_rate - (place % out_rate) / out_rate, dtype=np.float64)
        taps = filter_at(away, rate, out_rate, reach)
        inside = (k >= 0) & (k < len(x))
        y[j] = (taps[inside] / taps.sum()) @ x[k[inside]]
    return y
