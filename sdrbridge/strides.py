"""Many ticks at once, where nothing is decided: how a simulation plays hours in minutes.

    parts of the bridge ─▶ due now? ─┬─ yes ─▶ play what was put off ─▶ a tick of these parts ─▶ look ahead
                                     └─ no ──▶ put it off

Each part (`sdrbridge.parts`) is played when something may be decided in it: when a receiver has something new to say,
when time alone decides (a hang time, a time-out, the end of what is still to be played), or when it is time to look
again. Until then everybody in it says and hears what he did, and that is played in one go. Everything is as after so
many ticks (`tests/properties/test_stride.py`).
"""

from collections.abc import Callable, Iterable, Mapping, Sequence

import numpy as np

from dsp.blocks import TICK_SAMPLES
from sdrbridge.line import Group, Line, Voice, next_launch, play
from sdrbridge.loopwatch import LoopWatch
from sdrbridge.parts import Part, apart, union
from sdrbridge.port import NEVER, Audio, Port
from sdrbridge.transmitters import Transmitters

LONGEST_STRIDE = 100
"""Ticks done in one stride at most: 2 s, of which every port keeps the sound."""

LONGEST_SILENCE = 1000
"""Ticks for which a part of the bridge in which nobody talks is left alone: 20 s."""


class Strides:
    """What a matrix has put off, and until when.

    lines, voices: of the matrix, as they are. tick: does one of a part.
    """

    def __init__(
        self,
        lines: Mapping[str, Line],
        voices: Mapping[str, Voice],
        air: Transmitters,
        watch: LoopWatch,
        tick: Callable[[int, Part], None],
    ) -> None:
        self._lines = lines
        self._voices = voices
        self._air = air
        self._watch = watch
        self._tick = tick
        self.reached = 0
        """Bridge time up to which ticks and strides have been done."""
        self._parts: list[Part] = []
        """None where the next stride has to find them anew."""
        self._silence = np.zeros(LONGEST_SILENCE * TICK_SAMPLES, np.float32)
        self._silence.flags.writeable = False
        self._unions: dict[tuple[int, ...], Part] = {}

    def lay_out(self, ports: Sequence[Port], row: Mapping[str, int], donors: Mapping[int, Iterable[int]]) -> None:
        """Take other ports. row: of each name. donors: channels that hear for ports in other rows."""
        self._ports = ports
        self._row = row
        self._donors = donors
        self._long: list[Audio] = []

    def stride(self, now: int, limit: int) -> int:
        """Do the tick at `now` and those that follow without a decision; returns how many, 1 … limit."""
        parts = self._parts or self._take_apart(now)
        then = now + TICK_SAMPLES
        for part in parts:
            if part.due <= now:
                part.ask(now)
        # Where no receiver has anything new to say, it hands over its speech for the coming tick as well. These parts
        # come last: who serves receivers of several parts must not say more in one than is known in another.
        for part in [part for part in parts if part.due <= now and part.lags(now)]:
            self._play_on(part, now, now - TICK_SAMPLES)
            if part.foreseen > now:
                self._look_ahead(part, now)
        ready = [part for part in parts if part.due <= now]
        for part in ready:
            self._play_on(part, now, now)
        if ready:
            lines = len(self._lines)
            self._tick(now, self._together(ready))
            for part in ready:
                part.done = then
                self._look_ahead(part, then)
            if len(self._lines) < lines:
                # A patch is gone, and what it held together falls apart.
                self.reached = then
                self.settle()
                return 1
        due = min([part.due for part in parts], default=NEVER)
        n = max(1, min(limit, LONGEST_STRIDE, -((now - due) // TICK_SAMPLES)))
        self.reached = now + n * TICK_SAMPLES
        return n

    def settle(self) -> None:
        """Play what has been put off; the next stride finds the parts anew."""
        self.catch_up()
        self._parts = []

    def catch_up(self) -> None:
        """Play what has been put off."""
        for part in self._parts:
            self._play_on(part, self.reached, self.reached - TICK_SAMPLES)

    def _take_apart(self, now: int) -> list[Part]:
        self._parts = apart(self._ports, list(self._lines.values()), self._row, self._donors)
        self._unions.clear()
        for part in self._parts:
            part.done = part.until = part.due = now
        return self._parts

    def stir(self, row: int) -> None:
        """What a receiver has said of its future does not hold any more."""
        for part in self._parts:
            if row in part.rows:
                part.due = 0

    def _together(self, parts: list[Part]) -> Part:
        """Parts that are due in the same tick as one, so that what is told has the same order as ever."""
        if len(parts) == 1:
            return parts[0]
        key = tuple(id(part) for part in parts)
        if key not in self._unions:
            self._unions[key] = union(self._ports, parts, self._lines.values())
        return self._unions[key]

    def _play_on(self, part: Part, now: int, known: int) -> None:
        """Play the ticks of a part up to `now`, in which nothing begins, ends or is decided.

        known: the tick up to which its receivers may act on what they know.
        """
        if part.done >= now:
            return
        voices = part.voices(self._voices)
        coming = [voice for voice in voices if not voice.speech.ended]
        groups = [group for line in part.lines for group in line.groups]
        most = (LONGEST_STRIDE if voices or groups else LONGEST_SILENCE) * TICK_SAMPLES
        while part.done < now:
            then = min(now, next_launch(groups, part.done)) if groups else now
            samples = min(then - part.done, most)
            for voice in coming:
                voice.rx.advance(known)
                voice.speech.push(voice.rx.read(voice.speech.end, samples))
            out = self._mix(part, groups, samples) if groups else None
            self._air.glide(part.done, out, self._silence[:samples], part)
            self._watch.pass_over(part.done, part.done + samples, part.rows, voices, part.lines)
            part.done += samples

    def _mix(self, part: Part, groups: Sequence[Group], samples: int) -> Audio:
        """What those groups play to all ports of a part: (rows, samples), of which those that are keyed count."""
        if not self._long:
            self._long = [np.zeros(size * LONGEST_STRIDE * TICK_SAMPLES, np.float32) for size in (1, len(self._ports))]
        out = self._long[1][: len(self._ports) * samples].reshape(len(self._ports), samples)
        for row, _ in part.sending:
            if self._air.since[row] is not None:
                out[row] = 0.0
        if play(groups, part.done, self._long[0][:samples], out, self._ports):
            self._air.show(groups, part.rows)
        return out

    def _look_ahead(self, part: Part, now: int) -> None:
        """Find out until when, from `now` on, nothing begins, ends or is decided in a part, if no receiver says so."""
        voices = part.voices(self._voices)
        most = LONGEST_STRIDE if voices else LONGEST_SILENCE
        bound = now + most * TICK_SAMPLES
        settled = self._still_until(part, voices, now, bound)
        part.until = settled if settled <= now else self._watch.still_until(now, settled, part.rows, voices, part.lines)
        # What the loop guard has to look at may well turn out to be nothing.
        part.bound = part.until == bound or part.until < settled
        part.ask(now)

    def _still_until(self, part: Part, voices: list[Voice], now: int, until: int) -> int:
        if not self._air.unsettled.isdisjoint(part.rows):
            return now
        until = min(until, self._air.still_until(until, part.rows))
        for voice in voices:
            if voice.facts != voice.state:
                return now
            if not voice.speech.ended and (voice.over.end is not None or voice.rx.available() != voice.speech.end):
                return now
        ticks = max(0, -((now - until) // TICK_SAMPLES))
        silent = not self._air.announces(part.rows)
        for line in part.lines:
            ticks = line.steady(now, ticks, silent)
        return now + ticks * TICK_SAMPLES
