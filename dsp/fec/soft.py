"""Soft bits: log-likelihood ratios made into small whole numbers, so that every decoder adds them exactly.

A decoder compares sums of soft bits. In whole numbers a sum is the same in any order, so the decision does not depend
on the vector width of the machine, and the scale of the demodulator does not matter.

    level = round(32 · LLR / mean |LLR|), at most ±96            positive = bit 1, 0 = erasure

The limit of three times the mean keeps one wild sample from outvoting a whole code word.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from dsp.errors import RangeError, ShapeError
from dsp.fec import _soft

Levels = NDArray[np.float32]
"""Whole numbers −96 … 96 held as float32 (exact, and what a matrix product takes)."""

MEAN_LEVEL = 32
LIMIT = 96

# Larger than any log-likelihood that means something; keeps the mean finite whatever comes in.
_LARGEST = 1e9


def levels(llr: ArrayLike) -> Levels:
    """Levels of log-likelihood ratios of any shape: float or integer, positive = bit 1, 0 or not a number = unknown.

    Raises `ShapeError` for another dtype.
    """
    soft = np.asarray(llr)
    if soft.dtype.kind not in "fi":
        raise ShapeError(f"soft bits: dtype {soft.dtype}; they are float32 or a signed integer, positive = bit 1")
    if soft.dtype.kind == "f" and soft.dtype.itemsize > 4:
        soft = soft.clip(-_LARGEST, _LARGEST)
    x = np.ascontiguousarray(soft, dtype=np.float32)
    out = np.empty_like(x)
    _soft.levels(x.reshape(-1), out.reshape(-1), MEAN_LEVEL, LIMIT, _LARGEST)
    return out


def from_bits(bits: ArrayLike) -> NDArray[np.float32]:
    """Soft bits ±1 of hard ones. bits: integers or bools 0 or 1, any shape. Raises `RangeError` for other values."""
    hard = np.asarray(bits)
    if hard.dtype.kind not in "uib" or (hard.size and (int(hard.min()) < 0 or int(hard.max()) > 1)):
        raise RangeError("hard bits are integers 0 or 1")
    return np.where(hard.astype(bool), np.float32(1), np.float32(-1))


def to_bits(llr: NDArray[np.floating]) -> NDArray[np.uint8]:
    """Hard bits 0 or 1 of soft ones; an erasure becomes 0."""
    return (llr > 0).view(np.uint8)


def to_int(bits: NDArray[np.uint8]) -> int:
    """The number whose binary digits are `bits` (n,), first one most significant."""
    return int("".join("1" if b else "0" for b in bits.tolist()) or "0", 2)


def from_int(value: int, length: int) -> NDArray[np.uint8]:
    """`length` binary digits of `value`, most significant first: (length,) uint8."""
    return np.array([value >> i & 1 for i in range(length - 1, -1, -1)], dtype=np.uint8)


def signs(words: ArrayLike, length: int) -> NDArray[np.float32]:
    """Code words as rows of ±1 (bit 1 = +1), first bit sent first: (number of words, length) float32."""
    values = np.asarray(words, dtype=np.int64)[:, None]
    return ((values >> np.arange(length - 1, -1, -1) & 1) * 2 - 1).astype(np.float32)
