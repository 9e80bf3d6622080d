"""The invariants of `DESIGN.md`, held against every frame that leaves and every event that is told.

    1  a replay gives the same                  the digest of all events; two runs of a script are compared
    2  no first syllable is lost                an over that is granted from its start is heard from its first sample,
                                                and not before the transmitter carries speech
    3  down means silent                        a frame holds the voices of the floor's holders, as the patches allow,
                                                and nothing else; a line is unkeyed 500 ms after what holds it has died
    4  loss is visible                          what was lost on the way is what the counters say
    5  every decision has its reason            no grant, refusal, keying or failure without one; no over without a word
    6  encryption fails closed                  nothing of an over from the moment it is known to be encrypted

The watch knows patches and overs from what operators and talkers did and from the events, not from inside the matrix.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import product
from types import MappingProxyType

import numpy as np

from dsp.blocks import AUDIO_RATE, TICK_SAMPLES
from dsp.mix import RAMP
from dsp.peaks import peaks, silent
from sdrbridge.matrix import Event
from sdrbridge.patch import Patch
from sdrbridge.port import Audio
from sdrbridge.simulation.house import LOUDER, House
from sdrbridge.state import Saved
from sdrbridge.transmission import Transmission

UNKEY_BOUND = AUDIO_RATE // 2
"""500 ms: invariant 3."""

WORD_BOUND = 2 * AUDIO_RATE
"""An over of a member has been spoken of this long after its beginning at the latest."""

TOLERANCE = 2e-3
"""Of a level, where the nearest other voice is 7 % away and a voice and a half 2.9 %."""

OVERSHOOT = 1.25
"""What a filter makes of the edges of a voice, at most, and what stands for a lost packet."""

LEVELLED = 0.1
"""What a leveler makes of any voice (`dsp.level`: -20 dBFS)."""

STEP = 8
"""Of a voice that is steady for 20 ms at least, every eighth sample tells all."""

_WITH_REASON = ("granted", "refused", "preempted", "timed_out", "released", "gave_up", "idle")

Mutes = Mapping[str, tuple[bool, bool]]
"""Ports that are cut off: what they say, what they are sent."""


class Broken(Exception):
    """An invariant does not hold. number: which. at: bridge time of the world, in samples."""

    def __init__(self, number: int, at: int, what: str) -> None:
        super().__init__(f"invariant {number} at {at / AUDIO_RATE:.2f} s: {what}")
        self.number = number
        self.at = at


@dataclass(slots=True)
class _Holder:
    """Who is heard in a patch: the over, its port, and until which tick its last 5 ms may still be heard."""

    over: str
    port: str
    until: int | None = None


@dataclass(frozen=True, slots=True)
class _Due:
    """What a port may be sent, until patches, mutes or a floor change.

    voices: whose speech; levels: theirs. fading: something may fade in or out. devices: where one of them comes through
    a device, how loud all may be together. wanted: a patch has a reason to keep the port on the air.
    """

    holders: Sequence[_Holder]
    voices: Sequence[str]
    levels: tuple[float, ...]
    fading: bool
    devices: float | None
    wanted: bool


@dataclass(slots=True)
class _Awaited:
    """The first sample of an over that a listener is to hear."""

    over: str
    level: float
    since: int
    access: int


@dataclass(slots=True)
class Tally:
    """What went by, for the summary."""

    overs: int = 0
    granted: int = 0
    refused: int = 0
    keyed_s: float = 0.0
    received_s: float = 0.0
    first_syllables: int = 0
    followed: int = 0
    recorded: int = 0
    events: int = 0
    counts: dict[str, int] = field(default_factory=dict)


class Watch:
    """Looks at one run. Raises `Broken` at the first thing that does not hold."""

    def __init__(self, house: House) -> None:
        self.tally = Tally()
        self._level = {s.name: s.level for s in house.stations}
        self._sends = {s.name for s in house.stations if s.kind != "channel"}
        self._access = {s.name: s.access_ms * AUDIO_RATE // 1000 for s in house.stations}
        self._digest = hashlib.sha256()
        self.origin = 0
        self._found: Broken | None = None
        self._silence: Audio | None = None
        self.start(0, {})

    def start(self, origin: int, patches: Mapping[str, Patch], muted: Mutes = MappingProxyType({})) -> None:
        """A bridge begins, with these patches and mutes, at the world's `origin`."""
        self.origin = origin
        self._patches = dict(patches)
        self._before = self._patches
        self._holders: dict[str, _Holder] = {}
        self._fading: list[tuple[str, _Holder]] = []
        self._awaited: dict[str, list[_Awaited]] = {}
        self._overs: dict[str, Transmission] = {}
        self._unspoken: dict[str, int] = {}
        self._keyed: dict[str, int] = {}
        self._by_hand: dict[str, int] = {}
        self._active: set[str] = set()
        self._hearers: dict[tuple[str, str], frozenset[str]] = {}
        self._due: dict[str, _Due] = {}
        self._muted = self._muted_before = muted
        self._now = 0
        self._secret: dict[str, int] = {}
        self._played: set[str] = set()
        self._levelled: dict[str, float] = {}

    @property
    def digest(self) -> str:
        """Of all events so far: invariant 1."""
        return self._digest.hexdigest()

    # Told by the world, in this order in each step: operators, `begin`, events and frames, `finish`.

    def patched(self, patches: Mapping[str, Patch], muted: Mutes) -> None:
        """The patches and port mutes as they are set now."""
        self._patches = dict(patches)
        self._muted = dict(muted)
        self._hearers = {}
        self._due = {}

    def begin(self, now: int) -> None:
        """A step begins at bridge time `now`."""
        self._now = now

    def over_began(self, over: Transmission) -> None:
        """A receive port has opened."""
        self.tally.overs += 1
        self._overs[over.id] = over
        member = any(over.port in p.members for p in self._patches.values())
        if member:
            self._unspoken[over.id] = self._now + WORD_BOUND

    def event(self, event: Event) -> None:
        """Something was decided. What breaks here is raised by the next `frame` or `finish`: a listener of the engine
        that fails disturbs nobody."""
        try:
            self._take(event)
        except Broken as broken:
            self._found = self._found or broken

    def _take(self, event: Event) -> None:
        self.tally.events += 1
        name = str(event["event"])
        self.tally.counts[name] = self.tally.counts.get(name, 0) + 1
        self._digest.update(repr(sorted(event.items())).encode())
        over = str(event.get("over", ""))
        self._unspoken.pop(over, None)
        area, _, what = name.partition(".")
        if area == "floor":
            if what in _WITH_REASON and not event.get("reason"):
                self._break(5, f"{name} in patch {event['patch']} without a reason")
            self._floor(what, str(event["patch"]), over, event)
        elif name == "over.done":
            start, end = event["start_s"], event["end_s"]
            assert isinstance(start, int | float) and isinstance(end, int | float)
            self.tally.received_s += end - start
        elif name == "port.keyed":
            if not event.get("patches") and not event.get("by_hand"):
                self._break(5, f"{event['port']} was keyed and nobody says why")
        elif name in ("control.refused", "degraded", "tuner.lost", "port.down") and not event.get("reason"):
            self._break(5, f"{name} without a reason")
        elif name == "port.key":
            seconds = event["seconds"]
            assert isinstance(seconds, int | float)
            self._by_hand[str(event["port"])] = self._now + round(seconds * AUDIO_RATE) + 2 * TICK_SAMPLES
        elif name == "port.unkey":
            self._by_hand.pop(str(event["port"]), None)

    def _floor(self, what: str, patch: str, over: str, event: Event) -> None:
        self._forget(patch)
        if what == "granted":
            self.tally.granted += 1
            heard = self._overs.get(over)
            port = str(event["port"])
            self._leave(patch)
            self._holders[patch] = _Holder(over, port)
            self._active.add(patch)
            start = event["from_s"]
            assert isinstance(start, int | float)
            if heard is not None and round(start * AUDIO_RATE) == heard.start and over not in self._secret:
                self._await(patch, port, over)
        elif what in ("released", "preempted", "timed_out"):
            self._leave(patch, ended=event.get("reason") == "end of over")
        elif what == "idle":
            self._active.discard(patch)
        elif what == "refused":
            self.tally.refused += 1
            holder = self._holders.get(patch)
            if event.get("reason") == "encrypted" and holder is not None and holder.over == over:
                # nothing of it may be heard from this tick on, no fade either
                self._leave(patch)
                self._fading = [(p, left) for p, left in self._fading if left.over != over]

    def joined_late(self, over: str) -> None:
        """The bridge began to listen in the middle of this over."""
        self._secret.setdefault(over, 0)

    def played(self, over: str, level: float = 0.0) -> None:
        """This over came through a device: perhaps a little louder than spoken, or than `level`; it may fade."""
        self._played.add(over)
        self._due = {}
        if level:
            self._levelled[self._overs[over].port] = level

    def came_wrong(self, what: str) -> None:
        """Speech did not come through a device as it should, and nothing was counted."""
        self._break(4, what)

    def recorded_wrong(self, what: str) -> None:
        """A recording is not what was heard, or nobody was told of it."""
        self._break(4, what)

    def _await(self, patch: str, port: str, over: str) -> None:
        for listener in self._listeners(patch, port) & self._sends:
            others = [p for p in self._patches.values() if listener in p.members and p.name != patch]
            if not others:
                entry = _Awaited(over, self._level[port], self._now, self._access[listener])
                self._awaited.setdefault(listener, []).append(entry)

    def _leave(self, patch: str, ended: bool = False) -> None:
        holder = self._holders.pop(patch, None)
        if holder is None:
            return
        self._fading.append((patch, holder))
        for listener, waiting in list(self._awaited.items()):
            for entry in waiting:
                if entry.over != holder.over:
                    continue
                if ended and listener in self._listeners(patch, holder.port):
                    # he listened all the time and heard nothing of it
                    self._break(2, f"{listener} was to hear {holder.over} from its start and heard nothing of it")
            kept = [entry for entry in waiting if entry.over != holder.over]
            self._awaited[listener] = kept
            if not kept:
                del self._awaited[listener]

    def frame(self, port: str, frame: Audio, index: int, keyed: bool) -> None:
        """What a port was sent: samples of bridge time index … index + n."""
        if self._found is not None:
            raise self._found
        if not keyed:
            if port in self._keyed:
                del self._keyed[port]
            if not self._is_silent(frame):
                self._break(3, f"{port} is not keyed and is sent sound")
            return
        self._keyed.setdefault(port, index)
        self.tally.keyed_s += len(frame) / AUDIO_RATE
        due = self._due.get(port) or self._find_due(port)
        if not due.wanted:
            self._justified(port, index)
        reach, most, least = peaks(frame, RAMP, STEP)
        if reach == 0.0:
            return
        for holder in due.holders:
            self._not_secret(holder)
        if not due.voices and not due.fading:
            self._break(3, f"{port} hears a voice of level {reach:.4f} ({self._whose(reach)}) and is to hear nobody")
        if due.devices is not None:
            if not due.fading and reach > due.devices:
                of = ", ".join(due.voices)
                self._break(3, f"{port} hears a peak of {reach:.4f}; {of} reach {due.devices:.4f} at most")
            # Beside such a voice the first sample of another cannot be told.
            self._awaited.pop(port, None)
            return
        if most > 0 and not (due.fading and len(frame) == TICK_SAMPLES):
            for level in (most, least):
                if not _is_sum(level, due.levels):
                    of = ", ".join(due.voices) or "nobody"
                    self._break(3, f"{port} hears {self._whose(level)}, and is to hear {of}")
        if port in self._awaited:
            self._first(port, frame, index)

    def _is_silent(self, frame: Audio) -> bool:
        """Whether there is no sound in it. What is cut from a silence that nobody can write to is looked at once."""
        whole = frame.base
        if whole is not None and whole is self._silence:
            return True
        if isinstance(whole, np.ndarray) and not whole.flags.writeable and silent(whole):
            self._silence = whole
        return silent(frame)

    def _first(self, port: str, frame: Audio, index: int) -> None:
        # In the first 5 ms of a tick somebody else may still fade out.
        skip = RAMP if self._fading else 0
        own = frame[skip:]
        place = skip + int(np.argmax(own > 0))
        first = float(frame[place])
        if first == 0.0:
            return
        entry = self._awaited[port].pop(0)
        if not self._awaited[port]:
            del self._awaited[port]
        if abs(first - entry.level * float(LOUDER)) > TOLERANCE * entry.level:
            self._break(2, f"{port} hears {entry.over} from its middle on: the first sample is {first:.4f}")
        ready = self._keyed[port] + entry.access
        if index + place < ready:
            early = (ready - index - place) / AUDIO_RATE
            self._break(2, f"{port} is sent {entry.over} {early:.3f} s before its transmitter carries speech")
        self.tally.first_syllables += 1

    def finish(self, now: int) -> None:
        """The step has been made; the bridge stands at `now`."""
        if self._found is not None:
            raise self._found
        self._now = now
        for patch, _ in self._fading:
            self._forget(patch)
        self._fading = []
        if self._before is not self._patches or self._muted_before is not self._muted:
            self._before, self._muted_before = self._patches, self._muted
            self._due = {}
        late = [over for over, until in self._unspoken.items() if until < now]
        if late:
            self._break(5, f"over {late[0]} of a patched port, and no word of why it is heard or not")
        if len(self._overs) > 4096:
            self._overs = {k: v for k, v in self._overs.items() if v.end is None or v.end > now - 120 * AUDIO_RATE}

    def line_keyed(self, name: str, since_death: int) -> None:
        """A transmitter's line is still keyed so many samples after what keyed it has died or hangs."""
        if since_death > UNKEY_BOUND:
            self._break(3, f"the line of {name} is keyed {since_death / AUDIO_RATE:.3f} s after the bridge is gone")

    def restored(self, found: Saved, kept: Saved) -> None:
        """What a bridge that was started again finds, and what was written down last."""
        if found.patches != kept.patches or found.mutes != kept.mutes:
            self._break(3, "a bridge that was started again has other patches or mutes than it had")

    def lost(self, where: str, lost: int, counted: int) -> None:
        """What was lost on purpose, and what the bridge says was lost."""
        if lost != counted:
            self._break(4, f"{where}: {lost} lost, {counted} counted")

    # Who may be heard where.

    def _find_due(self, port: str) -> _Due:
        holders = [h for patch, h in self._holders.items() if port in self._listeners(patch, h.port)]
        fading = self._before is not self._patches or self._muted_before is not self._muted
        for patch, holder in self._fading:
            if port in _listeners(self._before.get(patch), holder.port, self._muted_before):
                fading = True
        levels = tuple(self._level[h.port] for h in holders)
        devices = None
        if self._is_played(port):
            loudest = (max(self._level[h.port], self._levelled.get(h.port, 0.0)) for h in holders)
            devices = OVERSHOOT * float(LOUDER) * sum(loudest)
        due = _Due(holders, [h.port for h in holders], levels, fading, devices, self._is_wanted(port))
        self._due[port] = due
        return due

    def _forget(self, patch: str) -> None:
        """Something changes in a patch: who is due at its members has to be found anew."""
        for patches in (self._patches, self._before):
            if patch in patches:
                for port in patches[patch].members:
                    self._due.pop(port, None)

    def _is_played(self, port: str) -> bool:
        """Whether a voice that this port may hear was put together from packets."""
        lately = [*self._holders.items(), *self._fading]
        return any(h.over in self._played and port in self._listeners(patch, h.port) for patch, h in lately)

    def _is_wanted(self, port: str) -> bool:
        for patches in (self._patches, self._before):
            for name in self._active | {name for name, _ in self._fading}:
                patch = patches.get(name)
                if patch is not None and port in patch.members and patch.members[port].hears:
                    return True
        return False

    def _not_secret(self, holder: _Holder) -> None:
        over = self._overs.get(holder.over)
        if over is not None and over.facts.encrypted:
            self._break(6, f"{holder.over} is encrypted and holds the floor")

    def _listeners(self, patch: str, talker: str) -> frozenset[str]:
        """Who hears a talker by a patch as it is set now."""
        found = self._hearers.get((patch, talker))
        if found is None:
            found = _listeners(self._patches.get(patch), talker, self._muted)
            self._hearers[patch, talker] = found
        return found

    def _justified(self, port: str, index: int) -> None:
        """Where no patch has a reason to keep it on the air: it was keyed by hand, or is let go soon."""
        if index > self._by_hand.get(port, -1) and index - self._keyed[port] > AUDIO_RATE:
            self._break(3, f"{port} is keyed and no patch has a reason for it")

    def _whose(self, level: float) -> str:
        for name, own in self._level.items():
            for factor in (1.0, float(LOUDER)):
                if abs(own * factor - level) <= TOLERANCE * level:
                    return name
        return "something that is nobody's voice"

    def _break(self, number: int, what: str) -> None:
        raise Broken(number, self.origin + self._now, what)


def _listeners(patch: Patch | None, talker: str, muted: Mutes) -> frozenset[str]:
    """Who hears a talker by a patch and the port mutes."""
    if patch is None or muted.get(talker, (False, False))[0]:
        return frozenset()
    hear = [m for m in patch.members if patch.gain(talker, m) and not muted.get(m, (False, False))[1]]
    return frozenset(hear)


@lru_cache(maxsize=4096)
def _is_sum(level: float, levels: tuple[float, ...]) -> bool:
    """Whether a sample is made of some of these voices, each as loud as it speaks or half as loud again."""
    choices = [(0.0, own, own * float(LOUDER)) for own in levels]
    return any(abs(sum(parts) - level) <= TOLERANCE * level for parts in product(*choices))
