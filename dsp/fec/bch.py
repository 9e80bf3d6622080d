"""The (63,16,23) BCH code of the network identifier, with the bit that follows it (TIA-102.BAAA-B clause 7.5.2).

    NAC (12 bits) · DUID (4 bits) · BCH parity (47 bits) · P (1 bit)            first bit sent first

g(x) = octal 6331141367235453 = 0xCD930BDD3B2B, degree 47. The rows of Table 19 are the remainders of x⁶² … x⁴⁷ by it.
Its last column, P, is called a parity bit, but only the rows of the two lowest DUID bits have it set: P is the
exclusive or of those two bits. It serves as one more bit that is known.

The decoder compares a received word with all 65536 code words, in soft bits: maximum likelihood, so up to 11 errors are
always corrected and often many more. The comparison is a Walsh-Hadamard transform, 0.5 million additions.
"""

import numpy as np
from numpy.typing import NDArray

from dsp.errors import RangeError, ShapeError
from dsp.fec import _bch
from dsp.fec.soft import Levels, signs

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

_COLUMNS = np.array(
    [sum((_ROWS[bit] >> place & 1) << bit for bit in range(DATA_BITS)) for place in range(LENGTH - 1, -1, -1)],
    dtype=np.uint16,
)
"""Which data bits each bit sent is the sum of, (64,)."""


def encode(data: int) -> int:
    """Word of 64 bits, data first. Raises `RangeError` unless 0 ≤ data < 65536."""
    if not 0 <= data < 1 << DATA_BITS:
        raise RangeError(f"BCH data = {data} does not fit 16 bits: 0 … 65535")
    word = 0
    for bit in range(DATA_BITS):
        if data >> bit & 1:
            word ^= _ROWS[bit]
    return word


def decode(levels: Levels, low_nibbles: NDArray[np.bool_] | None = None) -> tuple[int, int, int]:
    """(data, agreement, agreement of the runner-up) of the likeliest code word.

    levels: (64,) from `dsp.fec.soft.levels`. low_nibbles: (16,) bool, which values the last four data bits (the DUID)
    may have; default all. The agreement of a word is the sum of the levels, each with the sign the word gives it; with
    all bits right it is the sum of their magnitudes. Raises `ShapeError`.
    """
    allowed = np.ones(16, dtype=np.uint8) if low_nibbles is None else np.asarray(low_nibbles, dtype=np.uint8)
    if np.shape(levels) != (LENGTH,) or allowed.shape != (16,) or not allowed.any():
        raise ShapeError(f"BCH word: levels {np.shape(levels)}, choices {allowed.shape}; they are (64,) and (16,)")
    best, agreement, runner_up = _bch.likeliest(np.ascontiguousarray(levels, dtype=np.int16), _COLUMNS, allowed)
    return best, agreement, runner_up


def decode_among(levels: Levels, candidates: NDArray[np.uint16]) -> tuple[int, int, int]:
    """As `decode`, but only the given data words (n,) come into question; of one alone, the runner-up is its opposite.

    Raises `ShapeError`.
    """
    if np.shape(levels) != (LENGTH,) or candidates.ndim != 1 or not candidates.size:
        raise ShapeError(f"BCH word: levels {np.shape(levels)}, candidates {candidates.shape}; they are (64,) and (n,)")
    words = np.array([encode(int(c)) for c in candidates], dtype=np.uint64).view(np.int64)
    agreement = signs(words, LENGTH) @ np.asarray(levels, dtype=np.float32)
    order = np.argsort(-agreement, kind="stable")
    second = agreement[order[1]] if len(order) > 1 else -np.abs(levels).sum()
    return int(candidates[order[0]]), int(agreement[order[0]]), int(second)
