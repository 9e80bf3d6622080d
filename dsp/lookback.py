"""The last seconds of every speech row, kept so that an over can be played from its true start.

A detector knows that an over began only some time after it did; between the two lies the first syllable. The ring keeps
the rows as they come, by on-air index, and gives back any stretch of them that is not older than its length. What was
never received (a gap in the index, or time before the first sample) reads as zeros and is counted, never closed up.

In: RowBlock (rows, n) float32. Out: (n,) float32 of one row. No delay.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dsp.blocks import RowBlock, real_rows
from dsp.errors import RangeError


@dataclass(frozen=True, slots=True)
class LookBackStatistics:
    """Counters since the last reset.

    samples: samples written a row. lost: samples a row that were missing between blocks. gaps: number of index jumps
    forward. restarts: number of times the index went back and everything held was dropped.
    """

    samples: int = 0
    lost: int = 0
    gaps: int = 0
    restarts: int = 0


class LookBack:
    """Ring of the last `length` samples of every row, addressed by on-air index.

    rows: number of rows, ≥ 1. length: samples kept a row, ≥ 1. rate: samples per second of the blocks.
    Raises `RangeError` for rows or length below 1.
    """

    def __init__(self, rows: int, length: int, rate: int = 8000) -> None:
        if rows < 1:
            raise RangeError(f"rows = {rows}: a look-back ring needs at least 1 row")
        if length < 1:
            raise RangeError(f"length = {length}: a look-back ring keeps at least 1 sample")
        self.rows = rows
        self.length = length
        self.rate = rate
        self._ring: NDArray[np.float32] = np.zeros((rows, length), np.float32)
        self.reset()

    def reset(self) -> None:
        """Forget everything."""
        self._ring[:] = 0.0
        self._begin: int | None = None
        self._end = 0
        self._gaps: list[tuple[int, int]] = []
        self._row_start: NDArray[np.int64] = np.full(self.rows, np.iinfo(np.int64).min, np.int64)
        self._statistics = LookBackStatistics()

    def reset_row(self, row: int) -> None:
        """Forget what one row held (a channel was put there); the other rows are not touched."""
        self._check_row(row)
        self._ring[row] = 0.0
        self._row_start[row] = self._end

    @property
    def end(self) -> int:
        """Index after the newest sample; 0 while nothing was written."""
        return self._end

    @property
    def oldest(self) -> int:
        """Index of the oldest sample that can still be read; `end` while nothing was written."""
        if self._begin is None:
            return self._end
        return max(self._begin, self._end - self.length)

    @property
    def delay(self) -> int:
        """Nothing is held back: 0."""
        return 0

    def statistics(self) -> LookBackStatistics:
        """Counters since the last reset."""
        return self._statistics

    def write(self, block: RowBlock) -> None:
        """Append a block. A jump forward of the index leaves a gap; a jump back drops all that was held.

        Raises `ShapeError` for another number of rows, `RateError` for another rate.
        """
        x = real_rows(block, self.rows, self.rate, "look-back ring")
        n = x.shape[1]
        if n == 0:
            return
        seen = self._statistics
        lost = gaps = restarts = 0
        if self._begin is None:
            self._begin = block.index
        elif block.index < self._end:
            self._ring[:] = 0.0
            self._gaps.clear()
            self._begin = block.index
            self._row_start[:] = np.iinfo(np.int64).min
            restarts = 1
        elif block.index > self._end:
            self._gaps.append((self._end, block.index))
            self._put(np.zeros((1, 1), np.float32), self._end, block.index - self._end)
            lost, gaps = block.index - self._end, 1
        self._put(x, block.index, n)
        self._end = block.index + n
        oldest = self.oldest
        while self._gaps and self._gaps[0][1] <= oldest:
            self._gaps.pop(0)
        self._statistics = LookBackStatistics(
            seen.samples + n, seen.lost + lost, seen.gaps + gaps, seen.restarts + restarts
        )

    def read(self, row: int, start: int, n: int) -> NDArray[np.float32]:
        """Samples `start … start + n` of one row, (n,) float32, newly allocated.

        Where nothing was received (gap, before the beginning, older than the ring, not yet there) they are zero;
        `missing` tells how many of them. Raises `RangeError` for an unknown row or n < 0.
        """
        self._check_row(row)
        if n < 0:
            raise RangeError(f"n = {n}: cannot read a negative number of samples")
        out = np.zeros(n, np.float32)
        first = max(start, self.oldest, int(self._row_start[row]))
        count = min(start + n, self._end) - first
        if count > 0:
            at = first % self.length
            head = min(count, self.length - at)
            to = first - start
            out[to : to + head] = self._ring[row, at : at + head]
            out[to + head : to + count] = self._ring[row, : count - head]
        return out

    def missing(self, start: int, n: int) -> int:
        """How many of the samples `start … start + n` are not there: lost, too old, or not yet received."""
        first, last = max(start, self.oldest), min(start + n, self._end)
        there = max(0, last - first)
        lost = sum(max(0, min(b, last) - max(a, first)) for a, b in self._gaps)
        return n - there + lost

    def _put(self, x: NDArray[np.float32], index: int, n: int) -> None:
        """Write n samples (or n copies of the one column of x) at `index`; only the last `length` of them matter."""
        if x.shape[1] != 1 and n > self.length:
            x = x[:, n - self.length :]
        if n > self.length:
            index, n = index + n - self.length, self.length
        at = index % self.length
        head = min(n, self.length - at)
        if x.shape[1] == 1:
            self._ring[:, at : at + head] = x
            self._ring[:, : n - head] = x
        else:
            self._ring[:, at : at + head] = x[:, :head]
            self._ring[:, : n - head] = x[:, head:]

    def _check_row(self, row: int) -> None:
        if not 0 <= row < self.rows:
            raise RangeError(f"row = {row}: this ring has rows 0 … {self.rows - 1}")
