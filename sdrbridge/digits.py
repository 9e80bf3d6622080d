"""DTMF digits kept from everybody else: the receive side of a port with `dtmf = "mute"`.

    RxPort ─speech─▶ look: is there a digit? ─35 ms later─▶ speech without digits

A digit is known 25 ms after it began (`dsp.tones.dtmf`), so the port is heard `HELD` samples later than it is received,
and no more than that: an over that has ended is given out to its end. What was keyed stands in the facts of the over.
"""

from collections import deque
from collections.abc import Callable, Sequence
from weakref import WeakValueDictionary

import numpy as np

from dsp.blocks import AUDIO_RATE
from dsp.tones.dtmf import HOP, WINDOW, digit_in
from sdrbridge.bank import Stage
from sdrbridge.port import Audio, QuietPort, RxPort
from sdrbridge.transmission import Transmission

MARGIN = 80
"""Samples before and after the windows that hold a digit that are silent with it: 10 ms, two hops."""

HELD = WINDOW + HOP + MARGIN
"""Samples the speech is held back: two windows say what it is, and the margin before them."""

RAMP = 16
"""Samples over which speech fades before a digit, and returns behind it: 2 ms."""

KEPT = 32
"""Digits whose places are remembered: more than fit into what anybody reads again."""

_FADE = np.linspace(1.0, 0.0, RAMP + 2, dtype=np.float32)[1:-1]


class DigitMute:
    """An RxPort: another one, without its digits."""

    def __init__(self, rx: RxPort) -> None:
        self.rx = rx
        self._over: Transmission | None = None
        self._next = 0
        self._last: str | None = None
        self._muting = False
        self._digits = ""
        self._places: deque[list[int]] = deque(maxlen=KEPT)

    @property
    def stage(self) -> Stage:
        """What it holds back."""
        return Stage("DTMF mute", HELD / AUDIO_RATE)

    def advance(self, now: int) -> None:
        """Act on everything that is known at `now`."""
        self.rx.advance(now)

    def begun(self) -> Sequence[Transmission]:
        """Overs that began since the last call, oldest first."""
        begun = self.rx.begun()
        for over in begun:
            if self._over is not None:
                self._look(self._until(self.rx.available()))
            self._over, self._next, self._last, self._muting, self._digits = over, over.start, None, False, ""
        return begun

    def available(self) -> int:
        """Index of the sample after the last one that may be read."""
        come = self.rx.available()
        self._look(self._until(come))
        return come - HELD

    def read(self, start: int, n: int) -> Audio:
        """(n,) float32 from `start`, digits silent."""
        self._look(self._until(self.rx.available()))
        speech = np.array(self.rx.read(start, n), np.float32)
        for first, last in self._places:
            if first - RAMP < start + n and last + RAMP > start:
                gain = np.ones(last - first + 2 * RAMP, np.float32)
                gain[RAMP:-RAMP] = 0.0
                gain[:RAMP], gain[-RAMP:] = _FADE, _FADE[::-1]
                offset = first - RAMP - start
                a, b = max(0, offset), min(n, offset + len(gain))
                speech[a:b] *= gain[a - offset : b - offset]
        return speech

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
                self._muting = False
            elif self._muting and digit == self._last:
                self._places[-1][1] = place + WINDOW + MARGIN
            elif digit == self._last:
                self._muting = True
                self._digits += digit
                self._places.append([place - HOP - MARGIN, place + WINDOW + MARGIN])
            else:
                self._muting = False
            self._last = digit
        self._next += windows * HOP
        if self._digits:
            over.facts.dtmf = self._digits


class _Foreseeing(DigitMute):
    """One whose receiver knows its future: what is held back changes nothing about when overs begin and end."""

    def __init__(self, rx: RxPort, quiet_until: Callable[[int], int]) -> None:
        super().__init__(rx)
        self.quiet_until = quiet_until


_MUTED: WeakValueDictionary[int, DigitMute] = WeakValueDictionary()
"""By the identity of the receiver, which lives as long as what mutes it."""


def without_digits(rx: RxPort) -> DigitMute:
    """The receiver without its digits; always the same one, so that a reload does not disturb an over."""
    muted = _MUTED.get(id(rx))
    if muted is None:
        muted = _Foreseeing(rx, rx.quiet_until) if isinstance(rx, QuietPort) else DigitMute(rx)
        _MUTED[id(rx)] = muted
    return muted
