"""Which sound of a talker is played when: a jitter buffer on bridge time, and the rule that old speech is never played.

Sound lies in a ring by its timestamp, whatever the length of the packets. A packet's lateness is how much longer it was
under way than the fastest lately; that one is the base, let up by 400 ppm so that a slow clock is followed and a
stalled link is not. Sound is played `target` after the base: 20 ms at first, then what 19 of 20 packets need.

    packet ─put: late by > 200 ms? dropped, counted─▶ ring by timestamp ─read: due, and not older than 200 ms─▶ played

The base rises at once in one case only: for a second and more every packet was late, and steadily so. Then the path
has become longer. What a stall has held back comes faster than it was spoken and gets less late all the time: that is
old speech, not a longer path. A packet that is much too early may be a clock that was set; two of them are.
"""

from collections import deque
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dsp.blocks import AUDIO_RATE, TICK_SAMPLES
from sdrbridge.rtp.packet import ahead

Audio = NDArray[np.float32]

OLDEST = AUDIO_RATE // 5
"""200 ms: what is older than that is never played."""

LEAST_TARGET, MOST_TARGET = TICK_SAMPLES, OLDEST - 2 * TICK_SAMPLES

STEADY = TICK_SAMPLES
"""A path that became longer gives latenesses that differ by less from one half of the latest packets to the other."""

_RING = 4096
"""Samples: 200 ms that may be played, and the longest packet, fit."""

_CREEP = 400e-6
_RECENT = 100
_SHARE = 0.95


@dataclass(slots=True)
class JitterStatistics:
    """Counters of packets. stale: older than 200 ms. late: came after their turn, or with only a part of it left.

    doubled: came twice. moved: times the base rose because the path became longer, or began anew because the sender's
    clock was set.
    """

    stale: int = 0
    late: int = 0
    doubled: int = 0
    moved: int = 0


class JitterBuffer:
    """The sound of one source. Times in samples of bridge time and of the sender's clock, both 8 kHz.

    least, most: bounds of the target, in samples.
    """

    def __init__(self, least: int = LEAST_TARGET, most: int = MOST_TARGET) -> None:
        self.statistics = JitterStatistics()
        self._least, self._most = least, most
        self.reset()

    def reset(self) -> None:
        """Another source, of which nothing is known."""
        self._samples = np.zeros(_RING, np.float32)
        self._have = np.zeros(_RING, np.bool_)
        self._floor: int | None = None
        """Nothing before it is taken any more; while playing, the next sample."""
        self._base: float | None = None
        self._based_at = 0.0
        self._recent: deque[tuple[float, float]] = deque(maxlen=_RECENT)
        """Arrival and time under way of the latest packets, the stale ones too."""
        self._early: tuple[int, Audio, float] | None = None
        self.playing = False
        self.end = 0
        """After the newest sample, in the sender's time."""
        self.needed = 0.0
        """What 19 of 20 packets need of lateness."""
        self.target = self._least

    @property
    def position(self) -> int:
        """The next sample, in the sender's time."""
        return self._floor or 0

    def put(self, timestamp: int, samples: Audio, arrival: float) -> bool:
        """A packet has come at bridge time `arrival`. Returns whether it is speech of now, and not stale."""
        if self._base is None:
            self._base, self._based_at = arrival - timestamp, arrival
        edge = int(arrival - self._creeping(arrival))
        time = edge + ahead(timestamp, edge & 0xFFFFFFFF, 32)
        if time - edge > OLDEST:
            return self._is_set(timestamp, samples, arrival)
        self._early = None
        way, late = arrival - time, arrival - time - self._creeping(arrival)
        self._recent.append((arrival, way))
        if late < 0:
            self._base, self._based_at = way, arrival
        elif late > self._most and not self._is_longer(arrival) and late > OLDEST:
            self.statistics.stale += 1
            return False
        self._write(time, samples, arrival)
        return True

    def _is_set(self, timestamp: int, samples: Audio, arrival: float) -> bool:
        """A packet from the future. Twice in a row it is the clock that was set: begin with the first of them."""
        early, self._early = self._early, (timestamp, samples, arrival)
        if early is None or abs(ahead(timestamp, early[0], 32) - (arrival - early[2])) > OLDEST:
            return False
        moved = self.statistics.moved + 1
        self.reset()
        self.statistics.moved = moved
        self.put(*early)
        return self.put(timestamp, samples, arrival)

    def _is_longer(self, now: float) -> bool:
        """Whether the path has become longer; the base is moved if so."""
        first, last = self._recent[0][0], self._recent[-1][0]
        if len(self._recent) < _RECENT or last - first < AUDIO_RATE:
            return False
        ways = [way for _, way in self._recent]
        older, newer = min(ways[: _RECENT // 2]), min(ways[_RECENT // 2 :])
        if abs(newer - older) > STEADY or min(older, newer) - self._creeping(now) < STEADY:
            return False
        self._base, self._based_at = min(older, newer), now
        self._floor, self.playing = None, False
        self._have[:] = False
        self.statistics.moved += 1
        return True

    def _write(self, time: int, samples: Audio, arrival: float) -> None:
        oldest = int(arrival - self._creeping(arrival)) - OLDEST
        if not self.playing:
            self._forget(oldest)
        floor = self._floor if self._floor is not None else oldest
        end = time + len(samples)
        if end <= floor or end > floor + _RING:
            self.statistics.late += 1
            return
        first = max(time, floor)
        self.statistics.late += first > time
        slots = np.arange(first, end) % _RING
        if self._have[slots].all():
            self.statistics.doubled += 1
            return
        self._samples[slots] = samples[first - time :]
        self._have[slots] = True
        self.end = max(self.end, end)

    def _forget(self, before: int) -> None:
        if self._floor is None or before - self._floor >= _RING:
            self._have[:] = False
            self._floor = before
        elif before > self._floor:
            self._have[np.arange(self._floor, before) % _RING] = False
            self._floor = before

    def begin(self, now: int) -> bool:
        """Whether the first sample there is is due; then playing begins with it."""
        if self._base is None or self._floor is None:
            return False
        edge = now - self._creeping(now)
        self._forget(int(edge) - OLDEST)
        there = self._have[np.arange(self._floor, max(self._floor, self.end)) % _RING]
        if not there.any():
            return False
        self.adapt(now)
        first = self._floor + int(np.argmax(there))
        if first > edge - self.target:
            return False
        self._forget(first)
        self.playing = True
        return True

    def read(self, n: int) -> tuple[Audio | None, int]:
        """The next samples while playing, at most n, and how many; None in their place where they did not come."""
        assert self._floor is not None, "nothing is playing"
        slots = np.arange(self._floor, self._floor + n) % _RING
        there = self._have[slots]
        count = int(np.argmin(there == there[0])) or n
        sound = self._samples[slots[:count]].copy() if there[0] else None
        self._forget(self._floor + count)
        return sound, count

    def stop(self) -> None:
        """Play nothing until `begin`; what comes next is timed anew."""
        self.playing = False

    def skip(self, now: int) -> int:
        """Leave out what is older than the target; returns how many samples."""
        before = self.position
        self._forget(int(now - self._creeping(now)) - self.target)
        return self.position - before

    def delay(self, now: int, position: float) -> float:
        """How old the sample at `position` is: samples since the fastest packet would have brought it."""
        return now - self._creeping(now) - position

    def adapt(self, now: int) -> None:
        """Set the target to what 19 of 20 packets need, and half a packet."""
        base = self._creeping(now)
        late = sorted(way - base for _, way in self._recent if way - base <= OLDEST)
        if late:
            self.needed = late[min(len(late) - 1, int(_SHARE * len(late)))]
            self.target = int(min(max(self.needed + TICK_SAMPLES / 2, self._least), self._most))

    def _creeping(self, at: float) -> float:
        """The base, as far as it may have crept up by `at`."""
        assert self._base is not None
        return self._base + max(0.0, at - self._based_at) * _CREEP
