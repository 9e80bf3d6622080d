"""The (63,16,23) code with P, decoded by comparing with every code word."""

import numpy as np
from numpy.typing import NDArray

from dsp.fec import bch


def code_words() -> NDArray[np.float64]:
    """All 65536 words as rows of ±1."""
    rows = np.array([[bch.encode(1 << b) >> i & 1 for i in range(63, -1, -1)] for b in range(16)])
    data = np.arange(65536)[:, None] >> np.arange(16) & 1
    return np.asarray(data @ rows % 2 * 2 - 1, dtype=np.float64)


def decode(
    levels: NDArray[np.float32], words: NDArray[np.float64], allowed: NDArray[np.bool_]
) -> tuple[list[int], int]:
    """(data of all words that agree best, their agreement)."""
    agreement = np.where(allowed[np.arange(65536) & 15], words @ levels, -np.inf)
    return np.flatnonzero(agreement == agreement.max()).tolist(), int(agreement.max())
