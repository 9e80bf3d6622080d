"""Loops through somebody else's system: our own speech that comes back as if a port said it.

    frames of each voice that a patch sends ─▶ Tape ──────┐
    overs that come in at a port ─▶ EchoTrack ────────────┴─▶ find, weigh ─▶ the port is cut off, the reason told

The patch graph shows no such loop: two of our ports may lie on one repeater network, or both on one conference. What a
port says is compared with what the patches it talks in have sent in the last 5 s, every 0.64 s. Three matches with one
delay cut the port off in every patch, for a minute after the last sign of the loop, or until somebody restores it.
So of three looks the first two are only noted down. The third is weighed first: where it is no match, there is no need
to know what the other two were. When a look is weighed changes nothing but that: three matches in a row are found at
the third.

    OPEN ──echo found──▶ BROKEN ──60 s without a sign of it · restored by hand──▶ OPEN

A broken port is not deaf to its own people: an over is let through, from its first sample, once it is shown to be
nobody's echo: nothing was sent in the 5 s before it, or two stretches of it are like nothing that was sent. One that is
too short to be judged is not.

A second receiver that hears the same talker later than the bridge sends him looks like a loop, and adds nothing to a
patch either; where that is wanted, `loop_guard = false`. Pure: the matrix says what was sent and heard.
"""

from collections.abc import Callable, Collection, Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from operator import attrgetter

from dsp import echo
from dsp.blocks import AUDIO_RATE, TICK_SAMPLES
from dsp.desk import Tape
from dsp.echo import ENOUGH, EchoJudge, EchoTrack, Match
from sdrbridge.line import Line, Voice
from sdrbridge.port import NEVER, Port

CHECK_TICKS = echo.STEP * echo.HOP // TICK_SAMPLES
"""Ticks between two looks at a port: 0.64 s."""

TOGETHER = 8
"""Neighbouring rows that are looked at in one tick; the others in other ticks, so that none takes long."""

REST = 60 * AUDIO_RATE
"""Samples for which a port stays cut off after the last sign of a loop."""

MOST_TRACKS = 4
"""Voices of a patch that an over is compared with, those sent last; more are sent only where more than four mix."""

REMEMBERED = (echo.HIGH + echo.WINDOW + 300) * echo.HOP
"""Samples for which a voice is remembered after it was sent: what a look goes back, and for as long as it may wait."""

SETTLED = 12
"""Hops that what is judged lies back, so that delays below zero can be looked at too."""

REACH = (echo.WINDOW + 20) * echo.HOP
"""Samples of an over before a look that matter to it: what it compares, and the bands' time to settle."""

PROOF = 2
"""Stretches of an over that are like nothing that was sent, after which it is somebody else's."""

_END = attrgetter("tape.end")


class Sent:
    """What one voice of a patch sounded like when it was sent. Samples wait until somebody asks for levels."""

    __slots__ = ("_track", "name", "over", "port", "tape")

    def __init__(self, voice: Voice, now: int) -> None:
        self.port = voice.port
        self.name = voice.over.port
        self.over = voice.over.id
        self.tape = Tape(now, REMEMBERED)
        self._track = EchoTrack()

    @property
    def end(self) -> int:
        """Bridge time up to which it was sent."""
        return self.tape.end

    @property
    def track(self) -> EchoTrack:
        """The levels of what was sent lately."""
        start = self.tape.begin
        if self._track.next is not None:
            start = max(start, self._track.next)
        if start < self.tape.end:
            self._track.process(start, self.tape.read(start))
        return self._track


@dataclass(frozen=True, slots=True)
class Look:
    """A look at what a port says that is still to be weighed. last: hop up to which. sent: what to compare it with, by
    patch."""

    last: int
    over: str
    sent: Mapping[str, Sequence[Sent]]


@dataclass(slots=True)
class Ear:
    """What a port says. track: its levels. last: hop up to which it has been looked at. voice: the over that came in
    last. looks: that are to be weighed, oldest first. early: looks by which the first weighing comes early, so that
    ports that begin at once are not all weighed in one tick."""

    early: int
    track: EchoTrack = field(default_factory=EchoTrack)
    last: int = 0
    voice: Voice | None = None
    over: str = ""
    looks: list[Look] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Broken:
    """A port that is cut off. until: bridge time. reason: in words."""

    until: int
    reason: str


class LoopWatch:
    """All ports. sink: told of what is found. changed: called with the row of a port that may be heard or not now."""

    def __init__(self, sink: Callable[[dict[str, object]], None], changed: Callable[[int], None]) -> None:
        self._sink = sink
        self._changed = changed
        self.broken: dict[int, Broken] = {}
        self._ports: Sequence[Port] = ()
        self._names: Sequence[frozenset[str]] = ()
        self._ears: dict[int, Ear] = {}
        self._sent: dict[str, dict[str, Sent]] = {}
        self._latest: dict[str, list[Sent]] = {}
        """What was sent in a patch, by its end; put together anew in every tick in which it is asked for."""
        self._judges: dict[tuple[int, str], EchoJudge] = {}
        self._left: set[int] = set()
        """Rows whose over has been let go of, until they have been looked at once more."""
        self._proof: dict[str, int] = {}
        self._guarded: frozenset[int] = frozenset()
        self._turns: list[frozenset[int]] = []
        """The guarded rows, by the tick in which they are looked at."""

    def lay_out(self, ports: Sequence[Port], names: Sequence[frozenset[str]]) -> None:
        """Take other ports, in the same rows where they stay. names: of the ports each row talks for, its own among
        them."""
        for row, old in enumerate(self._ports):
            if ports[row].rx is not old.rx or not ports[row].handling.loop_guard:
                self.broken.pop(row, None)
                self._ears.pop(row, None)
                self._left.discard(row)
        self._ports, self._names = ports, names
        self._guarded = frozenset(x for x, port in enumerate(ports) if port.rx is not None and port.handling.loop_guard)
        self._turns = [frozenset(row for row in self._guarded if _turn(row) == turn) for turn in range(CHECK_TICKS)]

    # What is sent.

    def follow(self, line: Line, voice: Voice, now: int) -> Tape | None:
        """Where what a patch sends of a voice is to be noted; None where nobody is guarded."""
        self._forget(now)
        if not self._guarded:
            return None
        voices = self._sent.setdefault(line.patch.name, {})
        if voice.over.id not in voices:
            voices[voice.over.id] = Sent(voice, now)
        return voices[voice.over.id].tape

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
        if voice.port not in self.broken:
            return
        self._latest.clear()
        if not self._sent_lately(voice.port, voice.over.id, voice.over.start, lines):
            self._proof[voice.over.id] = PROOF

    def leave(self, voice: Voice) -> None:
        """Nobody plays an over any more: it will be looked at once more."""
        self._proof.pop(voice.over.id, None)
        if voice.port not in self._guarded:
            return
        ear = self._ear(voice.port)
        if ear.voice is None or ear.voice.since <= voice.since:
            self._attend(ear, voice)
            self._left.add(voice.port)

    def restore(self, row: int) -> bool:
        """Let a port through again; returns whether it was cut off."""
        found = self.broken.pop(row, None) is not None
        self._judges = {key: judge for key, judge in self._judges.items() if key[0] != row}
        if row in self._ears:
            self._ears[row].looks.clear()
        self._changed(row)
        return found

    # The tick.

    def step(self, now: int, rows: Container[int], voices: Iterable[Voice], lines: Collection[Line]) -> None:
        """Look at those of the rows whose turn it is. voices, lines: of these rows."""
        for row in [row for row, broken in self.broken.items() if now >= broken.until and row in rows]:
            self.restore(row)
            self._tell(now, "loop.restored", row, reason=f"no sign of it for {REST // AUDIO_RATE} s")
        turn = now // TICK_SAMPLES % CHECK_TICKS
        due = self._turns[turn]
        speaking = {voice.port: voice for voice in voices if voice.port in due}
        left = [row for row in self._left if _turn(row) == turn and row in rows] if self._left else []
        if speaking or left:
            self._latest.clear()
            looked_at = sorted({*speaking, *left})
            names = {name for row in looked_at for name in self._names[row]}
            lines = [line for line in lines if not names.isdisjoint(line.patch.members)]
            for row in looked_at:
                voice = speaking.get(row)
                self._look(now, row, voice, 0 if voice is None else voice.speech.end, lines)

    def still_until(
        self, now: int, until: int, rows: Container[int], voices: Iterable[Voice], lines: Collection[Line]
    ) -> int:
        """Up to `until`: bridge time of the first tick, from `now` on, at which something may be found."""
        for row, broken in self.broken.items():
            if row in rows:
                until = min(until, broken.until)
        if not self._sent and not self.broken:
            return until
        self._latest.clear()
        speaking = {voice.port: voice for voice in voices if voice.port in self._guarded}
        for voice in speaking.values():
            until = min(until, self._due(now, until, voice, lines))
        for row in self._left:
            if row in rows and row not in speaking and self._may_be_found(now, row, lines):
                until = min(until, _next_turn(now, row))
        return until

    def _due(self, now: int, until: int, voice: Voice, lines: Collection[Line]) -> int:
        """When something may be found about an over that comes in, as things are, if it is before `until`."""
        row = voice.port
        turn = _next_turn(now, row)
        if row in self.broken:
            return turn
        sent = self._sent_until(now, row, voice.over.id, lines)
        if not sent:
            return NEVER
        ear = self._ear(row)
        due = turn + self._spare(row, ear, sent) * CHECK_TICKS * TICK_SAMPLES
        if due < until and ear.looks:
            # Those that were noted down may show already that the next cannot be the last of three.
            self._weigh(now, row, ear)
            due = turn + self._spare(row, ear, sent) * CHECK_TICKS * TICK_SAMPLES
        return due

    def _may_be_found(self, now: int, row: int, lines: Collection[Line]) -> bool:
        """Whether the last look at an over that has been let go of may show something."""
        if row in self.broken:
            return True
        ear = self._ears[row]
        sent = self._sent_until(now, row, ear.over, lines)
        return bool(sent) and self._spare(row, ear, sent) == 0

    def _sent_until(self, now: int, row: int, over: str, lines: Collection[Line]) -> dict[str, list[Sent]]:
        """What any look from `now` on may have to be compared with."""
        return self._sent_lately(row, over, now - (SETTLED + echo.WINDOW + echo.STEP) * echo.HOP, lines)

    def _spare(self, row: int, ear: Ear, patches: Iterable[str]) -> int:
        """How many looks come before the first that may show something."""
        return max(1, self._more(row, ear, patches)) - 1

    def pass_over(
        self, begin: int, end: int, rows: Container[int], voices: Collection[Voice], lines: Collection[Line]
    ) -> None:
        """The ticks from `begin` up to `end` have been played at once: note down the looks that fell into them."""
        if not voices and not self._left:
            return
        self._latest.clear()
        speaking = {voice.port: voice for voice in voices if voice.port in self._guarded}
        left = [row for row in self._left if row in rows and row not in speaking] if self._left else []
        for row in sorted([*speaking, *left]):
            voice = speaking.get(row)
            for now in range(_next_turn(begin, row), end, CHECK_TICKS * TICK_SAMPLES):
                known = 0
                if voice is not None:
                    later = 0 if voice.speech.ended else end - TICK_SAMPLES - now
                    known = voice.speech.end - later
                elif row not in self._left:
                    break
                self._look(now, row, voice, known, lines)

    def _ear(self, row: int) -> Ear:
        if row not in self._ears:
            self._ears[row] = Ear(row % ENOUGH)
        return self._ears[row]

    def _look(self, now: int, row: int, voice: Voice | None, known: int, lines: Collection[Line]) -> None:
        """Look at a row; weigh what was noted down where it may come to something.

        voice: what comes in there, known up to `known`; None where the last over has been let go of.
        """
        ear = self._ear(row)
        self._left.discard(row)
        if voice is not None:
            self._attend(ear, voice)
        last = now // echo.HOP - SETTLED
        if voice is not None and not voice.speech.ended:
            last = min(last, known // echo.HOP - 1)
        enough = True
        if last >= ear.last + echo.STEP // 2:
            ear.last = last
            sent = self._sent_lately(row, ear.over, (last - echo.WINDOW) * echo.HOP, lines)
            if sent:
                ear.looks.append(Look(last, ear.over, sent))
                enough = voice is None or row in self.broken or not self._more(row, ear, sent)
            elif row in self.broken:
                self._is_other(row, ear.over)
        elif voice is not None:
            enough = False
        if ear.looks and enough:
            self._weigh(now, row, ear)
        if voice is None:
            ear.voice = None

    def _more(self, row: int, ear: Ear, patches: Iterable[str]) -> int:
        """How many matches are missing for a verdict if all looks that were noted down are matches."""
        most = 0
        for name in patches:
            judge = self._judges.get((row, name))
            matches = 0 if judge is None else judge.matches
            for look in ear.looks:
                matches += name in look.sent
            if matches > most:
                most = matches
        return max(0, ENOUGH - ear.early - most)

    def _attend(self, ear: Ear, voice: Voice) -> None:
        """Turn to what comes in now."""
        if ear.voice is not voice:
            self._take_in(ear, ear.looks[0].last * echo.HOP if ear.looks else NEVER)
            ear.voice, ear.over = voice, voice.over.id

    def _take_in(self, ear: Ear, first: int) -> None:
        """Take in what has become known of an over, as far as a look up to sample `first` and later ones reach back."""
        if ear.voice is None:
            return
        speech, heard = ear.voice.speech, ear.track.next
        start = max(speech.start, speech.end - speech.capacity, min(first, speech.end) - REACH)
        if heard is not None and heard <= speech.end:
            start = max(start, heard)
        ear.track.process(start, speech.read(start, speech.end - start))

    def _weigh(self, now: int, row: int, ear: Ear) -> None:
        """Weigh the looks that were noted down, as if each had been weighed when it was taken."""
        looks, ear.looks, ear.early = ear.looks, [], 0
        self._take_in(ear, looks[0].last * echo.HOP)
        was_broken, others = row in self.broken, True
        # Silence, and what does not change, is evidence of nothing.
        looks = [look for look in looks if echo.judged(ear.track, look.last)]
        for patch in dict.fromkeys(name for look in looks for name in look.sent):
            found = []
            for look in reversed(looks):
                if patch in look.sent:
                    matches = [echo.find(ear.track, look.last, sent.track) for sent in look.sent[patch]]
                    others = others and all(match.different for match in matches)
                    # What goes around comes back again and again; the shortest way is the one to name.
                    match, said = min(zip(matches, look.sent[patch], strict=True), key=_rank)
                    found.append((look, match, said))
                    if not match.counts:
                        break  # whatever was before
            for look, match, said in reversed(found):
                self._judge(now, row, patch, look, match, said)
        if looks and was_broken and others:
            self._is_other(row, looks[-1].over)

    def _is_other(self, row: int, over: str) -> None:
        """A stretch of an over is like nothing that was sent: it is somebody else's."""
        self._proof[over] = self._proof.get(over, 0) + 1
        self._changed(row)

    def _judge(self, now: int, row: int, patch: str, look: Look, match: Match, said: Sent) -> None:
        judge = self._judges.setdefault((row, patch), EchoJudge())
        # A port that says what it said itself before may play a recording twice.
        found = judge.weigh(look.last, match, look.over, 2 if said.port == row else 1)
        if found is None:
            return
        delay_s = found.lag * echo.HOP / AUDIO_RATE
        reason = f'loop: what "{said.name}" said in "{patch}" came back here {delay_s:.2f} s after it was sent'
        self._proof.pop(look.over, None)
        before = self.broken.get(row)
        self.broken[row] = Broken(now + REST, reason if before is None else before.reason)
        if before is None:
            about = {"patch": patch, "talker": said.name, "over": look.over}
            measured = {"delay_s": delay_s, "likeness": round(found.likeness, 2), "for_s": REST / AUDIO_RATE}
            self._tell(now, "loop.found", row, **about, **measured, reason=reason)
            self._changed(row)

    def _sent_lately(self, row: int, over: str, begin: int, lines: Iterable[Line]) -> dict[str, list[Sent]]:
        """What of the patches a row talks in was sent up to 5 s before `begin` or later, but for this over itself; the
        latest of each patch."""
        found: dict[str, list[Sent]] = {}
        since, names = begin - echo.HIGH * echo.HOP, self._names[row]
        for line in lines:
            patch = line.patch
            if patch.name in self._sent and not patch.talkers.isdisjoint(names):
                latest = self._latest.get(patch.name) or self._by_end(patch.name)
                chosen = [sent for sent in latest if sent.tape.end > since and sent.over != over]
                if chosen:
                    found[patch.name] = chosen[-MOST_TRACKS:]
        return found

    def _by_end(self, patch: str) -> list[Sent]:
        """What was sent in a patch last, the latest at the end: one more than an over is compared with."""
        found = list(self._sent[patch].values())
        if len(found) > 1:
            found = sorted(found, key=_END)[-MOST_TRACKS - 1 :]
        self._latest[patch] = found
        return found

    def _forget(self, now: int) -> None:
        """Let go of what was sent too long ago."""
        for line, voices in list(self._sent.items()):
            old = [over for over, sent in voices.items() if sent.end + REMEMBERED < now]
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


def _next_turn(now: int, row: int) -> int:
    """Bridge time of the first tick from `now` on at which a row is looked at."""
    tick = -(-now // TICK_SAMPLES)
    return (tick + (_turn(row) - tick) % CHECK_TICKS) * TICK_SAMPLES
