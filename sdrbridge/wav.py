"""Writing speech as WAV: 8 kHz, one channel, 16 bits. A file that is cut off by a kill or a full disk stays readable.

    RIFF size WAVE · JUNK, 28 bytes · fmt · data size samples…

The header (Microsoft, *Multimedia Programming Interface and Data Specifications 1.0*, 1991) is brought up to date once
a second, so at most the last second is beyond what it says. Its sizes have 32 bits, 74 hours of speech. A longer file
becomes RF64 by its header alone (EBU Tech 3306, "On-the-fly conversion"): `JUNK` turns into `ds64`, which has 64 bits.
"""

import struct
from contextlib import suppress
from io import RawIOBase
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dsp.blocks import AUDIO_RATE

_HEADER = 80
_DS64 = 28
"""Bytes of a `ds64` chunk without a table (EBU Tech 3306)."""
_UNSAID = 0xFFFFFFFF
"""A size of 32 bits in RF64: see `ds64`."""
_LARGEST = _UNSAID - _HEADER
_BUFFER = AUDIO_RATE


def mend(path: Path) -> int:
    """Bring the header of a file that was cut off in agreement with its length; returns its samples.

    Raises OSError, also for a file that `WavWriter` did not write.
    """
    with path.open("r+b", buffering=0) as file:
        found = file.read(_HEADER)
        if not any(_alike(found, _header(samples)) for samples in (0, _LARGEST)):
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
        """In the file; the last second may wait for `flush`."""
        # Unbuffered: a write that fails must not come back later.
        self._file: RawIOBase = path.open("wb", buffering=0)
        self._pending = np.zeros(_BUFFER, np.int16)
        self._fill = 0
        try:
            self._put(0, _header(self.samples))
        except OSError:
            # Not even a beginning: nobody should find an empty file there.
            self._file.close()
            with suppress(OSError):
                path.unlink()
            raise

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
        """Finish the file. May be called twice, and again after an error."""
        if not self._file.closed:
            self.flush()
            self._file.close()

    def abandon(self) -> None:
        """Give the file back as it is, after an error."""
        self._fill = 0
        with suppress(OSError):
            self._file.close()


def _header(samples: int) -> bytes:
    size = 2 * samples
    whole = _HEADER - 8 + size
    if size > _LARGEST:
        riff = struct.pack("<4sI4s", b"RF64", _UNSAID, b"WAVE")
        sizes = struct.pack("<4sIQQQI", b"ds64", _DS64, whole, size, samples, 0)
        size = _UNSAID
    else:
        riff = struct.pack("<4sI4s", b"RIFF", whole, b"WAVE")
        sizes = struct.pack("<4sI28x", b"JUNK", _DS64)
    form = struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, 1, AUDIO_RATE, 2 * AUDIO_RATE, 2, 16)
    return riff + sizes + form + struct.pack("<4sI", b"data", size)


def _alike(found: bytes, ours: bytes) -> bool:
    """Whether this is a header like ours, or the beginning of one, whatever sizes it says."""
    return all(found[a:b] == ours[a : min(b, len(found))] for a, b in ((0, 4), (8, 20), (48, 76)))
