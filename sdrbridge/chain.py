"""One line of the journal: canonical JSON, chained to the line before by SHA-256.

    {"channel":"VTAC11","event":"over.open","n":42,"prev":"9c1e…","t_s":12.5,"wall":"2026-11-27T14:20:03.120Z",
     "hash":"4b0a…"}

Canonical: keys sorted, no spaces, UTF-8, numbers as Python spells them, no NaN. `n` counts from 1 without a gap, `prev`
is the hash of the line before (64 zeros in the first). `hash` comes last and is the SHA-256 of the line as it would be
without it, so that a line can be checked with any SHA-256 program.
"""

import hashlib
import json
import math
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from numbers import Integral, Real
from typing import Any

GENESIS = "0" * 64
"""`prev` of the first entry."""

RESERVED = frozenset({"n", "wall", "prev", "hash"})
"""Keys of the chain; a key of an event that is called so gets a `_` behind it."""

_LISTS = (list, tuple, set, frozenset)
_SCALARS = frozenset({str, int, float, bool, type(None)})

_LARGEST = 10**18


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry. data: everything in it but the four keys of the chain; `data["event"]` says what happened."""

    n: int
    wall: str
    prev: str
    hash: str
    data: Mapping[str, Any]

    @property
    def event(self) -> str:
        """What happened, for example `floor.granted`."""
        return str(self.data.get("event", ""))

    def to_dict(self) -> dict[str, Any]:
        """As it stands in the journal."""
        return {"n": self.n, "wall": self.wall, **self.data, "prev": self.prev, "hash": self.hash}


_ENCODER = json.JSONEncoder(ensure_ascii=False, allow_nan=False, sort_keys=True, separators=(",", ":"))


def canonical(value: object) -> bytes:
    """A value as canonical JSON. Raises ValueError for what JSON cannot say."""
    return _ENCODER.encode(value).encode()


def plain(value: object) -> object:
    """A value as JSON can say it: what is not a number becomes null, what JSON does not know becomes text."""
    if value is None or type(value) in (bool, int):
        return value
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    if isinstance(value, _LISTS):
        return [plain(item) for item in value]
    if isinstance(value, Mapping):
        return _plain_table(value)
    if isinstance(value, Integral):
        return int(value)
    if isinstance(value, Real):
        number = float(value)
        return number if math.isfinite(number) else None
    return _text(str(value))


def _is_plain(values: Iterable[object]) -> bool:
    """Whether these are text, numbers and lists of them, as most events hold nothing else."""
    for value in values:
        if type(value) not in _SCALARS and (type(value) is not list or not _is_plain(value)):
            return False
    return True


def _plain_table(table: Mapping[Any, object]) -> dict[str, Any]:
    return {_text(str(key)): plain(item) for key, item in table.items()}


def _text(value: str) -> str:
    """Without what UTF-8 cannot say."""
    return value if value.isascii() else value.encode("utf-8", "replace").decode()


def spell_wall(wall: datetime) -> str:
    """Time of day in UTC, to the millisecond."""
    return wall.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def parse_wall(text: str) -> datetime:
    """The moment `spell_wall` wrote. Raises ValueError."""
    return datetime.fromisoformat(text.replace("Z", "+00:00")).astimezone(UTC)


def write_line(n: int, wall: datetime, prev: str, event: Mapping[str, object]) -> tuple[bytes, Entry]:
    """The line of entry `n`, with its line end, and the entry it holds."""
    stamp = spell_wall(wall)
    data, body = _body(event, {"n": n, "prev": prev, "wall": stamp})
    digest = hashlib.sha256(body).hexdigest()
    return _with_hash(body, digest) + b"\n", Entry(n, stamp, prev, digest, data)


def _body(event: Mapping[str, object], frame: Mapping[str, object]) -> tuple[dict[str, Any], bytes]:
    """What is in an entry, and its line as it is without the hash."""
    if _is_plain(event.values()) and RESERVED.isdisjoint(event):
        # They can be said as they are, but for a number or a letter that is none.
        with suppress(TypeError, ValueError):
            return dict(event), canonical({**event, **frame})
    data = {f"{key}_" if key in RESERVED else key: value for key, value in _plain_table(event).items()}
    return data, canonical({**data, **frame})


def read_line(line: bytes) -> tuple[Entry, bool]:
    """The entry of a line without its line end, and whether it is as it was written, to the last byte.

    Raises ValueError, which says what is wrong, where there is no entry to be found in it.
    """
    try:
        values = json.loads(line)
        if not isinstance(values, dict):
            raise ValueError("it holds no JSON object")
        claimed = values.pop("hash", None)
        n, wall, prev = values.pop("n", None), values.pop("wall", None), values.pop("prev", None)
        if not isinstance(n, int) or isinstance(n, bool) or not 1 <= n < _LARGEST:
            raise ValueError("it has no number n")
        if not (isinstance(wall, str) and _is_hash(prev) and _is_hash(claimed)):
            raise ValueError("it has no wall, prev or hash")
        body = canonical({**values, "n": n, "prev": prev, "wall": wall})
    except RecursionError:
        raise ValueError("it is nested too deep") from None
    except json.JSONDecodeError as problem:
        raise ValueError(f"it is not JSON: {problem.msg} at column {problem.colno}") from None
    except UnicodeError:
        raise ValueError("it is not UTF-8 text") from None
    genuine = line == _with_hash(body, hashlib.sha256(body).hexdigest())
    return Entry(n, wall, prev, claimed, values), genuine


def _with_hash(body: bytes, digest: str) -> bytes:
    return body[:-1] + b',"hash":"' + digest.encode() + b'"}'


def _is_hash(value: object) -> bool:
    return isinstance(value, str) and len(value) == 64 and all(c in "0123456789abcdef" for c in value)
