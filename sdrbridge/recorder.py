"""Each over as an audio file of its own: a listener beside the path, never in it.

    RxPort ─Tap─▶ Matrix
             └──▶ Recorder.tick ─begin · audio · end─▶ Desk

The recorder follows ports, a tick at a time, and hands what it hears to a desk that keeps it. `WavDesk` writes at once
and is for replays; `sdrbridge.recording.RecordingDesk` has a thread of its own and is for the daemon.
"""

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import numpy as np

from dsp.blocks import AUDIO_RATE
from sdrbridge.errors import ReplayError
from sdrbridge.port import Audio, RxPort
from sdrbridge.transmission import Transmission
from sdrbridge.wav import WavWriter

BATCH = AUDIO_RATE // 4
"""Samples (250 ms) that are handed over to a desk at a time, and that a killed process loses."""


class Followed(Protocol):
    """A port that can be recorded: a `ReceivePort`, or any other behind a `Tap`."""

    @property
    def name(self) -> str: ...

    @property
    def over(self) -> Transmission | None:
        """The over in progress, or the one that has ended and is not yet released to its last sample."""
        ...

    def available(self) -> int: ...

    def read(self, start: int, n: int) -> Audio: ...


class Desk(Protocol):
    """Where overs are kept. Called once a tick and port at most; raises what it says, or never."""

    def begin(self, over: Transmission, age: int) -> None:
        """An over is known to have begun, `age` samples ago."""
        ...

    def write(self, over: Transmission, start: int, samples: Audio) -> None:
        """What was heard from on-air index `start` on."""
        ...

    def end(self, over: Transmission) -> None:
        """All of it has been written."""
        ...


class Tap:
    """An `RxPort` with a place to listen: the matrix gets everything, and `over` is there for the recorder."""

    def __init__(self, name: str, rx: RxPort) -> None:
        self.name = name
        self.rx = rx
        self._overs: deque[Transmission] = deque()

    @property
    def over(self) -> Transmission | None:
        return self._overs[0] if self._overs else None

    def advance(self, now: int) -> None:
        # The recorder has had a tick to take the end of what has ended.
        while self._overs and self._overs[0].end is not None and self.rx.available() >= self._overs[0].end:
            self._overs.popleft()
        self.rx.advance(now)

    def begun(self) -> Sequence[Transmission]:
        begun = self.rx.begun()
        self._overs.extend(begun)
        return begun

    def available(self) -> int:
        return self.rx.available()

    def read(self, start: int, n: int) -> Audio:
        return self.rx.read(start, n)


@dataclass(slots=True)
class _Following:
    """One over being followed: handed over up to `done`, and what waits to be."""

    over: Transmission
    done: int
    parts: list[Audio] = field(default_factory=list)
    waiting: int = 0


class Recorder:
    """Follows `ports`, and keeps every over at `desk`, or as `NAME-NNNN.wav` in `folder` where there is none.

    paused: overs that begin are left out, what runs goes on.
    """

    def __init__(self, folder: Path, ports: Iterable[Followed], desk: Desk | None = None) -> None:
        self.folder = folder
        self.paused = False
        wav = WavDesk(folder)
        self.files: Mapping[str, Path] = wav.files
        """Over id → file, where the recorder keeps them itself."""
        self._desk: Desk = wav if desk is None else desk
        self._batch = 1 if desk is None else BATCH
        self._ports = tuple(ports)
        self._running: dict[str, _Following] = {}
        self._skipped: dict[str, Transmission] = {}

    def follow(self, ports: Iterable[Followed]) -> None:
        """Follow these from now on; what runs on others is finished. Raises `ReplayError`."""
        stay = tuple(ports)
        names = {port.name: port for port in stay}
        for port in self._ports:
            if names.get(port.name) is not port and port.name in self._running:
                self._finish(port.name)
        self._ports = stay

    def tick(self, now: int | None = None) -> None:
        """Take what the ports released since the last tick; `now` is bridge time, where it is known.

        Raises `ReplayError` when the disk of a replay is full.
        """
        for port in self._ports:
            over = port.over
            running = self._running.get(port.name)
            if running is not None and running.over is not over:
                self._finish(port.name)
                running = None
            if over is None or (running is None and self._skip(port.name, over)):
                continue
            if running is None:
                running = self._running[port.name] = _Following(over, over.start)
                self._desk.begin(over, max(0, (port.available() if now is None else now) - over.start))
            until = port.available() if over.end is None else min(port.available(), over.end)
            end = running.done + running.waiting
            if until > end:
                # The port may use its memory again at the next tick.
                running.parts.append(np.array(port.read(end, until - end)))
                running.waiting += until - end
                if running.waiting >= self._batch:
                    self._hand_over(running)

    def close(self) -> None:
        """Finish what is open. Raises `ReplayError`."""
        for name in list(self._running):
            self._finish(name)

    def _skip(self, name: str, over: Transmission) -> bool:
        """Whether this over began while the recorder was paused."""
        if self.paused:
            self._skipped[name] = over
        return self._skipped.get(name) is over

    def _hand_over(self, running: _Following) -> None:
        if running.parts:
            self._desk.write(running.over, running.done, np.concatenate(running.parts))
            running.done += running.waiting
            running.parts, running.waiting = [], 0

    def _finish(self, name: str) -> None:
        running = self._running.pop(name)
        self._hand_over(running)
        self._desk.end(running.over)


class WavDesk:
    """Writes at once, by the name of the over. Raises `ReplayError`."""

    def __init__(self, folder: Path) -> None:
        self.files: dict[str, Path] = {}
        """Over id → file."""
        self._folder = folder
        self._writers: dict[str, WavWriter] = {}

    def begin(self, over: Transmission, age: int) -> None:
        path = self._folder / f"{over.id}.wav"
        try:
            self._writers[over.id] = WavWriter(path)
        except OSError as problem:
            raise _failed(path, problem) from problem
        self.files[over.id] = path

    def write(self, over: Transmission, start: int, samples: Audio) -> None:
        writer = self._writers[over.id]
        try:
            writer.write(samples)
        except OSError as problem:
            raise _failed(writer.path, problem) from problem

    def end(self, over: Transmission) -> None:
        writer = self._writers.pop(over.id)
        try:
            writer.close()
        except OSError as problem:
            writer.abandon()
            raise _failed(writer.path, problem) from problem


def _failed(path: Path, problem: OSError) -> ReplayError:
    return ReplayError(f"{path}: cannot be written: {problem.strerror or problem}")
