"""The (16,8,5) cyclic code of the low speed data (TIA-102.BAAA-B clause 4): corrects two errors of 16 bits.

    data (8 bits, first bit sent = MSB) · parity (8 bits)

g(x) = x⁸ + x⁵ + x⁴ + x³ + 1: the code of length 17 and nine data bits with the first left out. The rows of the printed
generator matrix are the remainders of x¹⁵ … x⁸ by it.
"""

import numpy as np
from numpy.typing import NDArray

from dsp.errors import RangeError, ShapeError
from dsp.fec import _soft
from dsp.fec.soft import Levels, signs

DATA_BITS = 8
LENGTH = 16

POLYNOMIAL = 0x139
"""g(x), highest power first."""


def encode(data: int) -> int:
    """Code word of 16 bits, data first. Raises `RangeError` unless 0 ≤ data < 256."""
    if not 0 <= data < 1 << DATA_BITS:
        raise RangeError(f"cyclic code data = {data} does not fit 8 bits: 0 … 255")
    word = data << 8
    for power in range(15, 7, -1):
        if word >> power & 1:
            word ^= POLYNOMIAL << (power - 8)
    return data << 8 | word


_SIGNS = np.ascontiguousarray(signs([encode(d) for d in range(1 << DATA_BITS)], LENGTH).T)


def decode(levels: Levels) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """(data, errors) of the likeliest code words, (n,) each; an error is a bit whose level has the other sign.

    levels: (n, 16) from `dsp.fec.soft.levels`. Raises `ShapeError`.
    """
    if levels.ndim != 2 or levels.shape[1] != LENGTH:
        raise ShapeError(f"cyclic code words: levels {levels.shape}; they are (n, {LENGTH})")
    data, errors = np.empty(len(levels), dtype=np.int32), np.empty(len(levels), dtype=np.int32)
    _soft.likeliest(np.ascontiguousarray(levels), _SIGNS, data, errors)
    return data, errors
