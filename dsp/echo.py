"""Is what is heard here what was sent there a while ago? Finds speech that comes back by somebody else's system.

A codec, another level, a band limit and a second of delay leave nothing of the waveform, but they leave when each band
was loud and when not. Eight bands of 300 … 3000 Hz, their levels in 20 ms, every 10 ms:

    EchoTrack    samples ─▶ eight band-pass sections ─▶ mean square in each ─▶ log2, in a ring by hop of the index
    find         the last 1.28 s of one track at every place of another:

        x, y    levels, no more than 24 dB below the loudest of the stretch; and shapes, levels less their mean
                over the bands, which know nothing of the rhythm of syllables that all speech has in common
        r       Σ (x − x̄)(y − ȳ) / √(Σ (x − x̄)² · Σ (y − ȳ)²), over frames of 20 ms and bands, once of levels and
                once of shapes; the lower of the two counts

`Match.counts` says when that is evidence: alike, nowhere else nearly as alike (a cadence of tones fits at many places),
enough of it sounding, and changing as speech does. One match may be chance; `EchoJudge` wants a second one, from other
speech, with the same delay. `tests/curves/test_echo.py` shows both errors.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dsp import _echo
from dsp.blocks import AUDIO_RATE
from dsp.errors import RangeError, ShapeError

Audio = NDArray[np.float32]

HOP = 80
"""Samples between two levels of a band: 10 ms."""

EDGES_HZ = tuple(float(hz) for hz in np.geomspace(300.0, 3000.0, 9))
"""Edges of the bands: what every speech channel passes, in equal ratios."""

FRAMES = 64
"""Frames of 20 ms that are compared at a time."""

WINDOW = 2 * FRAMES
"""Hops that they take: 1.28 s."""

LOW, HIGH = -10, 500
"""Delays that are looked at, in hops; below zero so that what was heard before it was sent is seen to be no echo."""

LEAST = 2
"""Shortest delay of an echo in hops; what is nearer is the same speech on its way out."""

LONGEST_S = HIGH * HOP / AUDIO_RATE

APART = 10
"""Hops around the best place that belong to it."""

DEPTH = 8.0
"""Levels further below the loudest than this do not count, as a power of two: 24 dB."""

ACTIVE = 6.64
"""A frame sounds if a band is no more than this below the loudest: 20 dB."""

ALIKE = 0.78
"""Least likeness of an echo. Full-rate IMBE gives 0.8 … 0.95, twice with noise between 0.7 … 0.93; other talkers 0.3,
one window in a thousand more than 0.7."""

ALONE = 0.15
"""Least by which the best place is better than any other."""

DIFFERENT = 0.55
"""Likeness below which a stretch is somebody else's."""

LEAST_ACTIVE = 16
"""Frames that have to sound: 0.3 s."""

LEAST_CHANGES = 0.05
"""Least mean change of shape: speech has 0.1 … 0.4, tones that come and go 0.01."""

STEP = 64
"""Hops between two stretches that are compared; each has half of the one before in it."""

ENOUGH = 3
"""Matches that make a verdict: 2.6 s of speech."""

SPREAD = 1
"""Most hops by which their delays differ."""

PATIENCE = 1000
"""Hops for which a match is remembered: 10 s, for a talker who says little at a time."""


def _sections() -> NDArray[np.float32]:
    """Butterworth band-passes of two poles, by the bilinear transform, as b0, a1, a2 (b1 = 0, b2 = −b0): (3, bands)."""
    low, high = np.tan(np.pi / AUDIO_RATE * np.array([EDGES_HZ[:-1], EDGES_HZ[1:]]))
    width, centre = high - low, low * high
    return np.asarray(np.stack([width, 2 * (centre - 1), 1 - width + centre]) / (1 + width + centre), np.float32)


_SECTIONS = _sections()


class EchoTrack:
    """The levels of one stream at 8 kHz, by hop of its index. keep: hops that are remembered. Raises `RangeError`."""

    def __init__(self, keep: int = WINDOW + HIGH + 300) -> None:
        if keep < WINDOW:
            raise RangeError(f"keep = {keep} hops; a comparison takes {WINDOW}")
        self.levels = np.zeros((keep, 8), np.float32)
        self.reset()

    def reset(self) -> None:
        """Nothing heard yet."""
        self._next: int | None = None
        self._begin = 0
        self._state = np.zeros(24, np.float32)
        self._energy = np.zeros(16, np.float32)

    @property
    def delay(self) -> int:
        """Samples from a sound to its level: that of the hop it is in is known at the end of the next."""
        return HOP

    @property
    def next(self) -> int | None:
        """Index of the sample that follows; None before the first."""
        return self._next

    @property
    def begin(self) -> int:
        """The first hop that is remembered."""
        return max(self._begin, self.end - len(self.levels))

    @property
    def end(self) -> int:
        """The hop after the last whole one."""
        return self._begin if self._next is None else self._next // HOP

    def process(self, index: int, samples: Audio) -> None:
        """Take in (n,) float32 from `index` on. A jump forward is silence, a jump back a new beginning.

        Raises `ShapeError`.
        """
        if samples.dtype != np.float32 or samples.ndim != 1:
            raise ShapeError(f"samples are {samples.dtype} {samples.shape}; an echo track takes float32 (n,)")
        if self._next is None or index < self._next or index - self._next > len(self.levels) * HOP:
            self.reset()
            self._begin = index // HOP
            self._next = self._begin * HOP
        while self._next < index:
            self._take(np.zeros(min(index - self._next, AUDIO_RATE), np.float32))
        self._take(np.ascontiguousarray(samples))

    def _take(self, samples: Audio) -> None:
        assert self._next is not None
        hop, phase = divmod(self._next, HOP)
        _echo.bands(samples, phase, _SECTIONS, self._state, self._energy, self.levels, hop)
        self._next += len(samples)


@dataclass(frozen=True, slots=True)
class Match:
    """Where a stretch fits best. likeness: −1 … 1. lag: hops before. elsewhere: likeness of the next best place.

    active: frames of it that sound. changes: by how much their shape changes from one to the next, in the mean.
    """

    likeness: float
    lag: int
    elsewhere: float
    active: int
    changes: float

    @property
    def judged(self) -> bool:
        """Whether there was enough speech in it to say anything."""
        return _judged(self.active, self.changes)

    @property
    def counts(self) -> bool:
        """Whether it is evidence of an echo."""
        fits = self.likeness >= ALIKE and self.elsewhere <= self.likeness - ALONE
        return self.judged and fits and self.lag >= LEAST

    @property
    def different(self) -> bool:
        """Whether it is evidence of somebody else."""
        return self.judged and (self.likeness < DIFFERENT or self.lag < LEAST)


def _judged(active: int, changes: float) -> bool:
    return active >= LEAST_ACTIVE and changes >= LEAST_CHANGES


def judged(said: EchoTrack, last: int) -> bool:
    """Whether there is enough speech in the frames of `said` up to hop `last` to say anything."""
    return _judged(*_echo.activity(said.levels, last, said.begin, said.end, FRAMES, DEPTH, ACTIVE))


def find(said: EchoTrack, last: int, sent: EchoTrack) -> Match:
    """Where the frames of `said` up to hop `last` fit best in `sent`, up to 5 s before.

    Outside of what a track knows is silence. A stretch that cannot be judged is looked for nowhere: its likeness is 0.
    """
    likeness, lag, elsewhere, active, changes = _echo.find(
        said.levels,
        last,
        said.begin,
        said.end,
        sent.levels,
        sent.begin,
        sent.end,
        FRAMES,
        LOW,
        HIGH,
        APART,
        DEPTH,
        ACTIVE,
        LEAST_ACTIVE,
        LEAST_CHANGES,
    )
    return Match(likeness, lag, elsewhere, active, changes)


class EchoJudge:
    """Weighs the matches of one pair, one after the other, `STEP` hops apart at least. Pure.

    NOTHING ──a match──▶ SUSPECTED ──`ENOUGH` of them with one delay──▶ ECHO
        ▲────a stretch that does not fit, or 10 s without another────┘
    """

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Nothing seen yet."""
        self._found: list[tuple[int, Match, str]] = []

    @property
    def matches(self) -> int:
        """Matches that are remembered."""
        return len(self._found)

    def weigh(self, last: int, match: Match, over: str = "", overs: int = 1) -> Match | None:
        """Take in the match of the stretch that ends at hop `last`; the best one if it is enough for a verdict.

        over: what the stretch is part of; overs: from how many of them evidence has to come.
        """
        self._found = [found for found in self._found if last - found[0] <= PATIENCE]
        if not match.counts:
            if match.judged:
                self._found = []
            return None
        self._found = [found for found in self._found if abs(found[1].lag - match.lag) <= SPREAD]
        self._found.append((last, match, over))
        if len(self._found) < ENOUGH or len({found[2] for found in self._found}) < overs:
            return None
        return max((found[1] for found in self._found), key=lambda found: found.likeness)
