"""How much room recordings may take, and what happens when it is used up: the oldest go, or recording stops.

Whatever is set, a quarter of a gigabyte of the disk stays free for the journal.
"""

import shutil
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

SPARE = 256 << 20
"""Bytes of the disk that recordings leave to others."""

PROBE = 64 << 10
"""Bytes that are written to see whether a disk takes them."""


def free_bytes(folder: Path) -> int:
    """Bytes that may still be written where `folder` is."""
    return shutil.disk_usage(folder).free


class Room:
    """The recordings in a folder, oldest first, and their size.

    keep: bytes they may take, None for what the disk has. remove_oldest: whether the oldest go when that is used up.
    free: asks the disk; None for one that is never full.
    """

    def __init__(
        self,
        folder: Path,
        keep: int | None,
        remove_oldest: bool,
        free: Callable[[Path], int] | None = free_bytes,
        spare: int = SPARE,
    ) -> None:
        self.folder = folder
        self.used = 0
        """Bytes of all recordings that are finished."""
        self._keep = keep
        self._remove_oldest = remove_oldest
        self._free = free
        self._spare = spare
        self._known: deque[tuple[Path, int]] = deque()

    def scan(self) -> None:
        """Look what is there."""
        sizes: dict[Path, int] = {}
        for path in self.folder.glob("*/*"):
            if path.suffix in (".wav", ".flac", ".json"):
                with suppress(OSError):
                    stem = path.with_suffix("")
                    sizes[stem] = sizes.get(stem, 0) + path.stat().st_size
        self._known = deque(sorted(sizes.items()))
        self.used = sum(sizes.values())

    def add(self, audio: Path) -> None:
        """One more is finished."""
        size = 0
        for path in (audio, audio.with_suffix(".json")):
            with suppress(OSError):
                size += path.stat().st_size
        self._known.append((audio.with_suffix(""), size))
        self.used += size

    def lacking(self, running: int = 0) -> str:
        """Why there is no room, with `running` bytes of recordings that are not finished; "" if there is."""
        if self._keep is not None and self.used + running > self._keep:
            return f"recordings take {_spelled(self.used + running)} of the {_spelled(self._keep)} they may"
        try:
            free = None if self._free is None else self._free(self.folder)
        except OSError as problem:
            return f"{self.folder}: {problem.strerror or problem}"
        if free is not None and free < self._spare:
            return f"the disk has {_spelled(free)} left, of which {_spelled(self._spare)} stay free"
        return ""

    def probe(self) -> None:
        """Write something and take it away again. Raises OSError as the file system does."""
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self.folder / ".probe"
        try:
            path.write_bytes(bytes(PROBE))
        finally:
            path.unlink(missing_ok=True)

    def make(self, running: int = 0) -> tuple[list[Path], str]:
        """Remove the oldest until there is room, if that is allowed: what went, and what still lacks."""
        removed: list[Path] = []
        while (lack := self.lacking(running)) and self._remove_oldest and self._known:
            stem, size = self._known.popleft()
            self.used -= size
            for suffix in (".wav", ".flac", ".json"):
                with suppress(OSError):
                    stem.with_name(stem.name + suffix).unlink()
                    if suffix != ".json":
                        removed.append(stem.with_name(stem.name + suffix))
            with suppress(OSError):
                stem.parent.rmdir()
        return removed, lack


def _spelled(size: int) -> str:
    for unit, scale in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if size >= scale:
            return f"{size / scale:.1f} {unit}"
    return f"{size} bytes"
