"""Trellis coded blocks: 98 dibits that carry 12 or 18 bytes (TIA-102.BAAA-B clause 6).

After the trellis encoder the dibits are interleaved: sent in four passes, every fourth pair of dibits in each.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dsp.errors import ShapeError
from dsp.fec import crc, soft
from dsp.fec.trellis import BITS, HALF, Trellis

DIBITS = BITS // 2

INTERLEAVE: NDArray[np.intp] = np.concatenate(
    [[2 * pair + half for pair in range(first, 49, 4) for half in (0, 1)] for first in range(4)]
)
"""Which dibit of the encoder is sent in each place."""

_BIT_ORDER = (2 * INTERLEAVE[:, None] + np.arange(2)).reshape(-1)

LIST_PATHS = 32
"""Paths offered to the CRC when the best one fails it."""
LEAST_AGREEMENT = 0.87
"""A path that is not the best must agree with the received block at least this well. Noise reaches 0.87 in one of 300
blocks, a block with 12 % of its bits wrong has 0.90; so a CRC met by chance among the paths stays rarer than 2·10⁻⁶."""


@dataclass(frozen=True, slots=True)
class Block:
    """One decoded block.

    data: 12 or 18 bytes. valid: the CRC is right (None where the block has none). errors: channel bits corrected.
    """

    data: bytes
    valid: bool | None
    errors: int


def encode(data: bytes, code: Trellis = HALF) -> NDArray[np.uint8]:
    """The 196 bits sent for a block. Raises `ShapeError` for a wrong length."""
    return np.asarray(code.encode(data)[_BIT_ORDER])


def decode(llr: NDArray[np.float32], code: Trellis = HALF, *, checked: bool = True) -> Block:
    """A received block. checked: it ends in a CRC of 16 bits (rate ½) or begins with one of 9 (rate ¾) that can choose.

    llr: (98, 2) float32 soft dibits in the order received. Raises `ShapeError`.
    """
    if np.shape(llr) != (DIBITS, 2):
        raise ShapeError(f"trellis block: soft dibits {np.shape(llr)}; they are ({DIBITS}, 2)")
    levels = np.empty(BITS, dtype=np.float32)
    levels[_BIT_ORDER] = soft.levels(llr).reshape(-1)
    data, _ = code.decode(levels)[0]
    valid: bool | None = None
    if checked:
        valid = is_valid(data)
        if not valid:
            least = LEAST_AGREEMENT * float(np.abs(levels).sum())
            for candidate, agreement in code.decode(levels, LIST_PATHS)[1:]:
                if agreement < least:
                    break
                if is_valid(candidate):
                    data, valid = candidate, True
                    break
    errors = int((code.encode(data) != soft.to_bits(levels)).sum())
    return Block(data, valid, errors)


def is_valid(data: bytes) -> bool:
    """Whether the CRC of a block of 12 bytes (last 16 bits) or of 18 bytes (the 9 bits after its serial) is right."""
    if len(data) == HALF.bytes:
        return crc.ccitt(data[:-2]) == int.from_bytes(data[-2:])
    head = int.from_bytes(data[:2])
    return crc.crc9(head >> 9, data[2:]) == head & 0x1FF
