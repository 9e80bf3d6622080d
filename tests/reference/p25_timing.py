"""Slow twins of the kernels of `dsp.p25.timing`, straight from their formulas."""

import numpy as np
from numpy.typing import NDArray

from dsp.p25.c4fm import FRAME_SYNC_DIBITS, SYMBOL_OF_DIBIT

Complex = NDArray[np.complex128]


def shares(x: Complex, first: int) -> NDArray[np.float64]:
    """Share of the correlator of one row: |∑ t/√|t| · exp(∓j135°)| / ∑ √|t| over 24 symbols."""
    symbols = SYMBOL_OF_DIBIT[FRAME_SYNC_DIBITS]
    out = np.zeros(len(x) - first)
    for n in range(first, len(x)):
        at = n - 5 * np.arange(23, -1, -1)
        turn = x[at] * x[at - 5].conj()
        root = np.sqrt(np.abs(turn))
        total = root.sum()
        if total > 0:
            weighed = np.divide(turn, root, out=np.zeros_like(turn), where=root > 0)
            out[n - first] = np.abs((weighed * np.exp(-1j * np.pi / 4 * symbols)).sum()) / total
    return out


def low_pass(x: Complex, taps: NDArray[np.float64], step: int, n: int) -> Complex:
    """n outputs of the filter, every step-th, the first with its last tap on x[len(taps) − 1]."""
    return np.array([np.dot(taps[::-1], x[i * step : i * step + len(taps)]) for i in range(n)])


def match(x: Complex, place: float, turn: float, step: float, filters: NDArray[np.float64]) -> float:
    """Coherent match ρ² of 25 points of the sync, the last at `place`, for a known frequency and deviation."""
    phases, width = filters.shape
    eighth = round(place * phases)
    taps, last = filters[eighth % phases], eighth // phases
    # The frequency is taken out of the samples first, as the filter is made for a carrier in the middle.
    level = x * np.exp(-1j * turn / 5 * np.arange(len(x)))
    half = width // 2
    points = np.array([np.dot(taps, level[n - half : n + half + 1]) for n in last - 5 * np.arange(24, -1, -1)])
    sums = np.concatenate([[0.0], np.cumsum(SYMBOL_OF_DIBIT[FRAME_SYNC_DIBITS])])
    ideal = np.exp(1j * step * sums)
    return float(np.abs(np.vdot(ideal, points)) ** 2 / (25 * (np.abs(points) ** 2).sum()))
