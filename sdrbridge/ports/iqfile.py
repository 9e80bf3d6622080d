"""A transmitter's IQ in a SigMF recording: sample n is bridge time n / rate, zero where nothing was on the air.

`IqFile` takes IQ and marks each transmission; `IqFilePort` is the whole port of a replay, from frames on.
"""

from pathlib import Path

import numpy as np

from dsp.blocks import AUDIO_RATE, IqBlock
from hw.errors import SinkError
from hw.sigmfwriter import SigmfWriter
from sdrbridge.errors import PortError
from sdrbridge.exciter import Caller, Exciter
from sdrbridge.port import Audio, Keyed
from sdrbridge.ports.modulation import FileSink, ModulatorSettings, P25Settings
from sdrbridge.transmission import Transmission


class IqFile:
    """The recording. path: of its metadata. Raises `SinkError` when it cannot be written."""

    def __init__(self, name: str, path: Path, settings: ModulatorSettings) -> None:
        assert isinstance(settings.sink, FileSink)
        self._name = name
        self._freq_hz = settings.freq_hz
        self._writer = SigmfWriter.create(
            path,
            rate=settings.rate,
            center_hz=settings.center_hz,
            sample_type=settings.sink.format,
            description=f'transmitted by port "{name}"',
            overwrite=True,
        )
        self._end: int | None = None
        self._on: tuple[int, str] | None = None

    @property
    def path(self) -> Path:
        """The metadata."""
        return self._writer.path

    def write(self, block: IqBlock, about: str = "") -> None:
        """Append; what is missing before it becomes silence. about: what is known of the transmission by now."""
        if self._end is not None:
            self.fill(block.index)
        self._mark(block, about)
        self._writer.write(block)
        self._end = block.end

    def resume(self) -> bool:
        """After a failed write and `close`: go on behind what was written; what is missing is a gap.

        False where the recording is not there any more. Raises `SinkError` while the disk has no room.
        """
        self._on = self._end = None
        return self._writer.resume()

    def fill(self, end: int) -> None:
        """Silence up to sample `end`."""
        at = self._end or 0
        while at < end:
            n = min(end - at, self._writer.rate)
            self._writer.write(IqBlock(np.zeros(n, np.complex64), self._writer.rate, at))
            at += n
        self._end = at

    def close(self) -> None:
        """Finish it. May be called twice."""
        if self._on is not None and self._end is not None:
            self._annotate(self._end)
        self._writer.close()

    def _mark(self, block: IqBlock, about: str) -> None:
        on = np.flatnonzero(block.samples)
        if len(on):
            start = block.index + int(on[0]) if self._on is None else self._on[0]
            self._on = start, about or (self._on[1] if self._on else "")
        if self._on is not None and (not len(on) or on[-1] + 1 < len(block.samples)):
            self._annotate(block.index + (int(on[-1]) + 1 if len(on) else 0))

    def _annotate(self, end: int) -> None:
        assert self._on is not None
        (start, about), self._on = self._on, None
        low, high = self._freq_hz - 6_250, self._freq_hz + 6_250
        self._writer.annotate(start, end - start, low, high, self._name, about)


class IqFilePort:
    """Writes what the port transmits. Raises `PortError`."""

    def __init__(self, name: str, path: Path, settings: ModulatorSettings) -> None:
        self.name = name
        self.keyed = Keyed()
        self._exciter = Exciter(name, settings)
        self._exciter.prepare()
        self._caller = Caller(settings.signal) if isinstance(settings.signal, P25Settings) else None
        self._rate = settings.rate
        try:
            self._file: IqFile | None = IqFile(name, path, settings)
        except SinkError as problem:
            raise PortError(f'port "{name}": {problem}') from problem
        self.path = self._file.path

    def talker(self, over: Transmission | None) -> None:
        """Whose speech comes next."""
        if self._caller is not None:
            self._caller.talker(over)

    def write(self, frame: Audio, index: int, keyed: bool) -> None:
        """Send a frame."""
        if self._file is None:
            raise PortError(f'port "{self.name}": {self.path} is closed')
        call = self._caller.call(keyed) if self._caller is not None else None
        try:
            for block in self._exciter.write(frame, index, keyed, call):
                self._file.write(block, self._exciter.about(call))
        except SinkError as problem:
            self._fail(problem)
        self.keyed.note(index, len(frame), keyed)

    def close(self, length: int | None = None) -> None:
        """Finish what is on the air and the file; with `length`, so many samples of bridge time at least."""
        if self._file is None:
            return
        file, self._file = self._file, None
        try:
            rest = self._exciter.flush()
            if len(rest.samples):
                file.write(rest)
            if length is not None:
                file.fill(-(-length * self._rate // AUDIO_RATE))
            file.close()
        except SinkError as problem:
            self._fail(problem)
        finally:
            self._exciter.close()

    def _fail(self, problem: SinkError) -> None:
        self._file = None
        raise PortError(f'port "{self.name}": {problem}') from problem
