"""Loops through somebody else's system: our own speech that comes back as if a port said it.

    frames of each voice that a patch sends ─▶ SentTrack ─┐
    overs that come in at a port ─▶ EchoTrack ────────────┴─▶ find, weigh ─▶ the port is cut off, the reason told

The patch graph shows no such loop: two of our ports may lie on one repeater network, or both on one conference. What a
port says is compared with what the patches it talks in have sent in the last 5 s, every 0.64 s. Three matches with one
delay cut the port off in every patch, for a minute after the last sign of the loop, or until somebody restores it.

    OPEN ──echo found──▶ BROKEN ──60 s without a sign of it · restored by hand──▶ OPEN

A broken port is not deaf to its own people: an over is let through, from its first sample, once it is shown to be
nobody's echo: nothing was sent in the 5 s before it, or two stretches of it are like nothing that was sent. One that is
too short to be judged is not.

A second receiver that hears the same talker later than the bridge sends him looks like a loop, and adds nothing to a
patch either; where that is wanted, `loop_guard = false`. Pure: the matrix says what was sent and heard.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from dsp import echo
from dsp.blocks import AUDIO_RATE, TICK_SAMPLES
from dsp.echo import EchoJudge, EchoTrack, Match
from sdrbridge.line import Line, SentTrack, Voice
from sdrbridge.port import NEVER, Audio, Port

CHECK_TICKS = echo.STEP * echo.HOP // TICK_SAMPLES
"""Ticks between two looks at a port: 0.64 s."""

TOGETHER = 8
"""Neighbouring rows that are looked at in one tick; the others in other ticks, so that none takes long."""

REST = 60 * AUDIO_RATE
"""Samples for which a port stays cut off after the last sign of a loop."""

MOST_TRACKS = 4
"""Voices of a patch that an over is compared with, those sent last; more are sent only where more than four mix."""

REMEMBERED = (echo.HIGH + echo.WINDOW) * echo.HOP
"""Samples for which a voice is remembered after it was sent."""

SETTLED = 12
"""Hops that what is judged lies back, so that delays below zero can be looked at too."""

PROOF = 2
"""Stretches of an over that are like nothing that was sent, after which it is somebody else's."""


class Sent:
    """What one voice of a patch sounded like when it was sent. Samples wait until somebody asks for levels."""

    def __init__(self, voice: Voice, now: int) -> None:
        self.port = voice.port
        self.name = voice.over.port
        self.over = voice.over.id
        self.end = now
        self._track = EchoTrack()
        self._waiting: Audio = np.zeros(CHECK_TICKS * TICK_SAMPLES, np.float32)
        self._filled = 0

    def take(self, now: int, frame: Audio) -> None:
        """What was sent from bridge time `now` on."""
        n = len(frame)
        if now != self.end or self._filled + n > len(self._waiting):
            self._settle()
        if n > len(self._waiting):
            self._track.process(now, frame)
        else:
            self._waiting[self._filled : self._filled + n] = frame
            self._filled += n
        self.end = now + n

    @property
    def track(self) -> EchoTrack:
        """The levels of all that was sent."""
        self._settle()
        return self._track

    def _settle(self) -> None:
        if not self._filled:
            return
        self._track.process(self.end - self._filled, self._waiting[: self._filled])
        self._filled = 0


@dataclass(slots=True)
class Ear:
    """What a port says. track: its levels. last: hop up to which it has been judged. over: the one that came in last.

    ended: that one is over.
    """

    track: EchoTrack
    last: int = 0
    over: str = ""
    ended: bool = True


@dataclass(frozen=True, slots=True)
class Broken:
    """A port that is cut off. until: bridge time. reason: in words."""

    until: int
    reason: str


class LoopWatch:
    """All ports. sink: told of what is found. changed: called with the row of a port that may be heard or not from now.

    stands_for: names of the ports a row talks for, its own among them.
    """

    def __init__(
        self,
        sink: Callable[[dict[str, object]], None],
        changed: Callable[[int], None],
        stands_for: Callable[[int], Iterable[str]],
    ) -> None:
        self._sink = sink
        self._changed = changed
        self._stands_for = stands_for
        self.broken: dict[int, Broken] = {}
        self._ports: Sequence[Port] = ()
        self._ears: dict[int, Ear] = {}
        self._sent: dict[str, dict[str, Sent]] = {}
        self._judges: dict[tuple[int, str], EchoJudge] = {}
        self._left: set[int] = set()
        self._proof: dict[str, int] = {}
        self._guarded = False

    def lay_out(self, ports: Sequence[Port]) -> None:
        """Take other ports, in the same rows where they stay."""
        for row, old in enumerate(self._ports):
            if ports[row].rx is not old.rx or not ports[row].handling.loop_guard:
                self.broken.pop(row, None)
                self._ears.pop(row, None)
                self._left.discard(row)
        self._ports = ports
        self._guarded = any(port.rx is not None and port.handling.loop_guard for port in ports)

    # What is sent.

    def follow(self, line: Line, voice: Voice, now: int) -> SentTrack | None:
        """Where what a patch sends of a voice is to be noted; None where nobody is guarded."""
        self._forget(now)
        if not self._guarded:
            return None
        voices = self._sent.setdefault(line.patch.name, {})
        if voice.over.id not in voices:
            voices[voice.over.id] = Sent(voice, now)
        return voices[voice.over.id]

    # What is heard.

    def silenced(self, voice: Voice) -> str | None:
        """Why an over may not be heard; None if it may."""
        broken = self.broken.get(voice.port)
        return None if broken is None or self.proven(voice) else broken.reason

    def proven(self, voice: Voice) -> bool:
        """Whether an over of a broken port is known to be nobody's echo."""
        return voice.port in self.broken and self._proof.get(voice.over.id, 0) >= PROOF

    def begin(self, voice: Voice, lines: Iterable[Line]) -> None:
        """An over begins: where nothing was sent lately it cannot be an echo."""
        if voice.port in self.broken and not any(self._candidates(voice.port, voice.over.id, voice.over.start, lines)):
            self._proof[voice.over.id] = PROOF

    def leave(self, voice: Voice) -> None:
        """Nobody plays an over any more: take in the rest of it."""
        self._proof.pop(voice.over.id, None)
        if self._guards(voice.port):
            self._hear(voice)
            self._left.add(voice.port)

    def restore(self, row: int) -> bool:
        """Let a port through again; returns whether it was cut off."""
        found = self.broken.pop(row, None) is not None
        self._judges = {key: judge for key, judge in self._judges.items() if key[0] != row}
        self._changed(row)
        return found

    # The tick.

    def step(self, now: int, voices: Iterable[Voice], lines: Iterable[Line]) -> None:
        """Look at the ports whose turn it is."""
        for row in [row for row, broken in self.broken.items() if now >= broken.until]:
            self.restore(row)
            self._tell(now, "loop.restored", row, reason=f"no sign of it for {REST // AUDIO_RATE} s")
        turn = now // TICK_SAMPLES % CHECK_TICKS
        rows = dict.fromkeys(row for row in self._left if _turn(row) == turn)
        for voice in voices:
            row = voice.port
            if row // TOGETHER % CHECK_TICKS == turn and self._guards(row):
                self._hear(voice)
                rows[row] = None
        for row in sorted(rows):
            self._left.discard(row)
            self._check(now, row, lines)

    def still_until(self, now: int, voices: Iterable[Voice]) -> int:
        """Bridge time of the first tick, from `now` on, at which something may be found."""
        until = min((broken.until for broken in self.broken.values()), default=NEVER)
        if not any(self._sent.values()):
            return until
        tick = now // TICK_SAMPLES
        for row in {*self._left, *(voice.port for voice in voices if self._guards(voice.port))}:
            until = min(until, (tick + (_turn(row) - tick) % CHECK_TICKS) * TICK_SAMPLES)
        return until

    def _guards(self, row: int) -> bool:
        return self._ports[row].handling.loop_guard

    def _hear(self, voice: Voice) -> None:
        """Take in what has become known of an over."""
        ear = self._ears.get(voice.port)
        if ear is None:
            ear = self._ears[voice.port] = Ear(EchoTrack())
        speech, heard = voice.speech, ear.track.next
        start = max(speech.start, speech.end - speech.capacity)
        if heard is not None and heard <= speech.end:
            start = max(start, heard)
        ear.track.process(start, speech.read(start, speech.end - start))
        ear.over, ear.ended = voice.over.id, speech.ended

    def _check(self, now: int, row: int, lines: Iterable[Line]) -> None:
        ear = self._ears[row]
        last = now // echo.HOP - SETTLED
        if not ear.ended:
            last = min(last, ear.track.end - 1)
        if last < ear.last + echo.STEP // 2:
            return
        begin = (last - echo.WINDOW) * echo.HOP
        ear.last = last
        likeness = []
        by_line: dict[str, list[Sent]] = {}
        for line, sent in self._candidates(row, ear.over, begin, lines):
            by_line.setdefault(line, []).append(sent)
        for line, voices in by_line.items():
            voices = sorted(voices, key=lambda sent: sent.end)[-MOST_TRACKS:]
            matches = [echo.find(ear.track, last, sent.track) for sent in voices]
            likeness += matches
            # What goes around comes back again and again; the shortest way is the one to name.
            match, said = min(zip(matches, voices, strict=True), key=_rank)
            self._weigh(now, row, line, said, match, last)
        # An over that is like nothing that was sent is somebody else's.
        if row in self.broken and all(match.different for match in likeness):
            self._proof[ear.over] = self._proof.get(ear.over, 0) + 1
            self._changed(row)

    def _weigh(self, now: int, row: int, line: str, sent: Sent, match: Match, last: int) -> None:
        judge = self._judges.setdefault((row, line), EchoJudge())
        # A port that says what it said itself before may play a recording twice.
        found = judge.weigh(last, match, self._ears[row].over, 2 if sent.port == row else 1)
        if found is None:
            return
        delay_s = found.lag * echo.HOP / AUDIO_RATE
        reason = f'loop: what "{sent.name}" said in "{line}" came back here {delay_s:.2f} s after it was sent'
        self._proof.pop(self._ears[row].over, None)
        before = self.broken.get(row)
        self.broken[row] = Broken(now + REST, reason if before is None else before.reason)
        if before is None:
            about = {"patch": line, "talker": sent.name, "over": self._ears[row].over}
            measured = {"delay_s": delay_s, "likeness": round(found.likeness, 2), "for_s": REST / AUDIO_RATE}
            self._tell(now, "loop.found", row, **about, **measured, reason=reason)
            self._changed(row)

    def _candidates(self, row: int, over: str, begin: int, lines: Iterable[Line]) -> Iterator[tuple[str, Sent]]:
        """What of the patches a row talks in was sent up to 5 s before `begin` or later, but for this over itself."""
        names = tuple(self._stands_for(row))
        for line in lines:
            members = line.patch.members
            for name in names:
                if name in members and members[name].talks:
                    break
            else:
                continue
            for sent in self._sent.get(line.patch.name, {}).values():
                if sent.over != over and sent.end > begin - echo.HIGH * echo.HOP:
                    yield line.patch.name, sent

    def _forget(self, now: int) -> None:
        """Let go of what was sent too long ago."""
        for line, voices in list(self._sent.items()):
            old = [over for over, sent in voices.items() if sent.end + REMEMBERED + AUDIO_RATE < now]
            for over in old:
                del voices[over]
            if not voices:
                del self._sent[line]

    def _tell(self, now: int, event: str, row: int, **fields: object) -> None:
        self._sink({"t_s": now / AUDIO_RATE, "event": event, "port": self._ports[row].name, **fields})


def _rank(found: tuple[Match, Sent]) -> tuple[bool, float]:
    match = found[0]
    return (False, match.lag) if match.counts else (True, -match.likeness)


def _turn(row: int) -> int:
    """The tick, of every `CHECK_TICKS`, in which a row is looked at."""
    return row // TOGETHER % CHECK_TICKS
