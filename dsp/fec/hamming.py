"""The [15,11] Hamming code of P25, distance 3: corrects one error of 15 bits.

    data (11 bits, first bit sent = MSB) · parity (4 bits)

Generator matrix: TIA-102.BABA-A clause 7.3 (same as TIA-102.BAAA-B). The column of each data bit, read as a number, is
its syndrome; the parity bits have the syndromes 8, 4, 2 and 1. The code is perfect: every word decodes.
"""

import numpy as np
from numpy.typing import NDArray

from dsp.errors import RangeError, ShapeError
from dsp.fec.soft import Levels, signs

DATA_BITS = 11
PARITY_BITS = 4
LENGTH = DATA_BITS + PARITY_BITS

COLUMNS = (0xF, 0xE, 0xD, 0xC, 0xB, 0xA, 0x9, 0x7, 0x6, 0x5, 0x3, 0x8, 0x4, 0x2, 0x1)
"""Syndrome of an error in each bit, first bit sent first."""


def _parity_table() -> NDArray[np.uint16]:
    """Parity of each of the 2048 data words, (2048,) uint16."""
    table = np.zeros(1, dtype=np.uint16)
    for column in COLUMNS[DATA_BITS - 1 :: -1]:
        table = np.concatenate([table, table ^ np.uint16(column)])
    return table


def _error_table() -> NDArray[np.uint32]:
    """Error pattern of each of the 16 syndromes, (16,) uint32."""
    table = np.zeros(1 << PARITY_BITS, dtype=np.uint32)
    for position, column in enumerate(COLUMNS):
        table[column] = 1 << (LENGTH - 1 - position)
    return table


PARITY = _parity_table()
"""Parity bits by data word, (2048,) uint16."""

ERRORS = _error_table()
"""Error pattern (15 bits) by syndrome, (16,) uint32."""


def encode15(data: int) -> int:
    """Code word of 15 bits, data first. Raises `RangeError` unless 0 ≤ data < 2048."""
    if not 0 <= data < 1 << DATA_BITS:
        raise RangeError(f"Hamming data = {data} does not fit 11 bits: 0 … 2047")
    return data << PARITY_BITS | int(PARITY[data])


def decode15(word: int) -> tuple[int, int]:
    """(data, errors corrected 0 … 1) of a received word. Raises `RangeError` unless 0 ≤ word < 2¹⁵."""
    if not 0 <= word < 1 << LENGTH:
        raise RangeError(f"Hamming word = {word} does not fit 15 bits: 0 … {(1 << LENGTH) - 1}")
    syndrome = int(PARITY[word >> PARITY_BITS]) ^ (word & ((1 << PARITY_BITS) - 1))
    errors = int(ERRORS[syndrome])
    return (word ^ errors) >> PARITY_BITS, errors.bit_count()


SHORT_COLUMNS = (0xE, 0xD, 0xB, 0x7, 0x3, 0xC, 0x8, 0x4, 0x2, 0x1)
"""Syndrome of an error in each bit of the shortened [10,6] code, first bit sent first (TIA-102.BAAA-B clause 4)."""


def encode10(data: int) -> int:
    """Code word of the shortened [10,6] code, distance 3: link control and encryption sync of the voice units.

    Raises `RangeError` unless 0 ≤ data < 64.
    """
    if not 0 <= data < 64:
        raise RangeError(f"shortened Hamming data = {data} does not fit 6 bits: 0 … 63")
    parity = 0
    for i in range(6):
        if data >> (5 - i) & 1:
            parity ^= SHORT_COLUMNS[i]
    return data << 4 | parity


_SIGNS10 = signs([encode10(d) for d in range(64)], 10)


def agreement10(levels: Levels) -> Levels:
    """How well each value of the six data bits agrees with received words of the [10,6] code.

    levels: (n, 10) from `dsp.fec.soft.levels`. Returns (n, 64): the sum of the levels, each with the sign the code word
    gives it. Raises `ShapeError`.
    """
    if levels.ndim != 2 or levels.shape[1] != 10:
        raise ShapeError(f"shortened Hamming words: levels {levels.shape}; they are (n, 10)")
    return np.asarray(levels @ _SIGNS10.T)
