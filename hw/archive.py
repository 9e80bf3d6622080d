"""Where the members of a tar lie: headers are walked, nothing is unpacked and nothing but headers is read.

POSIX.1-2001 (pax) `ustar` headers of 512 bytes: name at 0 (100), size at 124 (12, octal, or base 256 with the top bit
set, as GNU tar writes over 8 GiB), checksum at 148 (8), type at 156, magic at 257, prefix at 345 (155). Types `x` and
`g` are pax records, `L` is GNU's long name. Links, devices and sparse files are refused: a recording has none.
"""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from io import FileIO
from pathlib import Path, PurePosixPath

from hw.errors import SourceError
from hw.samplefile import open_regular

BLOCK = 512
MAX_MEMBERS = 1000
MAX_EXTENSION = 64 << 10
"""Bytes of a pax record or long name that are read."""


@dataclass(frozen=True, slots=True)
class Member:
    """A file in the archive. offset: byte of the archive where its contents start."""

    name: str
    offset: int
    size: int


def members(path: Path) -> list[Member]:
    """The ordinary files in the archive. Raises `SourceError` for one that is damaged or not to be trusted."""
    with contextlib.closing(open_regular(path)) as file:
        return list(_walk(file, file.seek(0, 2), str(path)))


def _walk(file: FileIO, length: int, what: str) -> Iterator[Member]:
    at = 0
    name: str | None = None
    size: int | None = None
    for _ in range(2 * MAX_MEMBERS):
        file.seek(at)
        header = file.read(BLOCK) or b""
        if not header.strip(b"\0") and (at or len(header) == BLOCK):
            return
        _check(header, what, at)
        kind = header[156:157]
        span = _size(header[124:136], what)
        if size is not None and kind not in (b"x", b"g", b"L"):
            span = size
        start = at + BLOCK
        if start + span > length:
            raise SourceError(
                f"{what}: the archive is cut short: a member of {span} bytes at byte {start}, {length} in all"
            )
        if kind == b"L":
            name = _extension(file, span, what).rstrip(b"\0").decode("utf-8", "replace")
        elif kind == b"x":
            name, size = _pax(_extension(file, span, what), what)
        elif kind in (b"0", b"\0"):
            yield Member(_safe(name or _name(header), what), start, span)
            name = size = None
        elif kind == b"5":
            name = size = None
        elif kind != b"g":
            raise SourceError(
                f"{what}: member {(name or _name(header))[:60]!r} is a link or special file; only files are read"
            )
        at = start + -(-span // BLOCK) * BLOCK
    raise SourceError(f"{what}: the archive has over {MAX_MEMBERS} members; a SigMF archive has two a recording")


def _check(header: bytes, what: str, at: int) -> None:
    if header[:2] == b"\x1f\x8b" or header[:3] == b"BZh" or header[:6] == b"\xfd7zXZ\0":
        raise SourceError(f"{what} is compressed; unpack it first: samples are read in place")
    field = header[148:156].replace(b"\0", b" ").strip()
    told = int(field, 8) if field and all(c in b"01234567" for c in field) else -1
    if len(header) < BLOCK or told != sum(header[:148]) + 8 * 0x20 + sum(header[156:]):
        raise SourceError(f"{what} is no SigMF archive (tar): the header at byte {at} is damaged")


def _size(field: bytes, what: str) -> int:
    if field[0] & 0x80:
        return int.from_bytes(field, "big") & (1 << 88) - 1
    text = field.replace(b"\0", b" ").strip()
    if any(c not in b"01234567" for c in text):
        raise SourceError(f"{what}: a member's size {text[:12]!r} is no octal number")
    return int(text or b"0", 8)


def _extension(file: FileIO, size: int, what: str) -> bytes:
    if size > MAX_EXTENSION:
        raise SourceError(f"{what}: a header record of {size} bytes; at most {MAX_EXTENSION} are read")
    return file.read(size) or b""


def _pax(record: bytes, what: str) -> tuple[str | None, int | None]:
    """Name and size from lines of `LENGTH KEY=VALUE`."""
    name: str | None = None
    size: int | None = None
    at = 0
    while at < len(record):
        digits, _, _ = record[at : at + 12].partition(b" ")
        line = int(digits) if digits.isdigit() else 0
        key, equals, value = record[at + len(digits) + 1 : at + line - 1].partition(b"=")
        if line < 5 or not equals:
            raise SourceError(f"{what}: a pax header record is damaged")
        if key == b"path":
            name = value.decode("utf-8", "replace")
        elif key == b"size":
            if not value.isdigit() or len(value) > 20:
                raise SourceError(f"{what}: a pax header says size {value[:20]!r}")
            size = int(value)
        elif key.startswith(b"GNU.sparse"):
            raise SourceError(f"{what}: sparse members are not read")
        at += line
    return name, size


def _name(header: bytes) -> str:
    name = header[:100].split(b"\0")[0].decode("utf-8", "replace")
    prefix = header[345:500].split(b"\0")[0].decode("utf-8", "replace") if header[257:263] == b"ustar\0" else ""
    return f"{prefix}/{name}" if prefix else name


def _safe(name: str, what: str) -> str:
    parts = PurePosixPath(name).parts
    if not parts or name.startswith("/") or ".." in parts or "\\" in name or "\0" in name:
        raise SourceError(f"{what}: member name {name[:60]!r} leads out of the archive")
    return str(PurePosixPath(name))
