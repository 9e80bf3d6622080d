"""Single sideband with suppressed carrier (J3E), upper or lower.

    speech 8 kHz ─▶ one-sided band-pass 300 … 3000 Hz (a complex FIR), to `rate` ─▶ |x| ≤ 1

The complex filter is band-limit, Hilbert transformer and interpolation in one: what it lets through of a real signal
is its analytic signal. 0 Hz is the suppressed carrier, which is the channel's frequency.
"""

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from dsp.blocks import AUDIO_RATE
from dsp.design import kaiser_length, lowpass
from dsp.errors import RangeError
from dsp.mod.base import BandLimited, factor_of
from dsp.mod.interpolate import Interpolator, Samples, span
from dsp.mod.keying import Over

_LOW_HZ, _HIGH_HZ = 300.0, 3000.0
_ATTENUATION_DB = 60.0
_EDGE_HZ = 200.0


class SsbModulator(BandLimited):
    """One SSB transmitter; `Modulator` says how it is fed, keyed and flushed.

    rate: a multiple of 8 kHz from 16 kHz up. sideband: "usb" or "lsb". A full-scale sine has amplitude 1.0; speech
    peaks above it are clipped before the filter, and the envelope after it is held to 1.0.
    """

    def __init__(
        self, rate: int, sideband: Literal["usb", "lsb"] = "usb", tail_s: float = 0.0, rise_s: float = 0.002
    ) -> None:
        if sideband not in ("usb", "lsb"):
            raise RangeError(f'sideband "{sideband}" is neither "usb" nor "lsb"')
        self.sideband = sideband
        factor = factor_of(rate, AUDIO_RATE, 16_000, "SSB")
        super().__init__(rate, rise_s, tail_s, Interpolator(analytic_taps(rate, sideband), factor))

    def _carrier(self, signal: Samples, index: NDArray[np.int64], overs: list[Over]) -> NDArray[np.complex128]:
        return np.asarray(signal / np.maximum(np.abs(signal), 1.0), np.complex128)


def analytic_taps(rate: int, sideband: str) -> NDArray[np.complex128]:
    """One-sided band-pass of gain 2: 60 dB down 200 Hz outside the band, so at the carrier too."""
    length = span(kaiser_length(_ATTENUATION_DB, _EDGE_HZ, rate), rate // AUDIO_RATE)
    half_width = (_HIGH_HZ - _LOW_HZ + _EDGE_HZ) / 2
    centre = (_HIGH_HZ + _LOW_HZ) / 2 * (1 if sideband == "usb" else -1)
    t = (np.arange(length) - (length - 1) / 2) / rate
    return np.asarray(2 * lowpass(half_width, rate, length, _ATTENUATION_DB) * np.exp(2j * np.pi * centre * t))
