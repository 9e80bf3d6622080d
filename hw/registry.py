"""From a source string to an open source: `file:`, `discriminator:`, `rtlsdr:` and the rest, each in its own module.

A module that serves a kind has two functions:

    open_source(request: SourceRequest) -> Source | DiscriminatorSource
    probe(request: SourceRequest) -> SourceInfo      what is known without reading a sample or touching a radio

It is imported only when its kind is asked for, so drivers that are not installed disturb nobody.
"""

import difflib
import importlib
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, cast

from hw.base import DiscriminatorSource, Source, SourceInfo
from hw.errors import SourceError
from hw.spec import SourceRequest, parse_source


@dataclass(frozen=True, slots=True)
class SourceKind:
    """One kind of source. module: who opens it. usage: how it is written. about: what it is, for people."""

    module: str
    usage: str
    about: str


KINDS: dict[str, SourceKind] = {
    "file": SourceKind("hw.recording", "file:PATH", "an IQ recording: SigMF, WAV or raw samples"),
    "discriminator": SourceKind("hw.discriminator", "discriminator:PATH.wav", "FM discriminator audio of one channel"),
    "rtlsdr": SourceKind("hw.rtlsdr", "rtlsdr:serial=SERIAL", "an RTL-SDR dongle on USB; rtlsdr:0 for the first"),
    "rtltcp": SourceKind("hw.rtltcp", "rtltcp:HOST:PORT", "a receiver behind rtl_tcp"),
    "soapy": SourceKind("hw.soapy", "soapy:driver=DRIVER,serial=SERIAL", "a receiver that SoapySDR has a module for"),
}
"""Every kind of source, by the word before the colon."""


class _Opener(Protocol):
    def open_source(self, request: SourceRequest) -> Source | DiscriminatorSource: ...
    def probe(self, request: SourceRequest) -> SourceInfo: ...


def open_source(
    spec: str,
    *,
    base: Path,
    rate: int | None = None,
    center_hz: int | None = None,
    format: str | None = None,
    gain_db: float | None = None,
    ppm: float = 0.0,
) -> Source | DiscriminatorSource:
    """Open the source that `spec` names; relative paths start from `base`.

    rate, center_hz, format: what the site file states. A stated rate must agree with what the recording says; a stated
    centre is believed over the recording (a converter may have stood in front of the receiver), with a note.
    gain_db: None for automatic; ppm: frequency correction; recordings ignore both.
    Raises a `DeviceError` saying what is wrong and what would be right.
    """
    request = parse_source(spec, base=base, rate=rate, center_hz=center_hz, format=format, gain_db=gain_db, ppm=ppm)
    return _opener(request).open_source(request)


def probe(
    spec: str,
    *,
    base: Path,
    rate: int | None = None,
    center_hz: int | None = None,
    format: str | None = None,
    gain_db: float | None = None,
    ppm: float = 0.0,
) -> SourceInfo:
    """What `open_source` would open, without reading samples or touching a radio. Raises as `open_source` does."""
    request = parse_source(spec, base=base, rate=rate, center_hz=center_hz, format=format, gain_db=gain_db, ppm=ppm)
    return _opener(request).probe(request)


def _opener(request: SourceRequest) -> _Opener:
    kind = KINDS.get(request.kind)
    if kind is None:
        near = difflib.get_close_matches(request.kind, KINDS, 1)
        hint = (
            f"did you mean {KINDS[near[0]].usage}?"
            if near
            else "known are " + ", ".join(k.usage for k in KINDS.values())
        )
        raise SourceError(f"source {request.text!r}: kind {request.kind!r} is not known; {hint}")
    return cast(_Opener, importlib.import_module(kind.module))
