"""A plain C4FM receiver for tests of what comes behind it: one symbol of averaging, a decision-directed clock."""

from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from numpy.typing import NDArray

RATE = 48_000
PER_SYMBOL = 10


def discriminated(entry: dict[str, Any], offset_hz: float = 0.0) -> NDArray[np.float64]:
    """Frequency at 48 kHz of a corpus entry, any scale: of a WAV the samples, of IQ the discriminator's output."""
    path = Path(entry["path"])
    if path.suffix == ".wav":
        return np.asarray(soundfile.read(path)[0], dtype=np.float64)
    if path.suffix == ".cf32":
        iq = np.fromfile(path, dtype=np.complex64).astype(np.complex128)
    else:
        raw = np.fromfile(path, dtype=np.uint8).astype(np.float64) - 127.5
        iq = raw[0::2] + 1j * raw[1::2]
    rate = int(entry["sample_rate_hz"])
    iq = iq * np.exp(-2j * np.pi * offset_hz / rate * np.arange(len(iq)))
    t = (np.arange(481) - 240) / rate
    taps = np.sinc(2 * 6000 * t) * np.kaiser(481, 6)
    iq = np.convolve(iq, taps / taps.sum(), "same")[:: rate // RATE]
    return np.angle(iq[1:] * np.conj(iq[:-1])) * RATE / (2 * np.pi)


def soft_symbols(frequency: NDArray[np.float64]) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Soft dibits (n, 2) and the sample of each symbol's middle."""
    y = np.convolve(frequency, np.ones(PER_SYMBOL) / PER_SYMBOL, "same")
    # Offset and deviation from the extremes of each stretch, as the sync and the data reach ±3 often.
    window = 4800
    low, high = [], []
    for start in range(0, max(1, len(y) - window), window):
        stretch = y[start : start + window]
        low.append(np.percentile(stretch, 8))
        high.append(np.percentile(stretch, 92))
    bottom, top = float(np.median(low)), float(np.median(high))
    centre, step = (top + bottom) / 2, max((top - bottom) / 6, 1e-9)
    at, period = 5.0, float(PER_SYMBOL)
    symbols, places = [], []
    while at < len(y) - 7:
        i = int(at)
        fraction = at - i
        value = y[i] * (1 - fraction) + y[i + 1] * fraction
        slope = (y[i + 4] - y[i - 3]) / (7 * step)
        x = (value - centre) / step
        decision = float(np.clip(2 * np.floor(x / 2) + 1, -3, 3))
        error = x - decision
        centre += 0.004 * error * step
        step *= 1 + 0.003 * error * np.sign(decision) / max(1.0, abs(decision))
        at += period - np.clip(0.25 * error * slope, -0.3, 0.3)
        symbols.append(x)
        places.append(i)
    x = np.clip(np.array(symbols), -4, 4)
    # First bit: below zero. Second bit: beyond the inner symbols.
    return np.stack([-x, np.abs(x) - 2], axis=1).astype(np.float32), np.array(places, dtype=np.int64)
