"""Writing speech as WAV: 8 kHz, one channel, 16 bits. A file that is cut off by a kill or a full disk stays readable.

RIFF header of 44 bytes (Microsoft, *Multimedia Programming Interface and Data Specifications 1.0*, 1991): the two sizes
in it are brought up to date once a second, so at most the last second is beyond what they say.
"""

import struct
from contextlib import suppress
from io import RawIOBase
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dsp.blocks import AUDIO_RATE

_HEADER = 44
_LARGEST = 0xFFFFFFFF - _HEADER
_BUFFER = AUDIO_RATE


def mend(path: Path) -> int:
    """Bring the header of a file that was cut off in agreement with its length; returns its samples.

    Raises OSError, also for a file that `WavWriter` did not write.
    """
    with path.open("r+b", buffering=0) as file:
        found, ours = file.read(_HEADER), _header(0)
        if found[:4] != ours[: len(found[:4])] or found[8:40] != ours[8 : 8 + len(found[8:40])]:
            raise OSError(22, "is no recording of this program", str(path))
        size = file.seek(0, 2)
        samples = max(0, size - _HEADER) // 2
        file.truncate(_HEADER + 2 * samples)
        file.seek(0)
        file.write(_header(samples))
    return samples


class WavWriter:
    """One WAV file being written. Raises OSError as the file system does; what was written before stays."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.path = path
        self.samples = 0
        # Unbuffered: a write that fails must not come back later.
        self._file: RawIOBase = path.open("wb", buffering=0)
        self._pending = np.zeros(_BUFFER, np.int16)
        self._fill = 0
        self._put(0, _header(self.samples))

    def write(self, samples: NDArray[np.float32]) -> None:
        """Append (n,) float32 at full scale ±1.0; what lies beyond is limited to full scale."""
        done = 0
        while done < len(samples):
            n = min(len(samples) - done, _BUFFER - self._fill)
            scaled = np.rint(samples[done : done + n] * np.float32(32768.0))
            self._pending[self._fill : self._fill + n] = np.clip(scaled, -32768, 32767)
            self._fill += n
            done += n
            if self._fill == _BUFFER:
                self.flush()

    def flush(self) -> None:
        """Bring everything to the file, and the header up to date. After an error it may be gone on with."""
        data = self._pending[: self._fill].astype("<i2").tobytes()
        self._fill = 0
        if 2 * self.samples + len(data) > _LARGEST:
            raise OSError(27, f"a WAV file holds at most {_LARGEST // 2 / AUDIO_RATE / 3600:.0f} hours", str(self.path))
        try:
            self._put(_HEADER + 2 * self.samples, data)
        except OSError:
            with suppress(OSError):
                self._file.truncate(_HEADER + 2 * self.samples)
            raise
        self.samples += len(data) // 2
        self._put(0, _header(self.samples))

    def _put(self, at: int, data: bytes) -> None:
        self._file.seek(at)
        done = 0
        while done < len(data):
            done += self._file.write(data[done:]) or 0

    def close(self) -> None:
        """Finish the file. May be called twice."""
        if self._file.closed:
            return
        try:
            self.flush()
        finally:
            self._file.close()

    def abandon(self) -> None:
        """Give the file back as it is, after an error."""
        self._fill = 0
        with suppress(OSError):
            self._file.close()


def _header(samples: int) -> bytes:
    size = 2 * samples
    riff = struct.pack("<4sI4s4sI", b"RIFF", 36 + size, b"WAVE", b"fmt ", 16)
    form = struct.pack("<HHIIHH", 1, 1, AUDIO_RATE, 2 * AUDIO_RATE, 2, 16)
    return riff + form + struct.pack("<4sI", b"data", size)
