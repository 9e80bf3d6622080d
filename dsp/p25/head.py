"""What the head of a unit says once its symbols are known: its pulse, its frequency and its deviation.

The points of C4FM and LSM are the same; the ways between them are not. Over the 57 symbols of sync and network
identifier the difference is beyond doubt long before the identifier itself is in danger: at 4 dB Eb/N0, where the wrong
filter has fewer errors by chance in a third of the heads, and with two rays, which bend both ways alike. And what 24
symbols of sync say of the frequency, good to 25 Hz there, the whole head says three times as well.
"""

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from dsp.p25 import _head
from dsp.p25.c4fm import SYMBOL_OF_DIBIT, SYMBOL_RATE, transmit_taps
from dsp.p25.lsm import PER_SYMBOL, PHASES, PULSE_HALF, Pulse, pulses
from dsp.p25.symbols import STATUS_PERIOD

HEAD = 57
"""Symbols of sync, network identifier and the status symbol among them."""

BLOCK = 17
"""Symbols compared in one phase: 3.5 ms, in which fading of 50 Hz turns little."""

FREQUENCY_HZ, DEVIATION = 20.0, 0.02
"""How well frequency and deviation (a share) are known from the sync: standard deviations at 4 dB Eb/N0."""

BAND = 0.475
"""Share of the noise of all frequencies that is left in the modem's ±5.7 kHz of 24 kHz."""

_SYMBOL_OF_DIBIT = SYMBOL_OF_DIBIT.astype(np.float32)
_REACH = 10
_FINE = PER_SYMBOL * PHASES
_FIRST = 2
_STATUS = STATUS_PERIOD - 1
_SYMBOLS = 3 * BLOCK
_SAMPLES = _SYMBOLS * PER_SYMBOL
# The status symbol and what it reaches into lie between these, counted from `_FIRST`.
_BEFORE, _BEHIND = _STATUS - _FIRST - 2, _STATUS - _FIRST + 1
_TURN_BEFORE = FREQUENCY_HZ * 2 * np.pi / SYMBOL_RATE
_STEP_BEFORE = DEVIATION * np.pi / 4
_TURN_TRIED, _STEP_TRIED = _TURN_BEFORE / 3, _STEP_BEFORE / 2  # as far apart as the trials are


@cache
def responses(pulse: Pulse, phase: int) -> NDArray[np.float32]:
    """What each of 57 symbols brings to each sample: C4FM its phase, LSM its amplitude. (57, 256) float32.

    The 255 samples begin `_FIRST` symbols after the point of symbol 0, `phase`/8 of a sample before the grid of points;
    one more fills the row.
    """
    at = PHASES * (np.arange(_SAMPLES + 1) + _FIRST * PER_SYMBOL) - phase - _FINE * np.arange(HEAD)[:, None]
    if pulse is Pulse.C4FM:
        taps = transmit_taps(_FINE, _REACH)
        turned = np.concatenate([np.cumsum(taps) - taps / 2, [1.0]])
        # From the point, where the turn is done, to the middle of the symbol.
        return np.asarray(turned[np.clip(at + _FINE // 2 + _REACH * _FINE, 0, len(turned) - 1)], np.float32)
    samples = (at + phase) // PHASES + PULSE_HALF
    shape = np.concatenate([pulses(pulse)[phase], [0.0]])
    there = (samples >= 0) & (samples <= 2 * PULSE_HALF)
    return np.asarray(shape[np.where(there, samples, -1)], np.float32)


@dataclass(frozen=True, slots=True, eq=False)
class Compared:
    """What came beside what was sent.

    of: (51,) complex64, by symbol; all the same where nothing but size and phase is different. likeness: share of the
    power that came which is the head as sent, 0 … 1. certainty: log likelihood for |∑ of|². turned: (51,) float32, by
    how many units of symbol the carrier had turned.
    """

    of: NDArray[np.complex64]
    likeness: float
    certainty: float
    turned: NDArray[np.float32]

    def off(self, *, deviates: bool) -> tuple[float, float]:
        """By how much the frequency is higher than was taken, radians a symbol, and a unit of symbol larger, radians.

        deviates: whether the deviation is not the nominal one; else the second is 0.
        """
        # The likeliest: the sum over all symbols is greatest where nothing turns any more. The status symbol may have
        # been misread; then all behind it are turned by a multiple of two units.
        return _head.off(
            self.of,
            self.turned,
            _BEFORE,
            _BEHIND,
            self.certainty,
            _TURN_TRIED,
            _TURN_BEFORE,
            _STEP_TRIED,
            _STEP_BEFORE,
            deviates,
        )


def compare(
    x: NDArray[np.complex64], first: int, pulse: Pulse, phase: int, dibits: NDArray[np.uint8], turn: float, step: float
) -> Compared:
    """The head as that pulse would have been sent, beside x.

    x[first]: the sample before the point of symbol 0, which is `phase`/8 samples later. dibits: (57,) of the head.
    turn: frequency error, radians a symbol. step: radians per unit of symbol, for C4FM.
    """
    of = np.empty(_SYMBOLS, np.complex64)
    likeness, power, size = _head.compare(
        x, first + _FIRST * PER_SYMBOL, responses(pulse, phase), pulse is Pulse.C4FM, dibits, turn, step, of
    )
    noise = max(1 - likeness, 0.01) * power / _SAMPLES / BAND
    symbols = _SYMBOL_OF_DIBIT[dibits]
    turned = np.cumsum(symbols, dtype=np.float32) - symbols / np.float32(2)
    turned = turned[_FIRST + 1 :][:_SYMBOLS]
    return Compared(of, likeness, 1 / (size * noise), turned)
