"""The (63,16,23) BCH code of the network identifier, with the bit that follows it (TIA-102.BAAA-B clause 7.5.2).

    NAC (12 bits) · DUID (4 bits) · BCH parity (47 bits) · P (1 bit)            first bit sent first

g(x) = octal 6331141367235453 = 0xCD930BDD3B2B, degree 47. The rows of Table 19 are the remainders of x⁶² … x⁴⁷ by it.
Its last column, P, is called a parity bit, but only the rows of the two lowest DUID bits have it set: P is the
exclusive or of those two bits. It serves as one more bit that is known.

The decoder finds the word of all 65536 that agrees best in soft bits: maximum likelihood, so up to 11 errors are always
corrected and often many more. Mostly a shorter way leads there. The code is cyclic, so any 16 bits in a row that came
right give the rest; the nearest word found like this is the likeliest where the 23 bits that speak least for it say
more for than against it, because any other word differs in as many. Where they do not, a Walsh-Hadamard transform
compares with all words, 0.5 million additions.
"""

import numpy as np
from numpy.typing import NDArray

from dsp.errors import RangeError, ShapeError
from dsp.fec import _bch
from dsp.fec.soft import Levels

POLYNOMIAL = 0xCD930BDD3B2B
"""g(x), highest power first (octal 6331141367235453)."""

DATA_BITS = 16
PARITY_BITS = 47
LENGTH = DATA_BITS + PARITY_BITS + 1
"""Bits sent, P included."""

CORRECTS = 11
"""Errors that are always corrected: (23 − 1) / 2."""


def _remainder(word: int) -> int:
    """Remainder of a polynomial of degree below 63 by g(x)."""
    for power in range(LENGTH - 2, PARITY_BITS - 1, -1):
        if word >> power & 1:
            word ^= POLYNOMIAL << (power - PARITY_BITS)
    return word


def _row(bit: int) -> int:
    """Code word of the data word that has only `bit` set."""
    return 1 << (bit + PARITY_BITS + 1) | _remainder(1 << (bit + PARITY_BITS)) << 1 | (bit < 2)


_ROWS = [_row(bit) for bit in range(DATA_BITS)]

_codec = _bch.Codec(np.array(_ROWS, dtype=np.uint64))
_ALL = np.ones(16, dtype=np.uint8)


def encode(data: int) -> int:
    """Word of 64 bits, data first. Raises `RangeError` unless 0 ≤ data < 65536."""
    if not 0 <= data < 1 << DATA_BITS:
        raise RangeError(f"BCH data = {data} does not fit 16 bits: 0 … 65535")
    return _codec.encode(data)


def decode(levels: Levels, low_nibbles: NDArray[np.bool_] | None = None) -> tuple[int, int, int]:
    """(data, agreement, errors) of the likeliest code word.

    levels: (64,) from `dsp.fec.soft.levels`. low_nibbles: (16,) bool, which values the last four data bits (the DUID)
    may have; default all. The agreement of a word is the sum of the levels, each with the sign the word gives it; with
    all bits right it is the sum of their magnitudes. Errors are the bits received otherwise, an erasure as 0. Raises
    `ShapeError`.
    """
    allowed = _ALL if low_nibbles is None else low_nibbles.view(np.uint8)
    if np.shape(levels) != (LENGTH,) or allowed.shape != (16,) or not allowed.any():
        raise ShapeError(f"BCH word: levels {np.shape(levels)}, choices {allowed.shape}; they are (64,) and (16,)")
    return _codec.likeliest(np.ascontiguousarray(levels, dtype=np.float32), allowed)


def decode_among(levels: Levels, candidates: NDArray[np.uint16]) -> tuple[int, int, int]:
    """As `decode`, but only the given data words (n,) come into question. Raises `ShapeError`."""
    if np.shape(levels) != (LENGTH,) or candidates.ndim != 1 or not candidates.size:
        raise ShapeError(f"BCH word: levels {np.shape(levels)}, candidates {candidates.shape}; they are (64,) and (n,)")
    return _codec.among(np.ascontiguousarray(levels, dtype=np.float32), candidates)
