"""The transmit sides of all ports: who is on the air since when, kept there by whom, and what the bridge adds itself.

    patches keep ports on the air ─┐
    hands on a key, for a time ────┼─▶ keyed or not ─▶ Port.tx.write, a frame a tick
    what the bridge has to say ────┘

A port that is cut off is never on the air. A shortest key time keeps a transmitter there that nobody needs any more.
"""

from collections.abc import Callable, Collection, Container, Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from dsp import mix
from dsp.blocks import AUDIO_RATE
from sdrbridge.announcer import Announcer, Situation, Sound, ident_of
from sdrbridge.line import Group
from sdrbridge.parts import Part
from sdrbridge.port import Audio, Port, TalkerPort
from sdrbridge.transmission import Transmission

Tell = Callable[..., None]
"""Called with event, row and fields."""


@dataclass(frozen=True, slots=True)
class PortMute:
    """A port cut off from every patch it is in. rx: what it says goes nowhere. tx: it is sent nothing and not keyed."""

    rx: bool = False
    tx: bool = False


class Transmitters:
    """All transmit sides. tell: of keying and of what the bridge says.

    min_key: shortest key time of a row. `unsettled` are rows that the next tick may key or unkey.
    """

    def __init__(self, ports: Sequence[Port], tell: Tell, min_key: Callable[[int], int]) -> None:
        self._tell = tell
        self._min_key = min_key
        self.since: list[int | None] = []
        """Bridge time at which each port was keyed; None while it is not."""
        self.unkeyed_at: list[int | None] = []
        self.muted: dict[int, PortMute] = {}
        self.by_hand: dict[int, int] = {}
        """Rows kept on the air by hand, and until when."""
        self.unsettled: set[int] = set()
        self.turned: list[int] = []
        """Rows that went on or off in the last tick in a way that counts for who is received there."""
        self._key_due: dict[int, int] = {}
        self._ports: Sequence[Port] = ()
        self._announcers: dict[int, Announcer] = {}
        self.lay_out(ports)

    def lay_out(self, ports: Sequence[Port]) -> None:
        """Take other ports, in the same rows where they stay."""
        old, self._ports = self._ports, ports
        self._sending = [(row, port.tx) for row, port in enumerate(ports) if port.tx is not None]
        self._showing = [(row, tx) for row, tx in self._sending if isinstance(tx, TalkerPort)]
        self._shown: dict[int, Transmission | None] = {}
        self.access = [port.access_ms * AUDIO_RATE // 1000 for port in ports]
        self.gain = [float(10 ** (port.handling.tx_gain_db / 20)) for port in ports]
        more = len(ports) - len(self.since)
        self.since += [None] * more
        self.unkeyed_at += [None] * more
        for row, port in enumerate(ports):
            if row < len(old) and old[row].tx is port.tx and old[row].handling == port.handling:
                continue
            self._announcers.pop(row, None)
            ident = ident_of(port) if port.tx is not None else None
            if ident is not None:
                self._announcers[row] = Announcer(ident, round(port.handling.ident_s * AUDIO_RATE))

    def replace(self, row: int) -> int | None:
        """Another transmitter comes into a row: forget the one there was; returns since when that was keyed."""
        since, self.since[row] = self.since[row], None
        self.by_hand.pop(row, None)
        return since

    def sends(self, row: int) -> bool:
        """Whether a port has a transmitter that is not cut off."""
        mute = self.muted.get(row)
        return self._ports[row].tx is not None and not (mute is not None and mute.tx)

    def ready(self, row: int, now: int) -> int:
        """Bridge time from which a port carries sound if it is keyed at `now` or has been before."""
        since = self.since[row]
        return max(now, (now if since is None else since) + self.access[row])

    def still_until(self, until: int, rows: Container[int]) -> int:
        """Up to `until`: the first bridge time at which time alone keys, unkeys or speaks in one of these rows."""
        for times in (self._key_due, self.by_hand):
            if times:
                until = min([until, *(time for row, time in times.items() if row in rows)])
        for row, announcer in self._announcers.items():
            if row not in rows:
                continue
            if announcer.active:
                return 0
            if announcer.due is not None:
                until = min(until, announcer.due)
        return until

    def announces(self, rows: frozenset[int]) -> bool:
        """Whether the bridge has, or may soon have, something to say itself in one of these rows."""
        return not rows.isdisjoint(self._announcers)

    # What the bridge says itself.

    def speaks(self, row: int) -> bool:
        """Whether the bridge speaks itself on a port, or is about to."""
        announcer = self._announcers.get(row)
        return announcer is not None and announcer.urgent

    def say(self, row: int, sound: Sound, now: int) -> None:
        """Have the bridge say something into a port."""
        self._announcers.setdefault(row, Announcer()).say(sound, now)

    def silence(self, row: int, what: str) -> bool:
        """Drop what it has still to say of that name; returns whether there was any."""
        announcer = self._announcers.get(row)
        self.unsettled.add(row)
        return announcer is not None and announcer.stop(what)

    def announce(
        self, now: int, rows: Container[int], groups: Collection[Group], receiving: Container[int], out: Audio
    ) -> set[int]:
        """Add what the bridge says in this tick to `out`; the rows that have to be on the air for it.

        rows: those this is about. groups: who is heard there. receiving: rows on which somebody is received.
        """
        if not self._announcers:
            return set()
        spoken = {row for group in groups if group.leg.sounds for row in group.leg.rows.tolist()}
        coming = {row for group in groups if group.leg.launch > now for row in group.leg.rows.tolist()}
        listening = {row for group in groups if group.until > now for row in group.leg.rows.tolist()}
        wanted = set()
        for row, announcer in self._announcers.items():
            if row not in rows:
                continue
            if row in spoken:
                announcer.used(now)
            if not self.sends(row):
                announcer.cut()
                continue
            since = self.since[row]
            busy = self._ports[row].half_duplex and (row in receiving or row in listening)
            ready = None if since is None else self.ready(row, now)
            seen = Situation(ready, row in spoken, busy, row in coming)
            key, told = announcer.step(now, seen)
            if key:
                wanted.add(row)
            for what in told:
                self._tell("port.announced", row, what=what)
            played = announcer.play(row in spoken)
            if not announcer.active:
                self.unsettled.add(row)
            if played is not None:
                frame, before, after = played
                gains = [np.array([g * self.gain[row]], np.float32) for g in (before, after)]
                mix.add(frame, np.array([row], np.intp), gains[0], gains[1], out)
        return wanted

    def show(self, groups: Iterable[Group], rows: Container[int]) -> None:
        """Tell those transmitters that can show it whose speech they carry; the first where several are mixed."""
        if not self._showing:
            return
        talking: dict[int, Transmission] = {}
        for group in groups:
            if group.leg.heard:
                for row in group.leg.rows.tolist():
                    talking.setdefault(row, group.voice.over)
        for row, tx in self._showing:
            if row not in rows:
                continue
            over = talking.get(row)
            if self._shown.get(row) is not over:
                self._shown[row] = over
                tx.talker(over)

    # The tick.

    def write(self, now: int, on_air: set[int], frames: Sequence[Audio], part: Part) -> None:
        """Hand out the frames of a part, by row, and key and unkey."""
        self.turned = []
        for row in [row for row in self.by_hand if row in part.rows]:
            if self.by_hand[row] > now:
                on_air.add(row)
            else:
                del self.by_hand[row]
        for row, tx in part.sending:
            wanted = row in on_air
            since = self.since[row]
            if self._key_due:
                self._key_due.pop(row, None)
            if since is None:
                if wanted:
                    self.since[row] = now
                    self._tell("port.keyed", row)
                    if self._ports[row].half_duplex:
                        self.turned.append(row)
            elif not wanted:
                due = since + self._min_key(row)
                if now < due and self.sends(row):
                    wanted = True
                    self._key_due[row] = due
                else:
                    self.since[row] = None
                    self.unkeyed_at[row] = now
                    self.turned.append(row)
                    self._tell("port.unkeyed", row, keyed_s=(now - since) / AUDIO_RATE)
            tx.write(frames[row], now, wanted)

    def glide(self, now: int, frames: Audio | None, silence: Audio, part: Part) -> None:
        """Hand out the frames of a part's ticks in which nobody is keyed or unkeyed. frames: None for silence."""
        for row, tx in part.sending:
            keyed = self.since[row] is not None
            tx.write(frames[row] if keyed and frames is not None else silence, now, keyed)
