"""Levelled speech of one channel: what it has released while open, ready to be read by ports and recorders.

An over is started at the sample where it begins, which may lie up to `LOOK_BACK_S` in the past, and follows the air
from then on. The leveler looks 2.5 ms ahead; at the end of an over that
much silence is put behind it, so its last sample comes out as well.
"""

import math
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from dsp.blocks import AUDIO_RATE, RowBlock
from dsp.level import SpeechLeveler

KEPT = 2 * AUDIO_RATE
"""Samples kept after their release; the matrix and the recorder take them at the next tick."""


class Unlevelled(Protocol):
    """The speech of a bank's rows, by on-air index; `dsp.lookback.LookBack` is one."""

    def read(self, row: int, start: int, n: int) -> NDArray[np.float32]:
        """Samples start … start+n of a row, (n,) float32; zeros where there is none."""
        ...


class Speech:
    """Speech of one row. lookback: the unlevelled speech of its bank, squelched or not."""

    def __init__(self, lookback: Unlevelled, row: int) -> None:
        self._lookback = lookback
        self._row = row
        self._leveler = SpeechLeveler(1)
        self._ring = np.zeros(KEPT, np.float32)
        self._start = self._taken = 0
        self._end: int | None = None
        self._running = False
        self._energy = 0.0
        self.released = 0
        """Index of the sample after the last one released."""

    def start(self, at: int) -> None:
        """Begin an over with the sample `at`."""
        # A leveler that sees its index jump drops what the over before may have left in it, and keeps its gain.
        self._leveler.process(RowBlock(np.zeros((1, 0), np.float32), AUDIO_RATE, at))
        self._taken = self.released = self._start = at
        self._end = None
        self._running = True
        self._energy = 0.0

    def stop(self, end: int) -> None:
        """End the over with the sample before `end`; what lies before it is still released."""
        self._end = end

    @property
    def reserve(self) -> int:
        """Samples the leveler holds back."""
        return self._leveler.delay

    @property
    def level_dbfs(self) -> float:
        """RMS of the over so far as it was received, unlevelled; −inf before it began."""
        heard = self._taken - self._start
        return 10 * math.log10(self._energy / heard) if self._energy > 0 else -math.inf

    def advance(self, limit: int, end_limit: int) -> None:
        """Release what is on hand: up to `limit` while the over lasts, up to `end_limit` once its end is known."""
        if not self._running:
            return
        if self._end is None:
            if limit > self._taken:
                self._take(self._lookback.read(self._row, self._taken, limit - self._taken))
        elif self._end <= end_limit:
            rest = self._lookback.read(self._row, self._taken, max(0, self._end - self._taken))
            self._take(rest)
            self._level(np.zeros(self._leveler.delay, np.float32))
            self._running = False

    def read(self, start: int, n: int) -> NDArray[np.float32]:
        """Samples start … start+n, (n,) float32; they must have been released and still be kept."""
        return self._ring[np.arange(start, start + n) % KEPT]

    def _take(self, samples: NDArray[np.float32]) -> None:
        self._energy += float(np.dot(samples, samples))
        self._level(samples)

    def _level(self, samples: NDArray[np.float32]) -> None:
        levelled = self._leveler.process(RowBlock(samples[None, :], AUDIO_RATE, self._taken))
        self._taken += len(samples)
        # The first samples of an over leave the leveler before its start: they are its look-ahead, not speech.
        first = max(levelled.index, self._start)
        fresh = levelled.samples[0, first - levelled.index :]
        self._ring[np.arange(first, first + len(fresh)) % KEPT] = fresh
        self.released = max(self.released, first + len(fresh))
