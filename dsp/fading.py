"""What the path adds to a signal: another frequency, drift, a second ray, fading. For tests and scenes.

Stages of one IQ stream, as those of `dsp.impair`, and chained with them. All are functions of the absolute index (or of
integer sums over it), so nothing depends on how the stream is cut.

Frequency errors are of the transmitter against the receiver: ±1.5 ppm at 155 MHz is ±230 Hz. A speed v gives a Doppler
shift of f·v/c: 30 m/s at 155 MHz is 15.5 Hz.
"""

import math

import numpy as np
from numpy.typing import NDArray

from dsp.blocks import IqBlock
from dsp.design import kaiser_window
from dsp.errors import RangeError
from dsp.impair import Instant
from dsp.mod import phase


class FrequencyOffset(Instant):
    """Shifts by `offset_hz` at index 0, and by `drift_hz_s` more every second.

    Phase is zero at index 0 without drift, and where a stream begins with it.
    """

    def __init__(self, rate: int, offset_hz: float, drift_hz_s: float = 0.0) -> None:
        if not abs(offset_hz) <= rate / 2:
            raise RangeError(f"frequency offset = {offset_hz:g} Hz is outside ±{rate / 2:g} Hz (half the rate)")
        self._rate = rate
        self._offset_hz = offset_hz
        self._drift_hz_s = drift_hz_s
        self.reset()

    def reset(self) -> None:
        """Back to the constructed state."""
        self._next: int | None = None
        self._phase = 0

    def process(self, block: IqBlock) -> IqBlock:
        """(n,) complex64 → (n,) complex64."""
        index = np.arange(block.index, block.end, dtype=np.int64)
        if self._drift_hz_s == 0:
            turn = phase.at(index, phase.step(self._offset_hz, self._rate))
        else:
            if block.index != self._next:
                self._phase = 0
            self._next = block.end
            hz = np.asarray(self._offset_hz + self._drift_hz_s / self._rate * index, np.float64)
            turn = phase.run(self._phase, phase.steps(hz, self._rate))
            if len(turn):
                self._phase = int(turn[-1])
        return IqBlock((block.samples * phase.phasor(turn)).astype(np.complex64), block.rate, block.index)


class Rayleigh(Instant):
    """Flat fading with the classic (Jakes) Doppler spectrum, mean power gain 1.

    Sum of 32 rays with angles spread evenly from a random start and random phases: Y. R. Zheng, C. Xiao, "Simulation
    models with correct statistical properties for Rayleigh fading channels", IEEE Trans. Commun. 51 (2003) 920.
    doppler_hz: the largest shift. seed: of this path alone; another seed is another path.
    """

    RAYS = 32

    def __init__(self, rate: int, doppler_hz: float, seed: int) -> None:
        if not 0 < doppler_hz < rate / 20:
            raise RangeError(f"Doppler = {doppler_hz:g} Hz is outside 0 … {rate / 20:g} Hz (a twentieth of the rate)")
        rng = np.random.Generator(np.random.PCG64(seed))
        angles = 2 * np.pi * (np.arange(self.RAYS) + rng.uniform()) / self.RAYS
        self._advances = [phase.step(doppler_hz * math.cos(a), rate) for a in angles]
        self._phases = [int(p) for p in rng.integers(0, phase.TURN, self.RAYS)]

    def gain(self, index: NDArray[np.int64]) -> NDArray[np.complex128]:
        """Complex gain at the sample indices."""
        total = np.zeros(len(index), np.complex128)
        for advance, start in zip(self._advances, self._phases, strict=True):
            total += phase.phasor(phase.at(index, advance) + np.int64(start))
        return np.asarray(total / math.sqrt(self.RAYS))

    def process(self, block: IqBlock) -> IqBlock:
        """(n,) complex64 → (n,) complex64."""
        gain = self.gain(np.arange(block.index, block.end, dtype=np.int64))
        return IqBlock((block.samples * gain).astype(np.complex64), block.rate, block.index)


_REACH = 16
"""Samples on either side that the delayed ray is interpolated from: 80 dB down errors up to 0.4 of the rate."""


class TwoRay:
    """A second ray: later, weaker, turned, and with its own Doppler shift; the index is that of the first.

        y(t) = x(t) + g · e^(j(φ + 2π·f·t)) · x(t − τ)

    delay_s: τ, 0 … 1 ms, any fraction of a sample. level_db: g. phase_deg: φ at index 0. doppler_hz: f, the difference
    between the rays. Signals within ±0.4 of the rate.
    """

    def __init__(
        self, rate: int, delay_s: float, level_db: float = 0.0, phase_deg: float = 0.0, doppler_hz: float = 0.0
    ) -> None:
        if not 0 <= delay_s <= 1e-3:
            raise RangeError(f"second ray {delay_s:g} s later; it is 0 … 0.001 s")
        if not abs(level_db) <= 60:
            raise RangeError(f"second ray at {level_db:g} dB; it is within ±60 dB")
        whole = round(delay_s * rate)
        lag = np.arange(-_REACH, _REACH + 1)
        part = delay_s * rate - whole
        taps = np.sinc(lag - part) * kaiser_window(2 * _REACH + 1, 80.0)
        self._taps = taps / taps.sum() * 10 ** (level_db / 20)
        self._past_needed = whole + 2 * _REACH
        self._turn = phase.step(doppler_hz, rate)
        self._start = np.int64(phase.step(phase_deg, 360))
        self.reset()

    @property
    def delay(self) -> int:
        """Samples held back."""
        return _REACH

    def reset(self) -> None:
        """Back to the constructed state."""
        self._next: int | None = None
        self._past: NDArray[np.complex64] = np.zeros(0, np.complex64)
        self._skip = 0
        self._sent = 0

    def process(self, block: IqBlock) -> IqBlock:
        """(n,) complex64 → (n,) complex64, `delay` samples later. A jump of the index starts afresh."""
        if block.index != self._next:
            self._past = np.zeros(self._past_needed, np.complex64)
            self._skip = _REACH
            self._sent = block.index
        self._next = block.end
        held = np.concatenate([self._past, block.samples])
        self._past = held[len(held) - self._past_needed :]
        n = len(block.samples)
        # held[k] is input sample block.index − past_needed + k; output sample i is input sample i − reach.
        first = np.zeros(n, np.complex128) + held[self._past_needed - _REACH :][:n]
        second = np.zeros(n, np.complex128)
        for k, tap in enumerate(self._taps):
            second += held[2 * _REACH - k : 2 * _REACH - k + n] * tap
        index = np.arange(block.index - _REACH, block.end - _REACH, dtype=np.int64)
        second *= phase.phasor(phase.at(index, self._turn) + self._start)
        drop = min(self._skip, n)
        self._skip -= drop
        out = (first + second)[drop:].astype(np.complex64)
        self._rate = block.rate
        start, self._sent = self._sent, self._sent + len(out)
        return IqBlock(out, block.rate, start)

    def flush(self) -> IqBlock | None:
        """The last samples; the second ray ends with the first."""
        if self._next is None:
            return None
        out = self.process(IqBlock(np.zeros(_REACH, np.complex64), self._rate, self._next))
        self.reset()
        return out
