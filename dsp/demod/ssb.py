"""Single-sideband demodulator of a bank of channels: complex baseband in, audio out, at the same rate.

    audio = Re( x · exp(+j 2π 1500 t) )   upper sideband
    audio = Re( x · exp(-j 2π 1500 t) )   lower sideband

A channel's frequency is that of its suppressed carrier. The channel filter lies over the sideband, so its centre, which
is 0 Hz here, is the carrier + 1500 Hz for the upper and - 1500 Hz for the lower one. Selecting the sideband is that
filter's work; here the spectrum only goes back to where it belongs. The oscillator's phase follows from the index.

Gain control on the magnitude |x|, which for one sideband is the envelope of speech without its ripple: attack 1 ms, the
audio held back by 4 ms so that the first syllable meets a gain already down; hang 300 ms; then decay with a time
constant of 200 ms (a syllable 40 dB weaker than the last over's is at full level 1.2 s later). The level is held at
-12 dBFS of the magnitude's peaks; it amplifies up to 80 dB.
"""

import math
from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from dsp.demod import _ssb
from dsp.demod.base import Demodulator
from dsp.errors import RangeError

Sideband = Literal["usb", "lsb"]

CENTER_HZ = 1_500
"""Distance of the passband's centre from the suppressed carrier."""

LOOK_AHEAD_S, ATTACK_S, HANG_S, DECAY_S = 0.004, 0.001, 0.3, 0.2
"""Of the gain control."""

TARGET = 0.25
"""Peak magnitude of the audio: -12 dBFS."""

WEAKEST = TARGET * 1e-4
"""Magnitude below which the gain stays: 80 dB of amplification."""


class SsbDemodulator(Demodulator):
    """Bank of single-sideband demodulators.

    rows: number of channels. rate: samples per second, a multiple of 100 from 8000 to 192 000. sideband: "usb" or
    "lsb", one for all or one per row. Raises `RangeError` or `RateError` for others.
    """

    def __init__(self, rows: int, rate: int, sideband: Sideband | Sequence[Sideband] = "usb") -> None:
        super().__init__(rows, rate, 192_000, 100)
        self._sign = np.ones(rows, np.float32)
        names: Sequence[str] = [sideband] * rows if isinstance(sideband, str) else sideband
        if len(names) != rows:
            raise RangeError(f"{len(names)} sidebands for {rows} rows")
        for row, name in enumerate(names):
            self._sign[row] = self._sign_of(name)
        period = rate // math.gcd(rate, CENTER_HZ)
        turn = 2 * np.pi * CENTER_HZ / rate * np.arange(period)
        self._carrier = np.array([np.cos(turn), np.sin(turn)], np.float32)
        self._state = np.zeros((rows, 1))
        self._ring = np.zeros((rows, 1, round(LOOK_AHEAD_S * rate)), np.float32)
        self._position = np.zeros((rows, 2), np.int64)
        self.reset()

    @staticmethod
    def _sign_of(name: str) -> float:
        if name not in ("usb", "lsb"):
            raise RangeError(f'sideband = "{name}"; there are "usb" and "lsb"')
        return 1.0 if name == "usb" else -1.0

    @property
    def delay(self) -> int:
        """Samples by which `block.end` lags the end of the input."""
        return self._ring.shape[2]

    def reset_row(self, row: int) -> None:
        """Forget what one row has heard; the others go on."""
        self._state[row] = 0
        self._ring[row] = 0
        self._position[row] = 0

    def set_row(self, row: int, sideband: Sideband) -> None:
        """Give a row to another channel: its sideband, and a fresh start. The others go on."""
        self._sign[row] = self._sign_of(sideband)
        self.reset_row(row)

    def _demodulate(self, x: NDArray[np.float32], index: int, out: NDArray[np.float32]) -> None:
        _ssb.receive(
            x,
            self._carrier,
            index % self._carrier.shape[1],
            self._sign,
            self._state,
            self._ring,
            self._position,
            round(HANG_S * self.rate),
            -math.expm1(-1 / (ATTACK_S * self.rate)),
            -math.expm1(-1 / (DECAY_S * self.rate)),
            TARGET,
            WEAKEST,
            out,
        )
