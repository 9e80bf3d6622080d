"""The kind `file` as a port of the daemon: a WAV file of what would have been transmitted.

    Matrix ─frame─▶ batch of 250 ms ─▶ queue with a bound ─▶ one thread ─▶ WAV

The tick never waits for the disk. One that is full, or away, is a state of the port: what was sent waits, up to a
minute of it, and is written when there is room again. What found no place is counted, and silence stands for it, so
that sample n of the file is n samples after the first frame whatever happens.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from dsp.blocks import AUDIO_RATE
from hw.clock import Clock
from sdrbridge.backlog import Backlog
from sdrbridge.port import Audio
from sdrbridge.ports.kinds import FileSettings
from sdrbridge.ports.live import Direction, Health, PortContext, State
from sdrbridge.wav import WavWriter

if TYPE_CHECKING:
    from sdrbridge.bank import Stage
    from sdrbridge.config import PortConfig

BATCH = AUDIO_RATE // 4
"""Samples (250 ms) that go to the thread at a time, and that a killed process loses."""

BOUND = 240
"""Batches that may wait: a minute."""


@dataclass(frozen=True, slots=True)
class _Batch:
    """Samples from `start` on, counted from the first frame of the file."""

    start: int
    samples: Audio


class _Frames:
    """The matrix's end: gathers frames and hands them over. Never waits."""

    def __init__(self, hand_over: "Backlog[_Batch]") -> None:
        self.lost = 0
        """Samples that found no place in the queue."""
        self._hand_over = hand_over
        self._first: int | None = None
        self._end = 0
        self._parts: list[Audio] = []
        self._waiting = 0

    def write(self, frame: Audio, index: int, keyed: bool) -> None:
        """Take a frame; frames that were left out before it become silence."""
        if self._first is None:
            self._first = index
        at = index - self._first
        if at != self._end:
            self.pass_on()
        self._end = at + len(frame)
        self._parts.append(frame.copy())
        self._waiting += len(frame)
        if self._waiting >= BATCH:
            self.pass_on()

    def pass_on(self) -> None:
        """Hand over what has been gathered."""
        if self._parts:
            batch = _Batch(self._end - self._waiting, np.concatenate(self._parts))
            if not self._hand_over.put(batch):
                self.lost += len(batch.samples)
            self._parts, self._waiting = [], 0


class WrittenPort:
    """A LivePort. What was in the file before is written over when the port is started."""

    rx = None

    def __init__(self, name: str, path: Path, clock: Clock, bound: int = BOUND) -> None:
        self.name = name
        self.path = path
        self._problem = "not started"
        self._wanted = False
        self._wav: WavWriter | None = None
        self._backlog: Backlog[_Batch] = Backlog(f"port {name}", self._work, clock, bound=bound, idle=self._look)
        self.tx = _Frames(self._backlog)

    async def start(self) -> None:
        """Begin the file."""
        self._wanted = True
        self._look()
        self._backlog.start()

    async def stop(self) -> None:
        """Finish it."""
        self.tx.pass_on()
        await asyncio.to_thread(self._finish)

    def health(self) -> Health:
        """Down while the file cannot be written. waiting: batches of 250 ms."""
        counters = {"tx_lost_samples": self.tx.lost, "tx_waiting": len(self._backlog)}
        return Health(State.DOWN if self._problem else State.UP, self._problem, counters)

    def stages(self, direction: Direction) -> Sequence["Stage"]:
        """Nothing is held back."""
        return ()

    # On its thread.

    def _look(self) -> None:
        """Begin the file where that has not been possible yet."""
        if self._wav is None and self._wanted:
            try:
                self._wav, self._problem = WavWriter(self.path), ""
            except OSError as problem:
                self._note(problem)

    def _work(self, batch: _Batch) -> bool:
        self._look()
        if self._wav is None:
            return False
        try:
            self._append(self._wav, batch)
        except OSError as problem:
            self._note(problem)
            return False
        self._problem = ""
        return True

    @staticmethod
    def _append(wav: WavWriter, batch: _Batch) -> None:
        """Bring a batch to the file. After an error the same may be asked for again."""
        while (gap := batch.start - wav.samples) > 0:
            wav.write(np.zeros(min(gap, AUDIO_RATE), np.float32))
            wav.flush()
        wav.write(batch.samples[wav.samples - batch.start :])
        wav.flush()

    def _finish(self) -> None:
        if not self._backlog.close() and self._backlog.running:
            return  # the disk hangs, and its thread still has the file
        self._wanted = False
        wav, self._wav = self._wav, None
        if wav is not None:
            try:
                wav.close()
            except OSError as problem:
                wav.abandon()
                self._note(problem)
                return
        self._problem = "stopped"

    def _note(self, problem: OSError) -> None:
        self._problem = f"cannot write {self.path}: {problem.strerror or problem}"


def open_port(config: "PortConfig", context: PortContext) -> WrittenPort:
    """The port of a site file; where it gives no path, the file lies in the folder of the bridge."""
    assert isinstance(config.settings, FileSettings)
    return WrittenPort(config.name, config.settings.path or context.folder / f"{config.name}.wav", context.clock)
