"""DTMF digits in speech: the eight tones of ITU-T Q.23.

             1209   1336   1477   1633 Hz
     697      1      2      3      A
     770      4      5      6      B
     852      7      8      9      C
     941      *      0      #      D

A window of 20 ms every 5 ms is compared with the eight tones. It holds a digit if the strongest tone of each group has
most of the energy of the window between them, neither is more than 10 dB above the other, and the next in its group is
6 dB down.
A digit is told when two windows in a row say the same, 25 ms after it began.
"""

import numpy as np
from numpy.typing import NDArray

LOW_HZ = (697, 770, 852, 941)
HIGH_HZ = (1209, 1336, 1477, 1633)
DIGITS = ("123A", "456B", "789C", "*0#D")

WINDOW = 160
HOP = 40
SHARE = 0.75
"""Least part of a window's energy that the two tones hold."""
TWIST = 10.0
"""Most that one tone is stronger than the other, as a ratio of powers."""
APART = 4.0
"""Least that a tone is stronger than the next of its group, as a ratio of powers."""
QUIETEST = 1e-5
"""Mean power below which there is no digit: −50 dBFS."""

Audio = NDArray[np.float32]

_N = np.arange(WINDOW)
_SHAPE = np.hanning(WINDOW + 2)[1:-1]
_TONES = np.exp(-2j * np.pi * np.outer((*LOW_HZ, *HIGH_HZ), _N) / 8000) * _SHAPE
_SCALE = 2.0 / (np.sum(_SHAPE) ** 2)


def digit_in(window: Audio) -> str | None:
    """The digit that a window of 20 ms holds, None for anything else."""
    weighted = window.astype(np.float64)
    energy = float(np.sum((weighted * _SHAPE) ** 2) / np.sum(_SHAPE**2))
    if energy < QUIETEST:
        return None
    powers = np.abs(np.sum(_TONES * weighted, axis=1)) ** 2 * _SCALE
    low, high = powers[:4], powers[4:]
    row, column = int(np.argmax(low)), int(np.argmax(high))
    a, b = float(low[row]), float(high[column])
    if a + b < SHARE * energy or max(a, b) > TWIST * min(a, b):
        return None
    if a < APART * float(np.sort(low)[-2]) or b < APART * float(np.sort(high)[-2]):
        return None
    return DIGITS[row][column]


class DtmfDetector:
    """Finds digits in a stream at 8 kHz."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Nothing heard yet."""
        self._held = np.zeros(0, np.float32)
        self._at = 0
        self._last: str | None = None
        self._told: str | None = None
        self._gone = 0

    @property
    def delay(self) -> int:
        """Samples from the beginning of a digit to its being told."""
        return WINDOW + HOP

    def process(self, samples: Audio) -> list[tuple[int, str]]:
        """Take in (n,) float32; the digits that became known, each with the sample at which it began, about."""
        held = np.concatenate([self._held, samples])
        found: list[tuple[int, str]] = []
        first = 0
        while first + WINDOW <= len(held):
            digit = digit_in(held[first : first + WINDOW])
            if digit is not None and digit == self._last and digit != self._told:
                found.append((self._at + first - HOP, digit))
                self._told = digit
            self._gone = 0 if digit is not None else self._gone + 1
            if self._gone >= 3:
                self._told = None
            self._last = digit
            first += HOP
        self._held = held[first:]
        self._at += first
        return found
