"""The ports of a simulated bridge, and the people and radios around them.

Every port speaks in a voice of its own: a level that no other has, in syllables of 300 ms with 100 ms between them, and
its first 20 ms half as loud again. So a single sample of an output tells who is heard there, and the first sample of a
port's speech whether its beginning was lost.

    Ear           where overs come in; what can go wrong on the way is switched on and off
    Transmitter   where frames leave; tells the watch of every one
    House         the ports of one site, and which roles they play
"""

import random
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from dsp.blocks import AUDIO_RATE, TICK_SAMPLES
from sdrbridge.port import Audio
from sdrbridge.simulation.script import Roles
from sdrbridge.transmission import Facts, Transmission

SYLLABLE = 15 * TICK_SAMPLES
GAP = 5 * TICK_SAMPLES
LOUDER = np.float32(1.5)
MOST_READ = 1 << 16
"""Samples that are asked for at a time, at most."""

LEVELS = tuple(0.9 * 0.93**i for i in range(64))
"""Levels of the voices; neighbours differ by 7 %, and none is 1.5 times another within 1 %."""


class Voice:
    """What one port says: words of a syllable and a gap, for ever."""

    def __init__(self, level: float) -> None:
        syllable = np.full(SYLLABLE, level, np.float32)
        self._word = np.concatenate([syllable, np.zeros(GAP, np.float32)])
        self._words = np.tile(self._word, 2 + MOST_READ // len(self._word))

    def say(self, place: int, n: int) -> Audio:
        """Samples place … place + n of an over, at most `MOST_READ`."""
        first = place % len(self._word)
        out = self._words[first : first + n]
        if place < TICK_SAMPLES:
            out = out.copy()
            out[: TICK_SAMPLES - place] *= LOUDER
        return out


@dataclass(slots=True, eq=False)
class Over:
    """Somebody talks. start, end: on-air samples of the world. encrypted_at: from when it is known to be encrypted."""

    start: int
    end: int
    emergency: bool = False
    encrypted_at: int | None = None
    heard: Transmission | None = None
    offset: int = 0
    """Where in the voice the part begins that the bridge can hear, for an over that it joined late."""


class Ear:
    """One receive port. latency, decision: samples until sound, and the beginning of an over, are known.

    It is the receiver, its worker and its decoder in one: while `down` nothing comes in, what was open ends, and what
    is still on the air when it is back begins anew from there.
    """

    def __init__(self, name: str, level: float, latency: int, decision: int, loss: float = 0.0) -> None:
        self.name = name
        self.level = np.float32(level)
        self.latency = latency
        self.decision = decision
        self.down = False
        self.lossy: random.Random | None = None
        self.lost_packets = 0
        self.on_over: Callable[[Over], None] | None = None
        self._voice = Voice(level)
        self._count = 0
        self._origin = 0
        self._now = 0
        self._waiting: deque[Over] = deque()
        self._open: list[Over] = []
        self._begun: list[Transmission] = []

    def connect(self, origin: int) -> None:
        """A bridge begins to listen whose time 0 is the world's `origin`."""
        self._origin = origin
        self._now = 0
        self._begun = []
        self._rejoin(origin)

    def talk(self, over: Over) -> None:
        """Somebody begins to talk. Those who talk on one channel at once are one over to whoever listens."""
        if self._waiting and self._waiting[-1].end >= over.start - AUDIO_RATE // 5:
            return
        self._waiting.append(over)

    def break_down(self, world: int) -> None:
        """Nothing comes in any more."""
        self.down = True
        for over in self._open:
            if over.heard is not None and over.heard.end is None:
                self._end(over, min(over.end, max(world, over.start + over.offset)))
        self._open = []

    def come_back(self, world: int) -> None:
        """It works again."""
        self.down = False
        self._rejoin(world)

    def _rejoin(self, world: int) -> None:
        # What is on the air goes on as a new over, heard from here on.
        running = [*self._open, *self._waiting]
        self._open = []
        self._waiting = deque()
        for over in running:
            if over.end > world + TICK_SAMPLES:
                late = max(world, over.start)
                again = Over(over.start, over.end, over.emergency, over.encrypted_at)
                again.offset = late - over.start
                self._waiting.append(again)

    # What the matrix sees; all indices are bridge time.

    def advance(self, now: int) -> None:
        self._now = now
        if self.down:
            return
        known = now + self._origin - self.latency
        while self._waiting and self._begin_of(self._waiting[0]) + self.decision <= known:
            over = self._waiting.popleft()
            self._count += 1
            over.heard = Transmission.begin(self.name, self._count, self._begin_of(over) - self._origin)
            over.heard.facts = Facts(snr_db=20.0, emergency=over.emergency or None)
            self._open.append(over)
            self._begun.append(over.heard)
            if self.on_over is not None:
                self.on_over(over)
        for over in self._open:
            assert over.heard is not None
            if over.encrypted_at is not None and over.encrypted_at + self.decision <= known:
                over.heard.facts.encrypted = True
            if over.end <= known:
                self._end(over, over.end)
        if self._open and self._open[0].end + 2 * AUDIO_RATE < known:
            self._open.pop(0)

    def quiet_until(self, now: int) -> int:
        """Bridge time of the first tick at which something begins, ends or becomes known; `now` + nothing changes."""
        if self.down:
            return now + 3600 * AUDIO_RATE
        next_known = [self._begin_of(self._waiting[0]) + self.decision] if self._waiting else []
        for over in self._open:
            assert over.heard is not None
            if over.heard.end is None:
                next_known.append(over.end)
                if over.encrypted_at is not None and not over.heard.facts.encrypted:
                    next_known.append(over.encrypted_at + self.decision)
        if not next_known:
            return now + 3600 * AUDIO_RATE
        at = min(next_known) + self.latency - self._origin
        return -(-at // TICK_SAMPLES) * TICK_SAMPLES

    def begun(self) -> Sequence[Transmission]:
        begun, self._begun = self._begun, []
        return begun

    def available(self) -> int:
        return self._now - self.latency

    def read(self, start: int, n: int) -> Audio:
        first = start + self._origin
        for over in reversed(self._open):
            begin = self._begin_of(over)
            if begin <= first < over.end:
                place = first - over.start
                out = self._voice.say(place, n)
                if self.lossy is not None:
                    out = self._with_losses(out, self.lossy)
                return out
        return np.zeros(n, np.float32)

    def _with_losses(self, sound: Audio, rng: random.Random) -> Audio:
        """Packets of 20 ms that did not come are silence, and are counted."""
        out = sound.copy()
        for at in range(0, len(out) - TICK_SAMPLES + 1, TICK_SAMPLES):
            if rng.random() < 0.1:
                out[at : at + TICK_SAMPLES] = 0.0
                self.lost_packets += 1
        return out

    @staticmethod
    def _begin_of(over: Over) -> int:
        return over.start + over.offset

    def _end(self, over: Over, world: int) -> None:
        assert over.heard is not None
        if over.heard.end is None:
            over.heard.end = over.heard.on_air_end = max(world - self._origin, over.heard.start)


Heard = Callable[[str, Audio, int, bool], None]
"""Told of each frame of an output: port, samples, bridge index, keyed."""


@dataclass(slots=True)
class Transmitter:
    """One output. set_ptt: keys its line, where it has one."""

    name: str
    heard: Heard
    set_ptt: Callable[[bool], None] | None = None

    def write(self, frame: Audio, index: int, keyed: bool) -> None:
        if self.set_ptt is not None:
            self.set_ptt(keyed)
        self.heard(self.name, frame, index, keyed)


@dataclass(frozen=True, slots=True)
class Station:
    """One port of the house. kind: channel, radio or link. tuner: of a channel. access_ms: of a transmitter."""

    name: str
    kind: str
    level: float
    tuner: str = ""
    access_ms: int = 0
    priority: int = 0


@dataclass(frozen=True)
class House:
    """Which ports there are, and the patches a bridge begins with."""

    stations: tuple[Station, ...]
    patches: dict[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def roles(self) -> Roles:
        """What operators and faults choose from."""
        return Roles(
            ports=[s.name for s in self.stations],
            patches=[*self.patches, "extra"],
            tuners=sorted({s.tuner for s in self.stations if s.tuner}),
            links=[s.name for s in self.stations if s.kind == "link"],
            radios=[s.name for s in self.stations if s.kind == "radio"],
        )


def make_house(ports: int = 16) -> House:
    """A house of so many ports (4 … 64): a half are channels behind two tuners, the others donor radios and links.

    Each patch joins two channels, a radio and a link.
    """
    if not 4 <= ports <= len(LEVELS):
        raise ValueError(f"a simulated bridge of {ports} ports; 4 to {len(LEVELS)}")
    stations = []
    for i in range(ports):
        level = LEVELS[i]
        match i % 4:
            case 0 | 1:
                stations.append(Station(f"channel{i // 4 * 2 + i % 4 + 1}", "channel", level, f"tuner{i % 2 + 1}"))
            case 2:
                access = (0, 60, 350, 700, 1500)[i // 4 % 5]
                stations.append(Station(f"radio{i // 4 + 1}", "radio", level, access_ms=access, priority=i // 4 % 2))
            case 3:
                stations.append(Station(f"link{i // 4 + 1}", "link", level))
    names = [s.name for s in stations]
    patches = {f"net{i // 4 + 1}": tuple(names[i : i + 4]) for i in range(0, len(names) - 3, 4)}
    return House(tuple(stations), patches)
