"""Project 25 Phase 1 transmitters: dibits in, IQ at any rate out. C4FM for the air, CQPSK (LSM) for tests and scenes.

    C4FM   dibits ─▶ H·P pulse at 48 kHz ─▶ × 600 Hz a step ─▶ interpolate to `rate` ─▶ ∑ phase ─▶ exp(jφ)
    CQPSK  dibits ─▶ ∑ of ±45°, ±135° ─▶ H pulse at 48 kHz, I and Q ─▶ interpolate to `rate`

Both are band-limited to 2880 Hz, so from 48 kHz to any rate a polynomial through six neighbours (Lagrange) is exact to
90 dB; positions are computed in whole numbers, so nothing drifts however long the over is.

Time: index 0 is the first sample of the over, while the carrier rises for 1 ms; dibit k has its middle (where the eye
is open) at index `(REACH + k)·rate/4800`, and the over ends `REACH` symbols after the last one, the carrier falling in
its last millisecond. `flush()` ends an over; the next begins at index 0 again, and where that is on the air is the
caller's business.

TIA-102.BAAA-B clause 8: 8.2 table of symbols, 8.3 H, 8.4 P, 8.6 CQPSK.
"""

import abc
import math
from typing import cast

import numpy as np
from numpy.typing import NDArray

from dsp.blocks import IqBlock
from dsp.errors import RangeError, RateError, ShapeError
from dsp.mod import phase
from dsp.mod.interpolate import Interpolator, Samples
from dsp.p25.c4fm import DEVIATION_HZ, SYMBOL_OF_DIBIT, SYMBOL_RATE, transmit_taps

PULSE_RATE = 48_000
"""Rate at which the pulses are formed: ten samples a symbol."""

REACH = 10
"""Symbols to either side over which a pulse reaches."""

RISE_S = 0.001
"""Rise and fall of the carrier."""

_MOST_WEIGHTS = 10_000
_PER_SYMBOL = PULSE_RATE // SYMBOL_RATE
_NODES = np.arange(-2, 4)  # the six neighbours of a position between node 0 and node 1


def _lagrange(t: NDArray[np.float64]) -> NDArray[np.float64]:
    """Weights (6, n) of the six neighbours at the fractions t of 0 … 1 between the middle two."""
    weights = np.ones((6, len(t)))
    for i, a in enumerate(_NODES):
        for b in _NODES:
            if a != b:
                weights[i] *= (t - b) / (a - b)
    return weights


class Resampler:
    """From 48 kHz to any whole rate, of one stream that is band-limited to a sixteenth of that.

    Output n is at 48 kHz position n·48000/rate exactly. `process` takes (n,) and gives what can be computed; three
    samples at 48 kHz are held back, and silence is assumed before the first.
    """

    def __init__(self, rate: int) -> None:
        self._rate = rate
        # Fractions come again after `period` outputs; their weights are kept where there are few.
        self._period = rate // math.gcd(rate, PULSE_RATE)
        self._weights = self._weights_at(np.arange(self._period)) if self._period <= _MOST_WEIGHTS else None
        self.reset()

    def _weights_at(self, outputs: NDArray[np.int64]) -> NDArray[np.float64]:
        return _lagrange(outputs * PULSE_RATE % self._rate / self._rate)

    def reset(self) -> None:
        """Back to the constructed state."""
        self._past: Samples = np.zeros(2)
        self._first = -2  # 48 kHz index of _past[0]
        self._next = 0  # next output

    def process(self, x: Samples) -> Samples:
        """(n,) at 48 kHz → those outputs of which all six neighbours are there."""
        x = np.concatenate([self._past, x])
        last = self._first + len(x) - 1 - 3  # newest node 0 with three samples after it
        stop = max(self._next, ((last + 1) * self._rate - 1) // PULSE_RATE + 1)
        outputs = np.arange(self._next, stop, dtype=np.int64)
        node = outputs * PULSE_RATE // self._rate
        weights = self._weights_at(outputs) if self._weights is None else self._weights[:, outputs % self._period]
        y = cast(Samples, np.zeros_like(x, shape=len(node)))
        for i, offset in enumerate(_NODES):
            y += weights[i] * x[node + (offset - self._first)]
        self._next = stop
        keep = max(0, stop * PULSE_RATE // self._rate - 2 - self._first)
        self._past = x[keep:]
        self._first += min(keep, len(x))
        return y


class P25Modulator(abc.ABC):
    """What both have in common: pulses, rate, carrier rise and fall, index.

    rate: of the output, 20 kS/s … 64 MS/s, any whole number. Raises `RateError` outside.
    """

    def __init__(self, rate: int, *, with_shaping: bool) -> None:
        if not 20_000 <= rate <= 64_000_000:
            raise RateError(f"rate = {rate} S/s is outside 20000 … 64000000 S/s")
        self.rate = rate
        self._rise = round(RISE_S * rate)
        self._pulse = Interpolator(transmit_taps(_PER_SYMBOL, REACH, with_shaping=with_shaping), _PER_SYMBOL)
        self._resampler = Resampler(rate)
        self.reset()

    def reset(self) -> None:
        """Back to the constructed state: the next dibits are a new over that begins at index 0."""
        self._pulse.reset()
        self._resampler.reset()
        self._index = 0
        self._reset_line()

    @property
    def delay(self) -> int:
        """Dibits held back before they are on the air."""
        return REACH

    def process(self, dibits: NDArray[np.uint8]) -> IqBlock:
        """(n,) uint8 of 0 … 3 → IQ of amplitude 1 (CQPSK: mean power 1), complex64, as far as it is determined.

        Dibits cut otherwise give the same samples. Raises `ShapeError` for another dtype or shape, `RangeError` for
        values above 3.
        """
        if dibits.dtype != np.uint8 or dibits.ndim != 1:
            raise ShapeError(f"dibits are {dibits.dtype} {dibits.shape}; a modulator takes uint8 (n,)")
        if dibits.size and dibits.max() > 3:
            raise RangeError(f"dibit {dibits.max()} is not one of 0, 1, 2, 3")
        return self._send(self._waveform(dibits))

    def flush(self) -> IqBlock:
        """The rest of the over; the next dibits begin a new one at index 0. Empty where no over has begun."""
        rest = IqBlock(np.empty(0, np.complex64), self.rate, 0)
        if self._started:
            rest = self._send(np.concatenate([self._ringing(), np.zeros(3)]))
            fall = min(self._rise, len(rest.samples))
            rest.samples[len(rest.samples) - fall :] *= _rise(np.arange(fall, 0, -1), self._rise)
        self.reset()
        return rest

    def _send(self, waveform: Samples) -> IqBlock:
        y = self._carrier(self._resampler.process(waveform)).astype(np.complex64)
        first, self._index = self._index, self._index + len(y)
        head = max(0, min(len(y), self._rise - first))
        y[:head] *= _rise(np.arange(first, first + head), self._rise)
        return IqBlock(y, self.rate, first)

    @property
    def _started(self) -> bool:
        return self._index > 0

    @abc.abstractmethod
    def _reset_line(self) -> None:
        """Forget phase."""

    @abc.abstractmethod
    def _waveform(self, dibits: NDArray[np.uint8]) -> Samples:
        """Shaped symbols at 48 kHz."""

    @abc.abstractmethod
    def _ringing(self) -> Samples:
        """What the pulses still have to say: twice `REACH` symbols at 48 kHz."""

    @abc.abstractmethod
    def _carrier(self, waveform: Samples) -> NDArray[np.complex128]:
        """Baseband of the shaped symbols, at the output rate."""


class C4fmModulator(P25Modulator):
    """The C4FM transmitter. deviation_hz: of the outer symbols; anything but 1800 Hz is for tests.

    Raises `RangeError` outside 1000 … 3000 Hz.
    """

    def __init__(self, rate: int, deviation_hz: float = DEVIATION_HZ) -> None:
        if not 1000 <= deviation_hz <= 3000:
            raise RangeError(f"deviation = {deviation_hz:g} Hz is outside 1000 … 3000 Hz; the standard's is 1800 Hz")
        self._step_hz = deviation_hz / 3
        super().__init__(rate, with_shaping=True)

    def _reset_line(self) -> None:
        self._turn = 0
        self._last = 0.0

    def _waveform(self, dibits: NDArray[np.uint8]) -> Samples:
        return self._pulse.process(SYMBOL_OF_DIBIT[dibits])

    def _ringing(self) -> Samples:
        return self._pulse.process(np.zeros(2 * REACH))

    def _carrier(self, waveform: Samples) -> NDArray[np.complex128]:
        if not len(waveform):
            return np.empty(0, np.complex128)
        # Between two samples the phase turns by the mean of both frequencies; by the later alone it would lag half one.
        now = waveform.real
        before = np.concatenate([[self._last], now[:-1]])
        turn = phase.run(self._turn, phase.steps((before + now) * (self._step_hz / 2), self.rate))
        self._turn, self._last = int(turn[-1]), float(now[-1])
        return phase.phasor(turn)


class CqpskModulator(P25Modulator):
    """The linear (LSM) transmitter: the same dibits as phase steps, pulse H alone. For tests and simulcast scenes."""

    def __init__(self, rate: int) -> None:
        self._pulse_q = Interpolator(transmit_taps(_PER_SYMBOL, REACH, with_shaping=False), _PER_SYMBOL)
        super().__init__(rate, with_shaping=False)

    def _reset_line(self) -> None:
        self._eighth = 0
        self._pulse_q.reset()

    def _waveform(self, dibits: NDArray[np.uint8]) -> Samples:
        eighths = self._eighth + np.cumsum(SYMBOL_OF_DIBIT[dibits].astype(np.int64))
        if len(eighths):
            self._eighth = int(eighths[-1]) % 8
        angle = np.pi / 4 * (eighths % 8)
        return self._both(np.cos(angle), np.sin(angle))

    def _ringing(self) -> Samples:
        return self._both(np.zeros(2 * REACH), np.zeros(2 * REACH))

    def _carrier(self, waveform: Samples) -> NDArray[np.complex128]:
        return np.asarray(waveform, np.complex128)

    def _both(self, i: NDArray[np.float64], q: NDArray[np.float64]) -> Samples:
        out = np.empty(len(i) * _PER_SYMBOL, np.complex128)
        # The raised cosine pulse carries 1 − α/4 of the symbols' power (α = 0.2).
        out.real = self._pulse.process(i) / np.sqrt(0.95)
        out.imag = self._pulse_q.process(q) / np.sqrt(0.95)
        return out


def _rise(index: NDArray[np.int64], length: int) -> NDArray[np.float32]:
    """Raised cosine from 0 to 1 over `length` samples."""
    return (0.5 - 0.5 * np.cos(np.pi * index / length)).astype(np.float32)
