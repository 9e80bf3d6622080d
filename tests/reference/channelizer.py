"""Slow twin of dsp/channelizer.py: each row by itself in float64, straight from the definition."""

import numpy as np
from numpy.typing import NDArray

from dsp.channelizer import channel_taps


def channel_row(
    window: NDArray[np.complex128], rate: int, row: int, offset_hz: float, bandwidth_hz: float, out_rate: int
) -> NDArray[np.complex128]:
    """Outputs row·hop − half … of one channel from the rate/80 samples that end with sample (row + 1)·rate/100 − 1."""
    n, points, half = rate // 80, out_rate // 80, out_rate // 800
    center = round(offset_hz / 80)
    bins = np.arange(center - points // 2, center + points // 2)
    tap = np.arange(-half, half + 1)
    gain = np.cos(2 * np.pi / out_rate * np.outer(80 * bins - offset_hz, tap)) @ channel_taps(bandwidth_hz, out_rate)
    chosen = np.fft.fft(window)[bins % n] * gain / n
    since = np.arange(half, points - half) / out_rate  # seconds after the window's first sample
    t = row / 100 - 1 / 400 + since
    return np.asarray(np.exp(2j * np.pi * np.outer(since, 80.0 * bins)) @ chosen * np.exp(-2j * np.pi * offset_hz * t))


def channelize(
    samples: NDArray[np.complex64], rate: int, offset_hz: float, bandwidth_hz: float, out_rate: int
) -> NDArray[np.complex128]:
    """All whole rows of a source that begins at index 0; the first output has index −out_rate/800."""
    n, hop = rate // 80, rate // 100
    x = np.concatenate([np.zeros(n - hop, dtype=np.complex128), samples])
    rows = len(samples) // hop
    parts = [channel_row(x[b * hop : b * hop + n], rate, b, offset_hz, bandwidth_hz, out_rate) for b in range(rows)]
    return np.concatenate(parts) if parts else np.zeros(0, dtype=np.complex128)
