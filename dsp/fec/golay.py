"""The Golay codes of P25: [23,12] with distance 7, and what every other length is cut from.

    data (12 bits, first bit sent = MSB) · parity (11 bits) = the remainder of data · x¹¹ by g(x)

g(x) = x¹¹ + x¹⁰ + x⁶ + x⁵ + x⁴ + x² + 1, octal 6165. TIA-102.BABA-A clause 7.3 and TIA-102.BAAA-B print the generator
matrix; its rows are the remainders of x²² … x¹¹ by this polynomial (the polynomial printed beside the matrix in BABA is
the reciprocal one, the matrix is what is on the air).

The code is perfect: each of the 2¹¹ syndromes belongs to exactly one pattern of at most three errors, so every word of
23 bits decodes, and four errors decode to a wrong word without a sign.
"""

from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from dsp.errors import RangeError, ShapeError
from dsp.fec.soft import Levels, signs

POLYNOMIAL = 0xC75
"""g(x), highest power first (octal 6165)."""

DATA_BITS = 12
PARITY_BITS = 11
LENGTH = DATA_BITS + PARITY_BITS


def _remainder(word: int) -> int:
    """Remainder of a polynomial of degree below 23 by g(x)."""
    for power in range(LENGTH - 1, PARITY_BITS - 1, -1):
        if word >> power & 1:
            word ^= POLYNOMIAL << (power - PARITY_BITS)
    return word


def _parity_table() -> NDArray[np.uint16]:
    """Parity of each of the 4096 data words, (4096,) uint16."""
    table = np.zeros(1, dtype=np.uint16)
    for bit in range(DATA_BITS):
        table = np.concatenate([table, table ^ np.uint16(_remainder(1 << (bit + PARITY_BITS)))])
    return table


def _error_table() -> NDArray[np.uint32]:
    """Pattern of at most three errors of each of the 2048 syndromes, (2048,) uint32."""
    single = [_remainder(1 << bit) for bit in range(LENGTH)]
    table = np.zeros(1 << PARITY_BITS, dtype=np.uint32)
    for weight in (1, 2, 3):
        for bits in combinations(range(LENGTH), weight):
            syndrome = pattern = 0
            for bit in bits:
                syndrome ^= single[bit]
                pattern |= 1 << bit
            table[syndrome] = pattern
    return table


PARITY = _parity_table()
"""Parity bits by data word, (4096,) uint16."""

ERRORS = _error_table()
"""Error pattern (23 bits) by syndrome, (2048,) uint32."""


def encode23(data: int) -> int:
    """Code word of 23 bits, data first. Raises `RangeError` unless 0 ≤ data < 4096."""
    if not 0 <= data < 1 << DATA_BITS:
        raise RangeError(f"Golay data = {data} does not fit 12 bits: 0 … 4095")
    return data << PARITY_BITS | int(PARITY[data])


def decode23(word: int) -> tuple[int, int]:
    """(data, errors corrected 0 … 3) of a received word. Raises `RangeError` unless 0 ≤ word < 2²³."""
    if not 0 <= word < 1 << LENGTH:
        raise RangeError(f"Golay word = {word} does not fit 23 bits: 0 … {(1 << LENGTH) - 1}")
    syndrome = int(PARITY[word >> PARITY_BITS]) ^ (word & ((1 << PARITY_BITS) - 1))
    errors = int(ERRORS[syndrome])
    return (word ^ errors) >> PARITY_BITS, errors.bit_count()


def encode24(data: int) -> int:
    """Code word of the extended [24,12] code, distance 8: 23 bits and the bit that makes their sum even.

    TIA-102.BAAA-B clause 4: each pair of Reed-Solomon symbols of a terminator's link control. Raises `RangeError`.
    """
    word = encode23(data)
    return word << 1 | (word.bit_count() & 1)


def encode18(data: int) -> int:
    """Code word of the shortened [18,6] code, distance 8: [24,12] with six leading zeros left out.

    TIA-102.BAAA-B clause 4: each Reed-Solomon symbol of a header. Raises `RangeError` unless 0 ≤ data < 64.
    """
    if not 0 <= data < 64:
        raise RangeError(f"shortened Golay data = {data} does not fit 6 bits: 0 … 63")
    return encode24(data)


_SIGNS18 = signs([encode18(d) for d in range(64)], 18)
_SIGNS24_HIGH = signs([encode24(d << 6) for d in range(64)], 24)
_SIGNS24_LOW = signs([encode24(d) for d in range(64)], 24)


def agreement18(levels: Levels) -> Levels:
    """How well each value of the six data bits agrees with received words of the [18,6] code.

    levels: (n, 18) from `dsp.fec.soft.levels`. Returns (n, 64): the sum of the levels, each with the sign the code word
    gives it. Raises `ShapeError`.
    """
    if levels.ndim != 2 or levels.shape[1] != 18:
        raise ShapeError(f"shortened Golay words: levels {levels.shape}; they are (n, 18)")
    return np.asarray(levels @ _SIGNS18.T)


def agreement24(levels: Levels) -> Levels:
    """How well each value of either half of the twelve data bits agrees with received words of the [24,12] code.

    levels: (n, 24) from `dsp.fec.soft.levels`. Returns (2 n, 64): of both halves in turn, the sum of the levels with
    the signs of the best code word that has this half. Raises `ShapeError`.
    """
    if levels.ndim != 2 or levels.shape[1] != 24:
        raise ShapeError(f"extended Golay words: levels {levels.shape}; they are (n, 24)")
    # The sign of a sum of two code words is minus the product of their signs.
    both = (levels[:, None, :] * -_SIGNS24_HIGH) @ _SIGNS24_LOW.T
    return np.stack([both.max(axis=2), both.max(axis=1)], axis=1).reshape(-1, 64)
