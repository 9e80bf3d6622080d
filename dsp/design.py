"""FIR design by the window method, and what a filter does at a frequency.

Only what the receivers need, in NumPy: `scipy.signal` would cost seconds at every start. Every filter here has linear
phase and odd length, so its delay is `(len(taps) - 1) // 2` samples exactly.

Kaiser's formulas: J. F. Kaiser, "Nonrecursive digital filter design using the I0-sinh window function", 1974;
Oppenheim & Schafer, *Discrete-Time Signal Processing*, 3rd ed., eq. 7.75 and 7.76.
"""

import math

import numpy as np
from numpy.typing import NDArray

from dsp.errors import RangeError

Taps = NDArray[np.float64]


def kaiser_beta(attenuation_db: float) -> float:
    """Shape of the Kaiser window whose ripple is `attenuation_db` below 1 (eq. 7.75)."""
    a = attenuation_db
    if a > 50:
        return 0.1102 * (a - 8.7)
    if a >= 21:
        return float(0.5842 * (a - 21) ** 0.4 + 0.07886 * (a - 21))
    return 0.0


def kaiser_length(attenuation_db: float, transition_hz: float, rate: float) -> int:
    """Odd number of taps for a transition band of `transition_hz` (eq. 7.76)."""
    n = (attenuation_db - 7.95) / (2.285 * 2 * math.pi * transition_hz / rate) + 1
    return math.ceil(n) | 1


def kaiser_window(length: int, attenuation_db: float) -> Taps:
    """Symmetric Kaiser window, float64 (length,)."""
    return np.kaiser(length, kaiser_beta(attenuation_db))


def lowpass(cutoff_hz: float, rate: float, length: int, attenuation_db: float = 80.0) -> Taps:
    """Windowed-sinc low-pass with unit gain at 0 Hz; −6 dB at `cutoff_hz`.

    Returns (length,) float64. Raises `RangeError` for an even length or a cutoff outside 0 … rate/2.
    """
    if length % 2 == 0:
        raise RangeError(f"FIR length = {length} is even; a linear-phase low-pass needs an odd one: {length + 1}")
    if not 0 < cutoff_hz < rate / 2:
        raise RangeError(f"cutoff = {cutoff_hz:g} Hz is outside 0 … {rate / 2:g} Hz (half the rate)")
    t = np.arange(length) - (length - 1) / 2
    h = np.sinc(2 * cutoff_hz / rate * t) * kaiser_window(length, attenuation_db)
    return np.asarray(h / h.sum())


def from_response(magnitude: NDArray[np.float64], rate: float, length: int, attenuation_db: float = 60.0) -> Taps:
    """Linear-phase FIR whose response follows `magnitude`, given on an even grid from 0 Hz to rate/2 inclusive.

    Frequency sampling and a Kaiser window. The grid should be much finer than rate/length. Returns (length,) float64.
    """
    if length % 2 == 0:
        raise RangeError(f"FIR length = {length} is even; it must be odd: {length + 1}")
    full = np.fft.irfft(magnitude)
    if len(full) < length:
        raise RangeError(f"a grid of {len(magnitude)} points is too coarse for {length} taps; {length} points or more")
    half = (length - 1) // 2
    h = np.concatenate([full[-half:], full[: half + 1]]) if half else full[:1]
    return np.asarray(h * kaiser_window(length, attenuation_db))


def response(taps: NDArray[np.floating], frequency_hz: NDArray[np.float64], rate: float) -> NDArray[np.complex128]:
    """Complex gain of an FIR at the given frequencies, phase counted from its centre tap."""
    n = np.arange(len(taps)) - (len(taps) - 1) / 2
    w = 2 * np.pi * np.asarray(frequency_hz) / rate
    # No matrix product: its threads would go on spinning long after so small a task.
    return np.asarray((np.exp(-1j * np.outer(w, n)) * taps).sum(axis=1))


def comb_lowpass(step: int, edge_hz: float, rate: float, attenuation_db: float) -> Taps:
    """Low-pass for decimation by `step` that stops only what would fold onto 0 … edge_hz, with unit gain at 0 Hz.

    Moving averages of `step` samples in a row; each is shifted a little, so that their zeros near every multiple of
    rate/step lie across ±edge_hz as Chebyshev's do: with p of them about 6·(p − 1) dB better than p alike. As many as
    give `attenuation_db`. Between those bands the gain is below 1 and no more is promised; the passband droops.
    Returns (length,) float64, odd. Raises `RangeError` when edge_hz is not below a third of rate/step.
    """
    if not 0 < 3 * edge_hz < rate / step:
        raise RangeError(f"edge = {edge_hz:g} Hz is outside 0 … {rate / step / 3:g} Hz, a third of the rate after it")
    # The nearest band is the worst: every further one lies deeper in the skirt of all averages.
    grid = rate / step + np.linspace(-edge_hz, edge_hz, 129)
    for order in range(1, 40):
        zeros_hz = edge_hz * np.cos((2 * np.arange(order) + 1) * np.pi / (2 * order))
        # Two equal taps more, a zero at rate/2, where the number would be even and the delay between two samples.
        taps = np.full(2, 0.5 + 0j) if order * (step - 1) % 2 else np.ones(1, dtype=np.complex128)
        for zero_hz in zeros_hz:
            taps = np.convolve(taps, np.exp(2j * np.pi * zero_hz / rate * (np.arange(step) - (step - 1) / 2)))
        real = np.asarray(taps.real / taps.real.sum())
        if np.abs(response(real, grid, rate)).max() <= 10 ** (-attenuation_db / 20):
            return real
    raise RangeError(f"{attenuation_db:g} dB need more than 39 averages of {step}")
