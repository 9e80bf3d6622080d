"""Which frame of a talker is played when: a jitter buffer on bridge time, and the rule that old speech is never played.

Frames are 160 samples of 8 kHz. A frame's lateness is how much longer it was under way than the fastest lately; that
one is the base, let up by 300 ppm so that a slow clock is followed and a stalled link is not. Frames are played
`target` after the base: 20 ms at first, then what 19 of 20 frames need, and never more than `MOST_TARGET`. It changes
between talkspurts only.

    frame ─put: late by > 200 ms? dropped, counted─▶ by timestamp ─take: due, and not older than 200 ms─▶ played
"""

from collections import deque
from dataclasses import dataclass

from dsp.blocks import AUDIO_RATE, TICK_SAMPLES
from sdrbridge.rtp.packet import ahead

OLDEST = AUDIO_RATE // 5
"""200 ms: what is older than that is never played."""

LEAST_TARGET, MOST_TARGET = TICK_SAMPLES, OLDEST - 2 * TICK_SAMPLES

MOST_FRAMES = 32
"""Frames held at once; nothing playable is ever more than ten."""

_CREEP_PPM = 300
_LATENESSES = 100
_SHARE = 0.95


@dataclass(slots=True)
class JitterStatistics:
    """Counters. stale: older than 200 ms. late: came after their turn. doubled: came twice. missing: had to be made
    up. full: did not fit."""

    played: int = 0
    stale: int = 0
    late: int = 0
    doubled: int = 0
    missing: int = 0
    full: int = 0


class JitterBuffer:
    """The frames of one source. Times in samples of bridge time and of the sender's clock, both 8 kHz."""

    def __init__(self) -> None:
        self.statistics = JitterStatistics()
        self.reset()

    def reset(self) -> None:
        """Another source, of which nothing is known."""
        self._frames: dict[int, bytes] = {}
        self._last: int | None = None
        self._base = 0.0
        self._based_at = 0
        self._lateness: deque[float] = deque(maxlen=_LATENESSES)
        self._next: int | None = None
        self.target = LEAST_TARGET

    @property
    def talking(self) -> bool:
        """Whether a talkspurt is being played."""
        return self._next is not None

    def put(self, timestamp: int, payload: bytes, arrival: int) -> None:
        """A frame has come at bridge time `arrival`."""
        time = timestamp if self._last is None else self._last + ahead(timestamp, self._last & 0xFFFFFFFF, 32)
        transit = float(arrival - time)
        if self._last is None or transit < self._creeping(arrival):
            self._base, self._based_at = transit, arrival
        self._last = time if self._last is None else max(self._last, time)
        late = transit - self._creeping(arrival)
        if late > OLDEST:
            self.statistics.stale += 1
            return
        self._lateness.append(late)
        if self._next is not None and time < self._next:
            self.statistics.late += 1
        elif time in self._frames:
            self.statistics.doubled += 1
        elif len(self._frames) >= MOST_FRAMES:
            self.statistics.full += 1
        else:
            self._frames[time] = payload

    def take(self, now: int) -> bytes | None:
        """The frame of the tick at `now`; None where there is none, or it was lost.

        While `talking`, None is a frame to be made up.
        """
        stale = [time for time in self._frames if now - time - self._creeping(now) > OLDEST]
        for time in stale:
            del self._frames[time]
        self.statistics.stale += len(stale)
        if self._next is None:
            self._adapt()
            due = now - self._creeping(now) - self.target
            first = min(self._frames, default=None)
            if first is None or first > due:
                return None
            self._next = first
        elif now - self._next - self._creeping(now) > OLDEST:
            self._next = min(self._frames, default=None)
            if self._next is None:
                return None
        time = self._next
        self._next = time + TICK_SAMPLES
        frame = self._frames.pop(time, None)
        if frame is None:
            self.statistics.missing += 1
        else:
            self.statistics.played += 1
        return frame

    def end(self) -> None:
        """The talkspurt is over; the next one is timed anew."""
        self._next = None

    def _creeping(self, at: int) -> float:
        """The base, as far as it may have crept up by `at`."""
        return self._base + max(0, at - self._based_at) * _CREEP_PPM * 1e-6

    def _adapt(self) -> None:
        if self._lateness:
            ranked = sorted(self._lateness)
            needed = ranked[min(len(ranked) - 1, int(_SHARE * len(ranked)))]
            self.target = int(min(max(needed + TICK_SAMPLES / 2, LEAST_TARGET), MOST_TARGET))
