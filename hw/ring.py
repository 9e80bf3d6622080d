"""A bounded ring of raw samples between the thread of a driver and whoever reads.

The driver must never wait for the reader: a driver that is late loses samples without knowing. So when the ring is full
the oldest samples go, they are counted, and the reader sees a jump of the index. Samples stay as the device gave them
(two bytes each for an RTL2832) and are converted on the reader's side.

One thread writes (`write`, `skip`, `finish`, `fail`), one thread reads; `close` may come from either or from a third.
"""

from collections import deque
from dataclasses import dataclass
from threading import Condition

import numpy as np
from numpy.typing import NDArray

# Stretches without a gap that the ring remembers at most: a driver that reports a loss after every sample must not
# make the list grow without end. Over it, the oldest stretch is dropped.
_MAX_STRETCHES = 1024


@dataclass(frozen=True, slots=True)
class RingStatistics:
    """Counters, all in samples.

    written: came in. dropped: thrown away because the ring was full. skipped: reported lost by the writer.
    held: in the ring now. peak: most it ever held. capacity: most it can hold.
    """

    written: int
    dropped: int
    skipped: int
    held: int
    peak: int
    capacity: int


class SampleRing:
    """capacity: samples it holds at most. size: bytes of a sample."""

    def __init__(self, capacity: int, size: int) -> None:
        if capacity < 1 or size < 1:
            raise ValueError(f"SampleRing({capacity}, {size}): needs at least one sample of at least one byte")
        self._size = size
        self._capacity = capacity
        self._memory = np.zeros(capacity * size, np.uint8)
        self._changed = Condition()
        # Stretches held, oldest first, as [index of the first sample, count]; their samples lie one after the other in
        # the memory from `_oldest` (in samples) on, whatever gaps the indices have.
        self._stretches: deque[list[int]] = deque()
        self._oldest = 0
        self._held = 0
        self._next = 0
        self._finished = False
        self._error: Exception | None = None
        self._closed = False
        self._written = self._dropped = self._skipped = self._peak = 0

    @property
    def closed(self) -> bool:
        """Whether `close` was called: the writer may stop."""
        return self._closed

    def write(self, raw: bytes | bytearray | memoryview | NDArray[np.uint8]) -> None:
        """Put samples in; copies them, never waits. Bytes that do not fill a sample are a `ValueError`."""
        data = np.frombuffer(raw, np.uint8)
        count, rest = divmod(len(data), self._size)
        if rest:
            raise ValueError(f"{len(data)} bytes are not whole samples of {self._size} bytes")
        with self._changed:
            if self._finished or not count:
                return
            self._written += count
            surplus = max(0, count - self._capacity)
            if surplus:
                data = data[surplus * self._size :]
            kept = count - surplus
            self._drop(self._held + kept - self._capacity)
            self._dropped += surplus
            self._copy_in(data, kept)
            self._append(self._next + surplus, kept)
            self._next += count
            self._held += kept
            self._peak = max(self._peak, self._held)
            self._changed.notify_all()

    def skip(self, count: int) -> None:
        """The device lost that many samples here: the index jumps."""
        if count < 0:
            raise ValueError(f"skip({count}): a loss cannot be negative")
        with self._changed:
            self._next += count
            self._skipped += count

    def finish(self) -> None:
        """No more will come; the reader gets what is held, then None."""
        with self._changed:
            self._finished = True
            self._changed.notify_all()

    def fail(self, error: Exception) -> None:
        """No more will come because of `error`; the reader gets what is held, then the error, each time it asks."""
        with self._changed:
            if not self._finished:
                self._error = error
                self._finished = True
            self._changed.notify_all()

    def close(self) -> None:
        """Throw away what is held and release whoever waits. May be called twice, from any thread."""
        with self._changed:
            self._closed = True
            self._finished = True
            self._held = 0
            self._stretches.clear()
            self._changed.notify_all()

    def read(self, out: NDArray[np.uint8], timeout_s: float | None = None) -> tuple[int, int] | None:
        """Fill `out` with as many samples of one stretch as there are, at least one; waits until there is one.

        out: (bytes,) uint8, room for at least one sample. Returns how many samples and the index of the first; (0,
        index) when `timeout_s` passed with nothing; None at the end or once closed. Raises the writer's error.
        """
        room = len(out) // self._size
        if room < 1:
            raise ValueError(f"room for {len(out)} bytes; a sample has {self._size}")
        with self._changed:
            if not self._changed.wait_for(lambda: self._held or self._finished, timeout_s):
                return 0, self._next
            if not self._held:
                if self._error is not None and not self._closed:
                    raise self._error
                return None
            stretch = self._stretches[0]
            count, index = min(room, stretch[1]), stretch[0]
            self._copy_out(out, count)
            self._take(count)
            return count, index

    def statistics(self) -> RingStatistics:
        """Counters since it was made."""
        with self._changed:
            return RingStatistics(self._written, self._dropped, self._skipped, self._held, self._peak, self._capacity)

    def _append(self, index: int, count: int) -> None:
        if self._stretches and sum(self._stretches[-1]) == index:
            self._stretches[-1][1] += count
            return
        if len(self._stretches) == _MAX_STRETCHES:
            self._drop(self._stretches[0][1])
        self._stretches.append([index, count])

    def _drop(self, count: int) -> None:
        while count > 0:
            step = min(count, self._stretches[0][1])
            self._take(step)
            self._dropped += step
            count -= step

    def _take(self, count: int) -> None:
        stretch = self._stretches[0]
        stretch[0] += count
        stretch[1] -= count
        if not stretch[1]:
            self._stretches.popleft()
        self._oldest = (self._oldest + count) % self._capacity
        self._held -= count

    def _copy_in(self, data: NDArray[np.uint8], count: int) -> None:
        at = (self._oldest + self._held) % self._capacity
        first = min(count, self._capacity - at) * self._size
        at *= self._size
        self._memory[at : at + first] = data[:first]
        self._memory[: len(data) - first] = data[first:]

    def _copy_out(self, out: NDArray[np.uint8], count: int) -> None:
        first = min(count, self._capacity - self._oldest) * self._size
        at, total = self._oldest * self._size, count * self._size
        out[:first] = self._memory[at : at + first]
        out[first:total] = self._memory[: total - first]
