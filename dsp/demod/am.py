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

from dsp.blocks import BasebandBlock, RowBlock
from dsp.demod import _am
from dsp.errors import RangeError, RateError, ShapeError

LOOK_AHEAD_S = 0.0025
"""Length of the short mean, and delay of the audio."""

SETTLE_S = 0.05
"""Time constant of the carrier level once settled."""

RISE = 2.5
"""A short mean this many times the carrier level is a new carrier."""

FALL, LOST_S = 0.1, 0.02
"""A short mean under this share of the carrier level for this long: the carrier is gone."""


class AmDemodulator:
    """Bank of AM detectors.

    rows: number of channels. rate: samples per second of the baseband, 8000 … 1 000 000.
    Raises `RangeError` or `RateError` for numbers outside these ranges.
    """

    def __init__(self, rows: int, rate: int) -> None:
        if rows < 1:
            raise RangeError(f"rows = {rows}; a bank has at least 1")
        if not 8_000 <= rate <= 1_000_000:
            raise RateError(f"rate = {rate} S/s; the AM demodulator works at 8000 … 1000000 S/s")
        self.rate = rate
        self._state = np.zeros((rows, 2))
        self._ring = np.zeros((rows, round(LOOK_AHEAD_S * rate)), np.float32)
        self._position = np.zeros((rows, 3), np.int64)
        self._index: int | None = None
        self.reset()

    @property
    def delay(self) -> int:
        """Samples by which `block.end` lags the end of the input."""
        return self._ring.shape[1]

    def reset(self) -> None:
        """Back to the constructed state."""
        self._index = None
        for row in range(len(self._ring)):
            self.reset_row(row)

    def reset_row(self, row: int) -> None:
        """Forget what one row has heard; the others go on."""
        self._state[row] = 0
        self._ring[row] = 0
        self._position[row] = 0

    def process(self, block: BasebandBlock) -> RowBlock:
        """(rows, n) complex64 in, (rows, n) float32 audio out, -1.0 … 2.0, `delay` samples earlier on the air.

        NaN and infinite samples count as zero. Where nothing at all is received the audio is 0. After a jump of the
        index everything starts afresh. Raises `ShapeError` for another shape or dtype, `RateError` for another rate.
        """
        x = block.samples
        rows = len(self._ring)
        if x.dtype != np.complex64 or x.ndim != 2 or x.shape[0] != rows:
            raise ShapeError(f"baseband is {x.dtype} {x.shape}; this bank takes complex64 ({rows}, n)")
        if block.rate != self.rate:
            raise RateError(f"baseband at {block.rate} S/s; this bank was made for {self.rate} S/s")
        if self._index is not None and block.index != self._index:
            self.reset()
        n = x.shape[1]
        self._index = block.index + n
        out = np.empty((rows, n), np.float32)
        if n:
            _am.detect(
                np.ascontiguousarray(x).view(np.float32).reshape(rows, n, 2),
                self._state,
                self._ring,
                self._position,
                round(SETTLE_S * self.rate),
                round(LOST_S * self.rate),
                RISE,
                FALL,
                out,
            )
        return RowBlock(out, self.rate, block.index - self.delay)
