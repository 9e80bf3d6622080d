"""FM discriminator of a bank of channels: complex baseband in, frequency deviation in hertz out, at the same rate.

    f[n] = rate / 2π · arg(y[n] · conj(y[n-1]))

`y` is the channel as it comes, or below the FM threshold a narrower cut of it. Threshold extension: a second, narrower
linear-phase filter runs beside the first, and the mix of both goes to the discriminator. Which is better is read from
the envelope: FM has none, so whatever varies is noise, or a sideband that the narrow filter has cut off. With

    v = E[p²] / E[p]² - 1,   p = |y|²       (0 for a clean carrier, 2/SNR for a good one, 1 for noise alone)

smoothed over 10 ms, the narrow filter takes part only where v of the wide signal says the noise is near the threshold
(from 0.12, about 12 dB, fully at 0.2, about 9 dB) and only as far as the narrow signal is steadier than the wide one. A
strong signal, however far it deviates, never meets the narrow filter. The share moves in ramps of 2 ms. Both paths have
the same delay, so nothing shifts.

Speech and tone results beside the plain discriminator: `tests/curves/test_fm_sensitivity.py`.
"""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

import dsp.design
from dsp.demod import _fm
from dsp.demod.base import Demodulator
from dsp.errors import RangeError

HALF_S = 20 / 24_000
"""Half the length of the narrow filter, which is its delay: 0.83 ms."""

SEGMENT_S = 0.002
"""The narrow filter's share is decided once per segment."""

SMOOTHING = 0.2
"""Weight of the newest segment in the envelope statistics: about 10 ms."""

BLEND_FROM, BLEND_FULL = 0.12, 0.2
"""Envelope variation of the wide signal at which the narrow one begins to take part, and may take over."""

LOOK_FROM, LOOK_TO = 0.09, 0.85
"""Range of the same in which the narrow filter runs at all; above is noise without a signal worth saving."""

STEADIER, STEADIER_RAMP = 0.95, 0.15
"""The narrow signal must vary less than 0.95 of the wide one to take part, and less than 0.80 to take over."""

_PADDING = 64  # the filter works in lanes of 32 and may read and write that far past the end of a segment


def narrow_width_hz(deviation_hz: float) -> float:
    """Two-sided width (at -6 dB) of the narrow filter: 6.0 kHz for 2.5 kHz of deviation, 9.5 kHz for 5 kHz."""
    return 2_500.0 + 1.4 * deviation_hz


class FmDemodulator(Demodulator):
    """Bank of FM discriminators; `process` gives hertz, and 0 Hz for a zero.

    rows: number of channels. rate: samples per second of the baseband, 8000 … 1 000 000. deviation_hz: peak deviation
    of the system, one for all or one per row; only the threshold extension needs it. threshold_extension: as above.

    Raises `RangeError` or `RateError` for numbers outside these ranges.
    """

    def __init__(
        self, rows: int, rate: int, deviation_hz: float | Sequence[float], threshold_extension: bool = True
    ) -> None:
        super().__init__(rows, rate)
        deviation = np.broadcast_to(np.asarray(deviation_hz, dtype=np.float64), (rows,))
        for row, value in enumerate(deviation):
            if not 0 < value < rate / 2:
                raise RangeError(f"row {row}: deviation = {value:g} Hz is outside 0 … {rate / 2:g} Hz (half the rate)")
        half = round(HALF_S * rate) if threshold_extension else 0
        self._half = half
        self._taps = np.ones((rows, 1), np.float32)
        if half:
            widest = 0.9 * rate
            self._taps = np.array(
                [dsp.design.lowpass(min(narrow_width_hz(d), widest) / 2, rate, 2 * half + 1, 36.0) for d in deviation],
                dtype=np.float32,
            )
        segment = 4 * round(SEGMENT_S * rate / 4)
        self._limits = np.array(
            [SMOOTHING, BLEND_FROM, BLEND_FULL, LOOK_FROM, STEADIER, STEADIER_RAMP, LOOK_TO], np.float32
        )
        self._position = np.zeros((rows, 2), np.int64)  # place in the segment; 0 narrow filter off, 1 starting, 2 on
        self._track = np.zeros((rows, 6), np.float32)
        self._power = np.zeros((rows, 2, segment), np.float32)
        self._history = np.zeros((rows, 3, max(2 * half, 1)), np.float32)
        self._last = np.zeros((rows, 1, 2), np.float32)
        self._scratch = np.zeros((7, 0), np.float32)
        self.reset()

    @property
    def delay(self) -> int:
        """Samples by which `block.end` lags the end of the input."""
        return self._half

    def reset_row(self, row: int) -> None:
        """Forget what one row has heard; the others go on."""
        self._position[row] = 0
        self._track[row] = 0
        self._power[row] = 0
        self._history[row] = 0
        self._last[row] = 0

    def set_row(self, row: int, deviation_hz: float) -> None:
        """Give a row to another channel: its peak deviation, and a fresh start. The others go on."""
        if not 0 < deviation_hz < self.rate / 2:
            raise RangeError(f"row {row}: deviation = {deviation_hz:g} Hz is outside 0 … {self.rate / 2:g} Hz")
        if self._half:
            width = min(narrow_width_hz(deviation_hz), 0.9 * self.rate)
            self._taps[row] = dsp.design.lowpass(width / 2, self.rate, 2 * self._half + 1, 36.0)
        self.reset_row(row)

    def narrow_share(self) -> NDArray[np.float32]:
        """How far the narrow filter takes part, (rows,) 0 … 1."""
        return np.asarray(self._track[:, 4].copy())

    def _demodulate(self, x: NDArray[np.float32], index: int, out: NDArray[np.float32]) -> None:
        width = x.shape[1] + 2 * self._half + 1 + _PADDING
        if self._scratch.shape[1] < width:
            self._scratch = np.zeros((7, width), np.float32)
        _fm.discriminate(
            x,
            self._taps,
            self._limits,
            self._position,
            self._track,
            self._power,
            self._history,
            self._last,
            self._scratch,
            self.rate / math.tau,
            out,
        )
