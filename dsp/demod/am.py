"""AM envelope detector of a bank of channels: complex baseband in, audio out, 1.0 for 100 % modulation, same rate.

    audio = |x| / carrier - 1

The envelope does not care where in the channel the carrier lies, so a transmitter off its frequency is heard as well as
the channel filter lets it through. `carrier` is the mean of the envelope: of everything since the carrier rose at
first, then an exponential average over 50 ms, slow enough that 80 % modulation at 300 Hz is distorted
by no more than 0.5 %, fast enough that 10 dB of flutter at 2 Hz is heard as less than 3 dB.

A carrier rises when the mean over 2.5 ms is 2.5 times the level known (modulation alone reaches 2 times), and is gone
when it stays under a tenth of it for 20 ms; both start the mean afresh. The audio is held back by those 2.5 ms, so the
first sample of an over is already measured against its own carrier: no thump, nothing swallowed, whatever went before.
"""

import numpy as np
from numpy.typing import NDArray

from dsp.demod import _am
from dsp.demod.base import Demodulator

LOOK_AHEAD_S = 0.0025
"""Length of the short mean, and delay of the audio."""

SETTLE_S = 0.05
"""Time constant of the carrier level once settled."""

RISE = 2.5
"""A short mean this many times the carrier level is a new carrier."""

FALL, LOST_S = 0.1, 0.02
"""A short mean under this share of the carrier level for this long: the carrier is gone."""


class AmDemodulator(Demodulator):
    """Bank of AM detectors; `process` gives audio of -1.0 … 2.0, and 0 where nothing at all is received.

    rows: number of channels. rate: samples per second of the baseband, 8000 … 1 000 000.
    Raises `RangeError` or `RateError` for numbers outside these ranges.
    """

    def __init__(self, rows: int, rate: int) -> None:
        super().__init__(rows, rate)
        self._state = np.zeros((rows, 2))
        self._ring = np.zeros((rows, round(LOOK_AHEAD_S * rate)), np.float32)
        self._position = np.zeros((rows, 3), np.int64)
        self.reset()

    @property
    def delay(self) -> int:
        """Samples by which `block.end` lags the end of the input."""
        return self._ring.shape[1]

    def reset_row(self, row: int) -> None:
        """Forget what one row has heard; the others go on."""
        self._state[row] = 0
        self._ring[row] = 0
        self._position[row] = 0

    def _demodulate(self, x: NDArray[np.float32], index: int, out: NDArray[np.float32]) -> None:
        settle, lost_after = round(SETTLE_S * self.rate), round(LOST_S * self.rate)
        _am.detect(x, self._state, self._ring, self._position, settle, lost_after, RISE, FALL, out)
