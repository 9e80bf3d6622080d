"""The shortened Reed-Solomon codes of P25 over GF(2⁶) (TIA-102.BAAA-B clause 4).

    data (k symbols of 6 bits, first sent first) · parity (n − k symbols)

The field is made by p(x) = x⁶ + x + 1, the generator is g(x) = (x + α)(x + α²) … (x + αⁿ⁻ᵏ). Errors and erasures are
corrected as long as 2 · errors + erasures ≤ n − k.

The inner code (Hamming or Golay) does not hand over symbols but how well each of the 64 values agrees with what was
received. `decode_soft` first takes the best value of every symbol, then erases the least certain ones, one more at each
attempt (generalised minimum distance, G. D. Forney 1966), and keeps the code word that agrees best of all.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from dsp.errors import RangeError, ShapeError
from dsp.fec import _reed_solomon

Symbols = NDArray[np.uint8]

PRIMITIVE = 0x43
"""p(x), highest power first."""


def _powers() -> NDArray[np.uint8]:
    """α⁰ … α¹²⁵, (126,): twice round the field, so that a sum of two logarithms needs no reduction."""
    table, value = [], 1
    for _ in range(126):
        table.append(value)
        value <<= 1
        if value & 64:
            value ^= PRIMITIVE
    return np.array(table, dtype=np.uint8)


_EXP = _powers()
_LOG = np.zeros(64, dtype=np.uint8)
_LOG[_EXP[:63]] = np.arange(63)


class ReedSolomon:
    """One code: `length` symbols, the first `data` of them data."""

    def __init__(self, length: int, data: int) -> None:
        """Raises `RangeError` unless 0 < data < length ≤ 63."""
        if not 0 < data < length <= 63:
            raise RangeError(f"Reed-Solomon ({length}, {data}): needs 0 < data < length ≤ 63")
        self.length = length
        self.data = data
        self.parity = length - data
        self._codec = _reed_solomon.Codec(length, data, _EXP, _LOG)

    def encode(self, data: ArrayLike) -> Symbols:
        """Code word (length,) uint8 of `data` (data,) values 0 … 63. Raises `ShapeError` or `RangeError`."""
        symbols = self._checked(data, self.data)
        word = np.zeros(self.length, dtype=np.uint8)
        word[: self.data] = symbols
        self._codec.encode(word)
        return word

    def decode(self, received: ArrayLike, erasures: ArrayLike = ()) -> tuple[Symbols, int] | None:
        """(code word, symbols corrected), or None where no code word is near enough.

        received: (length,) values 0 … 63. erasures: places that are known to be bad. Raises `ShapeError`, `RangeError`.
        """
        word = self._checked(received, self.length).copy()
        places = np.zeros(self.length, dtype=np.uint8)
        where = np.asarray(erasures, dtype=np.int64)
        if where.size and (where.min() < 0 or where.max() >= self.length):
            raise RangeError(f"erasures {where.tolist()} of a word of {self.length} symbols: 0 … {self.length - 1}")
        places[where] = 1
        corrected = self._codec.correct(word, places)
        return None if corrected < 0 else (word, corrected)

    def decode_soft(self, agreement: NDArray[np.float32]) -> tuple[Symbols, int]:
        """(code word, its agreement) of the best code word found; there is always one, the caller judges its agreement.

        agreement: (length, 64), of each value of each symbol, whole numbers. Raises `ShapeError`.
        """
        if agreement.shape != (self.length, 64):
            raise ShapeError(f"Reed-Solomon agreement {agreement.shape}; it is ({self.length}, 64)")
        word = np.empty(self.length, dtype=np.uint8)
        total = self._codec.likeliest(np.ascontiguousarray(agreement, dtype=np.float32), word)
        return word, total

    def _checked(self, symbols: ArrayLike, count: int) -> Symbols:
        values = np.asarray(symbols)
        if values.shape != (count,) or values.dtype.kind not in "ui":
            raise ShapeError(f"Reed-Solomon symbols: {values.dtype} {values.shape}; they are integers ({count},)")
        if values.min() < 0 or values.max() > 63:
            raise RangeError(f"Reed-Solomon symbols from {values.min()} to {values.max()}: 0 … 63")
        return values.astype(np.uint8)


LINK_CONTROL = ReedSolomon(24, 12)
"""(24,12,13): link control of LDU1 and of the terminator."""
ENCRYPTION_SYNC = ReedSolomon(24, 16)
"""(24,16,9): encryption sync of LDU2."""
HEADER = ReedSolomon(36, 20)
"""(36,20,17): header."""


def unpack(data: bytes) -> Symbols:
    """Symbols of six bits of bytes, first bit first; three bytes make four symbols."""
    bits = np.unpackbits(np.frombuffer(data, dtype=np.uint8)).reshape(-1, 6)
    return np.asarray(bits @ (1 << np.arange(5, -1, -1)), dtype=np.uint8)
