"""Amplitude modulation of speech with full carrier (A3E), as in the airband: 25 kHz and 8.33 kHz channels.

    speech 8 kHz ─▶ band-limit, to `rate` ─▶ clip ±1 ─▶ 1 + depth · speech

Speech of 300 to 3000 Hz; 350 to 2500 Hz in 8.33 kHz channels (ETSI EN 300 676-1: the necessary bandwidth is 5 kHz).
The carrier's amplitude is 1.0 with or without speech.
"""

import numpy as np
from numpy.typing import NDArray

from dsp.blocks import AUDIO_RATE
from dsp.design import from_response, kaiser_length
from dsp.errors import RangeError
from dsp.mod.base import BandLimited, factor_of
from dsp.mod.interpolate import Interpolator, Samples, span
from dsp.mod.keying import Over


class AmModulator(BandLimited):
    """One AM transmitter; `Modulator` says how it is fed, keyed and flushed.

    rate: a multiple of 8 kHz from 16 kHz up. depth: modulation at full-scale speech, 0 … 1 (0.85 is 85 %).
    bandwidth_hz: 25000 or 8330. tail_s: carrier after the release. rise_s: carrier rise and fall.
    """

    def __init__(
        self, rate: int, depth: float = 0.85, bandwidth_hz: int = 25_000, tail_s: float = 0.0, rise_s: float = 0.002
    ) -> None:
        if not 0 < depth <= 1:
            raise RangeError(f"modulation depth = {depth:g} is outside 0 … 1")
        band = {25_000: (300.0, 3_000.0), 8_330: (350.0, 2_500.0)}.get(bandwidth_hz)
        if band is None:
            raise RangeError(f"AM bandwidth = {bandwidth_hz} Hz; it is 25000 or 8330 Hz")
        self.depth = depth
        factor = factor_of(rate, AUDIO_RATE, 16_000, "AM")
        super().__init__(rate, rise_s, tail_s, Interpolator(band_taps(rate, *band), factor))

    def _carrier(self, signal: Samples, index: NDArray[np.int64], overs: list[Over]) -> NDArray[np.complex128]:
        return (1.0 + self.depth * np.clip(signal.real, -1.0, 1.0)).astype(np.complex128)


def band_taps(rate: int, low_hz: float, high_hz: float) -> NDArray[np.float64]:
    """Speech band-pass at `rate`, interpolating from 8 kHz: edges 150 Hz wide, 50 dB; images 80 dB down or more."""
    grid = np.linspace(0, rate / 2, 8193 * max(1, rate // 48_000))
    magnitude = ((grid > low_hz - 70) & (grid < high_hz + 200)).astype(np.float64)
    length = span(kaiser_length(50.0, 150.0, rate), rate // AUDIO_RATE)
    return from_response(magnitude, rate, length, 50.0)
