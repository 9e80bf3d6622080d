"""Who may talk in a patch now, and why. A pure state machine, stepped once a tick.

    IDLE ──somebody talks──▶ HELD
    HELD ──holder has been heard to his end, somebody else talks──▶ HELD by him
    HELD ──holder has been heard to his end, nobody talks──▶ HANG ──anybody talks──▶ HELD
    HANG ──hang time over──▶ IDLE
    HELD ──higher priority or emergency──▶ HELD by the other          the first waits
    HELD ──time-out──▶ HELD by another, or HANG                        the first stays silent until he unkeys

First talker wins. Of those who begin at one tick: emergency, then priority, then the earlier start on the air, then the
order of the site file. The others wait. When the floor comes free, a waiting talker gets it from that moment of air
time on: what he said while somebody else was heard is gone, what he says after that is whole.

A holder keeps the floor until what he said has been played to the end, which is a little after he has unkeyed; who
begins in that time loses nothing.

A talker who mixes (a full-duplex member, by choice) needs no floor: he is heard beside whoever holds it, each for
himself with his own time-out, and what he says next after what he said before. A patch hangs when the last of them has
ended.

Where nobody has talked for the hang time, an over has to last `kerchunk` samples before it is heard. It is then heard
from its first sample; a shorter one is a kerchunk and goes nowhere. Replies inside the hang time may be short.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import Enum

from dsp.blocks import AUDIO_RATE, TICK_SAMPLES
from sdrbridge.patch import Rules


class FloorState(Enum):
    """Where the floor of a patch stands."""

    IDLE = "idle"
    """Nobody talks and nothing is keyed."""
    HELD = "held"
    """Somebody is heard."""
    HANG = "hang"
    """The last talker has ended; outputs stay keyed for a reply."""


class Verdict(Enum):
    """What was decided."""

    GRANTED = "granted"
    REFUSED = "refused"
    PREEMPTED = "preempted"
    TIMED_OUT = "timed_out"
    RELEASED = "released"
    GAVE_UP = "gave_up"
    """A waiting talker ended without having been heard any further."""
    KERCHUNK = "kerchunk"
    """An over ended before it was long enough to be heard."""
    IDLE = "idle"
    """The hang time is over."""


@dataclass(frozen=True, slots=True)
class Talker:
    """One over that wants to be heard, as it stands at this tick.

    over: its id. start: on-air index of its first sample. end: of the sample after the last, None while it lasts.
    order: place of the port in the site file. known: on-air index up to which it is known to last; None for now.
    mixes: he is heard beside others.
    """

    over: str
    port: str
    start: int
    end: int | None = None
    priority: int = 0
    emergency: bool = False
    order: int = 0
    known: int | None = None
    mixes: bool = False

    @property
    def rank(self) -> tuple[bool, int]:
        """Who has more of it takes the floor."""
        return self.emergency, self.priority

    def length(self, now: int) -> int:
        """Samples it is known to have lasted."""
        if self.end is not None:
            return self.end - self.start
        return (now if self.known is None else self.known) - self.start


@dataclass(frozen=True, slots=True)
class Decision:
    """One decision, for the journal.

    at: tick (8 kHz samples). play_from: with GRANTED, the on-air index from which the over is heard. blocked: how long
    the talker had been waiting, in samples.
    """

    verdict: Verdict
    at: int
    over: str
    port: str
    reason: str
    play_from: int | None = None
    blocked: int = 0


@dataclass(slots=True)
class _Mixed:
    """A talker who is heard beside others, and since when."""

    talker: Talker
    since: int


class Floor:
    """The floor of one patch. `state`, `holder` and `mixed` say how it stands after the last step."""

    def __init__(self, rules: Rules) -> None:
        self.rules = rules
        self.reset()

    def reset(self) -> None:
        """Nobody has the floor, nobody is barred."""
        self.state = FloorState.IDLE
        self.holder: Talker | None = None
        self._since = 0
        self._mixed: dict[str, _Mixed] = {}
        # On-air index up to which somebody else was heard; a waiting talker is heard from there.
        self._free_from = 0
        self._waiting: dict[str, _Wait] = {}
        # Overs that will not be heard any further here: played, timed out, or with nothing left to play.
        self._settled: set[str] = set()
        # When the first over that has to prove itself may have done so.
        self._unripe: int | None = None

    @property
    def mixed(self) -> tuple[Talker, ...]:
        """Who is heard beside the holder, in the order in which they began."""
        return tuple(m.talker for m in self._mixed.values())

    def next_due(self) -> int | None:
        """The tick time at which time alone changes something; None if it never does."""
        times = [m.since + self.rules.timeout for m in self._mixed.values()]
        if self._unripe is not None:
            times.append(self._unripe)
        if self.holder is not None:
            times.append(self._since + self.rules.timeout)
        elif self.state is FloorState.HANG:
            times.append(self._since + self.rules.hang)
        return min(times, default=None)

    def due(self, now: int) -> bool:
        """Whether time alone changes something at this tick."""
        time = self.next_due()
        return time is not None and now >= time

    def step(self, now: int, talkers: Sequence[Talker]) -> list[Decision]:
        """Decide for the tick at `now`.

        talkers: every over that may be heard in this patch, the holder among them until he has been played to his end,
        others until they have ended and given up. Their order does not matter.
        """
        found: list[Decision] = []
        overs = {t.over: t for t in talkers}
        self._settled &= overs.keys()
        self._end_of_mixed(now, overs, found)
        self._end_of_holder(now, overs, found)
        self._give_up(now, overs, found)
        holding = self.holder.over if self.holder else None
        wanting = sorted(
            (t for t in talkers if t.over not in self._settled and t.over != holding and t.over not in self._mixed),
            key=lambda t: (not t.emergency, -t.priority, t.start, t.order, t.over),
        )
        self._unripe = None
        if self.state is FloorState.IDLE and self.rules.kerchunk:
            wanting = self._ripe(now, wanting, found)
        self._mix(now, [t for t in wanting if t.mixes], found)
        wanting = [t for t in wanting if not t.mixes]
        if self.holder is None:
            self._give(now, wanting, found)
        elif wanting and self._outranked(wanting[0]):
            self._preempt(now, wanting[0], found)
        if self.state is FloorState.HANG and now - self._since >= self.rules.hang:
            self.state = FloorState.IDLE
            found.append(Decision(Verdict.IDLE, now, "", "", "hang time over"))
        self._refuse(now, wanting, found)
        return found

    def _end_of_mixed(self, now: int, overs: dict[str, Talker], found: list[Decision]) -> None:
        for over, mixed in list(self._mixed.items()):
            current = overs.get(over)
            if current is None:
                del self._mixed[over]
                reason = "no longer passed on" if mixed.talker.end is None else "end of over"
                found.append(Decision(Verdict.RELEASED, now, over, mixed.talker.port, reason))
            elif current.end is None and now - mixed.since >= self.rules.timeout:
                del self._mixed[over]
                self._settled.add(over)
                found.append(self._timed_out(now, current))
            else:
                mixed.talker = current
                continue
            self._rest(now)

    def _end_of_holder(self, now: int, overs: dict[str, Talker], found: list[Decision]) -> None:
        holder = self.holder
        if holder is None:
            return
        current = overs.get(holder.over)
        if current is None:
            self._free_from = max(self._free_from, now if holder.end is None else holder.end)
            self._release(now)
            reason = "no longer passed on" if holder.end is None else "end of over"
            found.append(Decision(Verdict.RELEASED, now, holder.over, holder.port, reason))
            return
        self.holder = current
        if current.end is None and now - self._since >= self.rules.timeout:
            self._settled.add(current.over)
            self._free_from = now
            self._release(now)
            found.append(self._timed_out(now, current))

    def _timed_out(self, now: int, talker: Talker) -> Decision:
        reason = f"talked for {self.rules.timeout / AUDIO_RATE:g} s; silent until unkeyed"
        return Decision(Verdict.TIMED_OUT, now, talker.over, talker.port, reason)

    def _release(self, now: int) -> None:
        self.holder = None
        self._rest(now)

    def _rest(self, now: int) -> None:
        """Hang, if nobody is heard any more."""
        if self.holder is None and not self._mixed:
            self.state = FloorState.HANG
            self._since = now

    def _give_up(self, now: int, overs: dict[str, Talker], found: list[Decision]) -> None:
        """Let go of waiting talkers who have ended, or left, with nothing that is still to be played."""
        holder = self.holder
        for over, wait in list(self._waiting.items()):
            talker = overs.get(over)
            if talker is not None:
                if talker.end is None:
                    continue
                if holder is None:
                    heard_from: float = self._free_from
                else:
                    heard_from = math.inf if holder.end is None else holder.end
                if talker.end > max(heard_from, talker.start):
                    continue
                self._settled.add(over)
            del self._waiting[over]
            reason = f"ended while {wait.behind}"
            found.append(Decision(Verdict.GAVE_UP, now, over, wait.port, reason, blocked=now - wait.since))

    def _ripe(self, now: int, wanting: list[Talker], found: list[Decision]) -> list[Talker]:
        """Those who have talked long enough to be no kerchunk; who ended before that is settled."""
        ripe = []
        for talker in wanting:
            missing = self.rules.kerchunk - talker.length(now)
            if missing <= 0 or talker.emergency:
                ripe.append(talker)
            elif talker.end is None:
                due = now + max(missing, TICK_SAMPLES)
                self._unripe = due if self._unripe is None else min(self._unripe, due)
            else:
                self._settled.add(talker.over)
                lasted, limit = talker.length(now) / AUDIO_RATE, self.rules.kerchunk / AUDIO_RATE
                reason = f"lasted {lasted:.2f} s; who opens the patch has to talk for {limit:g} s"
                found.append(Decision(Verdict.KERCHUNK, now, talker.over, talker.port, reason))
        # Once somebody is heard, the patch is open, and nobody has to prove himself any more.
        late = [t for t in wanting if t not in ripe and t.over not in self._settled]
        return ripe + late if ripe else []

    def _mix(self, now: int, wanting: list[Talker], found: list[Decision]) -> None:
        heard = {talker.port for talker in self.mixed} | ({self.holder.port} if self.holder else set())
        for talker in wanting:
            if talker.port in heard:
                # What he said before is still being played; this follows it, and loses nothing.
                continue
            heard.add(talker.port)
            wait = self._waiting.pop(talker.over, None)
            # Who was refused before he was made to mix is heard from now on.
            play_from = talker.start if wait is None else max(talker.start, now)
            blocked = 0 if wait is None else now - wait.since
            self._mixed[talker.over] = _Mixed(talker, now)
            self.state = FloorState.HELD
            found.append(Decision(Verdict.GRANTED, now, talker.over, talker.port, "mixes", play_from, blocked))

    def _give(self, now: int, wanting: list[Talker], found: list[Decision]) -> None:
        if not wanting:
            return
        talker = wanting[0]
        wait = self._waiting.pop(talker.over, None)
        play_from = talker.start if wait is None else max(talker.start, self._free_from)
        reason = "first to talk" if wait is None else f"waited while {wait.behind}"
        blocked = 0 if wait is None else now - wait.since
        self._hold(now, talker)
        found.append(Decision(Verdict.GRANTED, now, talker.over, talker.port, reason, play_from, blocked))

    def _preempt(self, now: int, talker: Talker, found: list[Decision]) -> None:
        holder = self.holder
        assert holder is not None
        why = "emergency" if talker.emergency and not holder.emergency else f"priority {talker.priority}"
        found.append(Decision(Verdict.PREEMPTED, now, holder.over, holder.port, f'{why} of "{talker.port}"'))
        wait = self._waiting.pop(talker.over, None)
        # Who begins takes the floor with his first syllable; who was raised while he waited, from now on.
        play_from = talker.start if wait is None else max(talker.start, now)
        self._free_from = max(self._free_from, now)
        if holder.end is not None:
            self._settled.add(holder.over)
        else:
            self._waiting[holder.over] = _Wait(holder.port, now, f'"{talker.port}" holds the floor')
        self._hold(now, talker)
        blocked = 0 if wait is None else now - wait.since
        found.append(Decision(Verdict.GRANTED, now, talker.over, talker.port, why, play_from, blocked))

    def _hold(self, now: int, talker: Talker) -> None:
        self.holder = talker
        self.state = FloorState.HELD
        self._since = now

    def _outranked(self, talker: Talker) -> bool:
        holder = self.holder
        assert holder is not None
        if talker.port == holder.port or talker.rank <= holder.rank:
            return False
        if talker.emergency and not holder.emergency:
            return True
        # The last words of an over that has ended are let out; they take less than a second.
        return self.rules.preempt and holder.end is None

    def _refuse(self, now: int, wanting: Iterable[Talker], found: list[Decision]) -> None:
        holder = self.holder
        if holder is None:
            return
        for talker in wanting:
            if talker.over == holder.over or talker.over in self._waiting:
                continue
            behind = f'"{holder.port}" holds the floor'
            if holder.end is not None and talker.start >= holder.end:
                continue  # only the playback of the holder is still running; nothing will be lost
            self._waiting[talker.over] = _Wait(talker.port, now, behind)
            found.append(Decision(Verdict.REFUSED, now, talker.over, talker.port, behind))


@dataclass(frozen=True, slots=True)
class _Wait:
    """A talker who waits: since when, and behind whom."""

    port: str
    since: int
    behind: str
