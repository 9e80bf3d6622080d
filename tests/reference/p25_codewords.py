"""The inner codes of the fields by comparing bit by bit, and the bytes of a code word by its binary digits."""

import numpy as np
from numpy.typing import NDArray


def likeliest(levels: NDArray[np.float32], words: list[int]) -> list[tuple[int, int]]:
    """Of each row the first word of those that agree best, and how many of its bits the levels contradict."""
    found = []
    for row in levels.astype(int).tolist():
        signed = [[x if word >> (len(row) - 1 - i) & 1 else -x for i, x in enumerate(row)] for word in words]
        totals = [sum(values) for values in signed]
        best = totals.index(max(totals))
        found.append((best, sum(value < 0 for value in signed[best])))
    return found


def compare(levels: NDArray[np.float32], words: list[int], length: int) -> tuple[int, int, int]:
    """(agreement with the words sent, sum of all |level|, bits that differ, an erasure taken for a 0)."""
    sent = [word >> i & 1 for word in words for i in range(length - 1, -1, -1)]
    values = levels.astype(int).tolist()
    agreement = sum(x if bit else -x for x, bit in zip(values, sent))
    return agreement, sum(map(abs, values)), sum((x > 0) != bit for x, bit in zip(values, sent))


def packed(symbols: list[int], count: int) -> bytes:
    """The first `count` bytes of symbols of six bits."""
    digits = "".join(f"{symbol:06b}" for symbol in symbols)
    return bytes(int(digits[8 * i : 8 * i + 8], 2) for i in range(count))
