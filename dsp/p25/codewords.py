"""The protected fields of the voice units: bytes to bits on the air and back (TIA-102.BAAA-B clauses 4 and 7).

field              data       outer code        inner code            bits
header             15 bytes   RS (36,20,17)     Golay (18,6,8)        648
link control       9 bytes    RS (24,12,13)     Hamming (10,6,3)      240   in LDU1
encryption sync    12 bytes   RS (24,16,9)      Hamming (10,6,3)      240   in LDU2
link control       9 bytes    RS (24,12,13)     Golay (24,12,8)       288   in the terminator
low speed data     2 bytes                      cyclic (16,8,5)       32
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dsp.errors import ShapeError
from dsp.fec import cyclic, golay, hamming, soft
from dsp.fec.reed_solomon import ENCRYPTION_SYNC, HEADER, LINK_CONTROL, ReedSolomon, unpack
from dsp.p25 import _codewords


@dataclass(frozen=True, slots=True)
class Word:
    """A decoded field.

    data: the bytes. valid: they can be trusted. errors: of `bits` channel bits those that differ from the code word.
    """

    data: bytes
    valid: bool
    errors: int
    bits: int


class Field:
    """One kind of protected field: a Reed-Solomon code over an inner code."""

    def __init__(
        self,
        outer: ReedSolomon,
        encode: Callable[[int], int],
        agreement: Callable[[soft.Levels], soft.Levels],
        inner_bits: int,
        least_agreement: float,
        symbols_per_word: int = 1,
    ) -> None:
        """least_agreement: below this the field counts as lost (1 when every soft bit agrees, 0 when half do).

        The thresholds lie between the best word found in noise (of 2000: 0.56, 0.66, 0.78 and 0.64 in the order of the
        table above) and right words with every seventh bit wrong (0.85, 0.82, 0.85 and 0.83).
        """
        self._outer = outer
        # The bits of the inner code word of each value.
        words = np.array([encode(value) for value in range(64**symbols_per_word)])
        self._sent = (words[:, None] >> np.arange(inner_bits - 1, -1, -1) & 1).astype(np.uint8)
        self._agreement = agreement
        self._inner_bits = inner_bits
        self.least_agreement = least_agreement
        self._per_word = symbols_per_word
        self.bytes = outer.data * 6 // 8
        self.bits = outer.length // symbols_per_word * inner_bits

    def encode(self, data: bytes) -> NDArray[np.uint8]:
        """The bits sent, (bits,) uint8. Raises `ShapeError` for a wrong length."""
        if len(data) != self.bytes:
            raise ShapeError(f"field of {len(data)} bytes; it has {self.bytes}")
        return self._bits(self._outer.encode(unpack(data)))

    def decode(self, llr: NDArray[np.float32]) -> Word:
        """The likeliest data of received soft bits, (bits,) float32, positive = bit 1. Raises `ShapeError`."""
        if np.shape(llr) != (self.bits,):
            raise ShapeError(f"field of soft bits {np.shape(llr)}; they are ({self.bits},)")
        levels = soft.levels(llr)
        word, _ = self._outer.decode_soft(self._agreement(levels.reshape(-1, self._inner_bits)))
        data = np.empty(self.bytes, dtype=np.uint8)
        agreement, total, errors = _codewords.compare(levels, word, self._sent, data)
        valid = total > 0 and agreement >= self.least_agreement * total
        return Word(data.tobytes(), valid, errors, self.bits)

    def _bits(self, symbols: NDArray[np.uint8]) -> NDArray[np.uint8]:
        if self._per_word == 1:
            return self._sent[symbols].reshape(-1)
        values = symbols.reshape(-1, self._per_word) @ (64 ** np.arange(self._per_word - 1, -1, -1))
        return np.asarray(self._sent[values]).reshape(-1)


HEADER_FIELD = Field(HEADER, golay.encode18, golay.agreement18, 18, 0.65)
LINK_FIELD = Field(LINK_CONTROL, hamming.encode10, hamming.agreement10, 10, 0.72)
SYNC_FIELD = Field(ENCRYPTION_SYNC, hamming.encode10, hamming.agreement10, 10, 0.83)
TERMINATOR_FIELD = Field(LINK_CONTROL, golay.encode24, golay.agreement24, 24, 0.72, symbols_per_word=2)

LOW_SPEED_BITS = 32


def encode_low_speed(data: bytes) -> NDArray[np.uint8]:
    """The 32 bits of two bytes of low speed data. Raises `ShapeError`."""
    if len(data) != 2:
        raise ShapeError(f"low speed data of {len(data)} bytes; it has 2")
    return np.concatenate([soft.from_int(cyclic.encode(byte), 16) for byte in data])


def decode_low_speed(llr: NDArray[np.float32]) -> Word:
    """The likeliest low speed data of (32,) soft bits; the code corrects two errors of 16 bits. Raises `ShapeError`."""
    if np.shape(llr) != (LOW_SPEED_BITS,):
        raise ShapeError(f"low speed data: soft bits {np.shape(llr)}; they are ({LOW_SPEED_BITS},)")
    levels = soft.levels(llr)
    data, errors = cyclic.decode(levels.reshape(2, 16))
    return Word(bytes(data.tolist()), max(errors) <= 2 and bool(levels.any()), sum(errors.tolist()), LOW_SPEED_BITS)
