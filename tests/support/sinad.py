"""SINAD as the bench scores it: Blackman window, 300 … 3400 Hz, the tone ± 4 bins, median of one-second blocks."""

import numpy as np
from numpy.typing import NDArray


def sinad_db(audio: NDArray[np.floating], tone_hz: float, rate: int = 8000, skip_s: float = 1.0) -> float:
    """Median SINAD in dB of whole seconds of audio (n,), the first `skip_s` left out."""
    x = np.asarray(audio, np.float64)[int(skip_s * rate) :]
    return float(np.median([_one(x[i : i + rate], tone_hz, rate) for i in range(0, len(x) - rate + 1, rate)]))


def _one(x: NDArray[np.float64], tone_hz: float, rate: int) -> float:
    power = np.abs(np.fft.rfft((x - x.mean()) * np.blackman(len(x)))) ** 2
    frequency = np.fft.rfftfreq(len(x), 1 / rate)
    band = (frequency >= 300) & (frequency <= 3400)
    tone = np.abs(frequency - tone_hz) <= 4 * rate / len(x)
    rest = power[band & ~tone]
    noise = rest.sum() * band.sum() / len(rest)
    signal = max(power[tone].sum() - rest.mean() * tone.sum(), 1e-30)
    return float(10 * np.log10((signal + noise) / noise))
