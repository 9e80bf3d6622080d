"""What receivers care about in speech, without any recording: syllables, pauses, pitch, formants, hiss."""

import numpy as np
from numpy.typing import NDArray


def speech_like(seconds: float, seed: int, rate: int = 8000, rms: float = 0.1) -> NDArray[np.float32]:
    """(round(seconds·rate),) float32, about `rms` while it speaks, never above ±1.0, the same for the same seed.

    Words of one to four syllables of 110 to 240 ms with pauses of 80 to 400 ms between them; a syllable is a gliding
    voice of 90 to 220 Hz through three formants, or (one in four) begins with 60 ms of hiss. Begins with a syllable.
    """
    rng = np.random.default_rng(seed)
    pitch = rng.uniform(95, 200)
    out = np.zeros(round(seconds * rate))
    at = 0
    while at < len(out):
        for _ in range(rng.integers(1, 5)):
            syllable = _syllable(rng, pitch, rate)
            part = syllable[: max(0, len(out) - at)]
            out[at : at + len(part)] = part
            at += len(syllable)
        at += round(rng.uniform(0.08, 0.4) * rate)
    speaking = np.abs(out) > 1e-9
    level = np.sqrt(np.mean(out[speaking] ** 2)) if speaking.any() else 1.0
    return np.clip(out * (rms / level), -1.0, 1.0).astype(np.float32)


def _syllable(rng: np.random.Generator, pitch: float, rate: int) -> NDArray[np.float64]:
    n = round(rng.uniform(0.11, 0.24) * rate)
    t = np.arange(n) / rate
    f0 = pitch * rng.uniform(0.9, 1.15) * (1 + rng.uniform(-0.3, 0.15) * t)
    phase = 2 * np.pi * np.cumsum(f0) / rate
    formants = rng.uniform([300, 900, 2200], [800, 1900, 2900])
    widths = np.array([80.0, 110.0, 160.0])
    voice = np.zeros(n)
    for harmonic in range(1, int(0.45 * rate / pitch / 1.2)):
        f = harmonic * pitch
        gain = np.sum(1 / (1 + ((f - formants) / widths) ** 2) * np.array([1.0, 0.5, 0.25])) + 0.01
        voice += gain * np.sin(harmonic * phase + rng.uniform(0, 2 * np.pi))
    voice *= np.sin(np.pi * np.clip(t / t[-1], 0, 1)) ** 0.5 / 2
    if rng.random() < 0.25:
        hiss = min(n, round(0.06 * rate))
        noise = np.diff(rng.standard_normal(hiss + 1))
        voice[:hiss] = 0.15 * noise * np.sin(np.pi * np.arange(hiss) / hiss)
    return voice
