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

from dsp.errors import RangeError

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
