"""What lies below the speech, at 1 kHz: the one front end of all detectors of tones and codes.

In: RowBlock (rows, n) float32, FM deviation in hertz, before any de-emphasis. Out: `LowRows`, in whole frames of 8 ms.

    deviation, held within ±6 kHz ── low-pass 330 Hz ──▶ 1 kHz

A detector takes either the deviation (`process`), with a front end of its own, or the rows of one that it shares with
others (`detect`); both give the same bits.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dsp.blocks import RowBlock, real_rows
from dsp.design import lowpass
from dsp.errors import RangeError, RateError
from dsp.tones import _subaudible

FRAME = 8
"""Samples at 1 kHz that detectors take at once."""

LIMIT_HZ = 6000.0
"""Deviation beyond this is a click; 5 kHz is the most any narrow channel uses."""

SHORT_GAP_S = 0.1
"""A gap up to this keeps what a row has been found to carry."""


def decimator(rate: int) -> NDArray[np.float64]:
    """Low-pass to 1 kHz: rate/125 taps, the first (oldest) zero, so that the delay is rate/250 − 1 samples."""
    length = 8 * (rate // 1000)
    return np.concatenate([[0.0], lowpass(330.0, rate, length - 1, 60.0)])


@dataclass(frozen=True, slots=True)
class LowRows:
    """Deviation below the speech.

    samples: (rows, 8·m) float32 at 1 kHz. rate, index, end: of the block it was made from. start: index at that rate at
    which the first frame begins; m frames begin there without a gap.
    """

    samples: NDArray[np.float32]
    rate: int
    index: int
    end: int
    start: int


class SubaudibleFilter:
    """Brings rows of deviation down to 1 kHz.

    rows: number of rows. rate: samples per second, an even multiple of 1000 from 8000. Raises `RangeError` or
    `RateError`.
    """

    def __init__(self, rows: int, rate: int = 24_000) -> None:
        if rows < 0:
            raise RangeError(f"rows = {rows}: cannot be negative")
        if rate < 8000 or rate % 2000:
            raise RateError(f"rate = {rate}: tones need an even multiple of 1000 from 8000, e.g. 24000")
        self.rows = rows
        self.rate = rate
        self._span = FRAME * rate // 1000
        self._taps = decimator(rate).astype(np.float32)
        self._scratch = np.zeros(0, np.float32)
        self.reset()

    def reset(self) -> None:
        """Back to the constructed state."""
        self._line = np.zeros((self.rows, 2 * self._span), np.float32)
        self._fresh = np.ones(self.rows, np.int32)
        self._fill = 0
        self._end: int | None = None

    def reset_row(self, row: int) -> None:
        """Forget one row; the others are not touched."""
        self._fresh[row] = 1

    @property
    def delay(self) -> int:
        """Delay of the low-pass in samples; what detectors say carries on-air indices all the same."""
        return self.rate // 250 - 1

    def process(self, block: RowBlock) -> LowRows:
        """Take a block; after a jump of the index everything starts afresh.

        Raises `ShapeError` or `RateError` for a block of another kind.
        """
        x = real_rows(block, self.rows, self.rate, "detector")
        n, span = x.shape[1], self._span
        if n == 0:
            return LowRows(np.empty((self.rows, 0), np.float32), self.rate, block.index, block.index, block.index)
        if block.index != self._end:
            self._fill = 0
            self._fresh[:] = 1
        self._end = block.end
        if len(self._scratch) < 2 * span + n:
            self._scratch = np.zeros(2 * span + n, np.float32)
        held = self._fill + n
        out = np.empty((self.rows, FRAME * (held // span)), np.float32)
        _subaudible.lower(
            np.ascontiguousarray(x), self._line, self._fresh, self._fill, self._taps, LIMIT_HZ, self._scratch, out
        )
        start = block.index - self._fill
        self._fill = held % span
        return LowRows(out, self.rate, block.index, block.end, start)
