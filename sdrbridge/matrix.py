"""The 20 ms tick: floors decide, talkers are played, everybody hears the others.

    ports ─overs─▶ Floor of each patch ─holder─▶ Playout ─frame─▶ × gain of each leg ─▶ sum of each port ─▶ Port.tx

A tick at `now` makes the frame of bridge time [now, now + 160). Nothing is heard that is not patched: a port in no
patch gets exact zeros, and a port never gets what it said itself. A leg that is taken away or muted fades out in the
first 5 ms of the next tick and is exactly zero from then on; one that is added in the middle of an over fades in.

Each listener is keyed when the floor is granted and hears the first sample of the over exactly when his transmitter is
ready: `access_ms` after it was keyed, or at once if it was on the air already. Listeners that start together share one
playout; each playout wins its delay back by itself.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from dsp import mix
from dsp.blocks import AUDIO_RATE, TICK_SAMPLES
from dsp.playout import RESERVE, Playout, Speech
from sdrbridge.errors import PatchError, PortError
from sdrbridge.floor import Decision, Floor, Talker, Verdict
from sdrbridge.graph import Cable, find_loop
from sdrbridge.patch import Member, Patch
from sdrbridge.port import Audio, Port
from sdrbridge.table import did_you_mean
from sdrbridge.transmission import Transmission

Event = dict[str, object]
Sink = Callable[[Event], None]
"""Called with every decision: `t_s` (bridge time), `event`, and what it is about."""

LIVE_KEEP = 3 * AUDIO_RATE
"""Samples of an over kept beside the longest access time: the slowest decision, and the pauses not yet won back."""


@dataclass(frozen=True, slots=True)
class PortMute:
    """A port cut off from every patch it is in. rx: what it says goes nowhere. tx: it is sent nothing and not keyed."""

    rx: bool = False
    tx: bool = False


@dataclass(slots=True, eq=False)
class _Voice:
    """An over that is live: what is known of its sound, the tick it came in, and what was last told to the floors."""

    over: Transmission
    port: int
    speech: Speech
    since: int
    facts: tuple[object, ...] = ()


@dataclass(slots=True, eq=False)
class _Group:
    """Listeners that hear one voice in step.

    launch: bridge time of the first sample. rows: the listeners. gains: as they were at the end of the last tick.
    target: as they are to be.
    """

    voice: _Voice
    playout: Playout
    launch: int
    rows: NDArray[np.intp]
    gains: Audio
    target: Audio
    heard: bool = False


@dataclass(slots=True, eq=False)
class _Line:
    """A patch at work: its floor, who is heard by whom, and who is kept on the air by it.

    dropped: groups that fade out in this tick. keying: rows on the air. silenced: overs that may not be heard, and why.
    admitted: overs that may, and the on-air index from which. done: overs that have been dealt with to their end.
    """

    patch: Patch
    floor: Floor
    order: int
    voice: _Voice | None = None
    groups: list[_Group] = field(default_factory=list)
    dropped: list[_Group] = field(default_factory=list)
    keying: set[int] = field(default_factory=set)
    silenced: dict[str, str] = field(default_factory=dict)
    admitted: dict[str, int] = field(default_factory=dict)
    done: set[str] = field(default_factory=set)
    changed: bool = True
    closing: bool = False


class Matrix:
    """All ports and patches of one bridge.

    ports: in the order of the site file, which settles ties. patches: may be changed while it runs. sink: told of every
    decision. cables: outputs that come back as inputs by a way outside. Raises `PatchError` for a patch that names an
    unknown port or closes a loop.
    """

    def __init__(
        self, ports: Sequence[Port], patches: Iterable[Patch], sink: Sink, cables: Sequence[Cable] = ()
    ) -> None:
        self.ports = tuple(ports)
        self._row = {port.name: row for row, port in enumerate(self.ports)}
        if len(self._row) != len(self.ports):
            raise PatchError("two ports have the same name")
        self._sink = sink
        self._cables = tuple(cables)
        self._hearing = [(row, port.rx) for row, port in enumerate(self.ports) if port.rx is not None]
        self._sending = [(row, port.tx) for row, port in enumerate(self.ports) if port.tx is not None]
        self._access = [port.access_ms * AUDIO_RATE // 1000 for port in self.ports]
        self._keep = LIVE_KEEP + max(self._access, default=0)
        self._out = np.zeros((len(self.ports), TICK_SAMPLES), np.float32)
        self._frames = list(self._out)
        self._frame = np.zeros(TICK_SAMPLES, np.float32)
        self._keyed_since: list[int | None] = [None] * len(self.ports)
        self._unkeyed_at: list[int | None] = [None] * len(self.ports)
        self._keyed_again = [0] * len(self.ports)
        self._muted: dict[int, PortMute] = {}
        self._by_hand: dict[int, int] = {}
        self._voices: dict[str, _Voice] = {}
        self._lines: dict[str, _Line] = {}
        self._made = 0
        self._now = 0
        for patch in patches:
            self.make(patch)

    # What technicians do. Every verb takes effect at the next tick.

    @property
    def patches(self) -> dict[str, Patch]:
        """The patches as they are set, by name."""
        return {name: line.patch for name, line in self._lines.items() if not line.closing}

    def make(self, patch: Patch) -> None:
        """Add a patch. Raises `PatchError`."""
        if patch.name in self.patches:
            raise PatchError(f'there is a patch "{patch.name}" already')
        self._check(patch)
        old = self._lines.get(patch.name)
        self._made += 1
        line = _Line(patch, Floor(patch.rules), self._made)
        if old is not None:
            line.dropped = old.dropped + old.groups
        self._lines[patch.name] = line

    def change(self, patch: Patch) -> None:
        """Put another patch in the place of the one of its name; what stays is not disturbed. Raises `PatchError`."""
        line = self._line(patch.name)
        self._check(patch)
        line.patch = patch
        line.floor.rules = patch.rules
        line.changed = True

    def unmake(self, name: str) -> None:
        """Take a patch away. Raises `PatchError`."""
        self._line(name).closing = True

    def add(self, name: str, port: str, member: Member | None = None) -> None:
        """Let one more port into a patch. Raises `PatchError`."""
        self.change(self._line(name).patch.add(port, member))

    def drop(self, name: str, port: str) -> None:
        """Take a port out of a patch. Raises `PatchError`."""
        self.change(self._line(name).patch.drop(port))

    def mute(self, name: str, port: str, muted: bool = True) -> None:
        """Cut off what a port says in a patch, or let it through again. Raises `PatchError`."""
        self.change(self._line(name).patch.mute(port, muted))

    @property
    def muted(self) -> dict[str, PortMute]:
        """The ports that are cut off, by name."""
        return {self.ports[row].name: mute for row, mute in self._muted.items()}

    def mute_port(self, port: str, rx: bool, tx: bool) -> None:
        """Cut a port off from every patch, or let it through again. Raises `PortError`."""
        row = self._port_row(port)
        self._muted.pop(row, None)
        if rx or tx:
            self._muted[row] = PortMute(rx, tx)
        if tx:
            self._by_hand.pop(row, None)
        self._touch()

    def key(self, port: str, samples: int) -> None:
        """Keep a transmitter on the air by hand for that long, whatever the patches do. Raises `PortError`."""
        row = self._port_row(port)
        if self.ports[row].tx is None:
            raise PortError(f'port "{port}" has no transmitter')
        mute = self._muted.get(row)
        if mute is not None and mute.tx:
            raise PortError(f'port "{port}" is muted and cannot be keyed')
        self._by_hand[row] = self._now + TICK_SAMPLES + samples

    def unkey(self, port: str) -> bool:
        """Take the hand off a transmitter; returns whether it was keyed by hand. Raises `PortError`."""
        return self._by_hand.pop(self._port_row(port), None) is not None

    def keying(self, port: str) -> list[str]:
        """The patches that keep a port on the air."""
        row = self._port_row(port)
        return [line.patch.name for line in self._lines.values() if row in line.keying]

    def lag(self, talker: str, listener: str) -> int | None:
        """How old what `listener` is sent of `talker` is now, in samples since it was on the air; None in silence."""
        rows = self._port_row(talker), self._port_row(listener)
        for line in self._lines.values():
            for group in line.groups:
                if group.voice.port == rows[0] and rows[1] in group.rows and group.launch <= self._now:
                    return self._now + TICK_SAMPLES - group.playout.position
        return None

    def _port_row(self, name: str) -> int:
        if name not in self._row:
            raise PortError(f'there is no port "{name}"{did_you_mean(name, self._row)}')
        return self._row[name]

    def holder(self, name: str) -> str | None:
        """The port that is heard in a patch now. Raises `PatchError`."""
        holder = self._line(name).floor.holder
        return holder.port if holder else None

    def talking(self) -> dict[str, Transmission]:
        """The overs that come in now, by port."""
        return {self.ports[v.port].name: v.over for v in self._voices.values() if v.over.end is None}

    def keyed(self, port: str) -> bool:
        """Whether a port was on the air in the last tick."""
        return self._keyed_since[self._row[port]] is not None

    def _line(self, name: str) -> _Line:
        if name not in self.patches:
            names = ", ".join(f'"{n}"' for n in self.patches) or "none"
            raise PatchError(f'there is no patch "{name}"; patches are {names}')
        return self._lines[name]

    def _check(self, patch: Patch) -> None:
        for port in patch.members:
            if port not in self._row:
                raise PatchError(f'patch "{patch.name}": there is no port "{port}"')
        members = {name: _members(other) for name, other in self.patches.items() if name != patch.name}
        loop = find_loop({**members, patch.name: _members(patch)}, self._cables)
        if loop is not None:
            raise PatchError(loop)

    # The tick.

    def tick(self, now: int) -> None:
        """Do one tick: bridge time `now` (8 kHz samples), 160 after the one before."""
        self._now = now
        for row, rx in self._hearing:
            rx.advance(now)
            for over in rx.begun():
                self._voices[over.id] = _Voice(over, row, Speech(over.start, self._keep), now)
                self._touch()
        for voice in self._voices.values():
            self._listen(voice)
        for line in list(self._lines.values()):
            self._decide(line)
        self._out.fill(0.0)
        on_air: set[int] = set()
        for line in self._lines.values():
            self._play(line, on_air)
        self._transmit(on_air)
        self._forget()

    def _touch(self) -> None:
        for line in self._lines.values():
            line.changed = True

    def _listen(self, voice: _Voice) -> None:
        """Take in what has become known of an over."""
        over, speech = voice.over, voice.speech
        if not speech.ended:
            rx = self.ports[voice.port].rx
            assert rx is not None
            end = rx.available() if over.end is None else over.end
            missing = end - speech.end
            if missing > speech.capacity:
                missing = speech.capacity  # the rest follows in the next ticks
            if missing > 0:
                speech.push(rx.read(speech.end, missing))
            if over.end is not None:
                speech.flush()
        facts = (over.end, over.facts.emergency, over.facts.encrypted)
        if facts != voice.facts:
            voice.facts = facts
            self._touch()

    def _decide(self, line: _Line) -> None:
        """Step the floor of a patch where anything can have changed, and carry out what it says."""
        if line.closing:
            self._hush(line, hard=False)
            if line.voice is not None:
                self._tell("floor.released", line, line.voice.over, reason="patch was taken away")
            line.voice = None
            line.keying.clear()
            return
        if line.voice is not None and all(g.playout.drained for g in line.groups):
            line.changed = line.changed or line.voice.speech.ended
        lockout = line.patch.rules.lockout
        if not (line.changed or line.floor.due(self._now) or (lockout and self._voices)):
            return
        line.changed = False
        talkers = []
        for voice in self._voices.values():
            talker = self._talker(line, voice)
            if talker is not None:
                talkers.append(talker)
        for decision in line.floor.step(self._now, talkers):
            self._carry_out(line, decision)
        self._relink(line)

    def _talker(self, line: _Line, voice: _Voice) -> Talker | None:
        """An over as a floor sees it; None where it may not be heard there."""
        over, port = voice.over, self.ports[voice.port]
        member = line.patch.members.get(port.name)
        if member is None:
            line.silenced.pop(over.id, None)
            line.admitted.pop(over.id, None)
            return None
        reason = self._silence(line, member, voice)
        if reason is not None:
            line.admitted.pop(over.id, None)
            if line.silenced.get(over.id) != reason:
                line.silenced[over.id] = reason
                self._tell("floor.refused", line, over, reason=reason)
            if line.voice is voice and reason == "encrypted":
                self._hush(line, hard=True)
            return None
        line.silenced.pop(over.id, None)
        if over.id in line.done and over.end is not None:
            return None
        if line.voice is voice and voice.speech.ended and all(g.playout.drained for g in line.groups):
            return None
        # What was said before the over might be heard here (muted, not a member, no patch) is never heard later.
        start = line.admitted.setdefault(over.id, over.start if voice.since == self._now else self._now)
        return Talker(over.id, port.name, start, over.end, port.priority, bool(over.facts.emergency), voice.port)

    def _silence(self, line: _Line, member: Member, voice: _Voice) -> str | None:
        """Why an over may not be heard in a patch; None if it may."""
        port = self.ports[voice.port]
        if voice.over.facts.encrypted:
            return "encrypted"
        if not member.talks:
            return "only hears in this patch"
        mute = self._muted.get(voice.port)
        if member.muted or (mute is not None and mute.rx):
            return "muted"
        if line.voice is voice:
            return None
        if port.half_duplex and self._keyed_since[voice.port] is not None:
            return "transmitting"
        unkeyed = self._unkeyed_at[voice.port]
        if unkeyed is not None and voice.over.start < unkeyed + line.patch.rules.lockout > self._now:
            return "ping-pong lock-out"
        return None

    def _carry_out(self, line: _Line, decision: Decision) -> None:
        voice = self._voices.get(decision.over)
        last_word = voice is not None and voice.over.end is not None
        if decision.verdict is Verdict.TIMED_OUT or (
            last_word and decision.verdict not in (Verdict.GRANTED, Verdict.REFUSED)
        ):
            line.done.add(decision.over)
        fields: dict[str, object] = {"reason": decision.reason}
        if decision.blocked:
            fields["blocked_s"] = decision.blocked / AUDIO_RATE
        if decision.verdict in (Verdict.RELEASED, Verdict.PREEMPTED, Verdict.TIMED_OUT):
            self._hush(line, hard=False)
            line.voice = None
        elif decision.verdict is Verdict.IDLE:
            line.keying.clear()
        elif decision.verdict is Verdict.GRANTED:
            assert voice is not None and decision.play_from is not None
            line.voice = voice
            start = min(max(decision.play_from, voice.speech.end - voice.speech.capacity), voice.speech.end)
            start = max(start, voice.speech.start)
            fields["from_s"] = start / AUDIO_RATE
            self._launch(line, voice, start)
        over = voice.over if voice else None
        self._tell(f"floor.{decision.verdict.value}", line, over, decision.port, **fields)

    def _launch(self, line: _Line, voice: _Voice, start: int) -> None:
        """Key everybody who hears this voice, and set the moment at which each begins to."""
        wanted = self._listeners(line, voice)
        together: dict[int, list[int]] = {}
        for row in sorted(wanted):
            together.setdefault(self._ready(row, voice, start), []).append(row)
        for launch, rows in sorted(together.items()):
            # They begin with full gain: a fade would take the edge off the first sound.
            gains = np.array([wanted[row] for row in rows], np.float32)
            playout = Playout(voice.speech, start)
            line.groups.append(_Group(voice, playout, launch, np.array(rows, np.intp), gains, gains))

    def _listeners(self, line: _Line, voice: _Voice) -> dict[int, float]:
        """Who is to hear a voice, with which gain."""
        talker = self.ports[voice.port].name
        gains = {self._row[m]: line.patch.gain(talker, m) for m in line.patch.members}
        return {row: gain for row, gain in gains.items() if gain != 0.0 and self._sends(row)}

    def _ready(self, row: int, voice: _Voice, start: int) -> int:
        """Bridge time from which a port that is keyed now carries a voice from `start` on without a break."""
        since = self._keyed_since[row]
        keyed = max(self._now, (self._now if since is None else since) + self._access[row])
        if voice.speech.ended:
            return keyed
        # The sound of the next tick has to be known when that tick is made, and a little more to spare.
        return max(keyed, self._now + TICK_SAMPLES + RESERVE - (voice.speech.end - start))

    def _hush(self, line: _Line, hard: bool) -> None:
        """End the playing of the voice: faded out, or at once."""
        if not hard:
            line.dropped += line.groups
        line.groups = []

    def _relink(self, line: _Line) -> None:
        """Bring the listeners of the voice in line with the patch as it is now: who left, who came, who is muted."""
        voice = line.voice
        line.keying = {row for row in line.keying if self._hears(line, row)}
        if voice is None:
            return
        wanted = self._listeners(line, voice)
        present: set[int] = set()
        for group in list(line.groups):
            stays = np.array([int(row) in wanted for row in group.rows], bool)
            present.update(int(row) for row in group.rows[stays])
            if not stays.all():
                gone = group.gains[~stays]
                line.dropped.append(_Group(voice, group.playout, group.launch, group.rows[~stays], gone, gone))
                group.rows, group.gains = group.rows[stays], group.gains[stays]
                if not group.rows.size:
                    line.groups.remove(group)
            group.target = np.array([wanted[int(row)] for row in group.rows], np.float32)
        for row in sorted(wanted.keys() - present):
            # Who joins hears what is said from now on.
            start = voice.speech.end
            launch = self._ready(row, voice, start)
            gain = np.array([wanted[row]], np.float32)
            joined = np.array([row], np.intp)
            line.groups.append(
                _Group(voice, Playout(voice.speech, start), launch, joined, np.zeros(1, np.float32), gain)
            )
        line.keying = set(wanted)

    def _hears(self, line: _Line, row: int) -> bool:
        member = line.patch.members.get(self.ports[row].name)
        return member is not None and member.hears and self._sends(row)

    def _sends(self, row: int) -> bool:
        """Whether a port has a transmitter that is not cut off."""
        mute = self._muted.get(row)
        return self.ports[row].tx is not None and not (mute is not None and mute.tx)

    def _play(self, line: _Line, on_air: set[int]) -> None:
        """Add what a patch carries to the frames of those who hear it."""
        # First what fades out: it may share a playout with what plays on.
        for group in line.dropped:
            if self._fade(group):
                on_air.update(int(row) for row in group.rows)
        line.dropped = []
        for group in line.groups:
            if not self._pull(group):
                continue
            mix.add(self._frame, group.rows, group.gains, group.target, self._out)
            group.gains = group.target
            if not group.heard:
                group.heard = True
                for row in group.rows:
                    group.voice.over.heard(self.ports[row].name)
        on_air |= line.keying

    def _pull(self, group: _Group) -> bool:
        """Play a tick of a group into the common frame; False if it has not been launched yet."""
        wait = group.launch - self._now
        if wait >= TICK_SAMPLES:
            return False
        if wait > 0:
            self._frame[:wait] = 0.0
            group.playout.pull(self._frame[wait:])
        else:
            group.playout.pull(self._frame)
        return True

    def _fade(self, group: _Group) -> bool:
        """The last 5 ms of legs that are taken away; False if they were silent already."""
        if group.launch > self._now or group.playout.drained:
            return False
        self._frame.fill(0.0)
        Playout(group.voice.speech, group.playout.position).pull(self._frame[: mix.RAMP])
        mix.add(self._frame, group.rows, group.gains, np.zeros(len(group.rows), np.float32), self._out)
        return True

    def _transmit(self, on_air: set[int]) -> None:
        """Hand out the frames, and key and unkey."""
        self._by_hand = {row: until for row, until in self._by_hand.items() if until > self._now}
        on_air |= self._by_hand.keys()
        for row, tx in self._sending:
            wanted = row in on_air
            since = self._keyed_since[row]
            if since is None and wanted:
                self._keyed_since[row] = self._now
                self._tell_port("port.keyed", row)
            elif since is not None and not wanted and self._sends(row) and self._now - since < self._min_key(row):
                wanted = True
            elif since is not None and not wanted:
                self._keyed_since[row] = None
                self._unkeyed_at[row] = self._now
                self._touch()
                self._tell_port("port.unkeyed", row, keyed_s=(self._now - since) / AUDIO_RATE)
            tx.write(self._frames[row], self._now, wanted)

    def _min_key(self, row: int) -> int:
        name = self.ports[row].name
        return max((x.patch.rules.min_key for x in self._lines.values() if name in x.patch.members), default=0)

    def _forget(self) -> None:
        """Let go of overs that nobody plays any more, and of patches that have been taken away."""
        for name in [n for n, line in self._lines.items() if line.closing and not line.groups and not line.dropped]:
            del self._lines[name]
        for over in [o for o, voice in self._voices.items() if voice.speech.ended]:
            port = self.ports[self._voices[over].port].name
            needed = any(
                line.voice is self._voices[over]
                or (over not in line.done and port in line.patch.members and over not in line.silenced)
                for line in self._lines.values()
            )
            if not needed:
                self._tell_done(self._voices.pop(over).over)
                for line in self._lines.values():
                    line.silenced.pop(over, None)
                    line.admitted.pop(over, None)
                    line.done.discard(over)

    def _tell(
        self, event: str, line: _Line, over: Transmission | None, port: str | None = None, **fields: object
    ) -> None:
        told: Event = {"t_s": self._now / AUDIO_RATE, "event": event, "patch": line.patch.name}
        if over is not None:
            told |= {"port": over.port, "over": over.id}
        elif port:
            told["port"] = port
        self._sink({**told, **fields})

    def _tell_done(self, over: Transmission) -> None:
        """Nobody will hear more of it: who did, and everything that is known of it."""
        facts = over.to_dict()
        told: Event = {"t_s": self._now / AUDIO_RATE, "event": "over.done", "port": over.port, "over": facts.pop("id")}
        self._sink({**told, **facts})

    def _tell_port(self, event: str, row: int, **fields: object) -> None:
        by = [line.patch.name for line in self._lines.values() if row in line.keying]
        told: Event = {"t_s": self._now / AUDIO_RATE, "event": event, "port": self.ports[row].name}
        if by:
            told["patches"] = by
        if row in self._by_hand:
            told["by_hand"] = True
        self._sink({**told, **fields})


def _members(patch: Patch) -> tuple[list[str], list[str]]:
    """A patch as the graph sees it: two-way members and those who only hear; who only talks hears nothing."""
    talkers = [name for name, m in patch.members.items() if m.talks]
    return talkers, [name for name, m in patch.members.items() if m.hears and not m.talks]
