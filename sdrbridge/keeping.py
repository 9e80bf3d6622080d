"""What the bridge keeps of an incident: the tables [recorder] and [journal] of a site file.

    [recorder]  record · folder · flac · keep · full
    [journal]   folder · heads · sign_every · sign_s · rotate

Both may be left out. Only the standard library is imported here.
"""

from dataclasses import dataclass
from pathlib import Path

from sdrbridge.table import Table, did_you_mean

WHEN_FULL = ("stop", "remove-oldest")


@dataclass(frozen=True, slots=True)
class RecorderConfig:
    """record: whether overs are recorded. folder: where to; None is `recordings/` in the state folder.

    flac: compressed when they are over. keep: bytes they may take, None for what the disk has. full: what happens when
    that is used up: "stop", which is said as a degraded state, or "remove-oldest".
    """

    record: bool = True
    folder: Path | None = None
    flac: bool = True
    keep: int | None = None
    full: str = "stop"


@dataclass(frozen=True, slots=True)
class JournalConfig:
    """folder: None is `journal/` in the state folder. heads: file that signed heads are added to as well, best on
    another disk. sign_every, sign_s: entries and seconds after which a head is signed. rotate: bytes of a segment.
    """

    folder: Path | None = None
    heads: Path | None = None
    sign_every: int = 1000
    sign_s: float = 60.0
    rotate: int = 16_000_000


USUAL_RECORDER = RecorderConfig()
"""Without a table [recorder]."""

USUAL_JOURNAL = JournalConfig()
"""Without a table [journal]."""


def read_recorder(t: Table, folder: Path) -> RecorderConfig:
    """Read [recorder]. folder: where relative paths count from."""
    usual = USUAL_RECORDER
    record, place, flac, keep = t.flag("record"), t.text("folder"), t.flag("flac"), t.size("keep", 10_000_000)
    full = t.text("full")
    if full is not None and full not in WHEN_FULL:
        words = " or ".join(f'"{word}"' for word in WHEN_FULL)
        t.problem("full", full, f"must be {words}", did_you_mean(full, WHEN_FULL))
        full = None
    t.finish()
    return RecorderConfig(
        usual.record if record is None else record,
        folder / place if place else None,
        usual.flac if flac is None else flac,
        keep,
        full or usual.full,
    )


def read_journal(t: Table, folder: Path) -> JournalConfig:
    """Read [journal]. folder: where relative paths count from."""
    usual = USUAL_JOURNAL
    place, heads = t.text("folder"), t.text("heads")
    every = t.integer("sign_every", minimum=1, maximum=100_000)
    seconds = t.number("sign_s", minimum=1, maximum=3600)
    rotate = t.size("rotate", 100_000)
    t.finish()
    return JournalConfig(
        folder / place if place else None,
        folder / heads if heads else None,
        every or usual.sign_every,
        seconds or usual.sign_s,
        rotate or usual.rotate,
    )
