"""What a bridge itself says into a channel: busy tone, alignment tone, call sign in Morse code. 8 kHz float32.

    busy        480 + 620 Hz, twice 250 ms with 250 ms between (the tones of ANSI T1.401 and ITU-T E.180, cut short)
    alignment   1 kHz; its level is that of a sine, 0 dBFS being one that just reaches full scale (AES17)
    morse       750 Hz, keyed as `dsp.morse` says

Every beginning and end rises and falls in 5 ms along half a cosine.
"""

import math

import numpy as np
from numpy.typing import NDArray

from dsp import morse
from dsp.blocks import AUDIO_RATE
from dsp.errors import RangeError

ALIGNMENT_HZ = 1000
MORSE_HZ = 750
BUSY_HZ = (480, 620)

RISE = 40
"""Samples in which a tone comes and goes: 5 ms."""

Audio = NDArray[np.float32]


def busy(level_dbfs: float = -20.0) -> Audio:
    """The busy tone, 750 ms. Raises `RangeError` for a level above full scale."""
    n = AUDIO_RATE // 4
    burst = sum(_sine(f, n, level_dbfs - 3.0) for f in BUSY_HZ) * _shape(n)
    return np.concatenate([burst, np.zeros(n), burst]).astype(np.float32)


def alignment(start: int, n: int, length: int, level_dbfs: float) -> Audio:
    """Samples start … start+n of an alignment tone of `length` samples; zeros beyond it."""
    at = np.arange(start, start + n)
    edge = np.minimum(at + 0.5, length - at - 0.5) / RISE
    shape = 0.5 - 0.5 * np.cos(np.pi * np.clip(edge, 0.0, 1.0))
    # 1 kHz is 8 samples a cycle: the phase needs no history.
    wave = _amplitude(level_dbfs) * np.sin(2 * np.pi * ALIGNMENT_HZ / AUDIO_RATE * (at % 8))
    return np.asarray(wave * shape, np.float32)


def call_sign(text: str, words_per_minute: int = 20, level_dbfs: float = -20.0) -> Audio:
    """A text in Morse code. Raises `RangeError` for a letter without code, or a speed outside 5 … 40."""
    if not 5 <= words_per_minute <= 40:
        raise RangeError(f"{words_per_minute} words a minute; it must lie between 5 and 40")
    dot = 1.2 * AUDIO_RATE / words_per_minute
    marks = [(round(start * dot), round(end * dot)) for start, end in morse.marks(text)]
    out = np.zeros(marks[-1][1] if marks else 0)
    for start, end in marks:
        out[start:end] = _sine(MORSE_HZ, end - start, level_dbfs) * _shape(end - start)
    return out.astype(np.float32)


def _amplitude(level_dbfs: float) -> float:
    if not level_dbfs <= 0.0 or not math.isfinite(level_dbfs):
        raise RangeError(f"level = {level_dbfs} dBFS; a sine above 0 dBFS does not fit")
    return float(10 ** (level_dbfs / 20))


def _sine(hz: int, n: int, level_dbfs: float) -> NDArray[np.float64]:
    return np.asarray(_amplitude(level_dbfs) * np.sin(2 * np.pi * hz / AUDIO_RATE * np.arange(n)))


def _shape(n: int) -> NDArray[np.float64]:
    at = np.arange(n)
    return np.asarray(0.5 - 0.5 * np.cos(np.pi * np.clip(np.minimum(at + 0.5, n - at - 0.5) / RISE, 0.0, 1.0)))
