"""An incident in numbers, from its journal: overs and who heard them, who had to wait, patches and their times.

Over names begin anew at every start of the bridge, and so does bridge time; `journal.opened` tells runs apart.
"""

from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from typing import Any

from sdrbridge.chain import Entry, parse_wall, spell_wall
from sdrbridge.ics309 import began


@dataclass(slots=True)
class OverLine:
    """One over. facts: tone, level, talker and the like, as far as known. audio: its recording. wall: when it began."""

    run: int
    over: str
    port: str
    wall: str
    duration_s: float
    heard_by: list[str]
    facts: dict[str, Any]
    audio: str | None = None
    audio_sha256: str | None = None


@dataclass(slots=True)
class PortLine:
    """One port: what it said, what it was sent, and how long its talkers waited."""

    overs: int = 0
    spoken_s: float = 0.0
    unheard: int = 0
    keyed: int = 0
    keyed_s: float = 0.0
    refused: int = 0
    blocked_s: float = 0.0


@dataclass(slots=True)
class PatchLine:
    """One patch: what its floor did, and what was done to it: when, what, who, why."""

    granted: int = 0
    refused: int = 0
    preempted: int = 0
    timed_out: int = 0
    blocked_s: float = 0.0
    changes: list[dict[str, str]] = field(default_factory=list)


@dataclass(slots=True)
class Incident:
    """Everything of it. runs: starts of the bridge. trouble: what was degraded, when and why."""

    site: str = ""
    first: str = ""
    last: str = ""
    entries: int = 0
    runs: int = 0
    unclean: int = 0
    overs: list[OverLine] = field(default_factory=list)
    ports: dict[str, PortLine] = field(default_factory=dict)
    patches: dict[str, PatchLine] = field(default_factory=dict)
    trouble: list[dict[str, str]] = field(default_factory=list)

    def to_dict(self) -> dict[str, Any]:
        """Ready for JSON; times in seconds are rounded to the millisecond."""
        plain = _rounded(asdict(self))
        assert isinstance(plain, dict)
        return plain


_TIMES = {"t_s", "event", "over", "port", "start_s", "end_s", "heard_by"}


def summarise(entries: Iterable[Entry]) -> Incident:
    """Read a journal, or a part of it. An entry that makes no sense is counted and left out."""
    incident = Incident()
    overs: dict[tuple[int, str], OverLine] = {}
    for entry in entries:
        incident.entries += 1
        incident.first = incident.first or entry.wall
        incident.last = entry.wall
        try:
            _take(incident, overs, entry)
        except (KeyError, TypeError, ValueError, OverflowError):
            continue
    incident.overs = sorted(overs.values(), key=lambda over: over.wall)
    return incident


def _take(incident: Incident, overs: dict[tuple[int, str], OverLine], entry: Entry) -> None:
    data = entry.data
    kind, _, what = entry.event.partition(".")
    if entry.event == "journal.opened":
        incident.runs += 1
        incident.unclean += data.get("clean") is False
        incident.site = str(data.get("site") or incident.site)
    elif entry.event == "over.done":
        name, port = str(data["over"]), str(data["port"])
        duration = float(data["end_s"]) - float(data["start_s"])
        heard = [str(listener) for listener in data["heard_by"]]
        facts = {key: value for key, value in data.items() if key not in _TIMES}
        wall = spell_wall(began(entry, parse_wall(entry.wall)))
        overs[incident.runs, name] = OverLine(incident.runs, name, port, wall, duration, heard, facts)
        line = incident.ports.setdefault(port, PortLine())
        line.overs += 1
        line.spoken_s += duration
        line.unheard += not heard
    elif entry.event in ("recording.closed", "recording.recovered"):
        # What is recovered was said in the run before.
        key = (incident.runs - (what == "recovered"), str(data["over"]))
        over = overs.get(key)
        if over is None and what == "recovered":
            begun, length = str(data["begun"]), float(data["duration_s"])
            over = overs[key] = OverLine(*key, str(data["port"]), begun, length, [], {"interrupted": True})
            incident.ports.setdefault(over.port, PortLine()).overs += 1
        if over is not None:
            over.audio, over.audio_sha256 = str(data["file"]), str(data["audio_sha256"])
    elif kind == "floor":
        _floor(incident, what, entry)
    elif kind == "patch":
        change = {"wall": entry.wall, "what": what, "who": str(data.get("who", "")), "note": str(data.get("note", ""))}
        named = data.get("ports") or ([data["port"]] if "port" in data else [])
        change["ports"] = ", ".join(str(port) for port in named)
        incident.patches.setdefault(str(data["patch"]), PatchLine()).changes.append(change)
    elif entry.event == "port.keyed":
        incident.ports.setdefault(str(data["port"]), PortLine()).keyed += 1
    elif entry.event == "port.unkeyed":
        incident.ports.setdefault(str(data["port"]), PortLine()).keyed_s += float(data["keyed_s"])
    elif entry.event in ("degraded", "restored", "journal.lost", "journal.recovered"):
        about = str(data.get("what") or "journal")
        incident.trouble.append(
            {"wall": entry.wall, "event": entry.event, "what": about, "reason": str(data.get("reason", ""))}
        )


def _floor(incident: Incident, what: str, entry: Entry) -> None:
    line = incident.patches.setdefault(str(entry.data["patch"]), PatchLine())
    if what in ("granted", "refused", "preempted", "timed_out"):
        setattr(line, what, getattr(line, what) + 1)
    blocked = float(entry.data.get("blocked_s") or 0.0)
    line.blocked_s += blocked
    if "port" in entry.data:
        port = incident.ports.setdefault(str(entry.data["port"]), PortLine())
        port.refused += what == "refused"
        port.blocked_s += blocked


def _rounded(value: object) -> object:
    if isinstance(value, float):
        return round(value, 3)
    if isinstance(value, dict):
        return {key: _rounded(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_rounded(item) for item in value]
    return value
