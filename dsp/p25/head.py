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

_REACH = 10
_FINE = PER_SYMBOL * PHASES
_FIRST = 2
_STATUS = STATUS_PERIOD - 1
_SYMBOLS = 3 * BLOCK
_SAMPLES = _SYMBOLS * PER_SYMBOL
_BEFORE, _BEHIND = slice(0, _STATUS - _FIRST - 2), slice(_STATUS - _FIRST + 1, _SYMBOLS)
_TURN_BEFORE = FREQUENCY_HZ * 2 * np.pi / SYMBOL_RATE
_STEP_BEFORE = DEVIATION * np.pi / 4
_TURNS = np.arange(-12, 13) * (_TURN_BEFORE / 3)
_STEPS = np.arange(-6, 7) * (_STEP_BEFORE / 2)


@cache
def _responses(pulse: Pulse, phase: int) -> NDArray[np.float64]:
    """What each of 57 symbols brings to each sample: C4FM its phase, LSM its amplitude. (57, samples) float64.

    The samples begin `_FIRST` symbols after the point of symbol 0, `phase`/8 of a sample before the grid of points.
    """
    at = PHASES * (np.arange(_SAMPLES) + _FIRST * PER_SYMBOL) - phase - _FINE * np.arange(HEAD)[:, None]
    if pulse is Pulse.C4FM:
        taps = transmit_taps(_FINE, _REACH)
        turned = np.concatenate([np.cumsum(taps) - taps / 2, [1.0]])
        # From the point, where the turn is done, to the middle of the symbol.
        return np.asarray(turned[np.clip(at + _FINE // 2 + _REACH * _FINE, 0, len(turned) - 1)])
    samples = (at + phase) // PHASES + PULSE_HALF
    shape = np.concatenate([pulses(pulse)[phase], [0.0]])
    return np.asarray(shape[np.where((samples >= 0) & (samples <= 2 * PULSE_HALF), samples, -1)])


@dataclass(frozen=True, slots=True, eq=False)
class Compared:
    """What came beside what was sent.

    of: (51,) complex128, by symbol; all the same where nothing but size and phase is different. likeness: share of the
    power that came which is the head as sent, 0 … 1. certainty: log likelihood for |∑ of|². turned: (51,) float64, by
    how many units of symbol the carrier had turned.
    """

    of: NDArray[np.complex128]
    likeness: float
    certainty: float
    turned: NDArray[np.float64]

    def off(self, *, deviates: bool) -> tuple[float, float]:
        """By how much the frequency is higher than was taken, radians a symbol, and a unit of symbol larger, radians.

        deviates: whether the deviation is not the nominal one; else the second is 0.
        """
        turns, steps = _TURNS, _STEPS if deviates else np.zeros(1)
        # The likeliest: the sum over all symbols is greatest where nothing turns any more. The status symbol may have
        # been misread; then all behind it are turned by a multiple of two units.
        straight = self.of * np.exp(-1j * steps[:, None] * self.turned)
        spin = np.exp(-1j * np.arange(_SYMBOLS)[:, None] * turns)
        before, behind = (np.einsum("ik,kj", straight[:, part], spin[part]) for part in (_BEFORE, _BEHIND))
        sums = np.max([np.abs(before + behind * 1j**quarter) for quarter in range(4)], axis=0)
        likely = self.certainty * sums**2
        likely -= (turns / _TURN_BEFORE) ** 2 / 2 + (steps[:, None] / _STEP_BEFORE) ** 2 / 2
        i, k = np.unravel_index(int(likely.argmax()), likely.shape)
        turn = turns[k] + _vertex(likely[i], int(k)) * (turns[1] - turns[0])
        step = steps[i] + (_vertex(likely[:, k], int(i)) * (steps[1] - steps[0]) if deviates else 0.0)
        return float(turn), float(step)


def compare(
    x: NDArray[np.complex64], first: int, pulse: Pulse, phase: int, dibits: NDArray[np.uint8], turn: float, step: float
) -> Compared:
    """The head as that pulse would have been sent, beside x.

    x[first]: the sample before the point of symbol 0, which is `phase`/8 samples later. dibits: (57,) of the head.
    turn: frequency error, radians a symbol. step: radians per unit of symbol, for C4FM.
    """
    symbols = SYMBOL_OF_DIBIT[dibits]
    total = np.cumsum(symbols)
    response = _responses(pulse, phase)
    if pulse is Pulse.C4FM:
        sent = np.exp(1j * step * np.einsum("k,kn", symbols, response))
    else:
        sent = np.einsum("k,kn", np.exp(1j * np.pi / 4 * total), response)
    sent *= np.exp(1j * turn / PER_SYMBOL * np.arange(_SAMPLES))
    came = x[first + _FIRST * PER_SYMBOL :][:_SAMPLES]
    of = (sent.conj() * came).reshape(_SYMBOLS, PER_SYMBOL).sum(1)
    size = (np.abs(sent) ** 2).reshape(_SYMBOLS, PER_SYMBOL).sum(1)
    fit = np.abs(of.reshape(-1, BLOCK).sum(1)) ** 2 / size.reshape(-1, BLOCK).sum(1)
    power = max(float((np.abs(came) ** 2).sum()), 1e-30)
    likeness = float(fit.sum() / power)
    noise = max(1 - likeness, 0.01) * power / _SAMPLES / BAND
    return Compared(of, likeness, 1 / (float(size.sum()) * noise), (total - symbols / 2)[_FIRST + 1 :][:_SYMBOLS])


def _vertex(values: NDArray[np.float64], at: int) -> float:
    """Of the parabola through a greatest value and its neighbours, from there; 0 at the edge."""
    if not 0 < at < len(values) - 1:
        return 0.0
    left, middle, right = values[at - 1 : at + 2]
    bend = left - 2 * middle + right
    return float(0.5 * (left - right) / bend) if bend < 0 else 0.0
