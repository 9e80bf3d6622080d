"""What all demodulators share: rows of baseband in, real rows of the same rate out, with the index kept straight."""

import abc

import numpy as np
from numpy.typing import NDArray

from dsp.blocks import BasebandBlock, RowBlock, baseband_rows
from dsp.errors import RangeError, RateError

LEAST_RATE, MOST_RATE = 8_000, 1_000_000


class Demodulator(abc.ABC):
    """Bank of demodulators of one kind.

    rows: number of channels, 1 or more. rate: samples per second, a multiple of `step` from 8000 to `most_rate`.
    Raises `RangeError` or `RateError` for others.
    """

    def __init__(self, rows: int, rate: int, most_rate: int = MOST_RATE, step: int = 1) -> None:
        if rows < 1:
            raise RangeError(f"rows = {rows}; a bank has at least 1")
        if not LEAST_RATE <= rate <= most_rate or rate % step:
            right = f"multiples of {step} from" if step > 1 else "rates from"
            raise RateError(f"rate = {rate} S/s; this demodulator works at {right} {LEAST_RATE} to {most_rate} S/s")
        self.rows = rows
        self.rate = rate
        self._index: int | None = None

    @property
    @abc.abstractmethod
    def delay(self) -> int:
        """Samples by which `block.end` lags the end of the input."""

    @abc.abstractmethod
    def reset_row(self, row: int) -> None:
        """Forget what one row has heard; the others go on."""

    @abc.abstractmethod
    def _demodulate(self, x: NDArray[np.float32], index: int, out: NDArray[np.float32]) -> None:
        """(rows, n, 2) I and Q, n ≥ 1, the first at `index` → out (rows, n), `delay` samples earlier."""

    def reset(self) -> None:
        """Back to the constructed state."""
        self._index = None
        for row in range(self.rows):
            self.reset_row(row)

    def process(self, block: BasebandBlock) -> RowBlock:
        """(rows, n) complex64 in, (rows, n) float32 out, `delay` samples earlier on the air.

        NaN and infinite samples count as zero. After a jump of the index everything starts afresh. Raises `ShapeError`
        for another shape or dtype, `RateError` for another rate.
        """
        x = baseband_rows(block, self.rows, self.rate, "demodulator")
        if self._index is not None and block.index != self._index:
            self.reset()
        self._index = block.end
        out = np.empty(x.shape, np.float32)
        if out.size:
            pairs = np.ascontiguousarray(x).view(np.float32).reshape(self.rows, x.shape[1], 2)
            self._demodulate(pairs, block.index, out)
        return RowBlock(out, self.rate, block.index - self.delay)
