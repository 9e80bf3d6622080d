"""The communications log of an incident, ICS 309, from the journal: who spoke when, to whom, and what was done.

The rows of the form (box 5): time, FROM call sign and message number, TO call sign and message number, message. Every
over is a row, and everything a person asked of the bridge; what only the machine knows stays in the journal. The number
of the journal's entry is the message number, so that every row can be traced.
"""

import csv
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any, TextIO

from sdrbridge.chain import Entry, parse_wall
from sdrbridge.plainwords import say, seconds

COLUMNS = ("date", "time", "from", "from_msg", "to", "to_msg", "message")
"""As in box 5 of the form; the times are UTC."""

_ADMINISTRATIVE = ("patch.", "port.muted", "port.key", "control.", "degraded", "restored", "config.", "journal.opened")
_NOT_SAID = ("port.keyed", "control.asked")


def write_csv(entries: Iterable[Entry], stream: TextIO) -> int:
    """Write the rows, after a line with the names of the columns; returns how many."""
    writer = csv.writer(stream, lineterminator="\r\n")
    writer.writerow(COLUMNS)
    count = 0
    for row in rows(entries):
        writer.writerow([_harmless(cell) for cell in row])
        count += 1
    return count


def rows(entries: Iterable[Entry]) -> Iterator[tuple[str, ...]]:
    """The rows of the form, in the order of the journal."""
    for entry in entries:
        data = entry.data
        try:
            wall = parse_wall(entry.wall)
        except ValueError:
            continue
        if entry.event == "over.done":
            begun = began(entry, wall)
            heard = data.get("heard_by")
            to = ", ".join(str(name) for name in heard) if isinstance(heard, list) and heard else "nobody"
            talker = f"{data.get('port')} {data['source_id']}" if "source_id" in data else str(data.get("port"))
            yield _row(begun, talker, entry.n, to, over_in_words(data))
        elif entry.event.startswith(_ADMINISTRATIVE) and entry.event not in _NOT_SAID:
            to = str(data.get("patch") or data.get("port") or "bridge")
            yield _row(wall, str(data.get("who") or "bridge"), entry.n, to, say(data))


def began(entry: Entry, wall: datetime) -> datetime:
    """When the over of an `over.done` began: it is told some time after its end."""
    try:
        return wall - timedelta(seconds=float(entry.data["t_s"]) - float(entry.data["start_s"]))
    except (KeyError, TypeError, ValueError, OverflowError):
        return wall


def over_in_words(data: Mapping[str, Any]) -> str:
    """`3.2 s of speech, CTCSS 156.7 Hz, emergency`."""
    words = []
    try:
        words.append(f"{seconds(float(data['end_s']) - float(data['start_s']))} of speech")
    except (KeyError, TypeError, ValueError):
        words.append("speech")
    for key, spelled in (
        ("ctcss_hz", "CTCSS {} Hz"),
        ("dcs", "DCS {}"),
        ("nac", "NAC {}"),
        ("talkgroup", "talkgroup {}"),
    ):
        if data.get(key) is not None:
            words.append(spelled.format(data.get(key)))
    words += [word for word in ("emergency", "encrypted") if data.get(word)]
    if data.get("dtmf"):
        words.append(f"DTMF {data['dtmf']}")
    return ", ".join(words)


def _row(wall: datetime, talker: str, n: int, to: str, message: str) -> tuple[str, ...]:
    return (f"{wall:%Y-%m-%d}", f"{wall:%H:%M:%S}", talker, str(n), to, "", message)


def _harmless(cell: str) -> str:
    """A spreadsheet would run a note that begins like a formula."""
    return f"'{cell}" if cell[:1] in ("=", "+", "-", "@", "\t", "\r") else cell
