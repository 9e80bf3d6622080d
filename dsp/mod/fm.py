"""Frequency modulation of speech: narrow band for two-way radio, wide band for broadcast.

    speech 8 kHz ─▶ band-limit × pre-emphasis, to 24 kHz ─▶ clip ─▶ 3 kHz low-pass ─▶ clip ─▶ × deviation
       ─▶ interpolate to `rate` ─▶ + tone or code ─▶ ∑ phase ─▶ exp(jφ)

Pre-emphasis rises by 6 dB an octave, as 750 µs does, with unit gain at 1 kHz: a 1 kHz tone of amplitude a deviates by
a times the maximum, and a receiver with 750 µs de-emphasis of unit gain at 1 kHz gives a back. Speech, its peaks
clipped, has what tone or code leave of the maximum (TIA-603-E: 2.5 kHz in 12.5 kHz, 5 kHz in 25 kHz channels).

Clipping at 24 kHz and filtering after it keep the corners of the clipped wave out of the neighbour channel; the filter
overshoots by a tenth or so, which the last clip cuts off, and that little leaves little behind.

Broadcast (47 CFR 73.1570 and 73.333): 75 kHz, 75 or 50 µs, also with unit gain at 1 kHz; speech of 100 to 3400 Hz.
"""

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from dsp.blocks import AUDIO_RATE
from dsp.design import from_response, kaiser_length, lowpass
from dsp.errors import RangeError
from dsp.mod import phase
from dsp.mod.base import Modulator, factor_of
from dsp.mod.interpolate import Interpolator, Samples, span
from dsp.mod.keying import Over
from dsp.mod.tones import DEFAULT_SHARE, Signalling

Emphasis = Literal["none", "nfm", "wfm75", "wfm50"]

AUDIO_STAGE_RATE = 24_000
"""Rate of limiter and splatter filter: three times the speech, so that clipping folds nothing back under 3 kHz."""

_TIME_CONSTANT = {"none": 0.0, "nfm": 750e-6, "wfm75": 75e-6, "wfm50": 50e-6}
_CLIP = 0.85
"""First clip, as a share of what the last one allows: room for the low-pass to overshoot."""


class FmModulator(Modulator):
    """One FM transmitter; `Modulator` says how it is fed, keyed and flushed.

    rate: of the output, a multiple of 24 kHz that holds twice the deviation and the speech, with a quarter to spare:
    from 24 kHz for 2.5 and 5 kHz of deviation (there the outermost tails of 5 kHz fold back, 35 dB below the carrier
    at worst; 48 kHz has none), from 240 kHz for 75 kHz. deviation_hz: peak, tone included. emphasis: "nfm", "wfm75",
    "wfm50" or "none". tone: `Ctcss` or `Dcs`. rise_s: carrier rise and fall.
    """

    def __init__(
        self,
        rate: int,
        deviation_hz: float,
        emphasis: Emphasis = "nfm",
        tone: Signalling | None = None,
        rise_s: float = 0.002,
    ) -> None:
        if not 500 <= deviation_hz <= 100_000:
            raise RangeError(f"deviation = {deviation_hz:g} Hz is outside 500 … 100000 Hz")
        if emphasis not in _TIME_CONSTANT:
            raise RangeError(f'emphasis "{emphasis}" is none of {", ".join(_TIME_CONSTANT)}')
        up = factor_of(rate, AUDIO_STAGE_RATE, 2 * (deviation_hz + 3_000) / 0.75, f"FM of {deviation_hz:g} Hz")
        self.tone = tone
        self.tone_deviation_hz = 0.0
        if tone is not None:
            self.tone_deviation_hz = DEFAULT_SHARE * deviation_hz if tone.deviation_hz is None else tone.deviation_hz
        if not 0 <= self.tone_deviation_hz <= deviation_hz / 2:
            raise RangeError(
                f"tone deviation = {self.tone_deviation_hz:g} Hz; at most half of the channel's {deviation_hz:g} Hz"
            )
        self.deviation_hz = deviation_hz
        self.speech_deviation_hz = deviation_hz - self.tone_deviation_hz
        wide = emphasis.startswith("wfm")
        self._shaping = Interpolator(speech_taps(_TIME_CONSTANT[emphasis], wide), AUDIO_STAGE_RATE // AUDIO_RATE)
        self._splatter = Interpolator(_splatter_taps(3_400.0 if wide else 3_000.0))
        self._raising = Interpolator(_raising_taps(up), up)
        held = self._splatter.delay + self._raising.delay
        self._delay = self._shaping.delay + held // self._shaping.factor
        super().__init__(rate, rise_s, tone.tail_s if tone else 0.0)
        self.reset()

    @property
    def delay(self) -> int:
        """Speech samples held back."""
        return self._delay

    def _reset_line(self) -> None:
        self._phase = 0
        for stage in (self._shaping, self._splatter, self._raising):
            stage.reset()

    def _shape(self, speech: NDArray[np.float64]) -> Samples:
        limit = self.speech_deviation_hz / self.deviation_hz
        x = np.clip(self._shaping.process(speech).real, -_CLIP * limit, _CLIP * limit)
        x = np.clip(self._splatter.process(x).real, -limit, limit)
        return self._raising.process(x) * self.deviation_hz

    def _carrier(self, signal: Samples, index: NDArray[np.int64], overs: list[Over]) -> NDArray[np.complex128]:
        # Interpolation between clipped samples may overshoot by a fraction of a per cent: the limit is absolute.
        deviation = np.clip(signal.real, -self.speech_deviation_hz, self.speech_deviation_hz)
        if self.tone is not None:
            for over in overs:
                keyed = slice(*np.searchsorted(index, [over.key, _FOREVER if over.end is None else over.end]))
                released = None if over.unkey is None else over.unkey - over.key
                wave = self.tone.wave(index[keyed] - over.key, released, self.rate)
                deviation[keyed] += self.tone_deviation_hz * wave
        angle = phase.run(self._phase, phase.steps(deviation, self.rate))
        if len(angle):
            self._phase = int(angle[-1])
        return phase.phasor(angle)


_FOREVER = np.iinfo(np.int64).max


def speech_taps(time_constant_s: float, wide: bool = False) -> NDArray[np.float64]:
    """Band-limit and pre-emphasis as one FIR at 24 kHz, interpolating by 3.

    Passband 300 … 3000 Hz (wide: 100 … 3400 Hz). Unit gain at 1 kHz. The lower edge,
    130 Hz wide, keeps speech away from the tones below it and sets the delay: 10 ms.
    """
    grid = np.linspace(0, AUDIO_STAGE_RATE / 2, 4097)
    low, high = (60.0, 3_600.0) if wide else (255.0, 3_250.0)
    magnitude = np.hypot(1, 2 * np.pi * grid * time_constant_s)
    magnitude /= np.hypot(1, 2 * np.pi * 1000 * time_constant_s)
    magnitude[(grid < low) | (grid > high)] = 0
    length = span(kaiser_length(50.0, 130.0, AUDIO_STAGE_RATE), 3)
    return from_response(magnitude, AUDIO_STAGE_RATE, length, 50.0)


def _splatter_taps(passband_hz: float) -> NDArray[np.float64]:
    """Low-pass after the clipper: flat to the passband's edge, 60 dB down 1.2 kHz above it."""
    length = span(kaiser_length(60.0, 1_200.0, AUDIO_STAGE_RATE), 3)
    return lowpass(passband_hz + 600, AUDIO_STAGE_RATE, length, 60.0)


def _raising_taps(factor: int) -> NDArray[np.float64]:
    """From 24 kHz to the output rate: images of 0 … 4 kHz, from 20 kHz up, 90 dB down. A multiple of 3 of delay."""
    if factor == 1:
        return np.ones(1)
    rate = AUDIO_STAGE_RATE * factor
    length = span(kaiser_length(90.0, 15_000.0, rate), 3 * factor)
    return lowpass(AUDIO_STAGE_RATE / 2, rate, length, 90.0)
