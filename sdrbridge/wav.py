"""Writing speech as WAV: 8 kHz, one channel, 16 bits. A file that is cut off by a kill or a full disk stays readable.

RIFF header of 44 bytes (Microsoft, *Multimedia Programming Interface and Data Specifications 1.0*, 1991): the two sizes
in it are brought up to date once a second, so at most the last second is beyond what they say.
"""

import struct
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from dsp.blocks import AUDIO_RATE

_HEADER = 44
_LARGEST = 0xFFFFFFFF - _HEADER
_BUFFER = AUDIO_RATE


class WavWriter:
    """One WAV file being written. Raises OSError as the file system does; what was written before stays."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.path = path
        self.samples = 0
        self._file: BinaryIO = path.open("wb")
        self._pending = np.zeros(_BUFFER, np.int16)
        self._fill = 0
        self._file.write(self._header())
        self._file.flush()

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
        """Bring everything to the file, and the header up to date."""
        data = self._pending[: self._fill].astype("<i2").tobytes()
        self._fill = 0
        if 2 * self.samples + len(data) > _LARGEST:
            raise OSError(27, f"a WAV file holds at most {_LARGEST // 2 / AUDIO_RATE / 3600:.0f} hours", str(self.path))
        self._file.write(data)
        self._file.flush()
        self.samples += len(data) // 2
        self._file.seek(0)
        self._file.write(self._header())
        self._file.seek(0, 2)
        self._file.flush()

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
        # A buffered write that failed once fails again at close; the descriptor is released all the same.
        with suppress(OSError):
            self._file.close()

    def _header(self) -> bytes:
        size = 2 * self.samples
        riff = struct.pack("<4sI4s4sI", b"RIFF", 36 + size, b"WAVE", b"fmt ", 16)
        form = struct.pack("<HHIIHH", 1, 1, AUDIO_RATE, 2 * AUDIO_RATE, 2, 16)
        return riff + form + struct.pack("<4sI", b"data", size)
