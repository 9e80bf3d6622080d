"""DTMF digits on a port that asks for them: told, and with `dtmf = "mute"` kept from everybody else.

    "pass"   RxPort ─speech─▶ look: is there a digit? ─▶ the same speech, at once
    "mute"   RxPort ─speech─▶ look ─35 ms later─▶ speech without digits

A digit is known 25 ms after it began (`dsp.tones.dtmf`), so a port whose digits are muted is heard `HELD` samples later
than it is received, and no more than that: an over that has ended is given out to its end. What was keyed stands in the
facts of the over, and each run of digits is told when nothing has followed it for `PAUSE`, or the over has ended.
"""

from collections import deque
from collections.abc import Sequence
from typing import cast
from weakref import WeakValueDictionary

import numpy as np

from dsp.blocks import AUDIO_RATE
from dsp.tones.dtmf import HOP, WINDOW, digit_in
from sdrbridge.bank import Stage
from sdrbridge.port import Audio, Dialled, QuietPort, RxPort
from sdrbridge.transmission import Transmission

MARGIN = 80
"""Samples before and after the windows that hold a digit that are silent with it: 10 ms, two hops."""

HELD = WINDOW + HOP + MARGIN
"""Samples the speech is held back: two windows say what it is, and the margin before them."""

RAMP = 16
"""Samples over which speech fades before a digit, and returns behind it: 2 ms."""

KEPT = 32
"""Digits whose places are remembered: more than fit into what anybody reads again."""

PAUSE = 2 * AUDIO_RATE
"""Samples without a digit after which a run of them is over: 2 s. Longer than a stride of the matrix, so that a run is
told in the same tick whether ticks are played one by one or not."""

_FADE = np.linspace(1.0, 0.0, RAMP + 2, dtype=np.float32)[1:-1]


class DigitPort:
    """An RxPort: another one, whose digits are told. muted: and kept from everybody else."""

    def __init__(self, rx: RxPort, muted: bool) -> None:
        self.rx = rx
        self.muted = muted
        self._held = HELD if muted else 0
        self._over: Transmission | None = None
        self._next = 0
        self._last: str | None = None
        self._inside = False
        """Whether the last window was part of a digit."""
        self._digits = ""
        self._run = ""
        """Digits of the over that have not been told yet: the last of its runs."""
        self._places: deque[list[int]] = deque(maxlen=KEPT)
        self._begun_at = self._ended_at = 0
        """On-air samples of the run's first and last sound."""
        self._told: list[Dialled] = []

    @property
    def stages(self) -> tuple[Stage, ...]:
        """What it holds back."""
        return (Stage("DTMF mute", self._held / AUDIO_RATE),) if self._held else ()

    def advance(self, now: int) -> None:
        """Act on everything that is known at `now`."""
        self.rx.advance(now)

    def begun(self) -> Sequence[Transmission]:
        """Overs that began since the last call, oldest first."""
        begun = self.rx.begun()
        for over in begun:
            self._look(self._until(self.rx.available()))
            self._end_run()
            self._over, self._next, self._last, self._inside, self._digits = over, over.start, None, False, ""
        return begun

    def available(self) -> int:
        """Index of the sample after the last one that may be read."""
        come = self.rx.available()
        self._look(self._until(come))
        return come - self._held

    def read(self, start: int, n: int) -> Audio:
        """(n,) float32 from `start`; silent where there are digits, if they are muted."""
        self._look(self._until(self.rx.available()))
        speech = self.rx.read(start, n)
        if not self.muted:
            return speech
        speech = np.array(speech, np.float32)
        for first, last in self._places:
            if first - RAMP < start + n and last + RAMP > start:
                gain = np.ones(last - first + 2 * RAMP, np.float32)
                gain[RAMP:-RAMP] = 0.0
                gain[:RAMP], gain[-RAMP:] = _FADE, _FADE[::-1]
                offset = first - RAMP - start
                a, b = max(0, offset), min(n, offset + len(gain))
                speech[a:b] *= gain[a - offset : b - offset]
        return speech

    def dialled(self, at_last: bool = False) -> Sequence[Dialled]:
        """Runs of digits that have ended since the last call. at_last: nothing more will be asked for."""
        self._look(self._until(self.rx.available()))
        over = self._over
        if at_last or (over is not None and over.end is not None) or self._next >= self._ended_at + PAUSE:
            self._end_run()
        if not self._told:
            return ()
        told, self._told = self._told, []
        return told

    def _end_run(self) -> None:
        if self._run and self._over is not None:
            self._told.append(Dialled(self._over.id, self._run, self._begun_at, self._ended_at, self.muted))
        self._run = ""

    def _until(self, come: int) -> int:
        """Where the over's speech ends for now."""
        if self._over is None:
            return 0
        return come if self._over.end is None else self._over.end

    def _look(self, until: int) -> None:
        """Judge the windows that are whole, up to `until`."""
        over = self._over
        if over is None or self._next + WINDOW > until:
            return
        first = self._next
        windows = (until - first - WINDOW) // HOP + 1
        speech = np.array(self.rx.read(first, (windows - 1) * HOP + WINDOW), np.float32)
        for at in range(0, windows * HOP, HOP):
            digit = digit_in(speech[at : at + WINDOW])
            place = first + at
            if digit is None:
                self._inside = False
            elif self._inside and digit == self._last:
                self._places[-1][1] = place + WINDOW + MARGIN
                self._ended_at = place + WINDOW
            elif digit == self._last:
                self._inside = True
                self._found(digit, place - HOP, place + WINDOW)
            else:
                self._inside = False
            self._last = digit
        self._next += windows * HOP
        if self._digits:
            over.facts.dtmf = self._digits

    def _found(self, digit: str, start: int, end: int) -> None:
        """One more digit, on the air from `start` on and until `end` at least."""
        if self._run and start >= self._ended_at + PAUSE:
            self._end_run()
        if not self._run:
            self._begun_at = start
        self._run += digit
        self._digits += digit
        self._ended_at = end
        self._places.append([start - MARGIN, end + MARGIN])


class _Foreseeing(DigitPort):
    """One whose receiver knows its future: what is held back changes nothing about when overs begin and end."""

    def __init__(self, rx: RxPort, muted: bool) -> None:
        super().__init__(rx, muted)
        self._foreseen = cast(QuietPort, rx).quiet_until
        self._now = 0

    def advance(self, now: int) -> None:
        self._now = now
        super().advance(now)

    def quiet_until(self, now: int) -> int:
        """When an over begins or ends, or a run of digits has to be told."""
        due = self._foreseen(now)
        if self._run:
            due = min(due, self._now + self._ended_at + PAUSE - self.rx.available())
        return due


_KNOWN: WeakValueDictionary[tuple[int, bool], DigitPort] = WeakValueDictionary()
"""By the identity of the receiver, which lives as long as what looks at it, and by what becomes of digits."""


def with_digits(rx: RxPort, muted: bool) -> DigitPort:
    """The receiver with an eye on its digits; always the same one, so that a reload does not disturb an over."""
    port = _KNOWN.get((id(rx), muted))
    if port is None:
        port = _KNOWN[id(rx), muted] = (_Foreseeing if isinstance(rx, QuietPort) else DigitPort)(rx, muted)
    return port
