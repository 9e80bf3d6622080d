"""The 20 ms tick: floors decide, talkers are played, everybody hears the others.

    ports ─overs─▶ Floor of each patch ─holder─▶ Playout ─frame─▶ × gain of each leg ─▶ sum of each port ─▶ Port.tx

A tick at `now` makes the frame of bridge time [now, now + 160). Nothing is heard that is not patched: a port in no
patch gets exact zeros, and a port never gets what it said itself. A leg that is taken away or muted fades out in the
first 5 ms of the next tick and is exactly zero from then on; one that is added in the middle of an over fades in.

Each listener is keyed when the floor is granted and hears the first sample of the over exactly when his transmitter is
ready: `access_ms` after it was keyed, or at once if it was on the air already. Listeners that start together share one
playout; each playout wins its delay back by itself.
"""

import math
from collections.abc import Callable, Collection, Iterable, Sequence

import numpy as np

from dsp import desk, sounds
from dsp.blocks import AUDIO_RATE, TICK_SAMPLES
from dsp.playout import RESERVE, Playout, Speech
from sdrbridge.announcer import alignment, recorded
from sdrbridge.errors import PatchError, PortError
from sdrbridge.floor import Decision, Floor, Talker, Verdict
from sdrbridge.graph import Cable, find_loop
from sdrbridge.handling import GAIN_RANGE_DB, PAUSES
from sdrbridge.line import Group, Line, Voice, play
from sdrbridge.loopwatch import LoopWatch
from sdrbridge.parts import Part, whole
from sdrbridge.patch import Member, Patch
from sdrbridge.port import DialPort, Port
from sdrbridge.strides import Strides
from sdrbridge.table import did_you_mean
from sdrbridge.transmission import Transmission
from sdrbridge.transmitters import PortMute, Transmitters

Event = dict[str, object]
Sink = Callable[[Event], None]
"""Called with every decision: `t_s` (bridge time), `event`, and what it is about."""

LIVE_KEEP = 4 * AUDIO_RATE
"""Samples of an over kept beside the longest access time: the slowest decision, and the pauses not yet won back."""

_WAITED = (Verdict.REFUSED, Verdict.GAVE_UP, Verdict.KERCHUNK)
"""Decisions that change nothing about who hears whom."""

VACANT = Port("")
"""In the row of a port that is no more."""


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
        if len({port.name for port in self.ports}) != len(self.ports):
            raise PatchError("two ports have the same name")
        self._sink = sink
        self._cables = tuple(cables)
        self._air = Transmitters(self.ports, self._tell_port, self._min_key)
        self._watch = LoopWatch(sink, self._touch)
        self._voices: dict[str, Voice] = {}
        self._lines: dict[str, Line] = {}
        self._strides = Strides(self._lines, self._voices, self._air, self._watch, self._tick)
        self._lay_out()
        self._frame = np.zeros(TICK_SAMPLES, np.float32)
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
        self.settle()
        old = self._lines.get(patch.name)
        self._made += 1
        line = Line(patch, Floor(patch.rules), self._made)
        if old is not None:
            line.dropped = old.dropped + old.groups
        self._lines[patch.name] = line

    def change(self, patch: Patch) -> None:
        """Put another patch in the place of the one of its name; what stays is not disturbed. Raises `PatchError`."""
        line = self._line(patch.name)
        self._check(patch)
        self.settle()
        line.patch = patch
        line.floor.rules = patch.rules
        line.changed = line.rewired = True

    def unmake(self, name: str) -> None:
        """Take a patch away. Raises `PatchError`."""
        self.settle()
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
        return {self.ports[row].name: mute for row, mute in self._air.muted.items()}

    def mute_port(self, port: str, rx: bool, tx: bool) -> None:
        """Cut a port off from every patch, or let it through again. Raises `PortError`."""
        row = self._port_row(port)
        self.settle()
        self._air.muted.pop(row, None)
        if rx or tx:
            self._air.muted[row] = PortMute(rx, tx)
        if tx:
            self._air.by_hand.pop(row, None)
        self._air.unsettled.add(row)
        self._rewire()

    def set_level(self, port: str, rx_gain_db: float | None = None, tx_gain_db: float | None = None) -> None:
        """Put another gain on what a port says, or on what it is sent. Raises `PortError`."""
        row = self._port_row(port)
        low, high = GAIN_RANGE_DB
        for key, value, gains in (("rx", rx_gain_db, self._rx_gain), ("tx", tx_gain_db, self._air.gain)):
            if value is None:
                continue
            if not low <= value <= high:
                raise PortError(f'port "{port}": {key}_gain_db = {value:g} must lie between {low:g} and {high:g}')
            gains[row] = _factor(value)
        self.settle()
        self._rewire()

    def levels(self, port: str) -> tuple[float, float]:
        """The gains of a port in dB: on what it says, and on what it is sent. Raises `PortError`."""
        row = self._port_row(port)
        return 20 * math.log10(self._rx_gain[row]), 20 * math.log10(self._air.gain[row])

    def key(self, port: str, samples: int) -> None:
        """Keep a transmitter on the air by hand for that long, whatever the patches do. Raises `PortError`."""
        row = self._port_row(port)
        if self.ports[row].tx is None:
            raise PortError(f'port "{port}" has no transmitter')
        mute = self._air.muted.get(row)
        if mute is not None and mute.tx:
            raise PortError(f'port "{port}" is muted and cannot be keyed')
        self.settle()
        self._air.by_hand[row] = self._now + TICK_SAMPLES + samples
        self._air.unsettled.add(row)

    def align(self, port: str, level_dbfs: float, samples: int) -> None:
        """Send a tone of 1 kHz for that long, to set levels by; it keys the port. Raises `PortError`."""
        row = self._port_row(port)
        if not self._air.sends(row):
            raise PortError(f'port "{port}" has no transmitter, or is muted; no tone can be sent there')
        if not -60.0 <= level_dbfs <= 0.0:
            raise PortError(f'port "{port}": level_dbfs = {level_dbfs:g} must lie between -60 and 0')
        self.settle()
        self._air.say(row, alignment(samples, level_dbfs), self._now)

    def align_stop(self, port: str) -> bool:
        """End the alignment tone; returns whether there was one. Raises `PortError`."""
        row = self._port_row(port)
        self.settle()
        return self._air.silence(row, "alignment tone")

    def unkey(self, port: str) -> bool:
        """Take the hand off a transmitter; returns whether it was keyed by hand. Raises `PortError`."""
        row = self._port_row(port)
        self.settle()
        self._air.unsettled.add(row)
        return self._air.by_hand.pop(row, None) is not None

    @property
    def looped(self) -> dict[str, str]:
        """The ports that are cut off because our own speech comes back there, and why."""
        return {self.ports[row].name: broken.reason for row, broken in self._watch.broken.items()}

    def restore(self, port: str) -> bool:
        """Let a port through again that was cut off for a loop; returns whether it was. Raises `PortError`."""
        row = self._port_row(port)
        self.settle()
        return self._watch.restore(row)

    def keying(self, port: str) -> list[str]:
        """The patches that keep a port on the air."""
        row = self._port_row(port)
        return [line.patch.name for line in self._lines.values() if row in line.keying]

    def lag(self, talker: str, listener: str) -> int | None:
        """How old what `listener` is sent of `talker` is now, in samples since it was on the air; None in silence."""
        rows = self._port_row(talker), self._port_row(listener)
        self.settle()
        for line in self._lines.values():
            for group in line.groups:
                leg = group.leg
                if group.voice.port == rows[0] and rows[1] in leg.rows and leg.launch <= self._now:
                    return self._now + TICK_SAMPLES - group.playout.position
        return None

    def _port_row(self, name: str) -> int:
        if name not in self._row:
            raise PortError(f'there is no port "{name}"{did_you_mean(name, self._row)}')
        return self._row[name]

    def set_gain(self, name: str, talker: str, listener: str, gain_db: float) -> None:
        """Set the gain of one crosspoint. Raises `PatchError`."""
        self.change(self._line(name).patch.set_gain(talker, listener, gain_db))

    def mute_leg(self, name: str, talker: str, listener: str, muted: bool = True) -> None:
        """Cut one crosspoint, or let it through again. Raises `PatchError`."""
        self.change(self._line(name).patch.mute_leg(talker, listener, muted))

    def heard(self, name: str) -> tuple[str, ...]:
        """The ports that are heard in a patch now, in the order in which they began. Raises `PatchError`."""
        return tuple(voice.over.port for voice in self._line(name).heard.values())

    def holder(self, name: str) -> str | None:
        """The port that is heard in a patch now, the first where several are. Raises `PatchError`."""
        floor = self._line(name).floor
        holder = floor.holder or next(iter(floor.mixed), None)
        return holder.port if holder else None

    def talking(self) -> dict[str, Transmission]:
        """The overs that come in now, by port."""
        return {self.ports[v.port].name: v.over for v in self._voices.values() if v.over.end is None}

    def keyed(self, port: str) -> bool:
        """Whether a port was on the air in the last tick."""
        return self._air.since[self._row[port]] is not None

    def _line(self, name: str) -> Line:
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

    def set_ports(self, ports: Sequence[Port]) -> None:
        """Put other ports in the place of those there are. Raises `PatchError` while one that goes is in a patch.

        A port whose name and ends stay is not disturbed, and keeps its row. The row of one that goes is left vacant.
        """
        fresh = {port.name: port for port in ports}
        for patch in self.patches.values():
            for member in patch.members:
                if member not in fresh:
                    raise PatchError(f'port "{member}" is still in patch "{patch.name}"')
        self.settle()
        table = [fresh.pop(old.name, VACANT) for old in self.ports]
        for row, old in enumerate(self.ports):
            if old is VACANT and fresh:
                table[row] = fresh.pop(next(iter(fresh)))
        for row, (old, new) in enumerate(zip(self.ports, table)):
            if new.rx is not old.rx:
                self._tell_digits((row,), at_last=True)
                self._give_up(over for over, voice in list(self._voices.items()) if voice.port == row)
            if new.tx is not old.tx:
                since = self._air.replace(row)
                if since is not None:
                    self._tell_port("port.unkeyed", row, keyed_s=(self._now - since) / AUDIO_RATE)
            if new is VACANT:
                self._air.muted.pop(row, None)
        # Levels that were set by hand stay where the site file did not change its own.
        set_by_hand = {
            row: (self._rx_gain[row], self._air.gain[row])
            for row, (old, new) in enumerate(zip(self.ports, table))
            if old.name == new.name and old.handling == new.handling
        }
        self.ports = (*table, *fresh.values())
        self._air.lay_out(self.ports)
        self._lay_out()
        for row, (rx, tx) in set_by_hand.items():
            self._rx_gain[row], self._air.gain[row] = rx, tx
        self._rewire()
        self._air.unsettled.update(range(len(self.ports)))

    def end(self) -> None:
        """No tick will follow: tell what is known of every over that somebody might still have heard more of."""
        self._tell_digits(range(len(self.ports)), at_last=True)
        self._give_up(list(self._voices))

    def _give_up(self, overs: Iterable[str]) -> None:
        for name in overs:
            over = self._voices.pop(name).over
            if over.end is None:
                over.end = max(over.start, self._now)
            self._tell_done(over)

    def _lay_out(self) -> None:
        """What follows from the ports: their rows, and the memory for a tick of each."""
        self._row = {port.name: row for row, port in enumerate(self.ports) if port is not VACANT}
        self._whole = whole(self.ports, ())
        # Channels that hear for a half-duplex port while it transmits → the rows of those ports.
        self._donors: dict[int, list[int]] = {}
        for row, port in enumerate(self.ports):
            channel = self._row.get(port.handling.break_in or "")
            if channel is not None:
                self._donors.setdefault(channel, []).append(row)
        self._dialling: dict[int, DialPort] = {}
        for row, port in enumerate(self.ports):
            if isinstance(port.rx, DialPort):
                self._dialling[row] = port.rx
        # The names under which what comes in at a row may be heard: its own, and of ports it hears for.
        self._names = [
            frozenset(self.ports[x].name for x in (row, *self._donors.get(row, ()))) for row in range(len(self.ports))
        ]
        self._rx_gain = [_factor(port.handling.rx_gain_db) for port in self.ports]
        self._watch.lay_out(self.ports, self._names)
        self._keep = LIVE_KEEP + max(self._air.access, default=0)
        self._out = np.zeros((len(self.ports), TICK_SAMPLES), np.float32)
        self._frames = list(self._out)
        self._strides.lay_out(self.ports, self._row, self._donors)

    # The tick.

    def tick(self, now: int) -> None:
        """Do one tick: bridge time `now` (8 kHz samples), 160 after the one before."""
        self.settle()
        self._whole.lines = list(self._lines.values())
        self._tick(now, self._whole)
        self._strides.reached = now + TICK_SAMPLES

    def stride(self, now: int, limit: int) -> int:
        """Do the tick at `now`, and with it as many that follow as pass without a decision.

        Returns how many ticks were done, 1 … limit. Everything is as after so many calls of `tick`, but for what is
        put off in parts of the bridge where nothing happened: `settle` makes that good, and `write` then gets all their
        samples at once. It takes receivers that can say until when nothing changes (`QuietPort`).
        """
        ticks = self._strides.stride(now, limit)
        self._now = now + (ticks - 1) * TICK_SAMPLES
        return ticks

    def stir(self, port: str) -> None:
        """A receiver has come to know of something that it did not foresee when strides asked it (`QuietPort`)."""
        self._strides.stir(self._row[port])

    def settle(self) -> None:
        """Play what strides have put off; the next one finds the parts anew, for something may be changed."""
        self._strides.settle()

    def catch_up(self) -> None:
        """Play what strides have put off, and nothing else: for who looks at receivers or outputs in between."""
        self._strides.catch_up()

    def _tick(self, now: int, part: Part) -> None:
        """The tick of a part of the bridge."""
        self._now = now
        for row, rx in part.hearing:
            rx.advance(now)
            for over in rx.begun():
                voice = self._voices[over.id] = Voice(over, row, rx, Speech(over.start, self._keep), now)
                self._watch.begin(voice, part.lines)
                self._touch(row)
        voices = part.voices(self._voices)
        for voice in voices:
            self._listen(voice)
        if self._dialling:
            self._tell_digits(part.rows)
        self._watch.step(now, part.rows, voices, part.lines)
        for line in part.lines:
            self._decide(line, voices)
        self._out.fill(0.0)
        self._air.unsettled.difference_update(part.rows)
        on_air, fading = self._play(part.lines)
        # Who is kept on the air by what fades out only may be unkeyed in the next tick.
        self._air.unsettled |= fading - on_air
        on_air |= fading
        groups = [group for line in part.lines for group in line.groups]
        receiving = {voice.port for voice in voices if voice.over.end is None}
        on_air |= self._air.announce(now, part.rows, groups, receiving, self._out)
        self._air.show(groups, part.rows)
        self._air.write(now, on_air, self._frames, part)
        self._forget(part, voices)
        for row in self._air.turned:
            self._keyed_or_unkeyed(row)

    def _touch(self, row: int) -> None:
        """Something has changed that may count in the patches a port is in."""
        for line in self._lines.values():
            for name in self._names[row]:
                if name in line.patch.members:
                    line.changed = True

    def _rewire(self) -> None:
        """Something has changed that may count for who hears whom, in any patch."""
        for line in self._lines.values():
            line.changed = line.rewired = True

    def _keyed_or_unkeyed(self, row: int) -> None:
        """A transmitter was keyed or unkeyed: that counts where its port, or a channel for it, is received now."""
        for voice in self._voices.values():
            if voice.port == row or row in self._donors.get(voice.port, ()):
                self._touch(row)
                return

    def _listen(self, voice: Voice) -> None:
        """Take in what has become known of an over."""
        over, speech = voice.over, voice.speech
        if not speech.ended:
            rx = voice.rx
            end = rx.available() if over.end is None else over.end
            known = speech.end
            missing = min(end - known, speech.capacity)  # the rest follows in the next ticks
            if missing > 0:
                speech.push(rx.read(known, missing))
            if over.end is not None and known + missing >= over.end:
                speech.flush()
        facts = voice.state
        if facts != voice.facts:
            voice.facts = facts
            self._touch(voice.port)

    def _decide(self, line: Line, voices: Iterable[Voice]) -> None:
        """Step the floor of a patch where anything can have changed, and carry out what it says."""
        if line.closing:
            line.hush(line.heard.values())
            for voice in line.heard.values():
                self._tell("floor.released", line, voice.over, reason="patch was taken away")
            line.heard.clear()
            line.keying.clear()
            return
        if not line.changed:
            for voice in line.heard.values():
                if voice.speech.ended and line.drained(voice):
                    break
            else:
                if line.due is None or self._now < line.due:
                    return
        line.changed = False
        talkers = []
        for voice in voices:
            talker = self._talker(line, voice)
            if talker is not None:
                talkers.append(talker)
        for decision in line.floor.step(self._now, talkers):
            self._carry_out(line, decision)
            line.rewired |= decision.verdict not in _WAITED
        if line.rewired:
            self._relink(line)
        line.due = self._next_due(line)

    def _next_due(self, line: Line) -> int | None:
        """When time alone changes something in a patch: on its floor, or because a lock-out ends."""
        times = [] if (due := line.floor.next_due()) is None else [due]
        if "ping-pong lock-out" in line.silenced.values():
            for name in line.patch.members:
                unkeyed = self._air.unkeyed_at[self._row[name]]
                if unkeyed is not None and unkeyed + line.patch.rules.lockout > self._now:
                    times.append(unkeyed + line.patch.rules.lockout)
        if any(self._is_late(over) for over, reason in line.silenced.items() if reason == "transmitting"):
            times.append(self._now + TICK_SAMPLES)
        return min(times, default=None)

    def _is_late(self, over: str) -> bool:
        """Whether what comes in of an over may still be from before its port was unkeyed; unkeying itself is told."""
        return over in self._voices and self._air.since[self._voices[over].port] is None

    def _talker(self, line: Line, voice: Voice) -> Talker | None:
        """An over as a floor sees it; None where it may not be heard there."""
        over, port = voice.over, self.ports[self._talks_for(line, voice)]
        member = line.patch.members.get(port.name)
        if member is None:
            line.silenced.pop(over.id, None)
            line.admitted.pop(over.id, None)
            return None
        heard = over.id in line.heard
        reason = self._silence(line, member, voice)
        if reason is not None:
            line.admitted.pop(over.id, None)
            if line.silenced.get(over.id) != reason:
                line.silenced[over.id] = reason
                self._tell("floor.refused", line, over, reason=reason)
            if heard and reason == "encrypted":
                line.hush([voice], fade=False)
            return None
        line.silenced.pop(over.id, None)
        if over.id in line.done:
            return None
        if heard and line.drained(voice):
            return None
        # What was said before the over might be heard here (muted, not a member, no patch) is never heard later;
        # only who had to be shown to be no echo loses nothing by it.
        whole = voice.since == self._now or self._watch.proven(voice)
        start = line.admitted.setdefault(over.id, over.start if whole else self._now)
        if over.end is not None and start >= over.end:
            line.done.add(over.id)  # it may be heard from now on, and there is nothing left of it
            return None
        return Talker(
            over.id,
            port.name,
            start,
            over.end,
            port.priority,
            bool(over.facts.emergency),
            self._row[port.name],
            voice.speech.end,
            line.patch.rules.mix if member.mixes is None else member.mixes,
        )

    def _talks_for(self, line: Line, voice: Voice) -> int:
        """The row of the member an over belongs to: that of its port, or of one this channel hears for."""
        over = voice.over.id
        if over in line.standing:
            return self._row[line.standing[over]]
        if voice.port in self._donors and self.ports[voice.port].name not in line.patch.members:
            for row in self._donors[voice.port]:
                # What it hears of a port that does not transmit, that port hears itself.
                if self.ports[row].name in line.patch.members and self._air.since[row] is not None:
                    line.standing[over] = self.ports[row].name
                    return row
        return voice.port

    def _silence(self, line: Line, member: Member, voice: Voice) -> str | None:
        """Why an over may not be heard in a patch; None if it may."""
        port = self.ports[voice.port]
        if voice.over.facts.encrypted:
            return "encrypted"
        if voice.over.facts.silent:
            return voice.over.facts.silent
        if not member.talks:
            return "only hears in this patch"
        mute = self._air.muted.get(voice.port)
        if member.muted or (mute is not None and mute.rx):
            return "muted"
        looped = self._watch.silenced(voice)
        if looped is not None:
            return looped
        if voice.over.id in line.heard:
            return None
        unkeyed = self._air.unkeyed_at[voice.port]
        late = voice.over.end is None and unkeyed is not None and voice.speech.end < unkeyed
        if port.half_duplex and (self._air.since[voice.port] is not None or late):
            return "transmitting"
        for over, name in line.standing.items():
            if name == port.name and over in self._voices:
                return f'heard on "{self._voices[over].over.port}" already'
        if unkeyed is not None and voice.over.start < unkeyed + line.patch.rules.lockout > self._now:
            return "ping-pong lock-out"
        return None

    def _carry_out(self, line: Line, decision: Decision) -> None:
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
            ended = line.heard.pop(decision.over, None)
            if ended is not None:
                line.hush([ended])
        elif decision.verdict is Verdict.IDLE:
            line.keying.clear()
        elif decision.verdict is Verdict.GRANTED:
            assert voice is not None and decision.play_from is not None
            line.heard[decision.over] = voice
            start = min(max(decision.play_from, voice.speech.end - voice.speech.capacity), voice.speech.end)
            start = max(start, voice.speech.start)
            fields["from_s"] = start / AUDIO_RATE
            if decision.over in line.standing:
                fields["breaks_in_on"] = line.standing[decision.over]
            self._launch(line, voice, start)
        if voice is not None:
            self._busy(self._talks_for(line, voice), decision.verdict)
        over = voice.over if voice else None
        self._tell(f"floor.{decision.verdict.value}", line, over, decision.port, **fields)

    def _busy(self, row: int, verdict: Verdict) -> None:
        """Tell who is refused by a tone on his own channel: at once if he can hear it, else when he has unkeyed."""
        port = self.ports[row]
        if not port.handling.busy_tone or not self._air.sends(row):
            return
        if verdict in ((Verdict.GAVE_UP,) if port.half_duplex else (Verdict.REFUSED, Verdict.TIMED_OUT)):
            self._air.say(row, recorded("busy tone", sounds.busy()), self._now)

    def _launch(self, line: Line, voice: Voice, start: int) -> None:
        """Key everybody who hears this voice, and set the moment at which each begins to."""
        wanted = self._listeners(line, voice)
        together: dict[int, list[int]] = {}
        for row in sorted(wanted):
            together.setdefault(self._ready(row, voice, start), []).append(row)
        for launch, rows in sorted(together.items()):
            listening = [row for row in rows if self._window(row)]
            for part in ([row for row in rows if row not in listening], *([row] for row in listening)):
                if part:
                    # They begin with full gain: a fade would take the edge off the first sound.
                    gains = np.array([wanted[row] for row in part], np.float32)
                    playout = Playout(voice.speech, start)
                    group = Group.launched(voice, playout, launch, np.array(part, np.intp), gains, gains)
                    group.window, group.last = self._window(part[0]), self._now
                    self._take_in(line, group)

    def _take_in(self, line: Line, group: Group) -> None:
        """One more group hears a voice; the first of them shows what is sent of it, where somebody wants to know."""
        if not line.noted(group.voice):
            group.leg.tape = self._watch.follow(line, group.voice, self._now)
        line.groups.append(group)

    def _window(self, row: int) -> int:
        """Samples for which a port lets go of the key in pauses; 0 if it does not. A whole number of ticks."""
        port = self.ports[row]
        if not port.half_duplex or port.handling.break_in != PAUSES or port.rx is None:
            return 0
        return -(-port.handling.break_in_ms * AUDIO_RATE // 1000 // TICK_SAMPLES) * TICK_SAMPLES

    def _listeners(self, line: Line, voice: Voice) -> dict[int, float]:
        """Who is to hear a voice, with which gain."""
        hearers = line.patch.hearers(self.ports[self._talks_for(line, voice)].name)
        gains = {self._row[name]: gain for name, gain in hearers.items()}
        said = self._rx_gain[voice.port]
        return {row: gain * said * self._air.gain[row] for row, gain in gains.items() if self._air.sends(row)}

    def _ready(self, row: int, voice: Voice, start: int) -> int:
        """Bridge time from which a port that is keyed now carries a voice from `start` on without a break."""
        keyed = self._air.ready(row, self._now)
        if voice.speech.ended:
            return keyed
        # The sound of the next tick has to be known when that tick is made, and a little more to spare.
        return max(keyed, self._now + TICK_SAMPLES + RESERVE - (voice.speech.end - start))

    def _relink(self, line: Line) -> None:
        """Bring the listeners in line with the patch as it is now: who left, who came, who is muted."""
        line.rewired = False
        line.keying = {row for row in line.keying if self._hears(line, row)}
        if not line.heard:
            return
        keying: set[int] = set()
        for voice in line.heard.values():
            keying |= self._relink_voice(line, voice)
        # Who is heard by nobody keys nobody; in a pause between two, those who heard the first stay on the air.
        line.keying = keying

    def _relink_voice(self, line: Line, voice: Voice) -> set[int]:
        """The same for one voice; returns the rows that are to be on the air for it."""
        wanted = self._listeners(line, voice)
        present: set[int] = set()
        for group in [g for g in line.groups if g.voice is voice]:
            leg = group.leg
            rows, gains = leg.rows, leg.gains
            stays = [row in wanted for row in rows.tolist()]
            if not all(stays):
                leaves = [not stay for stay in stays]
                gone = gains[leaves]
                line.dropped.append(Group.launched(voice, group.playout, leg.launch, rows[leaves], gone, gone))
                rows, gains = rows[stays], gains[stays]
                if not rows.size:
                    line.groups.remove(group)
            present.update(rows.tolist())
            target = np.array([wanted[row] for row in rows.tolist()], np.float32)
            if rows is not leg.rows or target.tolist() != leg.target.tolist():
                desk.hear(leg, rows, gains, target)
        for row in sorted(wanted.keys() - present):
            # Who joins hears what those hear who are there, from the moment on at which he can.
            launch = self._air.ready(row, self._now)
            behind = min(TICK_SAMPLES + RESERVE - (launch - self._now), voice.speech.end - voice.speech.start)
            start = voice.speech.end - max(0, behind)
            launch = self._ready(row, voice, start)
            joined, silent = np.array([row], np.intp), np.zeros(1, np.float32)
            gain = np.array([wanted[row]], np.float32)
            group = Group.launched(voice, Playout(voice.speech, start), launch, joined, silent, gain)
            group.window = self._window(row)
            self._take_in(line, group)
        return set(wanted)

    def _hears(self, line: Line, row: int) -> bool:
        """Whether there is anybody a port could hear in a patch; who could not is not kept on the air."""
        return self.ports[row].name in line.patch.listeners and self._air.sends(row)

    def _play(self, lines: Iterable[Line]) -> tuple[set[int], set[int]]:
        """Put what patches carry into the frames of those who hear it; who is on the air for it, and for what fades."""
        on_air: set[int] = set()
        fading: set[int] = set()
        groups: list[Group] = []
        for line in lines:
            if line.dropped:
                # Before what plays on: that may share a playout with it.
                play(groups, self._now, self._frame, self._out, self.ports)
                groups = []
                for group in line.dropped:
                    if group.fade(self._now, self._frame, self._out):
                        fading.update(group.leg.rows.tolist())
                line.dropped = []
            groups += line.groups
            listening = self._listen_in_pauses(line) if line.groups else None
            on_air |= line.keying - listening if listening else line.keying
        play(groups, self._now, self._frame, self._out, self.ports)
        return on_air, fading

    def _listen_in_pauses(self, line: Line) -> set[int]:
        """Rows that have let go of the key to hear whether somebody breaks in; some may begin to now."""
        listening = set()
        for group in line.groups:
            if not group.window:
                continue
            row = int(group.leg.rows[0])
            if group.may_listen(self._now) and self._free_to_listen(line, group, row):
                group.listen(self._now, self._air.access[row])
                self._tell_port(
                    "port.listens", row, for_s=group.window / AUDIO_RATE, lag_s=group.playout.lag / AUDIO_RATE
                )
            if self._now < group.until:
                listening.add(row)
        return listening

    def _free_to_listen(self, line: Line, group: Group, row: int) -> bool:
        """Whether nothing but this group needs a port's transmitter now."""
        since = self._air.since[row]
        return (
            since is not None
            and self._now - since >= self._min_key(row)
            and row not in self._air.by_hand
            and not self._air.speaks(row)
            and not any(row in other.keying for other in self._lines.values() if other is not line)
            and not any(row in other.leg.rows for other in line.groups if other is not group)
        )

    def _min_key(self, row: int) -> int:
        name = self.ports[row].name
        return max((x.patch.rules.min_key for x in self._lines.values() if name in x.patch.members), default=0)

    def _forget(self, part: Part, voices: Iterable[Voice]) -> None:
        """Let go of overs that nobody plays any more, and of patches that have been taken away."""
        lines = part.lines
        for line in lines:
            if line.closing and not line.groups and not line.dropped:
                del self._lines[line.patch.name]
                lines = [other for other in lines if other is not line]
        for over in [voice.over.id for voice in voices if voice.speech.ended]:
            port = self.ports[self._voices[over].port].name
            needed = any(
                over in line.heard
                or (
                    over not in line.done
                    and line.standing.get(over, port) in line.patch.members
                    and over not in line.silenced
                )
                for line in lines
            )
            if not needed:
                voice = self._voices.pop(over)
                self._watch.leave(voice)
                self._tell_done(voice.over)
                for line in lines:
                    line.silenced.pop(over, None)
                    line.admitted.pop(over, None)
                    line.standing.pop(over, None)
                    line.done.discard(over)

    def _tell(
        self, event: str, line: Line, over: Transmission | None, port: str | None = None, **fields: object
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

    def _tell_digits(self, rows: Collection[int], at_last: bool = False) -> None:
        """What was dialled on ports that look for digits. at_last: nobody will ask them again."""
        for row, rx in self._dialling.items():
            if row not in rows:
                continue
            for run in rx.dialled(at_last):
                told: Event = {"t_s": self._now / AUDIO_RATE, "event": "dtmf.digits", "port": self.ports[row].name}
                told |= {"over": run.over, "digits": run.digits, "muted": run.muted}
                self._sink({**told, "start_s": run.start / AUDIO_RATE, "end_s": run.end / AUDIO_RATE})

    def _tell_port(self, event: str, row: int, **fields: object) -> None:
        by = [line.patch.name for line in self._lines.values() if row in line.keying]
        told: Event = {"t_s": self._now / AUDIO_RATE, "event": event, "port": self.ports[row].name}
        if by:
            told["patches"] = by
        if row in self._air.by_hand:
            told["by_hand"] = True
        self._sink({**told, **fields})


def _factor(gain_db: float) -> float:
    return float(10 ** (gain_db / 20))


def _members(patch: Patch) -> tuple[list[str], list[str]]:
    """A patch as the graph sees it: two-way members and those who only hear; who only talks hears nothing."""
    talkers = [name for name, m in patch.members.items() if m.talks]
    return talkers, [name for name, m in patch.members.items() if m.hears and not m.talks]
