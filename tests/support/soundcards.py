"""Sound cards made up for tests: blocks of 10 ms by a clock of their own, pulled and put back at will."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from hw.errors import DeviceNotFound
from hw.soundcard import Give, Take

Audio = NDArray[np.float32]


@dataclass(eq=False)
class FakeStream:
    """One direction, running. heard: what the card was given. spoken: samples it gave so far."""

    rate: int
    card: str
    latency_s: float
    ppm: float
    take: Take | None = None
    give: Give | None = None
    alive: bool = True
    faults: int = 0
    heard: list[Audio] = field(default_factory=list)
    spoken: int = 0
    due: float = 0.0

    def close(self) -> None:
        self.alive = False


class FakeCards:
    """A backend. rate: of every card. ppm: how fast their crystals are."""

    def __init__(self, rate: int = 48_000, ppm: float = 0.0, latency_s: float = 0.0) -> None:
        self.rate, self.ppm, self.latency_s = rate, ppm, latency_s
        self.plugged = True
        self.streams: list[FakeStream] = []
        self.sound: Audio = np.zeros(0, np.float32)
        """What the input hears, from its first block on; silence after it."""

    def open_input(self, name: str, rate: int | None, take: Take) -> FakeStream:
        return self._open(FakeStream(self.rate, name, self.latency_s, self.ppm, take=take))

    def open_output(self, name: str, rate: int | None, give: Give) -> FakeStream:
        return self._open(FakeStream(self.rate, name, self.latency_s, self.ppm, give=give))

    def _open(self, stream: FakeStream) -> FakeStream:
        if not self.plugged:
            raise DeviceNotFound(f'there is no sound card "{stream.card}"')
        self.streams.append(stream)
        return stream

    def unplug(self) -> None:
        self.plugged = False
        for stream in self.streams:
            stream.alive = False

    def run(self, seconds: float) -> None:
        """Let the cards work for so long."""
        block = self.rate // 100
        for stream in self.streams:
            stream.due += seconds * self.rate * (1 + stream.ppm * 1e-6)
            while stream.alive and stream.due >= block:
                stream.due -= block
                if stream.take is not None:
                    part = self.sound[stream.spoken : stream.spoken + block]
                    stream.take(np.concatenate([part, np.zeros(block - len(part), np.float32)]))
                    stream.spoken += block
                if stream.give is not None:
                    stream.heard.append(stream.give(block).copy())

    @property
    def played(self) -> Audio:
        """All that outputs were given, in order."""
        return np.concatenate([part for stream in self.streams for part in stream.heard] or [np.zeros(0, np.float32)])
