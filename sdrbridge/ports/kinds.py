"""Every kind of port a site file knows: the keys it adds, and the module that opens it.

    KINDS["file"].read(table, folder) → FileSettings(path=…)

A kind reads its keys with the verbs of `sdrbridge.table.Table`, so that every problem of a site file is found at once.
Only the standard library is imported here; `module` is imported when a port of that kind is opened.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from sdrbridge.table import Table


@dataclass(frozen=True, slots=True)
class NoSettings:
    """A kind without keys of its own."""


@dataclass(frozen=True, slots=True)
class FileSettings:
    """path: where to write; None is `ports/NAME.wav` in the output folder."""

    path: Path | None = None


@dataclass(frozen=True, slots=True)
class PortKind:
    """One kind. about: for people. keys: that it adds. read: reads them; gets the table and the folder relative paths
    count from.

    module: has `open_port`; None for the kinds that live in `sdrbridge.port`.
    """

    about: str
    keys: tuple[str, ...]
    read: Callable[[Table, Path], object]
    module: str | None = None


def _nothing(table: Table, folder: Path) -> NoSettings:
    return NoSettings()


def _file(table: Table, folder: Path) -> FileSettings:
    path = table.text("path")
    return FileSettings(folder / path if path else None)


KINDS: dict[str, PortKind] = {
    "file": PortKind("a WAV file of what the port would have transmitted", ("path",), _file),
    "loopback": PortKind("memory, for tests and measurements", (), _nothing),
}
"""By the word in the site file."""

LATER_KINDS = ("rtp", "sip", "usrp", "soundcard", "modulator", "mumble", "iax", "reflector")
"""Kinds the site file knows but this version does not have."""
