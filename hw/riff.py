"""The header of a WAV file: RIFF, RF64 and BW64, read without trusting a single size in it.

    RIFF/RF64/BW64 size WAVE · [ds64] · fmt · [auxi] [LIST …] · data

Sizes are 32 bits; RF64 (EBU Tech 3306) and BW64 (ITU-R BS.2088) say 0xFFFFFFFF and keep the true ones in `ds64`. A
program that was killed leaves 0 there, one that wrote over 4 GiB leaves any number. So a data size of 0 or 0xFFFFFFFF,
or one that reaches past the end of the file, means "until the end", with a note.

`auxi`, as SpectraVue began it and HDSDR, SDRuno and others write it: two SYSTEMTIMEs of eight 16-bit words (year,
month, day of week, day, hour, minute, second, millisecond) for start and stop, at 32 the centre frequency, at 36 the
rate of the converter, at 40 an intermediate frequency, at 44 the bandwidth, 32 bits each.
"""

import struct
from dataclasses import dataclass
from datetime import UTC, datetime
from io import FileIO

from hw.errors import SourceError, Unsupported

PCM, IEEE_FLOAT, EXTENSIBLE = 1, 3, 0xFFFE
UNTIL_END = 0xFFFFFFFF
MAX_CHUNKS = 4096
"""Chunks looked through before `data`; headers in use have fewer than ten."""

# Codes of the `fmt` chunk that people meet (RFC 2361), to name what is refused.
_CODECS = {2: "ADPCM", 6: "A-law", 7: "µ-law", 17: "IMA ADPCM", 49: "GSM 6.10", 85: "MP3"}
# Bits and code to the component of `dsp.convert`. Eight bits are unsigned in WAV.
_COMPONENTS = {
    (PCM, 8): "u8",
    (PCM, 16): "i16_le",
    (PCM, 24): "i24_le",
    (PCM, 32): "i32_le",
    (IEEE_FLOAT, 32): "f32_le",
    (IEEE_FLOAT, 64): "f64_le",
}


@dataclass(frozen=True, slots=True)
class Auxi:
    """What an `auxi` chunk says. start: taken as UTC, as HDSDR's file names with Z confirm."""

    center_hz: int
    start: datetime | None
    converter_rate: int


@dataclass(frozen=True, slots=True)
class WavHeader:
    """Where the samples lie and what they are.

    rates: what the header says of the rate: one, unless it contradicts itself. component: as `dsp.convert` names it.
    offset, size: bytes of the samples. notes: what was not believed.
    """

    channels: int
    rates: tuple[int, ...]
    component: str
    offset: int
    size: int
    auxi: Auxi | None
    notes: tuple[str, ...]


def read_header(file: FileIO, what: str) -> WavHeader:
    """Read the header of an open WAV file. Raises `SourceError` for a damaged one, `Unsupported` for a codec."""
    length = file.seek(0, 2)
    file.seek(0)
    head = file.read(12) or b""
    if not head:
        raise SourceError(f"{what} is empty")
    if head[:4] == b"RIFX":
        raise Unsupported(f"{what} is RIFX (big-endian WAV), which is not read; convert it to WAV")
    if head[:4] not in (b"RIFF", b"RF64", b"BW64") or head[8:12] != b"WAVE":
        raise SourceError(f"{what} is no WAV file: it does not begin with RIFF … WAVE")
    notes: list[str] = []
    form: tuple[int, tuple[int, ...], str] | None = None
    auxi: Auxi | None = None
    long_size: int | None = None
    at = 12
    for _ in range(MAX_CHUNKS):
        file.seek(at)
        name_size = file.read(8) or b""
        if len(name_size) < 8:
            break
        name, size = name_size[:4], int.from_bytes(name_size[4:], "little")
        start = at + 8
        if name == b"data":
            if form is None:
                raise SourceError(f"{what}: the samples come before any fmt chunk, so nobody knows what they are")
            size = _data_size(size, long_size, length - start, notes)
            auxi = auxi or _auxi_after(file, start + size + (size & 1))
            return WavHeader(*form, start, size, auxi, tuple(notes))
        if name == b"ds64" and size >= 16:
            body = file.read(16) or b""
            if len(body) == 16:
                long_size = int.from_bytes(body[8:16], "little")
        elif name == b"fmt ":
            form = _form(file.read(min(size, 40)) or b"", what)
        elif name == b"auxi":
            auxi = _auxi(file.read(min(size, 64)) or b"")
            if auxi is None:
                notes.append("the auxi chunk is not in the known layout and is left out")
        at = start + size + (size & 1)
    raise SourceError(
        f"{what}: no {'samples' if form else 'fmt chunk'} found: the file is cut short or its header is damaged"
    )


def _data_size(size: int, long_size: int | None, left: int, notes: list[str]) -> int:
    if size == UNTIL_END and long_size:
        size = long_size
    if size in (0, UNTIL_END):
        if left:
            notes.append("the header does not say how long it is; read until the end of the file")
        return left
    if size > left:
        notes.append(f"the header says {size} bytes of samples, there are {left}; read until the end of the file")
    return min(size, left)


def _form(body: bytes, what: str) -> tuple[int, tuple[int, ...], str]:
    """Channels, rates, component of a `fmt` chunk."""
    if len(body) < 16:
        raise SourceError(f"{what}: the fmt chunk has {len(body)} bytes, less than 16: the header is damaged")
    code, channels, rate, byte_rate, align, bits = struct.unpack_from("<HHIIHH", body)
    if code == EXTENSIBLE:
        if len(body) < 26:
            raise SourceError(f"{what}: the extensible fmt chunk has {len(body)} bytes, less than 26")
        code = int.from_bytes(body[24:26], "little")
    component = _COMPONENTS.get((code, bits))
    if component is None:
        raise Unsupported(
            f"{what}: {bits}-bit {_CODECS.get(code, 'PCM' if code == PCM else f'format {code}')} is not read; "
            f"read are PCM of 8, 16, 24, 32 bits and float of 32, 64"
        )
    if channels == 0 or rate == 0:
        raise SourceError(f"{what}: the header says {channels} channels at rate {rate}: it is damaged")
    if align != channels * bits // 8:
        raise SourceError(
            f"{what}: {channels} channels of {bits} bits are {channels * bits // 8} bytes, not {align} as it says"
        )
    rates = (rate,) if byte_rate in (0, rate * align & 0xFFFFFFFF) else (rate, byte_rate // align)
    return channels, rates, component


def _auxi(body: bytes) -> Auxi | None:
    if len(body) < 40:
        return None
    year, month, _, day, hour, minute, second, ms = struct.unpack_from("<8H", body)
    center, converter = struct.unpack_from("<II", body, 32)
    try:
        start = datetime(year, month, day, hour, minute, second, ms * 1000, UTC)
    except ValueError:
        if year or month or day:
            return None
        start = None
    return Auxi(center, start, converter)


def _auxi_after(file: FileIO, at: int) -> Auxi | None:
    """An `auxi` chunk behind the samples, where some programs write it when they stop."""
    for _ in range(16):
        file.seek(at)
        head = file.read(8) or b""
        if len(head) < 8:
            return None
        size = int.from_bytes(head[4:], "little")
        if head[:4] == b"auxi":
            return _auxi(file.read(min(size, 64)) or b"")
        at += 8 + size + (size & 1)
    return None
