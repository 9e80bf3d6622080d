"""Each over as an audio file of its own: a listener beside the path, never in it."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from sdrbridge.errors import ReplayError
from sdrbridge.receiveport import ReceivePort
from sdrbridge.transmission import Transmission
from sdrbridge.wav import WavWriter


@dataclass(slots=True)
class _Recording:
    """One over being written, up to the sample before `done`."""

    over: Transmission
    writer: WavWriter
    done: int


class Recorder:
    """Writes `NAME-NNNN.wav` into `folder` for every over of the ports it follows."""

    def __init__(self, folder: Path, ports: Iterable[ReceivePort]) -> None:
        self.folder = folder
        self.files: dict[str, Path] = {}
        """Over id → file."""
        self._ports = tuple(ports)
        self._running: dict[str, _Recording] = {}

    def tick(self) -> None:
        """Take what the ports released since the last tick. Raises `ReplayError` when the disk is full."""
        for port in self._ports:
            over = port.over
            recording = self._running.get(port.name)
            if recording is not None and recording.over is not over:
                self._finish(port.name)
                recording = None
            if over is None:
                continue
            try:
                recording = recording or self._begin(over)
                until = port.available() if over.end is None else min(port.available(), over.end)
                if until > recording.done:
                    recording.writer.write(port.read(recording.done, until - recording.done))
                    recording.done = until
            except OSError as problem:
                raise self._failed(over, problem) from problem

    def close(self) -> None:
        """Finish what is open. Raises `ReplayError`."""
        for name in list(self._running):
            self._finish(name)

    def _begin(self, over: Transmission) -> _Recording:
        path = self.folder / f"{over.id}.wav"
        recording = self._running[over.port] = _Recording(over, WavWriter(path), over.start)
        self.files[over.id] = path
        return recording

    def _finish(self, name: str) -> None:
        recording = self._running.pop(name)
        try:
            recording.writer.close()
        except OSError as problem:
            recording.writer.abandon()
            raise self._failed(recording.over, problem) from problem

    def _failed(self, over: Transmission, problem: OSError) -> ReplayError:
        return ReplayError(f"{self.folder / over.id}.wav: cannot be written: {problem.strerror or problem}")
