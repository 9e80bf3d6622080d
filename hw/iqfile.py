"""An IQ recording as a `Source`, whatever container it came in, and raw files without one."""

import contextlib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from dsp.blocks import IqBlock
from dsp.convert import SampleType, sample_type, to_complex
from dsp.errors import RangeError
from hw.base import SourceInfo, SourceStatistics
from hw.errors import SourceError
from hw.filename import read_name
from hw.samplefile import SampleFile, Segment, open_regular
from hw.spec import SourceRequest

RATES = range(1_000, 1_000_000_001)
"""Samples per second an IQ recording may have."""

# Suffixes in use: SigMF's names, rtl_433's (cs16), inspectrum's (sc16, uc8, fc32), GNU Radio's (cfile).
RAW_SUFFIXES = {
    **{s: s for s in ("cu8", "ci8", "cu16", "ci16", "cu32", "ci32", "cf32", "cf64", "cs8", "cs16", "cs32")},
    "uc8": "cu8",
    "sc8": "ci8",
    "sc16": "ci16",
    "fc32": "cf32",
    "fc64": "cf64",
    "cfile": "cf32",
}


class IqFile:
    """Plays segments of a file as IqBlocks; a step between two segments' indices is a counted gap."""

    def __init__(self, path: Path, info: SourceInfo, kind: SampleType, segments: Sequence[Segment]) -> None:
        self._info = info
        self._kind = kind
        self._out = np.empty(0, np.complex64)
        self._clipped = 0
        self._invalid = 0
        self._file = SampleFile(path, kind.size, segments)

    @property
    def info(self) -> SourceInfo:
        """What is known of it."""
        return self._info

    def read(self, n: int) -> IqBlock | None:
        """At most `n` samples; None at the end. See `hw.base.Source`."""
        piece = self._file.read(n)
        if piece is None:
            return None
        raw, index = piece
        count = len(raw) // self._kind.size
        if len(self._out) != count:
            self._out = np.empty(count, np.complex64)
        counts = to_complex(raw, self._kind, self._out)
        self._clipped += counts.clipped
        self._invalid += counts.invalid
        return IqBlock(self._out, self._info.rate, index)

    def statistics(self) -> SourceStatistics:
        """Counters since it was opened."""
        f = self._file
        return SourceStatistics(f.samples, f.lost, f.gaps, self._clipped, self._invalid)

    def close(self) -> None:
        """Close the file. May be called twice."""
        self._file.close()


def check_rate(what: str, rate: int) -> int:
    """The rate itself. Raises `SourceError` for one that no IQ recording has."""
    if rate not in RATES:
        raise SourceError(f"{what}: rate = {rate} is outside {RATES.start} … {RATES.stop - 1} samples per second")
    return rate


def settle_center(stated: int | None, recorded: int | None, notes: list[str]) -> int | None:
    """The stated centre over the recorded one, with a note when they differ."""
    if stated is None:
        return recorded
    if recorded is not None and recorded != stated:
        notes.append(f"the recording says centre {recorded} Hz; taken as {stated} Hz as stated")
    return stated


def whole_samples(what: str, size: int, kind: SampleType, notes: list[str]) -> int:
    """Samples in `size` bytes, with a note of what is left over. Raises `SourceError` for none at all."""
    count, left = divmod(size, kind.size)
    if count == 0:
        raise SourceError(
            f"{what} is empty" if size == 0 else f"{what}: {size} bytes are less than one sample of {kind.name}"
        )
    if left:
        notes.append(f"{left} byte(s) at the end are no whole sample of {kind.name} and were left out")
    return count


def open_raw(request: SourceRequest) -> IqFile:
    """Open a file without a header: its type from the suffix, its name or the request, its rate from the latter two."""
    path = request.path
    with contextlib.closing(open_regular(path)) as file:
        size = file.seek(0, 2)
    name = read_name(path.name)
    notes: list[str] = []
    kind = _raw_type(request, name.sample_type)
    rate = request.rate
    if rate is None:
        rate = name.rate
    elif name.rate not in (None, rate):
        notes.append(f"the file name says rate {name.rate}; taken as {rate} as stated")
    if rate is None:
        raise SourceError(f'{path}: a raw file does not say its rate; add rate = "…" such as rate = "2.4M"')
    count = whole_samples(str(path), size, kind, notes)
    info = SourceInfo(
        description=path.name,
        kind="iq",
        rate=check_rate(str(path), rate),
        center_hz=settle_center(request.center_hz, name.center_hz, notes),
        length=count,
        start=name.start,
        sample_type=kind.name,
        hardware=name.program,
    )
    return IqFile(path, replace(info, notes=tuple(notes)), kind, [Segment(0, count, 0)])


def _raw_type(request: SourceRequest, named: str | None) -> SampleType:
    suffix = request.path.suffix[1:].lower()
    text = request.sample_type or RAW_SUFFIXES.get(suffix) or named
    if text is None:
        raise SourceError(
            f"{request.path}: the suffix {request.path.suffix or '(none)'!r} does not say the sample type; "
            f'add format = "cu8" (or ci8, ci16, cf32 …)'
        )
    try:
        kind = sample_type(text)
    except RangeError as e:
        raise SourceError(f"{request.path}: {e}") from e
    if not kind.is_complex:
        raise SourceError(
            f"{request.path}: format {kind.name} is real samples; IQ needs a complex one: c{kind.component}"
        )
    return kind
