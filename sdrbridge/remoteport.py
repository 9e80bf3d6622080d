"""The channels of a tuner as the daemon sees them: receive ports that are fed by a worker's messages.

    worker ─Begin · Audio · Known · End · Told─▶ RemoteTuner.take ─▶ RemotePort (an RxPort) ─▶ Matrix

A tuner counts its own samples, since its own start. Each over gets a place in bridge time when it begins: the tuner's
newest sample is put to the present, as the least delayed beat of the last seconds shows it. The present is that of the
steady clock at which the beat was sent, so ticks that are made late and at once move nothing. Inside an over its speech
is played as much faster or slower as the two clocks are apart (`tunerclock`), so an over of hours neither runs dry nor
falls behind; the next one is placed anew.

Overs get their number here, because a worker that was started again begins to count at one.
"""

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dsp.blocks import AUDIO_RATE
from dsp.elastic import Stretch
from sdrbridge.bank import Stage
from sdrbridge.pacer import MOST_LATE_S
from sdrbridge.ports.live import Direction
from sdrbridge.transmission import Facts, Transmission
from sdrbridge.tunerclock import TunerClock
from sdrbridge.wire import Audio, Beat, Begin, End, Hello, Known, Message, Told

KEPT = 1 << 15
"""Samples of speech kept for the matrix and the recorder: four seconds."""

BEATS_S = 2.0
"""Seconds of beats of which the least delayed one says where the tuner is in bridge time, and of ticks of which the
most punctual one says where bridge time is on the steady clock."""

_BEATS = round(BEATS_S * AUDIO_RATE)
_MOST_LATE = round(MOST_LATE_S * AUDIO_RATE)

_TIMES = ("t_s", "at_s", "start_s", "end_s")
"""Fields of a worker's event that are tuner time."""

Event = dict[str, object]

REACH_S = 0.001
"""Half the length of the filter by which speech is played faster or slower. It passes speech, and only that."""

_PIECE = 4096
"""Samples that go through that filter at a time."""


class RemotePort:
    """One channel. clock: its tuner's. on_over: told of each over when it begins."""

    def __init__(
        self, name: str, clock: TunerClock | None = None, on_over: Callable[[Transmission], None] | None = None
    ) -> None:
        self.name = name
        self._clock = clock or TunerClock()
        self._stretch = Stretch(AUDIO_RATE, AUDIO_RATE, _PIECE, REACH_S)
        self._came = 0
        """Index of the sample after the last one that came, as it came."""
        self._origin = 0
        """The same of the filter's first sample."""
        self._apart = False
        """Whether speech goes through the filter: since the clocks were first found apart in this over."""
        self._over: Transmission | None = None
        self._ended: Transmission | None = None
        self._seen = False
        self._on_over = on_over
        self._begun: list[Transmission] = []
        self._ring = np.zeros(KEPT, np.float32)
        self._end = 0
        self.ledger: tuple[Stage, ...] = ()
        """What its worker says that its stages hold back."""
        self.count = 0
        """Overs so far."""
        self.gaps = 0
        """Times speech was missing between two messages."""

    @property
    def over(self) -> Transmission | None:
        """The over that comes in, or the one that has ended since the last tick; None between two."""
        return self._over or self._ended

    def stages(self, direction: Direction) -> Sequence[Stage]:
        """What it holds back on the way in; nothing goes out."""
        if direction == "tx" or not self.ledger:
            return ()
        return (*self.ledger, Stage("clock correction", self._stretch.reach / AUDIO_RATE))

    def advance(self, now: int) -> None:
        """Nothing to take in: messages were taken before the matrix asks. What has ended is kept for this tick."""
        if self._seen:
            self._ended = None
        self._seen = self._ended is not None

    def begun(self) -> Sequence[Transmission]:
        """Overs that began since the last call, oldest first."""
        begun, self._begun = self._begun, []
        return begun

    def available(self) -> int:
        """Index of the sample after the last one that came."""
        return self._end

    def read(self, start: int, n: int) -> NDArray[np.float32]:
        """Samples start … start+n, (n,) float32; zeros where samples were lost or have not come. See `RxPort`."""
        at = start & (KEPT - 1)
        oldest = self._end + self._stretch.reach - KEPT
        if at + n <= KEPT and oldest <= start <= self._end - n:
            return self._ring[at : at + n]
        out = np.zeros(n, np.float32)
        end = min(start + n, self._end)
        first = max(start, oldest)
        while first < end:
            at = first & (KEPT - 1)
            last = min(end, first + KEPT - at)
            out[first - start : last - start] = self._ring[at : at + last - first]
            first = last
        return out

    def begin(self, start: int, facts: Facts) -> Transmission:
        """An over begins at `start`, or where the one before has ended."""
        self.close()
        self.count += 1
        start = max(start, self._end)
        self._end = self._came = self._origin = start
        self._apart = False
        over = self._over = Transmission.begin(self.name, self.count, start)
        over.facts = facts
        self._begun.append(over)
        if self._on_over is not None:
            self._on_over(over)
        return over

    @property
    def moved(self) -> int:
        """Samples by which the over's speech lies later than it came, to stay with the bridge's clock."""
        return round(self._end - self._origin - self._stretch.position) if self._apart else 0

    def hear(self, index: int, samples: NDArray[np.float32]) -> None:
        """Speech from `index` on. What is missing before it becomes silence; what was there already is left out."""
        if self._over is None:
            return
        if index > self._came:
            self.gaps += 1
            self._pass(index)
        elif index < self._came:
            samples = samples[self._came - index :]
        self._take(samples)

    def _pass(self, index: int) -> None:
        """Silence until `index`."""
        if index - self._came > KEPT:
            self._end = index + self.moved
            self._origin = index
            self._ring[:] = 0.0
            self._stretch.reset()
            self._came = index
        else:
            self._take(np.zeros(index - self._came, np.float32))

    def _take(self, samples: NDArray[np.float32]) -> None:
        """Put speech behind what there is, at the pace of the bridge's clock."""
        stretch, came = self._stretch, self._came
        if self._clock.ppm and not self._apart:
            self._part()
        self._came = came + len(samples)
        if not self._apart:
            # The filter holds back as much before it is needed: it may begin at any time.
            self._put(came, samples)
            self._end = max(self._end, self._came - stretch.reach)
            return
        stretch.set_ppm(self._clock.ppm)
        for first in range(0, len(samples), _PIECE):
            stretch.push(samples[first : first + _PIECE])
            made = np.empty(stretch.possible(), np.float32)
            stretch.pull(made)
            self._put(self._end, made)
            self._end += len(made)

    def _put(self, start: int, samples: NDArray[np.float32]) -> None:
        """Into the ring, from index `start` on."""
        at = start & (KEPT - 1)
        over = at + len(samples) - KEPT
        if over <= 0:
            self._ring[at : at + len(samples)] = samples
        else:
            self._ring[at:], self._ring[:over] = samples[:-over], samples[-over:]

    def _part(self) -> None:
        """From here on speech goes through the filter, which begins with what it would hold by now."""
        self._apart = True
        self._origin = max(self._origin, self._end - self._stretch.reach)
        self._stretch.reset()
        self._stretch.push(self._ring[np.arange(self._origin, self._came) & (KEPT - 1)])
        self._stretch.move(self._end - self._origin)

    def close(self, end: int | None = None, on_air_end: int | None = None) -> Transmission | None:
        """The over ends; at what has come, if nothing else is known. Returns the over, if there was one."""
        over = self._over
        if over is None:
            return None
        if end is not None and end > self._came:
            self._pass(end)
        self._take(np.zeros(self._stretch.reach, np.float32))
        quiet = 0 if end is None or on_air_end is None else end - on_air_end
        self._over, self._ended, self._seen = None, over, False
        over.end = self._end
        over.on_air_end = max(over.end - quiet, over.start)
        return over


@dataclass(slots=True)
class _Placed:
    """An over that comes in: its name at the worker, where, and what is added to tuner time to get bridge time."""

    theirs: str
    over: Transmission
    port: RemotePort
    offset: int


class _Least:
    """The least of what was seen in the last seconds; 0 before anything was."""

    def __init__(self) -> None:
        # When it was seen, and what: rising, so that the first is the least of those that still count.
        self._seen: deque[tuple[int, int]] = deque()
        self.value = 0

    def see(self, now: int, value: int) -> None:
        seen = self._seen
        while seen and seen[-1][1] >= value:
            seen.pop()
        seen.append((now, value))
        while seen[0][0] <= now - _BEATS:
            seen.popleft()
        self.value = seen[0][1]

    def clear(self) -> None:
        self._seen.clear()
        self.value = 0


class RemoteTuner:
    """All channels of one tuner, whichever worker serves it. sink: told of what the worker tells, in bridge time."""

    def __init__(
        self,
        name: str,
        channels: Iterable[str],
        sink: Callable[[Event], None],
        on_over: Callable[[Transmission], None] | None = None,
    ) -> None:
        self.name = name
        self.clock = TunerClock()
        self.ports = {channel: RemotePort(channel, self.clock, on_over) for channel in channels}
        self.hello: Hello | None = None
        self.beat: Beat | None = None
        self.strangers = 0
        """Messages about channels or overs that are not known."""
        self._sink = sink
        self._placed: dict[str, _Placed] = {}
        self._names: dict[str, str] = {}
        self._offsets = _Least()
        self._ticks = _Least()
        self._act: dict[type[Message], Callable[[Any], object]] = {
            Hello: self._greet,
            Begin: self._begin,
            Audio: self._hear,
            Known: self._learn,
            End: self._end,
            Told: self._tell,
        }

    @property
    def offset(self) -> int:
        """What is added to tuner time to get bridge time, for an over that begins now."""
        return self._offsets.value

    def take(self, messages: Sequence[Message], now: int, monotonic: float) -> None:
        """Take what arrived before the tick of `now`, which came at `monotonic` by the machine's steady clock."""
        tick = round(monotonic * AUDIO_RATE) - now
        if tick - self._ticks.value > _MOST_LATE:
            # Later than a tick ever is: the beat of the bridge began anew.
            self._ticks.clear()
        self._ticks.see(now, tick)
        for message in messages:
            # First the time: it belongs to all that came with it.
            if isinstance(message, Beat):
                self.beat = message
                sent = round(message.sent_s * AUDIO_RATE) - self._ticks.value
                self._offsets.see(now, sent - message.time)
                self.clock.beat(message.time, now - (monotonic - message.sent_s) * AUDIO_RATE)
        for message in messages:
            act = self._act.get(type(message))
            if act is not None:
                act(message)

    def _greet(self, hello: Hello) -> None:
        self.hello = hello
        for channel, stages in hello.ledger.items():
            if channel in self.ports:
                self.ports[channel].ledger = tuple(Stage(s.stage, s.delay_s) for s in stages)

    def _begin(self, begin: Begin) -> None:
        port = self.ports.get(begin.channel)
        if port is None:
            self.strangers += 1
            return
        over = port.begin(begin.start + self.offset, begin.facts)
        # Where it had to give way to the one before, all of it is moved.
        self._placed[begin.channel] = _Placed(begin.over, over, port, over.start - begin.start)
        self._names[begin.over] = over.id
        while len(self._names) > 4 * len(self.ports):
            del self._names[next(iter(self._names))]

    def _hear(self, audio: Audio) -> None:
        placed = self._placed.get(audio.channel)
        if placed is None:
            self.strangers += 1
        else:
            placed.port.hear(audio.index + placed.offset, audio.array())

    def _learn(self, known: Known | End) -> _Placed | None:
        placed = self._placed.get(known.channel)
        if placed is None or placed.theirs != known.over:
            self.strangers += 1
            return None
        placed.over.facts = known.facts
        return placed

    def _end(self, end: End) -> None:
        placed = self._learn(end)
        if placed is not None:
            placed.port.close(end.end + placed.offset, end.on_air_end + placed.offset)
            del self._placed[end.channel]

    def _tell(self, told: Told) -> None:
        event = told.event
        channel = str(event.get("channel", ""))
        placed = self._placed.get(channel)
        offset = self.offset if placed is None else placed.offset + self.ports[channel].moved
        moved = dict(event)
        for key in _TIMES:
            value = moved.get(key)
            if isinstance(value, int | float):
                moved[key] = round(value + offset / AUDIO_RATE, 6)
        if "over" in moved:
            moved["over"] = self._names.get(str(moved["over"]), moved["over"])
        self._sink(moved)

    def lost(self, now: int, reason: str) -> None:
        """The worker is gone: what it had open ends where it is."""
        for port in self.ports.values():
            over = port.close()
            if over is not None:
                times = {"t_s": now / AUDIO_RATE, "event": "over.close", "channel": port.name, "over": over.id}
                self._sink({**times, "end_s": (over.end or 0) / AUDIO_RATE, "reason": reason})
        self._placed.clear()
        self._offsets.clear()
        self.clock.reset()
        self.hello = self.beat = None
