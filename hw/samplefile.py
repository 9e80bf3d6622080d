"""Raw samples from a file: pieces of the file one after the other, each with the index of its first sample.

Plain reads into one buffer that is used again, never a memory map: a file cut short by somebody else while it is read
would kill the process with SIGBUS. Memory is bounded by `MAX_SAMPLES` whatever the caller asks for.
"""

import contextlib
import difflib
import os
import stat
from collections.abc import Sequence
from dataclasses import dataclass
from io import FileIO
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hw.errors import DeviceNotFound, SourceError

MAX_SAMPLES = 1 << 20
"""Most samples one `read` gives."""


@dataclass(frozen=True, slots=True)
class Segment:
    """Samples without a gap. offset: byte where they start. count: how many. index: index of the first one."""

    offset: int
    count: int
    index: int

    @property
    def end(self) -> int:
        """Index after the last sample."""
        return self.index + self.count


class SampleFile:
    """Reads the segments of one file in order. `size` is the bytes of a sample."""

    def __init__(self, path: Path, size: int, segments: Sequence[Segment]) -> None:
        self._path = path
        self._size = size
        self._segments = [s for s in segments if s.count]
        self._at = 0
        self._done = 0
        self._buffer = np.empty(0, np.uint8)
        self._end = -1
        self.samples = 0
        self.lost = 0
        self.gaps = 0
        self._file: FileIO | None = open_regular(path)

    def read(self, n: int) -> tuple[NDArray[np.uint8], int] | None:
        """Bytes of at most `n` samples of one segment, valid until the next call, and their index; None at the end."""
        if n < 1:
            raise ValueError(f"read({n}): at least 1 sample must be asked for")
        if self._file is None or self._at == len(self._segments):
            return None
        segment = self._segments[self._at]
        n = min(n, MAX_SAMPLES, segment.count - self._done)
        raw = self._fill(segment.offset + self._done * self._size, n * self._size)
        index = segment.index + self._done
        if index != self._end and self.samples:
            self.gaps += 1
            self.lost += index - self._end
        self._end = index + n
        self.samples += n
        self._done += n
        if self._done == segment.count:
            self._at, self._done = self._at + 1, 0
        return raw, index

    def _fill(self, offset: int, size: int) -> NDArray[np.uint8]:
        if len(self._buffer) != size:
            self._buffer = np.empty(size, np.uint8)
        raw, got = self._buffer, 0
        assert self._file is not None
        fd = self._file.fileno()
        try:
            while got < size:
                step = os.preadv(fd, [raw.data[got:] if got else raw.data], offset + got)
                if not step:
                    raise SourceError(f"{self._path}: the file ends at byte {offset + got}; it was longer when opened")
                got += step
        except OSError as e:
            raise SourceError(f"{self._path}: cannot read at byte {offset + got}: {e.strerror}") from e
        return raw

    def close(self) -> None:
        """Close the file. May be called twice."""
        if self._file is not None:
            self._file.close()
            self._file = None


def open_regular(path: Path) -> FileIO:
    """Open a regular file for reading, unbuffered.

    Raises `DeviceNotFound` for a path that is not there, with the nearest names, and `SourceError` for a folder, a
    special file or one that may not be read.
    """
    try:
        mode = path.stat().st_mode
        if stat.S_ISDIR(mode):
            raise SourceError(f"{path} is a folder; name a recording in it{_listed(_names(path))}")
        if not stat.S_ISREG(mode):
            raise SourceError(f"{path} is not a regular file; recordings are read from files only")
        return path.open("rb", buffering=0)
    except (FileNotFoundError, NotADirectoryError) as e:
        raise DeviceNotFound(_not_found(path)) from e
    except PermissionError as e:
        raise SourceError(f"{path} may not be read by this user (permission denied)") from e
    except OSError as e:
        raise SourceError(f"{str(path)[:300]}: cannot open: {e.strerror}") from e


def _not_found(path: Path) -> str:
    folder = path.parent
    if not folder.is_dir():
        while not folder.is_dir() and folder != folder.parent:
            folder = folder.parent
        return f"{path} is not there; of its path only {folder} exists"
    near = difflib.get_close_matches(path.name, _names(folder), 3, 0.5)
    return f"{path} is not there" + (f"; nearest in that folder: {', '.join(near)}" if near else "")


def _names(folder: Path) -> list[str]:
    names = []
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            names.append(entry.name)
            if len(names) == 2000:
                break
    return sorted(names)


def _listed(names: list[str]) -> str:
    known = [n for n in names if n.lower().endswith((".sigmf-meta", ".sigmf", ".wav", ".cu8", ".cs16", ".cf32"))]
    return f", such as {', '.join(known[:3])}" if known else ""
