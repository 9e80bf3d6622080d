"""Overs of a live port: speech kept by on-air index, begun and ended by whatever says so.

    device ─hear(index, samples)─▶ LookBack ─Speech: leveler─▶ read
    COR line, VOX or packets ─open(at), close(at)─▶ Transmission

An over may be announced before its sound is there (a COR line is faster than a sound card) and may begin in the past (a
VOX is slower). Openings and closings are carried out in order: an opening when the over before has been given out
whole, a closing when the sound up to it has come, for whoever hears of an end reads up to it at once.
"""

from collections import deque
from collections.abc import Sequence
from math import isfinite

import numpy as np
from numpy.typing import NDArray

from dsp.blocks import AUDIO_RATE, RowBlock
from dsp.lookback import LookBack
from sdrbridge.speech import Speech
from sdrbridge.transmission import Transmission

KEPT_S = 2.0
"""Speech kept from before an opening."""

MOST_WAITING = 64
"""Openings and closings that may wait for an over to be given out."""


class LiveReceiver:
    """The receive side of a live port, an RxPort but for `advance`, which belongs to the kind."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.count = 0
        """Overs so far."""
        self.over: Transmission | None = None
        """The over in progress, or ended and not yet given out to its last sample."""
        self._lookback = LookBack(1, int(KEPT_S * AUDIO_RATE))
        self._speech = Speech(self._lookback, 0)
        self._begun: list[Transmission] = []
        self._asked: deque[tuple[bool, int]] = deque(maxlen=MOST_WAITING)

    @property
    def held_back(self) -> int:
        """Samples the leveler holds back."""
        return self._speech.reserve

    @property
    def known(self) -> int:
        """On-air index up to which sound has come."""
        return self._lookback.end

    @property
    def is_open(self) -> bool:
        """Whether somebody speaks, as far as was said."""
        return self._asked[-1][0] if self._asked else self.over is not None and self.over.end is None

    def hear(self, index: int, samples: NDArray[np.float32]) -> None:
        """Sound from on-air `index` on, (n,) float32."""
        self._lookback.write(RowBlock(samples[None, :], AUDIO_RATE, index))

    def open(self, at: int) -> None:
        """An over begins at `at`, unless one is open."""
        if not self.is_open:
            self._asked.append((True, at))

    def close(self, at: int) -> None:
        """The over ends at `at`, or where it has been given out to."""
        if self.is_open:
            self._asked.append((False, at))

    def release(self) -> None:
        """Carry out what was asked, and give out what is known. Once a tick, after `hear`."""
        self._give()
        while self._asked:
            opening, at = self._asked[0]
            if opening:
                if self.over is not None:
                    return  # the one before is not out yet
                self._asked.popleft()
                self._open(at)
            elif self.over is not None and self.over.end is None:
                if at > self.known:
                    return  # its last sound is still to come
                self._asked.popleft()
                self._close(self.over, at)
            else:
                self._asked.popleft()
            self._give()

    def begun(self) -> Sequence[Transmission]:
        """Overs that began since the last call, oldest first."""
        begun, self._begun = self._begun, []
        return begun

    def available(self) -> int:
        """Index of the sample after the last one that may be read."""
        return self._speech.released

    def read(self, start: int, n: int) -> NDArray[np.float32]:
        """Samples start … start+n, (n,) float32; zeros where nothing came."""
        return self._speech.read(start, n)

    def _open(self, at: int) -> None:
        at = max(at, self._lookback.oldest if self.known else at, self._speech.released, 0)
        self.count += 1
        self.over = Transmission.begin(self.name, self.count, at)
        self._begun.append(self.over)
        self._speech.start(at)

    def _close(self, over: Transmission, at: int) -> None:
        over.on_air_end = max(at, over.start)
        over.end = max(at, over.start, self._speech.released)
        self._speech.stop(over.end)

    def _give(self) -> None:
        if self.over is None:
            return
        limit = self.known
        if self._asked and not self._asked[0][0]:
            limit = min(limit, self._asked[0][1])  # nothing from behind its end
        self._speech.advance(limit, self.known)
        level = self._speech.level_dbfs
        self.over.facts.level_dbfs = level if isfinite(level) else None
        if self.over.end is not None and self.available() >= self.over.end:
            self.over = None
