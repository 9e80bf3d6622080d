"""What the detectors of tones and codes share: the front end, gaps, gates, and what a row holds."""

import abc
from typing import ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray

from dsp.blocks import RowBlock
from dsp.errors import RangeError
from dsp.events import EventKind, RowEvent
from dsp.tones.subaudible import FRAME, SHORT_GAP_S, LowRows, SubaudibleFilter


class Kernel(Protocol):
    """The loop of a detector: state of all rows."""

    def begin(self, index: int) -> None:
        """Start a stretch without a gap at `index`."""
        ...

    def process(self, y: NDArray[np.float32], at: int, frames: int) -> int:
        """Take frames of y (rows, n) from sample `at` on; returns the number of events written."""
        ...


class SubaudibleDetector(abc.ABC):
    """Finds something below the speech on every row, and holds one value a row.

    rows: number of rows. rate: samples per second, an even multiple of 1000 from 8000. Raises `RangeError`,
    `RateError`.
    """

    KINDS: ClassVar[tuple[EventKind, EventKind, EventKind]]
    """What was found, lost, and announces its end: the kinds of events the kernel numbers 0, 1, 2."""

    FRAMES_PER_CALL: ClassVar[int]

    _bank: Kernel

    def __init__(self, rows: int, rate: int) -> None:
        self._front = SubaudibleFilter(rows, rate)
        self.rows = rows
        self.rate = rate

    def reset(self) -> None:
        """Back to the constructed state."""
        rows = self.rows
        self._front.reset()
        self._lock = np.full(rows, -1, np.int32)
        self._gate = np.ones(rows, np.int32)
        self._amplitude = np.zeros(rows)
        self._events = np.zeros((max(1, rows) * 4 * (self.FRAMES_PER_CALL + 1), 5), np.int64)
        self._end: int | None = None

    @abc.abstractmethod
    def _value(self, row: int, k: int) -> float | str:
        """What a row is told to hold when the kernel says `k`."""

    @property
    def delay(self) -> int:
        """Delay of the low-pass in samples; events carry on-air indices all the same."""
        return self._front.delay

    @property
    def deviation_hz(self) -> NDArray[np.float64]:
        """(rows,) deviation of what each row holds, Hz; 0 where there is nothing."""
        return np.where(self._lock >= 0, self._amplitude, 0.0)

    def gate(self, row: int, open: bool) -> None:
        """Say that the carrier of a row is absent (False): nothing is found on it, and what it held is lost."""
        self._check_row(row)
        self._gate[row] = open

    def reset_row(self, row: int) -> None:
        """Forget one row, without an event; the others are not touched."""
        self._check_row(row)
        self._front.reset_row(row)
        self._lock[row] = -1
        self._gate[row] = 1

    def process(self, block: RowBlock) -> list[RowEvent]:
        """Take a block; events in the order in which they were decided.

        A gap up to 100 ms keeps what a row holds, a longer one loses it where the samples ended.
        Raises `ShapeError` or `RateError` for a block of another kind.
        """
        return self.detect(self._front.process(block))

    def detect(self, low: LowRows) -> list[RowEvent]:
        """As `process`, from a front end that is shared with other detectors."""
        if low.index == low.end:
            return []
        events: list[RowEvent] = []
        if low.index != self._end:
            if self._end is not None:
                events = self._gap(self._end, low.index)
            self._bank.begin(low.start)
        self._end = low.end
        frames = low.samples.shape[1] // FRAME
        for at in range(0, frames, self.FRAMES_PER_CALL):
            found = self._bank.process(low.samples, at * FRAME, min(self.FRAMES_PER_CALL, frames - at))
            if found:
                events += self._told(found)
        return events

    def _gap(self, end: int, index: int) -> list[RowEvent]:
        if end <= index <= end + SHORT_GAP_S * self.rate:
            return []
        at = min(end, index)
        held = [(row, k) for row, k in enumerate(self._lock.tolist()) if k >= 0]
        self._lock[:] = -1
        return [RowEvent(self.KINDS[1], row, at, index, self.rate, self._value(row, k)) for row, k in held]

    def _told(self, found: int) -> list[RowEvent]:
        rows = sorted(self._events[:found].tolist(), key=lambda e: (e[3], e[1]))
        return [RowEvent(self.KINDS[k], r, i, d, self.rate, self._value(r, v)) for k, r, i, d, v in rows]

    def _check_row(self, row: int) -> None:
        if not 0 <= row < self.rows:
            raise RangeError(f"row = {row}: this detector has rows 0 … {self.rows - 1}")
