"""Source strings: what a person writes to name a source, taken apart.

    file:PATH[?format=cu8&rate=2.4M&center=155.4M]     discriminator:PATH[?invert=yes&channel=left]
    rtlsdr:serial=00000001      rtltcp:HOST:PORT      soapy:driver=rtlsdr,serial=1

`kind:address?option=value&option=value`. What the site file says beside the string (rate, centre, format, gain, ppm)
travels in the same `SourceRequest`; an option in the string must not contradict it.
"""

import difflib
import re
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import TypeVar

from hw.errors import SourceError

_NUMBER = re.compile(r"(-?\d{1,12}(?:\.\d{0,9})?)([kMG]?)", re.ASCII | re.IGNORECASE)

_T = TypeVar("_T")

_MULTIPLIER = {"": 1, "k": 1_000, "m": 1_000_000, "g": 1_000_000_000}


@dataclass(frozen=True, slots=True)
class SourceRequest:
    """A source as it was asked for.

    text: the whole string, for messages. kind: what stands before the colon. address: what stands after it, without the
    options. options: the `?key=value` pairs. base: folder that relative paths start from. rate, center_hz, sample_type:
    what the site file states, None if it does not. gain_db: None for automatic. ppm: frequency correction.
    """

    text: str
    kind: str
    address: str
    options: dict[str, str] = field(default_factory=dict)
    base: Path = field(default_factory=Path)
    rate: int | None = None
    center_hz: int | None = None
    sample_type: str | None = None
    gain_db: float | None = None
    ppm: float = 0.0

    @property
    def path(self) -> Path:
        """The address as a path."""
        return self.base / Path(self.address).expanduser()

    def only(self, *known: str) -> None:
        """Raise `SourceError` for an option that is not one of `known`."""
        for key in self.options:
            if key not in known:
                near = difflib.get_close_matches(key, known, 1)
                hint = (
                    f"did you mean {near[0]}?" if near else f"known are {', '.join(known)}" if known else "it has none"
                )
                raise SourceError(f"{self.text}: option {key!r} is not known for {self.kind}: {hint}")

    def flag(self, key: str) -> bool:
        """A yes/no option; False if it is not there."""
        value = self.options.get(key, "no").lower()
        if value not in ("yes", "no", "true", "false", "1", "0"):
            raise SourceError(f"{self.text}: {key} = {value!r} is neither yes nor no")
        return value in ("yes", "true", "1")


def parse_source(
    text: str,
    *,
    base: Path,
    rate: int | None = None,
    center_hz: int | None = None,
    format: str | None = None,
    gain_db: float | None = None,
    ppm: float = 0.0,
) -> SourceRequest:
    """Take a source string apart. Raises `SourceError` for one that is not `kind:address`."""
    kind, colon, rest = text.partition(":")
    if not colon or not kind or not rest or "\0" in text:
        raise SourceError(f"source {text[:200]!r} is not KIND:ADDRESS, such as file:capture.sigmf-meta or rtlsdr:0")
    address, _, query = rest.partition("?")
    options = {}
    for pair in query.split("&") if query else []:
        key, equals, value = pair.partition("=")
        if not equals or not key:
            raise SourceError(f"source {text[:200]!r}: option {pair[:60]!r} is not written key=value")
        options[key] = value
    return SourceRequest(
        text=text[:200],
        kind=kind.lower(),
        address=address,
        options={k: v for k, v in options.items() if k not in ("rate", "center", "format")},
        base=base,
        rate=_agree(text, "rate", rate, hertz(options["rate"], "rate") if "rate" in options else None),
        center_hz=_agree(
            text, "center", center_hz, hertz(options["center"], "center") if "center" in options else None
        ),
        sample_type=_agree(text, "format", format, options.get("format")),
        gain_db=gain_db,
        ppm=ppm,
    )


def hertz(text: str, name: str) -> int:
    """Whole hertz from "155.7525M", "2.4M", "48k" or "155752500". Raises `SourceError` naming `name`."""
    match = _NUMBER.fullmatch(text)
    value = Decimal(match[1]) * _MULTIPLIER[match[2].lower()] if match else Decimal("0.5")
    if value != value.to_integral_value():
        raise SourceError(f"{name} = {text[:40]!r} is not a whole number of hertz such as 155.7525M or 48k")
    return int(value)


def _agree(text: str, name: str, stated: _T | None, option: _T | None) -> _T | None:
    if stated is not None and option is not None and stated != option:
        raise SourceError(f"source {text[:200]!r}: {name} is stated twice, as {stated} and as {option}")
    return option if stated is None else stated
