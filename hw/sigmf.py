"""SigMF recordings, as two files or as an archive.

SigMF 1.2 (sigmf.org): the metadata is JSON with `global`, `captures`, `annotations`. Captures divide the samples; each
may state its frequency, its time, bytes of a header before it (`core:header_bytes`) and the index its first sample had
in the original stream (`core:global_index`). A `global_index` beyond the end of the capture before is a gap: samples
that were lost when it was recorded. Where captures differ in frequency, those of one frequency are played (the stated
centre, else that of the first capture) and the time spent elsewhere is a gap.

Everything in the metadata may be wrong or hostile: each value is checked for type and range before it is used, and
the size of the JSON is bounded. `core:sha512` is not verified; reading a recording twice to play it once is no use.
"""

import contextlib
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NoReturn

from dsp.convert import COMPLEX_TYPES, SampleType, sample_type
from dsp.errors import RangeError
from hw.archive import members
from hw.base import SourceInfo
from hw.errors import DeviceNotFound, SourceError, Unsupported
from hw.iqfile import IqFile, check_rate, settle_center, whole_samples
from hw.samplefile import Segment, open_regular
from hw.spec import SourceRequest

MAX_METADATA = 4 << 20
"""Bytes of metadata that are read; parsed, they take about twenty times that in the worst case."""

MAX_GAP_S = 7 * 86400
"""Longest believable gap inside one recording."""


@dataclass(frozen=True, slots=True)
class Capture:
    """One entry of `captures`. first: its first sample in the file. index: that sample in the original stream."""

    first: int
    index: int | None
    header_bytes: int
    center_hz: int | None
    start: datetime | None


@dataclass(frozen=True, slots=True)
class Metadata:
    """What the metadata says that playing needs.

    dataset: file name of the samples, None for the usual one.
    """

    kind: SampleType
    rate: int
    captures: tuple[Capture, ...]
    hardware: str | None
    dataset: str | None
    trailing_bytes: int
    notes: tuple[str, ...]


def open_sigmf(request: SourceRequest) -> IqFile:
    """Open `NAME.sigmf-meta` with its data; `NAME.sigmf-data` names the same recording."""
    path = request.path
    if path.suffix.lower() == ".sigmf-data":
        path = path.with_suffix(".sigmf-meta")
        if not path.exists() and request.path.exists():
            raise DeviceNotFound(
                f"{request.path} has no {path.name} beside it; to read it raw, rename it and state rate"
            )
    with contextlib.closing(open_regular(path)) as file:
        text = file.read(MAX_METADATA + 1) or b""
    meta = parse_metadata(text, str(path))
    data = path.with_name(meta.dataset) if meta.dataset else path.with_suffix(".sigmf-data")
    try:
        with contextlib.closing(open_regular(data)) as file:
            size = file.seek(0, 2)
    except DeviceNotFound as e:
        raise DeviceNotFound(f"{path}: its samples are missing: {e}") from e
    return _play(request, path.name, meta, data, 0, size)


def open_archive(request: SourceRequest) -> IqFile:
    """Open the one recording of a `.sigmf` archive (a tar), in place: nothing is unpacked."""
    path = request.path
    found = {m.name: m for m in members(path)}
    metas = [n for n in found if n.endswith(".sigmf-meta")]
    if len(metas) != 1:
        names = ", ".join(n[:60] for n in metas[:5])
        raise SourceError(
            f"{path}: the archive holds {len(metas)} recordings ({names}); unpack it and name one"
            if metas
            else f"{path}: the archive holds no .sigmf-meta"
        )
    member = found[metas[0]]
    with contextlib.closing(open_regular(path)) as file:
        file.seek(member.offset)
        text = file.read(min(member.size, MAX_METADATA + 1)) or b""
    meta = parse_metadata(text, f"{path}({member.name})")
    stem = member.name.removesuffix(".sigmf-meta")
    wanted = str(Path(member.name).with_name(meta.dataset)) if meta.dataset else f"{stem}.sigmf-data"
    data = found.get(wanted)
    if data is None:
        raise DeviceNotFound(f"{path}: the archive holds no {wanted}")
    return _play(request, path.name, meta, path, data.offset, data.size)


def parse_metadata(text: bytes, what: str) -> Metadata:
    """Check the JSON and take what is needed. Raises `SourceError` or `Unsupported`; `what` names it in messages."""
    root = _json(text, what)
    world = _section(root, "global", dict, what)
    named = _get(world, "core:datatype", str, what)
    if named is None:
        raise SourceError(f"{what}: core:datatype is missing; it says how the samples are stored, such as cu8")
    channels = _whole(world, "core:num_channels", what, 1, 10**6)
    if channels not in (None, 1):
        raise Unsupported(f"{what}: core:num_channels = {channels}; recordings of 1 channel are played")
    if world.get("core:metadata_only") is True:
        raise SourceError(f"{what}: core:metadata_only is set: this recording has no samples")
    notes: list[str] = []
    return Metadata(
        kind=_datatype(named, what),
        rate=_rate(world, what, notes),
        captures=_captures(root, what, notes),
        hardware=_get(world, "core:hw", str, what),
        dataset=_dataset(world, what),
        trailing_bytes=_whole(world, "core:trailing_bytes", what, 0, 2**62) or 0,
        notes=tuple(notes),
    )


def _play(request: SourceRequest, name: str, meta: Metadata, data: Path, offset: int, size: int) -> IqFile:
    notes = list(meta.notes)
    if request.rate not in (None, meta.rate):
        raise SourceError(
            f"{name} says rate {meta.rate}, and rate {request.rate} is stated; leave rate out, or correct it"
        )
    if request.sample_type is not None:
        notes.append(f"format = {request.sample_type} is not needed: the metadata says {meta.kind.name}")
    overhead = meta.trailing_bytes + sum(c.header_bytes for c in meta.captures)
    total = whole_samples(str(data), max(0, size - overhead), meta.kind, notes)
    center = _choose_center(request.center_hz, meta.captures, name)
    segments = _segments(meta, total, center, offset, name, notes)
    first = next(c for c in meta.captures if c.center_hz == center)
    info = SourceInfo(
        description=name,
        kind="iq",
        rate=meta.rate,
        center_hz=settle_center(request.center_hz, center, notes),
        length=segments[-1].end,
        start=first.start,
        sample_type=meta.kind.name,
        hardware=meta.hardware,
        notes=tuple(notes),
    )
    return IqFile(data, info, meta.kind, segments)


def _choose_center(stated: int | None, captures: Sequence[Capture], name: str) -> int | None:
    """The recorded frequency to play: the stated one if it is among several, else the first."""
    centers = list(dict.fromkeys(c.center_hz for c in captures))
    if stated is None or len(centers) == 1:
        return centers[0]
    if stated in centers:
        return stated
    raise SourceError(
        f"{name}: nothing was recorded at centre {stated} Hz; there is {', '.join(map(str, centers[:8]))}"
    )


def _segments(
    meta: Metadata, total: int, center: int | None, offset: int, name: str, notes: list[str]
) -> list[Segment]:
    """Where the samples of the played frequency lie, counted from index 0 at the first of them."""
    found: list[Segment] = []
    index = header = skipped = 0
    for i, capture in enumerate(meta.captures):
        following = meta.captures[i + 1].first if i + 1 < len(meta.captures) else total
        header += capture.header_bytes
        if capture.first > total:
            raise SourceError(f"{name}: captures[{i}] starts at sample {capture.first}; the file has {total}")
        count = min(following, total) - capture.first
        if i == 0 and capture.index is not None:
            index = capture.index
        if capture.index is not None and capture.index < index:
            raise SourceError(
                f"{name}: captures[{i}] core:global_index = {capture.index} lies before {index}, where the last ends"
            )
        if capture.index is not None and capture.index - index > MAX_GAP_S * meta.rate:
            raise SourceError(f"{name}: captures[{i}] core:global_index leaves a gap of over {MAX_GAP_S // 86400} days")
        index = index if capture.index is None else capture.index
        if capture.center_hz == center and count:
            found.append(Segment(offset + header + capture.first * meta.kind.size, count, index))
        elif count:
            skipped += count
        index += count
    if not found:
        raise SourceError(f"{name}: no samples at centre {center} Hz")
    if skipped:
        notes.append(f"{skipped} samples on other centre frequencies are left out as gaps; played is {center} Hz")
    zero = found[0].index
    return [Segment(s.offset, s.count, s.index - zero) for s in found]


def _json(text: bytes, what: str) -> dict[str, Any]:
    if len(text) > MAX_METADATA:
        raise SourceError(f"{what}: metadata over {MAX_METADATA >> 20} MiB is not read")
    if not text.strip():
        raise SourceError(f"{what} is empty")

    def refuse(word: str) -> NoReturn:
        raise ValueError(f"{word} is not JSON")

    try:
        root = json.loads(text.decode("utf-8-sig"), parse_constant=refuse)
    except UnicodeDecodeError as e:
        raise SourceError(f"{what} is not text: byte {e.start} is not UTF-8") from e
    except (ValueError, RecursionError) as e:
        raise SourceError(f"{what} is not JSON: {str(e)[:200]}") from e
    if not isinstance(root, dict):
        raise SourceError(f"{what} is JSON but no SigMF metadata: it holds no object")
    return root


def _section(root: dict[str, Any], key: str, of: type, what: str) -> Any:
    value = root.get(key)
    if not isinstance(value, of):
        raise SourceError(f"{what}: {key!r} is missing or not {'an object' if of is dict else 'a list'}")
    return value


def _get(table: dict[str, Any], key: str, of: type, what: str) -> Any:
    value = table.get(key)
    if value is not None and (not isinstance(value, of) or isinstance(value, bool)):
        raise SourceError(f"{what}: {key} = {str(value)[:60]!r} is not a {'string' if of is str else 'number'}")
    return value


def _number(table: dict[str, Any], key: str, what: str) -> float | int | None:
    value = table.get(key)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise SourceError(f"{what}: {key} = {str(value)[:60]!r} is not a number")
    return value


def _whole(table: dict[str, Any], key: str, what: str, least: int, most: int) -> int | None:
    value = _number(table, key, what)
    if value is None:
        return None
    if value != int(value) or not least <= value <= most:
        raise SourceError(f"{what}: {key} = {str(value)[:60]} is not a whole number of {least} … {most}")
    return int(value)


def _datatype(named: str, what: str) -> SampleType:
    try:
        kind = sample_type(named)
    except RangeError as e:
        raise Unsupported(f"{what}: core:datatype = {named[:40]!r}; played are {', '.join(COMPLEX_TYPES)}") from e
    if kind.name not in COMPLEX_TYPES:
        raise Unsupported(
            f"{what}: core:datatype = {named[:40]!r} is real samples; played are complex: {', '.join(COMPLEX_TYPES)}"
        )
    return kind


def _rate(world: dict[str, Any], what: str, notes: list[str]) -> int:
    value = _number(world, "core:sample_rate", what)
    if value is None:
        raise SourceError(f"{what}: core:sample_rate is missing; add the rate of the recording, such as 2400000")
    rate = check_rate(f"{what}: core:sample_rate", round(value))
    if rate != value:
        notes.append(f"core:sample_rate {value!r} is taken as {rate}")
    return rate


def _dataset(world: dict[str, Any], what: str) -> str | None:
    name = _get(world, "core:dataset", str, what)
    if name is None:
        return None
    if not name or len(name) > 255 or "/" in name or "\\" in name or "\0" in name or name in (".", ".."):
        raise SourceError(f"{what}: core:dataset = {name[:60]!r} is not the name of a file in the same folder")
    return str(name)


def _captures(root: dict[str, Any], what: str, notes: list[str]) -> tuple[Capture, ...]:
    entries = _section(root, "captures", list, what)
    found: list[Capture] = []
    for i, entry in enumerate(entries):
        where = f"{what}: captures[{i}]"
        if not isinstance(entry, dict):
            raise SourceError(f"{where} is not an object")
        first = _whole(entry, "core:sample_start", where, 0, 2**62)
        if first is None:
            raise SourceError(f"{where}: core:sample_start is missing; it is 0 for the first one")
        if found and first < found[-1].first:
            raise SourceError(
                f"{where}: core:sample_start = {first} lies before that of the one before ({found[-1].first})"
            )
        center = _number(entry, "core:frequency", where)
        if center is not None and abs(center) > 1e13:
            raise SourceError(f"{where}: core:frequency = {center} Hz is outside ±10 THz")
        found.append(
            Capture(
                first=first,
                index=_whole(entry, "core:global_index", where, 0, 2**62),
                header_bytes=_whole(entry, "core:header_bytes", where, 0, 2**62) or 0,
                center_hz=None if center is None else round(center),
                start=_time(_get(entry, "core:datetime", str, where), notes),
            )
        )
    if found and found[0].first:
        notes.append(f"the first {found[0].first} samples belong to no capture and are left out")
    return tuple(found) or (Capture(0, None, 0, None, None),)


def _time(text: str | None, notes: list[str]) -> datetime | None:
    """An ISO-8601 time in UTC; SigMF asks for a trailing Z, and a time without zone is taken as none."""
    if text is None:
        return None
    with contextlib.suppress(ValueError, OverflowError):
        time = datetime.fromisoformat(text[:64])
        if time.tzinfo is not None:
            return time.astimezone(UTC)
    notes.append(f"core:datetime {text[:40]!r} is not a time in UTC and is left out")
    return None
