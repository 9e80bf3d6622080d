"""The symbols of a stream, kept in lists, every question answered one symbol at a time."""

import numpy as np
from numpy.typing import NDArray

from dsp.p25.symbols import STATUS_PERIOD, SYMBOL_RATE
from tests.reference import p25_sync


class SymbolStream:
    def __init__(self, rate: int) -> None:
        self.rate = rate
        self.llr: list[tuple[float, float]] = []
        self.index: list[int] = []
        self.forgotten = 0

    def follows(self, index: NDArray[np.int64]) -> bool:
        """No step of one and a half symbols or more since the last symbol, and the whole not half a symbol longer."""
        if self.index[self.forgotten :] and (index[0] - self.index[-1]) * SYMBOL_RATE / self.rate >= 1.5:
            return False
        return bool((index[-1] - index[0]) * SYMBOL_RATE / self.rate <= len(index) - 0.5)

    def append(self, llr: NDArray[np.float32], index: NDArray[np.int64]) -> list[tuple[int, bool]]:
        """Places and polarity of the syncs that are whole with these symbols."""
        before = max(self.forgotten, len(self.llr) - 23)
        self.llr += [(float(a), float(b)) for a, b in llr]
        self.index += index.tolist()
        found = p25_sync.proposals(np.array(self.llr[before:], dtype=np.float32))
        return [(before + place, inverted) for place, inverted in found]

    def gather(self, start: int, places: NDArray[np.int32], inverted: bool) -> list[float]:
        return [bit for place in places for bit in self.symbol(start + int(place), inverted)]

    def status(self, start: int, symbols: int, inverted: bool) -> bytes:
        places = [place for place in range(symbols) if (place + 1) % STATUS_PERIOD == 0]
        bits = [self.symbol(start + place, inverted) for place in places]
        return bytes(2 * (a > 0) + (b > 0) for a, b in bits)

    def symbol(self, place: int, inverted: bool) -> tuple[float, float]:
        a, b = self.llr[place]
        return (-a if inverted else a), b
