"""The ports of a simulated bridge, and the people and radios around them.

Every port speaks in a voice of its own: a level that no other has, in syllables of 300 ms with 100 ms between them, and
its first 20 ms half as loud again. So a single sample of an output tells who is heard there, and the first sample of a
port's speech whether its beginning was lost.

    Over          somebody talks
    Transmitter   where frames leave; tells the watch of every one
    House         the ports of one site, and which roles they play
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace

import numpy as np

from dsp.blocks import TICK_SAMPLES
from sdrbridge.port import Audio
from sdrbridge.simulation.script import Roles

SYLLABLE = 15 * TICK_SAMPLES
GAP = 5 * TICK_SAMPLES
LOUDER = np.float32(1.5)
MOST_READ = 1 << 16
"""Samples that are asked for at a time, at most."""

LATENCY = 4 * TICK_SAMPLES
"""Samples between the air and its sound, of every port."""

DECISION = {"channel": 600, "radio": 800, "link": 0}
"""Samples until the beginning of an over is known: a tone, a voice, a packet."""

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


@dataclass(frozen=True, slots=True)
class Over:
    """Somebody talks on the channel of port `who`. start, end: samples of the world on the air.

    encrypted_at: from when it is known to be encrypted. offset: where in it the part begins that can be heard. begin:
    when that part begins.
    """

    who: str
    start: int
    end: int
    emergency: bool = False
    encrypted_at: int | None = None
    offset: int = 0
    begin: int = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "begin", self.start + self.offset)


def rest_of(overs: Iterable[Over], world: int) -> list[Over]:
    """What can be heard of overs by somebody who begins to listen at `world`."""
    return [replace(o, offset=max(0, world - o.start)) for o in overs if o.end > world + TICK_SAMPLES]


Heard = Callable[[str, Audio, int, bool], None]
"""Told of each frame of an output: port, samples, bridge index, keyed."""


@dataclass(slots=True)
class Transmitter:
    """One output. send: what lies behind it, where that is more than a wire."""

    name: str
    heard: Heard
    send: Callable[[Audio, int, bool], None] | None = None

    def write(self, frame: Audio, index: int, keyed: bool) -> None:
        if self.send is not None:
            self.send(frame, index, keyed)
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
    def tuners(self) -> dict[str, list[Station]]:
        """The channels of each tuner."""
        found: dict[str, list[Station]] = {}
        for station in self.stations:
            if station.tuner:
                found.setdefault(station.tuner, []).append(station)
        return found

    @property
    def roles(self) -> Roles:
        """What operators and faults choose from."""
        return Roles(
            ports=[s.name for s in self.stations],
            patches=[*self.patches, "extra"],
            tuners=sorted(self.tuners),
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
