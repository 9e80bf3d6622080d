"""What all modulators share: speech in, keyed complex baseband out, with the index kept straight.

    AudioBlock 8 kHz ─▶ speech filter, limiter ─▶ interpolation ─▶ carrier × keying envelope ─▶ IqBlock

A modulator is silent until it is keyed: exact zeros. Output sample `k·rate/8000` is on the air at the same instant as
speech sample `k`. `delay` speech samples are held back; `flush()` gives them, and the tail of an over already released.

Where a stream begins, or goes on after a gap, the first output sample is that of the first input sample: the
filters' ringing before it (a few ms) is not sent, so that output never overlaps what was flushed.
"""

import abc
import math

import numpy as np
from numpy.typing import NDArray

from dsp.blocks import AUDIO_RATE, AudioBlock, IqBlock
from dsp.errors import RangeError, RateError, ShapeError
from dsp.mod.interpolate import Interpolator, Samples
from dsp.mod.keying import Keying, Over


class Modulator(abc.ABC):
    """One transmitter. Carrier amplitude 1.0 (SSB: 1.0 at full-scale speech).

    rate: of the output, a multiple of 8 kHz. rise_s: length of the carrier's rise and fall. tail_s: carrier after the
    release of the key.
    """

    def __init__(self, rate: int, rise_s: float, tail_s: float) -> None:
        if not 0 <= rise_s <= 0.1:
            raise RangeError(f"rise_s = {rise_s:g} is outside 0 … 0.1 s")
        if not 0 <= tail_s <= 10:
            raise RangeError(f"tail_s = {tail_s:g} is outside 0 … 10 s")
        self.rate = rate
        self._factor = rate // AUDIO_RATE
        self._keying = Keying(self._factor, round(rise_s * rate), round(tail_s * rate))

    @property
    @abc.abstractmethod
    def delay(self) -> int:
        """Speech samples held back."""

    @abc.abstractmethod
    def _reset_line(self) -> None:
        """Forget the speech inside."""

    @abc.abstractmethod
    def _shape(self, speech: NDArray[np.float64]) -> Samples:
        """(n,) speech → (n·factor,) modulating signal of the speech `delay` samples ago."""

    @abc.abstractmethod
    def _carrier(self, signal: Samples, index: NDArray[np.int64], overs: list[Over]) -> NDArray[np.complex128]:
        """The carrier at the output samples `index`, before the keying envelope."""

    def reset(self) -> None:
        """Back to the constructed state: unkeyed, nothing inside."""
        self._keying.reset()
        self._sent = 0
        self._next: int | None = None
        self._ahead = 0
        self._reset_line()

    def key(self, index: int) -> None:
        """Carrier on from speech sample `index`. Raises `RangeError` if that is past, or an over is still on."""
        self._keying.key(index)

    def unkey(self, index: int) -> None:
        """Key up from speech sample `index` on, or at once if that is past. Never refused; the earliest release counts.

        The tail of tone or code follows; `reset()` stops the carrier dead.
        """
        self._keying.unkey(index)

    @property
    def keyed(self) -> bool:
        """Whether an over has been begun and not released."""
        return self._keying.keyed

    def process(self, block: AudioBlock) -> IqBlock:
        """Speech → complex baseband at `rate`, lagging by `delay` speech samples. NaN and infinity count as silence.

        Raises `RateError` for a rate other than 8 kHz, `ShapeError` for samples that are not (n,), `RangeError` for a
        block that starts before the end of the one before.
        """
        if block.rate != AUDIO_RATE:
            raise RateError(f"speech at {block.rate} samples/s; a modulator takes {AUDIO_RATE}")
        if block.samples.ndim != 1:
            raise ShapeError(f"speech of shape {block.samples.shape}; a modulator takes one row, (n,)")
        if block.index != self._next:
            self._begin(block.index)
        speech = np.asarray(block.samples, np.float64)
        return self._run(np.where(np.isfinite(speech), speech, 0.0))

    def flush(self) -> IqBlock:
        """What is still inside, and the tail of the over if it has been released."""
        if self._next is None:
            return IqBlock(np.zeros(0, np.complex64), self.rate, self._sent * self._factor)
        n = self.delay if self._keying.keyed else max(self.delay, self._keying.end - self._next + self.delay)
        out = self._run(np.zeros(n))
        self._next = None
        return out

    def _begin(self, index: int) -> None:
        if index < self._sent:
            raise RangeError(f"speech at index {index}; samples up to {self._sent} have been sent")
        self._reset_line()
        self._next = index
        self._ahead = self.delay
        self._sent = index

    def _run(self, speech: NDArray[np.float64]) -> IqBlock:
        assert self._next is not None
        self._next += len(speech)
        signal = self._shape(speech)
        drop = min(self._ahead, len(speech))
        self._ahead -= drop
        signal = signal[drop * self._factor :]
        start = self._sent * self._factor
        self._sent += len(speech) - drop
        index = np.arange(start, start + len(signal), dtype=np.int64)
        overs = self._keying.overs(start, start + len(signal))
        carrier = self._carrier(signal, index, overs)
        envelope = np.zeros(len(index))
        for over in overs:
            envelope += self._keying.envelope(over, index)
        return IqBlock((carrier * envelope).astype(np.complex64), self.rate, start)


def factor_of(rate: int, base: int, needed_hz: float, what: str) -> int:
    """How often `base` goes into `rate`. Raises `RateError` if it does not, or if the signal is too wide for it."""
    if rate % base or rate < needed_hz:
        least = base * math.ceil(max(needed_hz, base) / base)
        nearest = max(least, base * round(rate / base))
        raise RateError(f"{what} at {rate} samples/s: it takes a multiple of {base} from {least} up; nearest {nearest}")
    return rate // base


def modulate(modulator: Modulator, speech: NDArray[np.floating], lead_s: float = 0.0, tail_s: float = 0.0) -> IqBlock:
    """One whole over, for tests and files: key, `lead_s` of carrier, the speech, `tail_s` of carrier, release, tail.

    speech: (n,) at 8 kHz, full scale ±1.0. The modulator is reset before. Returns an IqBlock that starts at 0.
    """
    lead, tail = round(lead_s * AUDIO_RATE), round(tail_s * AUDIO_RATE)
    audio = np.concatenate([np.zeros(lead), speech, np.zeros(tail)]).astype(np.float32)
    modulator.reset()
    modulator.key(0)
    modulator.unkey(len(audio))
    parts = [modulator.process(AudioBlock(audio, AUDIO_RATE, 0)), modulator.flush()]
    return IqBlock(np.concatenate([p.samples for p in parts]), modulator.rate, 0)


class BandLimited(Modulator):
    """A modulator whose modulating signal is speech, clipped at full scale, through one interpolating filter."""

    def __init__(self, rate: int, rise_s: float, tail_s: float, shaping: Interpolator) -> None:
        self._shaping = shaping
        super().__init__(rate, rise_s, tail_s)
        self.reset()

    @property
    def delay(self) -> int:
        """Speech samples held back."""
        return self._shaping.delay

    def _reset_line(self) -> None:
        self._shaping.reset()

    def _shape(self, speech: NDArray[np.float64]) -> Samples:
        return self._shaping.process(np.clip(speech, -1.0, 1.0))
