"""The symbols of a stream that may still be asked for, each by its place since the beginning, and the syncs among them.

Symbols are appended and stay until they are discarded; every append says where a frame sync may begin now. A gap in the
sample index is for the framer to judge: `append` refuses what does not simply follow, `extend` takes it all the same.
"""

import numpy as np
from numpy.typing import NDArray

from dsp.p25 import _stream
from dsp.p25.symbols import STATUS_PERIOD, SYNC, SoftDibits
from dsp.p25.sync import LEAST_SYNC_AGREEMENT, MOST_SYNC_ERRORS, Proposal

PIECE = 1024
"""Symbols taken at a time, so that a long block does not need long memory."""

_ROOM = 2048
"""Symbols kept at first: a voice unit twice over."""

_INVERT = np.array([-1, 1], dtype=np.float32)


class SymbolStream:
    """Symbols of one channel. rate: samples per second of the index."""

    def __init__(self, rate: int) -> None:
        self._rate = rate
        self.reset()

    def reset(self) -> None:
        """Back to the constructed state."""
        self._allocate(_ROOM)
        self._kernel = _stream.Stream(self._rate, SYNC, MOST_SYNC_ERRORS, LEAST_SYNC_AGREEMENT, self._llr, self._index)

    def _allocate(self, room: int) -> None:
        self._llr = np.zeros((room, 2), dtype=np.float32)
        self._index = np.zeros(room, dtype=np.int64)
        self._status = np.zeros(room // STATUS_PERIOD, dtype=np.uint8)

    @property
    def count(self) -> int:
        """Symbols that have come."""
        return self._kernel.count

    @property
    def empty(self) -> bool:
        """None is kept."""
        return self._kernel.count == self._kernel.base

    def append(self, llr: SoftDibits, index: NDArray[np.int64]) -> list[Proposal] | None:
        """Places where a sync may begin, in order, now that these symbols came. None, and none taken, for a gap.

        llr: (n, 2) float32, 1 ≤ n. index: (n,) on-air sample of each. Also None where there is no room for them.
        """
        count = self._kernel.append(llr, index, False)
        return self._found(count) if count >= 0 else None

    def extend(self, llr: SoftDibits, index: NDArray[np.int64], keep: int) -> list[Proposal]:
        """As `append`, for 1 ≤ n ≤ `PIECE` symbols, whatever their index. Symbols before `keep` may go."""
        if len(index) > len(self._index) - (self.count - self._kernel.base):
            self._kernel.discard(max(keep, self._kernel.base))
            needed = self.count - self._kernel.base + len(index)
            if needed > len(self._index):
                room = len(self._index)
                while room < needed:
                    room *= 2
                self._allocate(room)
                self._kernel.move(self._llr, self._index)
        return self._found(self._kernel.append(llr, index, True))

    def _found(self, count: int) -> list[Proposal]:
        return [Proposal(*self._kernel.proposal(number)) for number in range(count)] if count else []

    def forget(self) -> None:
        """No symbol that came so far is asked for again."""
        self._kernel.discard(self.count)

    def when(self, place: int) -> int:
        """On-air sample of a symbol."""
        return self._kernel.when(place)

    def symbols(self, place: int, count: int, inverted: bool) -> SoftDibits:
        """(count, 2) soft dibits from `place` on; valid until the next append. inverted: of the other polarity."""
        first = place - self._kernel.base
        llr = self._llr[first : first + count]
        return llr * _INVERT if inverted else llr

    def gather(self, start: int, places: NDArray[np.int32], inverted: bool) -> NDArray[np.float32]:
        """Soft bits (2 n,) of the symbols `places` (n,), rising, counted from `start`."""
        out = np.empty(2 * len(places), dtype=np.float32)
        self._kernel.gather(start, places, inverted, out)
        return out

    def status(self, start: int, symbols: int, inverted: bool) -> bytes:
        """The status symbols, 0 … 3 each, among the first `symbols` of the unit that begins at `start`."""
        count = self._kernel.status(start, symbols, inverted, self._status)
        return self._status[:count].tobytes()
