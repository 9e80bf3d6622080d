"""Whether sound that went from one clock to another came whole: where it sets in, before and after.

    before ─Onsets─▶ times ┐
                           ├▶ Path: each once, in time, and no step between two of them
    after ──Onsets─▶ times ┘

A sound sets in after 50 ms of silence, where it first reaches half of what it reaches in its first 5 ms; a linear path
moves that by its delay. What a buffer drops or repeats is 2.5 ms at least (`dsp.elastic`); a step of 1.5 ms is found.
"""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from dsp.blocks import AUDIO_RATE
from dsp.elastic import ALLOWANCE_PPM, LIMIT_PPM
from sdrbridge.port import Audio

QUIET = AUDIO_RATE // 20
"""Samples of silence before a sound sets in."""

UNSURE = AUDIO_RATE // 100
"""Samples by which a silence may be longer or shorter behind a filter and another clock."""

RISE = AUDIO_RATE // 200
"""Samples in which a sound shows how loud it is."""

LASTS = AUDIO_RATE // 40
"""Samples that a sound lasts which has to be heard: of a shorter one at the end of an over the COR line, which knows
nothing of what a buffer holds too much at the moment, may cut all."""

EPS = 1e-4
"""Below this is silence; the filter of a buffer leaves exact zeros beyond its reach of 2 ms."""

OFF = AUDIO_RATE * 15 // 1000
"""Samples by which the delay may differ from what is declared: half a block of the card, and what 300 ppm move it."""

STEP = AUDIO_RATE * 15 // 10_000
"""Samples by which the delay may change from one sound to the next, beside what the pace makes of the time between."""

PACE = (LIMIT_PPM + ALLOWANCE_PPM + LIMIT_PPM) * 1e-6
"""Samples a sample by which the delay may change: the buffer's pace one way, the clock's the other."""

AFTER_SLIP = 3 * AUDIO_RATE
"""Samples after a slip in which the delay comes back to its target."""

_BATCH = AUDIO_RATE // 2


@dataclass(frozen=True, slots=True)
class Onset:
    """A sound sets in. at: which sample, with its fraction. quiet: samples of silence before it.

    sharp: whether it rises at once and stays; only then is `at` exact behind a filter, too. lasts: see `LASTS`.
    """

    at: float
    quiet: int
    sharp: bool
    lasts: bool


class Onsets:
    """Finds them in samples that come in order, after `quiet` samples of silence. found: told of each."""

    def __init__(self, found: Callable[[Onset], None], quiet: int = QUIET) -> None:
        self._found = found
        self._quiet = quiet
        self._parts: list[Audio] = []
        self._waiting = 0
        self._next: int | None = None
        self._last = 0
        """Number of the last sample that was no silence."""

    def feed(self, samples: Audio, at: int) -> None:
        """Take samples at … at + n; after a jump a sound may set in at once."""
        if at != self._next:
            self.flush()
            self._last = at - 4 * QUIET
        self._parts.append(np.array(samples))
        self._waiting += len(samples)
        self._next = at + len(samples)
        if self._waiting >= _BATCH:
            self._look(LASTS)

    def flush(self) -> None:
        """Look at all that has come."""
        if self._waiting:
            self._look(0)

    def _look(self, spare: int) -> None:
        x = np.concatenate(self._parts)
        assert self._next is not None
        first = self._next - len(x)
        loud = np.flatnonzero(np.abs(x[: len(x) - spare]) > EPS)
        if len(loud):
            gaps = np.diff(loud, prepend=self._last - first)
            for i, gap in zip(loud[gaps > self._quiet].tolist(), gaps[gaps > self._quiet].tolist()):
                rise = np.abs(x[i : i + RISE])
                place = _half(rise)
                stays = len(rise) == RISE and float(rise[int(place) + 3 :].min()) > 0.7 * float(rise.max())
                whole = x[i + RISE : i + LASTS]
                lasts = len(whole) == LASTS - RISE and bool(np.abs(whole).min() > EPS)
                self._found(Onset(first + i + place, gap, stays, lasts))
            self._last = first + int(loud[-1])
        self._parts = [x[len(x) - spare :]] if spare else []
        self._waiting = spare


def _half(rise: Audio) -> float:
    """Where it crosses half of its peak."""
    half = float(rise.max()) / 2
    j = int(np.argmax(rise > half))
    if j == 0:
        return 0.0
    low, high = float(rise[j - 1]), float(rise[j])
    return j - (high - half) / (high - low)


class Path:
    """Holds what came against what was sent, in samples of one clock. broken: told what does not fit."""

    def __init__(self, name: str, broken: Callable[[str], None]) -> None:
        self.name = name
        self.declared = 0.0
        """Samples that the path takes."""
        self.followed = 0
        """Sounds that came whole, in time."""
        self._broken = broken
        self._sent: deque[Onset] = deque()
        self._came: deque[float] = deque()
        self._before: tuple[float, float] | None = None
        """When the last one came, and how far off."""
        self._slips = 0
        self._blind_until = 0.0

    def before(self, world: Callable[[float], float]) -> Onsets:
        """What finds the sounds that are sent. world: the time of a sample."""
        return Onsets(lambda onset: self._sent.append(replace(onset, at=world(onset.at))), QUIET - 2 * UNSURE)

    def after(self, world: Callable[[float], float]) -> Onsets:
        """What finds those that come."""
        return Onsets(lambda onset: self._came.append(world(onset.at)))

    def excuse(self, until: float) -> None:
        """What is heard before that was cut off from outside: a device that is gone, a process that stood still."""
        self._blind_until = max(self._blind_until, until)

    def check(self, known: float, slips: int) -> None:
        """All that came up to `known` has been found, and the path has counted so many slips."""
        if slips != self._slips:
            self._slips = slips
            self.excuse(known + AFTER_SLIP)
        while self._sent and self._sent[0].at + self.declared + 2 * OFF < known:
            onset = self._sent.popleft()
            at = onset.at + self.declared
            while self._came and self._came[0] < at - OFF:
                self._stray(self._came.popleft())
            if self._came and self._came[0] <= at + OFF:
                self._fits(at, self._came.popleft() - at, onset.sharp)
            elif at > self._blind_until and onset.quiet > QUIET + UNSURE and onset.lasts:
                self._broken(f"{self.name}: a sound of {at / AUDIO_RATE:.3f} s is lost, and no slip was counted")
        if not self._sent:
            while self._came and self._came[0] + 4 * OFF + self.declared < known:
                self._stray(self._came.popleft())

    def _stray(self, at: float) -> None:
        if at > self._blind_until:
            self._broken(f"{self.name}: a sound at {at / AUDIO_RATE:.3f} s is heard that nobody made, or twice")

    def _fits(self, at: float, off: float, sharp: bool) -> None:
        before, self._before = self._before, (at, off) if sharp else None
        if at <= self._blind_until:
            self._before = None
            return
        self.followed += 1
        if before is not None and sharp and abs(off - before[1]) > STEP + PACE * (at - before[0]):
            step = (off - before[1]) / AUDIO_RATE * 1000
            self._broken(f"{self.name}: the delay steps by {step:.1f} ms at {at / AUDIO_RATE:.3f} s without a slip")
