"""A patch at work: who is heard in it, by whom, from which moment, and how the sound gets into their frames.

    Voice    an over that is live, with its sound
    Group    listeners that hear one voice in step: one playout, a gain for each
    Line     a patch, its floor, and its groups

The matrix decides; here is what it decides about.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from dsp import desk, mix
from dsp.blocks import AUDIO_RATE, TICK_SAMPLES
from dsp.desk import Leg
from dsp.playout import Playout, Speech
from sdrbridge.floor import Floor
from sdrbridge.patch import Patch
from sdrbridge.port import NEVER, Audio, Port, RxPort
from sdrbridge.transmission import Transmission

PAUSE_FIRST = 480
"""Samples a pause has to have lasted before the key is let go in it: 60 ms, more than a stop consonant."""

LISTEN_EVERY = 2 * AUDIO_RATE
"""Samples between two such moments: the pauses in between win back what they cost."""


@dataclass(slots=True, eq=False)
class Voice:
    """An over that is live: what is known of its sound, the tick it came in, and what was last told to the floors."""

    over: Transmission
    port: int
    rx: RxPort
    speech: Speech
    since: int
    facts: tuple[object, ...] = ()

    @property
    def state(self) -> tuple[object, ...]:
        """What a floor wants to know at once when it changes."""
        facts = self.over.facts
        return self.over.end, facts.emergency, facts.encrypted, facts.silent


@dataclass(slots=True, eq=False)
class Group:
    """Listeners that hear one voice in step.

    leg: when it begins, who hears it, and with which gains. window: samples for which its one listener lets go of the
    key in a pause, to hear whether somebody breaks in; 0 for never. until: bridge time up to which he does so. last:
    when he did.
    """

    voice: Voice
    playout: Playout
    leg: Leg
    window: int = 0
    until: int = 0
    last: int = 0

    @classmethod
    def launched(
        cls, voice: Voice, playout: Playout, at: int, rows: NDArray[np.intp], gains: Audio, target: Audio
    ) -> "Group":
        """Listeners in these rows who hear a voice from bridge time `at` on."""
        return cls(voice, playout, desk.leg(playout, at, rows, gains, target))

    def may_listen(self, now: int) -> bool:
        """Whether this is the moment to let go of the key: the speaker pauses, and it was not done lately."""
        return bool(
            self.window
            and self.leg.heard
            and self.leg.launch <= now
            and self.playout.pausing >= PAUSE_FIRST
            and now - self.last >= LISTEN_EVERY
            and not self.voice.speech.ended
        )

    def listen(self, now: int, access: int) -> None:
        """Let go of the key now; the speech waits until it is back on the air, and loses nothing."""
        self.last = now
        self.until = now + self.window
        self.leg.launch = self.until + access

    def fade(self, now: int, frame: Audio, out: Audio) -> bool:
        """Add the last 5 ms of legs that are taken away to `out`; False if they were silent already."""
        leg = self.leg
        if leg.launch > now or self.playout.drained:
            return False
        frame.fill(0.0)
        Playout(self.voice.speech, self.playout.position).pull(frame[: mix.RAMP])
        mix.add(frame, leg.rows, leg.gains, np.zeros(len(leg.rows), np.float32), out)
        return True


@dataclass(slots=True, eq=False)
class Line:
    """A patch at work: its floor, who is heard by whom, and who is kept on the air by it.

    heard: voices that are passed on, by over. groups: who hears them. dropped: groups that fade out in this tick.
    keying: rows on the air. silenced: overs that may not be heard, and why. admitted: overs that may, and the on-air
    index from which. standing: overs of a break-in channel → the port they are heard for. done: overs that have been
    dealt with to their end. due: tick time at which time alone decides. changed: something else may have. rewired: who
    hears whom, and how loud, may have.
    """

    patch: Patch
    floor: Floor
    order: int
    heard: dict[str, Voice] = field(default_factory=dict)
    groups: list[Group] = field(default_factory=list)
    dropped: list[Group] = field(default_factory=list)
    keying: set[int] = field(default_factory=set)
    silenced: dict[str, str] = field(default_factory=dict)
    admitted: dict[str, int] = field(default_factory=dict)
    standing: dict[str, str] = field(default_factory=dict)
    done: set[str] = field(default_factory=set)
    due: int | None = None
    changed: bool = True
    rewired: bool = True
    closing: bool = False

    def drained(self, voice: Voice) -> bool:
        """Whether a voice has ended and everybody has heard it to its end."""
        if not voice.speech.ended:
            return False
        return all(group.playout.drained for group in self.groups if group.voice is voice)

    def hush(self, voices: Iterable[Voice], fade: bool = True) -> None:
        """End the playing of voices: faded out, or at once."""
        ended = {id(voice) for voice in voices}
        if fade:
            self.dropped += [g for g in self.groups if id(g.voice) in ended]
        self.groups = [g for g in self.groups if id(g.voice) not in ended]

    def noted(self, voice: Voice) -> bool:
        """Whether somebody notes what is sent of a voice."""
        return any(group.voice is voice and group.leg.tape is not None for group in self.groups)

    def steady(self, now: int, limit: int, launches: bool) -> int:
        """For how many ticks from `now`, at most `limit`, the groups play on without an end or a ramp.

        launches: somebody may begin to hear a voice that goes on.
        """
        if self.changed or self.closing or self.dropped:
            return 0
        ticks = limit
        if self.due is not None:
            ticks = min(ticks, -((now - self.due) // TICK_SAMPLES))
        last_words: dict[int, int] = {}
        for group in self.groups:
            leg, playout = group.leg, group.playout
            begins = leg.launch >= now and not leg.heard
            if group.window or not (begins or (leg.heard and leg.gains is leg.target)):
                return 0
            if begins and (group.voice.speech.ended or not launches):
                most = (leg.launch - now) // TICK_SAMPLES
            elif not begins and group.voice.speech.ended:
                last_words[id(group.voice)] = max(playout.drains_in(ticks), last_words.get(id(group.voice), 0))
                continue
            else:
                # What has not been played must not be overwritten by what comes.
                most = (playout.speech.capacity - playout.lag) // TICK_SAMPLES
            if most < ticks:
                ticks = most
        for left in last_words.values():
            ticks = min(ticks, left)
        for voice in self.heard.values():
            if voice.speech.ended and self.drained(voice):
                return 0
        return max(0, ticks)


def next_launch(groups: Iterable[Group], now: int) -> int:
    """The first tick after `now` in which somebody begins to hear a voice; far away where there is none."""
    found = NEVER
    for group in groups:
        if not group.leg.heard:
            tick = group.leg.launch // TICK_SAMPLES * TICK_SAMPLES
            if now < tick < found:
                found = tick
    return found


def play(groups: Sequence[Group], now: int, frame: Audio, out: Audio, ports: Sequence[Port]) -> bool:
    """Play groups from `now` on, a tick or several, into `out`; returns whether some of them began to be heard.

    frame: scratch. ports: in the order of the rows of `out`.
    """
    begun = desk.play([group.leg for group in groups], now, frame, out) if groups else None
    if not begun:
        return False
    for group in groups:
        if group.leg in begun:
            for row in group.leg.rows:
                group.voice.over.heard(ports[row].name)
    return True
