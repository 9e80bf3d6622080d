"""Levels of log-likelihood ratios by the formula, in NumPy."""

import numpy as np
from numpy.typing import NDArray

LARGEST = 1e9


def levels(llr: NDArray[np.float32]) -> NDArray[np.float32]:
    """round(32 · LLR / mean |LLR|), at most ±96; values beyond 10⁹, or not a number, brought back first."""
    x = llr.astype(np.float64)
    if x.size and not np.abs(x).sum() <= LARGEST:
        x = np.nan_to_num(x, nan=0.0, posinf=LARGEST, neginf=-LARGEST).clip(-LARGEST, LARGEST)
    mean = float(np.abs(x).mean()) if x.size else 0.0
    if mean == 0.0:
        return np.zeros(x.shape, dtype=np.float32)
    return np.rint(x * (32 / mean)).clip(-96, 96).astype(np.float32)
