"""Speech filter, one row in float64: convolve, keep every D-th, run SciPy's sections."""

import numpy as np
from numpy.typing import NDArray
from scipy import signal

from dsp import voice

Row = NDArray[np.float64]


def row(x: NDArray[np.float32], index: int, rate: int, emphasis: voice.Emphasis, gain: float) -> tuple[Row, int]:
    """One row from its start: speech at 8 kHz and the index of its first sample."""
    d, half = rate // 8000, round(voice.HALF_S * rate)
    scaled = np.nan_to_num(x.astype(np.float64), nan=0, posinf=0, neginf=0) * gain
    # The FIR by its definition: ideal response sampled on a fine grid, Kaiser window.
    f = np.linspace(0, rate / 2, 32_769)
    tau = voice.TIME_CONSTANT_S[emphasis]
    pole = np.exp(-1 / (tau * 8000)) if tau else 0.0
    ideal = voice.de_emphasis(f, emphasis) * np.abs(1 - pole * np.exp(-2j * np.pi * f / 8000)) * (f <= voice.CUTOFF_HZ)
    taps = np.roll(np.fft.irfft(ideal), half)[: 2 * half + 1] * signal.windows.kaiser(
        2 * half + 1, signal.kaiser_beta(voice.ATTENUATION_DB)
    )
    filtered = np.convolve(scaled, taps)[: len(x)]  # sample i is centred on index + i - half
    first = -(-(index - half) // d)
    decimated = filtered[first * d + half - index :: d]
    high_pass = signal.ellip(6, 0.8, 47.5, 299.0, "high", output="sos", fs=8000)
    return np.asarray(signal.sosfilt(high_pass, signal.lfilter([1.0], [1.0, -pole], decimated))), first
