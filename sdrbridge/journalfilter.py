"""Which entries of a journal somebody wants to see."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from fnmatch import fnmatchcase

from sdrbridge.chain import Entry, parse_wall
from sdrbridge.errors import SdrBridgeError
from sdrbridge.units import parse_duration


@dataclass(frozen=True, slots=True)
class Filter:
    """What is not set lets everything through. since, until: time of day. events: names, `floor.*` for all of a kind.

    ports: as port, channel, talker or listener. who: who asked.
    """

    since: datetime | None = None
    until: datetime | None = None
    events: tuple[str, ...] = ()
    ports: tuple[str, ...] = ()
    patches: tuple[str, ...] = ()
    who: str | None = None

    def choose(self, entries: Iterable[Entry]) -> Iterator[Entry]:
        """Those that are wanted."""
        return (entry for entry in entries if self._wants(entry))

    def _wants(self, entry: Entry) -> bool:
        data = entry.data
        if self.events and not any(fnmatchcase(entry.event, pattern) for pattern in self.events):
            return False
        if self.who is not None and data.get("who") != self.who:
            return False
        if self.ports and not any(name in _named(data.get(key)) for key in _PORT_KEYS for name in self.ports):
            return False
        if self.patches and not any(n in _named(data.get(k)) for k in ("patch", "patches") for n in self.patches):
            return False
        if self.since is None and self.until is None:
            return True
        try:
            wall = parse_wall(entry.wall)
        except ValueError:
            return False
        return not ((self.since and wall < self.since) or (self.until and wall > self.until))


_PORT_KEYS = ("port", "channel", "ports", "talker", "listener", "heard_by", "monitors")


def _named(value: object) -> list[object]:
    return value if isinstance(value, list) else [value]


def parse_moment(text: str, now: datetime) -> datetime:
    """A time of day in UTC: `2026-07-01T14:20`, `14:20` of today, or how long ago: `90s`, `2h`.

    Raises `SdrBridgeError`.
    """
    try:
        return now - timedelta(seconds=parse_duration(text))
    except (ValueError, OverflowError):
        pass
    for form in ("%H:%M", "%H:%M:%S"):
        try:
            clock = datetime.strptime(text, form)
        except ValueError:
            continue
        return now.astimezone(UTC).replace(hour=clock.hour, minute=clock.minute, second=clock.second, microsecond=0)
    try:
        moment = datetime.fromisoformat(text.replace("Z", "+00:00"))
    except ValueError:
        spelled = '"2026-07-01T14:20" or "14:20" (UTC), or how long ago: "90s", "2h"'
        raise SdrBridgeError(f'"{text}" is no time; write {spelled}') from None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment
