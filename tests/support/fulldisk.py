"""A disk that is full on purpose: a file system of its own where the test may mount one, or a limit on every write.

disk.fill(process id)  nothing more can be written       disk.free(process id)  there is room again
"""

import ctypes
import os
import resource
from pathlib import Path

ROOM = 1 << 30
"""Bytes of the file system while it is not full; none of them are used before something is written."""

_MS_REMOUNT = 32
"""mount(2): change the options of a mount."""

_libc = ctypes.CDLL(None, use_errno=True)


def _mount(folder: Path, flags: int, size: int) -> None:
    options = f"size={size},mode=0700".encode()
    if _libc.mount(b"tmpfs", os.fsencode(folder), b"tmpfs", flags, options) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), str(folder))


class SmallDisk:
    """A tmpfs whose size is brought down to what is used: writes end with ENOSPC. Raises OSError without the right."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True)
        _mount(folder, 0, ROOM)

    def fill(self, pid: int) -> None:
        while True:
            now = os.statvfs(self.folder)
            try:
                _mount(self.folder, _MS_REMOUNT, (now.f_blocks - now.f_bfree) * now.f_frsize)
                break
            except OSError:
                continue  # somebody wrote in between, and more is used than that
        self.stay_full()

    def stay_full(self) -> None:
        """Take what somebody has given back."""
        try:
            with (self.folder / "filler").open("ab", buffering=0) as file:
                while True:
                    file.write(bytes(4096))
        except OSError:
            return

    def free(self, pid: int) -> None:
        (self.folder / "filler").unlink()
        _mount(self.folder, _MS_REMOUNT, ROOM)

    def close(self) -> None:
        _libc.umount2(os.fsencode(self.folder), 2)  # MNT_DETACH: whoever still has a file open keeps it


class Limit:
    """Every write to a file ends with EFBIG, by a limit of the process; 0 is for this process and those it starts."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True)
        self._before = resource.getrlimit(resource.RLIMIT_FSIZE)

    def fill(self, pid: int) -> None:
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (0, self._before[1]))

    def stay_full(self) -> None:
        """Nobody can give anything back."""

    def free(self, pid: int) -> None:
        resource.prlimit(pid, resource.RLIMIT_FSIZE, self._before)

    def close(self) -> None:
        self.free(0)
