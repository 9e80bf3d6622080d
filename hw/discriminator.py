"""`discriminator:` — FM discriminator audio from a WAV file, such as a donor radio's data jack, as one channel.

Options: `invert=yes` turns the polarity, `channel=left` or `right` takes one side of a stereo file. A DC offset is left
in: what removes it knows the mode.
"""

import contextlib
from dataclasses import replace
from pathlib import Path

import numpy as np

from dsp.blocks import RowBlock
from dsp.convert import SampleType, sample_type, to_complex, to_real
from hw.base import SourceInfo, SourceStatistics
from hw.errors import SourceError, Unsupported
from hw.filename import read_name
from hw.iqfile import whole_samples
from hw.riff import read_header
from hw.samplefile import MAX_SAMPLES, SampleFile, Segment, open_regular
from hw.spec import SourceRequest
from hw.wavfile import wav_rate

RATES = range(8_000, 1_000_001)
"""Samples per second: speech needs 8 kHz, digital voice 24 kHz or more."""

_SIDES = {"left": 0, "right": 1}


class DiscriminatorFile:
    """Plays a WAV file, or one side of a stereo one, as RowBlocks (1, n)."""

    def __init__(
        self, path: Path, info: SourceInfo, kind: SampleType, segment: Segment, side: int, invert: bool
    ) -> None:
        self._info = info
        self._kind = kind
        self._side = side
        self._invert = invert
        self._pairs = np.empty(0, np.complex64)
        self._out = np.empty((1, 0), np.float32)
        self._clipped = 0
        self._invalid = 0
        self._file = SampleFile(path, kind.size, [segment])

    @property
    def info(self) -> SourceInfo:
        """What is known of it; `kind` is "discriminator"."""
        return self._info

    def read(self, n: int) -> RowBlock | None:
        """At most `n` samples; None at the end. See `hw.base.DiscriminatorSource`."""
        piece = self._file.read(n)
        if piece is None:
            return None
        raw, index = piece
        count = len(raw) // self._kind.size
        if self._out.shape[1] != count:
            self._out = np.empty((1, count), np.float32)
        row = self._out[0]
        if self._kind.is_complex:
            if len(self._pairs) < count:
                self._pairs = np.empty(min(n, MAX_SAMPLES), np.complex64)
            counts = to_complex(raw, self._kind, self._pairs[:count])
            row[:] = self._pairs[:count].view(np.float32)[self._side :: 2]
        else:
            counts = to_real(raw, self._kind, row)
        if self._invert:
            np.negative(row, out=row)
        self._clipped += counts.clipped
        self._invalid += counts.invalid
        return RowBlock(self._out, self._info.rate, index)

    def statistics(self) -> SourceStatistics:
        """Counters since it was opened; of a stereo file, a sample counts when either side is bad."""
        f = self._file
        return SourceStatistics(f.samples, f.lost, f.gaps, self._clipped, self._invalid)

    def close(self) -> None:
        """Close the file. May be called twice."""
        self._file.close()


def open_source(request: SourceRequest) -> DiscriminatorFile:
    """Open a WAV file as discriminator audio. Raises `DeviceNotFound`, `SourceError` or `Unsupported`."""
    request.only("invert", "channel")
    path = request.path
    with contextlib.closing(open_regular(path)) as file:
        header = read_header(file, str(path))
    side = request.options.get("channel")
    if side is not None and side not in _SIDES:
        raise SourceError(f"{request.text}: channel = {side[:40]!r} is neither left nor right")
    if header.channels > 2:
        raise Unsupported(f"{path} has {header.channels} channels; discriminator audio has one, or two to choose from")
    if header.channels == 2 and side is None:
        raise SourceError(
            f"{path} has two channels; if it is IQ, open it as file:{request.address}; "
            f"if one side is discriminator audio, add ?channel=left or ?channel=right"
        )
    if header.channels == 1 and side is not None:
        raise SourceError(f"{path} has one channel; leave channel={side} out")
    rate = wav_rate(request, header)
    if rate not in RATES:
        raise SourceError(f"{path}: rate = {rate} is outside {RATES.start} … {RATES.stop - 1} samples per second")
    notes = list(header.notes)
    kind = sample_type(("c" if header.channels == 2 else "r") + header.component)
    count = whole_samples(str(path), header.size, kind, notes)
    name = read_name(path.name)
    info = SourceInfo(
        description=path.name,
        kind="discriminator",
        rate=rate,
        center_hz=request.center_hz,
        length=count,
        start=name.start,
        sample_type=f"r{header.component}",
        hardware=name.program,
    )
    segment = Segment(header.offset, count, 0)
    return DiscriminatorFile(
        path, replace(info, notes=tuple(notes)), kind, segment, _SIDES.get(side or "", 0), request.flag("invert")
    )


def probe(request: SourceRequest) -> SourceInfo:
    """What is known of the recording, from its header alone."""
    with contextlib.closing(open_source(request)) as source:
        return source.info
