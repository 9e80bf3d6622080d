"""Why it is as it is: remembers, for each port and patch, the decisions that led to where it stands.

    events ─▶ Reasons ─chain(question, name)─▶ the events of the last decision, first cause first

A listener like the journal, but with a short memory: the last `RECENT` events of each name, what let its last over
begin, and the last chain for each question. Chains are of events; `sdrbridge.plainwords` says them. Pure: no clock, and
no thought of what the bridge is doing now, which `sdrbridge.operations` puts beside it.
"""

from collections import deque
from collections.abc import Iterable
from itertools import islice
from typing import Any

Event = dict[str, Any]
Chain = tuple[Event, ...]

RECENT = 64
"""Events kept for each name."""

MOST_NAMES = 2048
"""Names remembered; the one that has been quiet longest is forgotten first."""

_BEGINNINGS = {"carrier.open", "call.found"}

_ORIGINS = _BEGINNINGS | {"tone.found", "talker.found", "over.open"}
"""What lets an over begin."""

_ENDS = {"carrier.close", "over.close", "tone.lost", "tone.end", "over.muted", "over.encrypted"}

_TALK_ENDS = {"floor.released", "floor.idle", "floor.timed_out", "patch.broken", "patch.dropped", "patch.muted"}
"""What lets a transmitter be unkeyed."""

_HANDS = {"port.muted", "port.unkey"}
"""What unkeys it at once."""

_ONE = {"channel", "port", "patch", "talker", "listener"}
_MANY = {"ports", "monitors"}
"""Fields that name a port or patch, and several of them."""

_LOSSES = {"floor.refused", "floor.preempted", "floor.timed_out", "loop.found", "control.refused"}
"""What answers "why refused"."""


class Reasons:
    """Remembers. Call it with every event."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Nothing has happened yet."""
        self._recent: dict[str, deque[Event]] = {}
        self._origins: dict[str, deque[Event]] = {}
        self._chains: dict[tuple[str, str], list[Event]] = {}
        self._granted: dict[str, Event] = {}

    def __call__(self, event: Event) -> None:
        """Take note of one event."""
        kind = str(event["event"])
        names = _names(event)
        for name in names:
            self._note(name, kind, event)
        if kind == "floor.granted":
            patch = str(event["patch"])
            self._granted[patch] = event
            self._chains["keyed", patch] = [*self.origin(str(event["port"])), event]
            self._follow_up(event)
        elif kind == "floor.gave_up":
            self._follow_up(event)
        elif kind in _LOSSES:
            self._refused(event, names)
        elif kind == "port.keyed":
            self._chains["keyed", str(event["port"])] = [*self._causes(event), event]
        elif kind == "port.unkeyed":
            port = str(event["port"])
            self._chains["silent", port] = [*self._ends_of_keying(port, event), event]
        elif kind in ("call.held", "call.refused"):
            port = str(event["channel"])
            self._chains["silent", port] = [*self.origin(port), event]
        elif kind == "over.close":
            port = str(event["channel"])
            self._chains["silent", port] = [*self.origin(port), *self._ends(port), event]

    # What is asked.

    def chain(self, question: str, name: str) -> Chain:
        """The last decision of that kind; empty if there has been none. question: keyed, silent or refused."""
        return self._in_order(self._chains.get((question, name), ()))

    def recent(self, name: str) -> list[Event]:
        """The last events of a port or patch, oldest first."""
        return list(self._recent.get(name, ()))

    def last(self, name: str, *kinds: str) -> Event | None:
        """The last event of these kinds."""
        return next((e for e in reversed(self._recent.get(name, deque())) if e["event"] in kinds), None)

    def origin(self, port: str) -> list[Event]:
        """What let the last over of a port begin: carrier, tone, opening; nothing for a port that tells of none."""
        return list(self._origins.get(port, ()))

    def grant(self, patch: str) -> Chain:
        """Who got the floor of a patch last, and how he came to talk."""
        return self.chain("keyed", patch)

    # Memory.

    def _note(self, name: str, kind: str, event: Event) -> None:
        recent = self._recent.pop(name, None)
        if recent is None:
            recent = deque(maxlen=RECENT)
            while len(self._recent) >= MOST_NAMES:
                self._forget(next(iter(self._recent)))
        self._recent[name] = recent
        recent.append(event)
        if kind in _ORIGINS:
            origins = self._origins.setdefault(name, deque(maxlen=RECENT))
            if kind in _BEGINNINGS:
                origins.clear()
            origins.append(event)

    def _forget(self, name: str) -> None:
        del self._recent[name]
        self._origins.pop(name, None)
        self._granted.pop(name, None)
        for question in ("keyed", "silent", "refused"):
            self._chains.pop((question, name), None)

    def _causes(self, keyed: Event) -> list[Event]:
        """Why a transmitter was keyed: the talkers of the patches it was keyed for, or the hand on it."""
        found: list[Event] = []
        for patch in _patches(keyed):
            granted = self._granted.get(patch)
            if granted is not None:
                found += [*self.origin(str(granted["port"])), granted]
        if not found and keyed.get("by_hand"):
            asked = self.last(str(keyed["port"]), "port.key")
            found += [asked] if asked is not None else []
        return found

    def _refused(self, event: Event, names: Iterable[str]) -> None:
        found: list[Event] = []
        if "port" in event:
            found += self.origin(str(event["port"]))
        granted = self._granted.get(str(event.get("patch")))
        if granted is not None and event["event"] != "floor.timed_out" and granted.get("port") != event.get("port"):
            found.append(granted)
        for name in names:
            self._chains["refused", name] = [*found, event]

    def _follow_up(self, event: Event) -> None:
        """What became of an over that had been refused."""
        for name in (str(event["port"]), str(event["patch"])):
            chain = self._chains.get(("refused", name), [])
            if any(e["event"] in _LOSSES and e.get("over") == event.get("over") for e in chain):
                self._chains["refused", name] = [*chain, event]

    def _ends(self, port: str) -> list[Event]:
        found: list[Event] = []
        for event in reversed(self._recent.get(port, deque())):
            if event["event"] in _ORIGINS:
                break
            if event["event"] in _ENDS:
                found.append(event)
        return found[::-1]

    def _ends_of_keying(self, port: str, unkeyed: Event) -> list[Event]:
        """Why a transmitter was unkeyed: the hands on it, and the ends of talk in the patches it was keyed for."""
        found: list[Event] = []
        for event in reversed(self._recent[port]):
            if event["event"] in _HANDS:
                found.insert(0, event)
            elif event["event"] == "port.keyed":
                for patch in _patches(event):
                    found += self._ends_of_talk(patch)
                break
        return [event for event in found if _since(event, unkeyed)]

    def _ends_of_talk(self, patch: str) -> list[Event]:
        """The last two, oldest first."""
        ends = (event for event in reversed(self._recent.get(patch, ())) if event["event"] in _TALK_ENDS)
        return list(islice(ends, 2))[::-1]

    @staticmethod
    def _in_order(events: Iterable[Event]) -> Chain:
        """In the order of time, each once."""
        return tuple(sorted({id(event): event for event in events}.values(), key=_time))


def _names(event: Event) -> list[str]:
    """The ports and patches an event is about."""
    found: dict[str, None] = {}
    for key, named in event.items():
        if key in _ONE and named:
            found[str(named)] = None
        elif key in _MANY and named:
            found |= dict.fromkeys(map(str, named))
    return list(found)


def _patches(keyed: Event) -> list[str]:
    return [str(patch) for patch in keyed.get("patches") or ()]


def _time(event: Event) -> float:
    return float(event["t_s"])


def _since(event: Event, end: Event) -> bool:
    """Whether an event lies in the time a transmitter was keyed, or just before its end."""
    return _time(event) >= _time(end) - float(end.get("keyed_s", 0.0)) - 0.02
