"""The kinds `file` and `loopback` as ports of the daemon: nothing to open but a file, and a disk that may be full.

A file that cannot be written is a state of the port, not the end of the bridge.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from sdrbridge.config import PortConfig
from sdrbridge.errors import PortError
from sdrbridge.port import Audio, FilePort, Loopback
from sdrbridge.ports.kinds import FileSettings
from sdrbridge.ports.live import Direction, Health, State

if TYPE_CHECKING:
    from sdrbridge.bank import Stage


class LoopbackPort:
    """A port in memory."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.rx = self.tx = self.end = Loopback(name)

    async def start(self) -> None:
        """Nothing to open."""

    async def stop(self) -> None:
        """Nothing to close."""

    def health(self) -> Health:
        """Always up."""
        return Health(State.UP)

    def stages(self, direction: Direction) -> Sequence["Stage"]:
        """Nothing is held back."""
        return ()


class _FileTx:
    """Writes while it can, and says why it cannot."""

    def __init__(self, name: str, path: Path) -> None:
        self._name, self._path = name, path
        self._file: FilePort | None = None
        self._first: int | None = None
        self.problem = "not started"

    def open(self) -> None:
        """Begin the file; what was there before is written over."""
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._file, self.problem = FilePort(self._name, self._path), ""
        except (PortError, OSError) as problem:
            self.problem = str(problem)

    def write(self, frame: Audio, index: int, keyed: bool) -> None:
        """Append a frame, if there is a file."""
        if self._file is None:
            return
        if self._first is None:
            self._first = index
        try:
            self._file.write(frame, index - self._first, keyed)
        except PortError as problem:
            self.problem, self._file = str(problem), None

    def close(self) -> None:
        """Finish the file."""
        file, self._file = self._file, None
        if file is not None:
            try:
                file.close()
                self.problem = "stopped"
            except PortError as problem:
                self.problem = str(problem)


class WrittenPort:
    """A file of what would have been transmitted. Sample 0 of it is the tick in which the port was started."""

    rx = None

    def __init__(self, name: str, path: Path) -> None:
        self.name = name
        self.path = path
        self.tx = _FileTx(name, path)

    async def start(self) -> None:
        """Begin the file."""
        self.tx.open()

    async def stop(self) -> None:
        """Finish it."""
        self.tx.close()

    def health(self) -> Health:
        """Down when the file cannot be written."""
        return Health(State.DOWN, self.tx.problem) if self.tx.problem else Health(State.UP)

    def stages(self, direction: Direction) -> Sequence["Stage"]:
        """Nothing is held back."""
        return ()


def open_memory(config: PortConfig, folder: Path) -> LoopbackPort | WrittenPort:
    """A port of a kind that has no module of its own. folder: where files go that the site file gives no path."""
    if isinstance(config.settings, FileSettings):
        return WrittenPort(config.name, config.settings.path or folder / f"{config.name}.wav")
    return LoopbackPort(config.name)
