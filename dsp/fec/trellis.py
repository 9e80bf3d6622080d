"""The trellis codes of P25 data blocks, rate ½ and rate ¾, and their list decoder (TIA-102.BAAA-B clause 6).

Each input symbol (2 or 3 bits) and the one before it choose one of 16 constellation points, each a pair of dibits; the
input is the next state. 48 symbols and one flushing 0 become 49 points, 98 dibits, 196 bits.

The decoder is the list Viterbi algorithm (N. Seshadri and C.-E. W. Sundberg 1994): it returns the best few paths in
order, so that a CRC can choose among them.
"""

import numpy as np
from numpy.typing import NDArray

from dsp.errors import RangeError, ShapeError
from dsp.fec import _trellis

STEPS = 49
"""Points of a block, the flushing one included."""
BITS = 196
"""Bits sent of a block."""
LONGEST_LIST = 32

# Dibit pair of each constellation point, as symbols +1 = 00, +3 = 01, −1 = 10, −3 = 11.
_POINTS = (
    0b0010, 0b1010, 0b0111, 0b1111, 0b1110, 0b0110, 0b1011, 0b0011,
    0b1101, 0b0101, 0b1000, 0b0000, 0b0001, 0b1001, 0b0100, 0b1100,
)  # fmt: skip

# Point by state (row) and input (column), rate ½ and rate ¾.
_HALF = ((0, 15, 12, 3), (4, 11, 8, 7), (13, 2, 1, 14), (9, 6, 5, 10))
_THREE_QUARTERS = (
    (0, 8, 4, 12, 2, 10, 6, 14),
    (4, 12, 2, 10, 6, 14, 0, 8),
    (1, 9, 5, 13, 3, 11, 7, 15),
    (5, 13, 3, 11, 7, 15, 1, 9),
    (3, 11, 7, 15, 1, 9, 5, 13),
    (7, 15, 1, 9, 5, 13, 3, 11),
    (2, 10, 6, 14, 0, 8, 4, 12),
    (6, 14, 0, 8, 4, 12, 2, 10),
)


class Trellis:
    """One code: `bits` of data for every point."""

    def __init__(self, points: tuple[tuple[int, ...], ...]) -> None:
        self.bits = len(points).bit_length() - 1
        self.bytes = (STEPS - 1) * self.bits // 8
        """Data bytes of a block."""
        self._words = np.array([[_POINTS[point] for point in row] for row in points], dtype=np.int32)
        self._sent = (self._words[:, :, None] >> np.arange(3, -1, -1) & 1).astype(np.uint8)

    def encode(self, data: bytes) -> NDArray[np.uint8]:
        """The bits sent for a block of data, before interleaving: (196,) uint8. Raises `ShapeError`."""
        if len(data) != self.bytes:
            raise ShapeError(f"trellis block of {len(data)} bytes; it has {self.bytes}")
        bits = np.unpackbits(np.frombuffer(data, dtype=np.uint8)).reshape(-1, self.bits)
        inputs = np.zeros(STEPS, dtype=np.intp)
        inputs[:-1] = bits @ (1 << np.arange(self.bits - 1, -1, -1))
        states = np.concatenate([[0], inputs[:-1]])
        return np.asarray(self._sent[states, inputs]).reshape(-1)

    def decode(self, levels: NDArray[np.float32], paths: int = 1) -> list[tuple[bytes, int]]:
        """The best `paths` blocks of data, best first, each with its agreement with what was received.

        levels: (196,) from `dsp.fec.soft.levels`, deinterleaved. Agreement: the sum of the levels, each with the sign
        the code gives it. Raises `ShapeError`, or `RangeError` unless 1 ≤ paths ≤ 32.
        """
        if np.shape(levels) != (BITS,):
            raise ShapeError(f"trellis block: levels {np.shape(levels)}; they are ({BITS},)")
        if not 1 <= paths <= LONGEST_LIST:
            raise RangeError(f"list decoder with {paths} paths: 1 … {LONGEST_LIST}")
        inputs = np.empty((paths, STEPS), dtype=np.uint8)
        agreement = np.empty(paths, dtype=np.int32)
        _trellis.decode(np.ascontiguousarray(levels, dtype=np.int32), self._words, inputs, agreement)
        bits = inputs[:, :-1, None] >> np.arange(self.bits - 1, -1, -1) & 1
        data = np.packbits(bits.reshape(paths, -1).astype(np.uint8), axis=1)
        return [(row.tobytes(), int(total)) for row, total in zip(data, agreement)]


HALF = Trellis(_HALF)
"""Rate ½: 12 bytes. Headers, trunking blocks and unconfirmed data."""
THREE_QUARTERS = Trellis(_THREE_QUARTERS)
"""Rate ¾: 18 bytes. Confirmed data."""
