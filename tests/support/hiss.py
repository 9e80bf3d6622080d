"""What a VOX must not open for: hiss of several colours, and tones."""

import numpy as np
from numpy.typing import NDArray

Audio = NDArray[np.float32]

RATE = 8000

HISSES = ("white", "voice band", "fm", "fm, de-emphasised")

TONES = ("1 kHz", "two tones", "DTMF", "siren", "square 440 Hz", "bursts of 1750 Hz", "CTCSS under hiss")


def _coloured(n: int, seed: int, kind: str) -> NDArray[np.float64]:
    spectrum = np.fft.rfft(np.random.default_rng(seed).standard_normal(n))
    hz = np.fft.rfftfreq(n, 1 / RATE)
    voice = (hz > 300) & (hz < 3000)
    shape = {
        "white": np.ones_like(hz),
        "voice band": voice,
        "fm": hz * voice,
        "fm, de-emphasised": hz / np.hypot(hz, 212.0) * voice,
    }[kind]
    x = np.fft.irfft(spectrum * shape, n)
    return np.asarray(x / x.std())


def hiss(seconds: float, seed: int, kind: str = "voice band", rms: float = 0.1) -> Audio:
    """Steady noise of one of `HISSES`."""
    return np.asarray(rms * _coloured(round(seconds * RATE), seed, kind), np.float32)


def tones(seconds: float, seed: int, kind: str, snr_db: float = 30.0, rms: float = 0.1) -> Audio:
    """One of `TONES`, in voice-band noise that much below it."""
    t = np.arange(round(seconds * RATE)) / RATE
    sine = {
        "1 kHz": np.sin(2 * np.pi * 1000 * t),
        "two tones": np.sin(2 * np.pi * np.where(t % 4 < 1, 634.5, 1092.4) * t),
        "DTMF": (np.sin(2 * np.pi * 770 * t) + np.sin(2 * np.pi * 1336 * t)) * (t % 0.2 < 0.1),
        "siren": np.sin(2 * np.pi * 900 * t - 250 * np.cos(2 * np.pi * 2 * t)),
        "square 440 Hz": np.sign(np.sin(2 * np.pi * 440 * t)),
        "bursts of 1750 Hz": np.sin(2 * np.pi * 1750 * t) * (t % 3 < 0.5),
        "CTCSS under hiss": np.sin(2 * np.pi * 100 * t),
    }[kind]
    sine *= rms / np.sqrt(np.mean(sine**2))
    return np.asarray(sine + rms * 10 ** (-snr_db / 20) * _coloured(len(t), seed, "voice band"), np.float32)
