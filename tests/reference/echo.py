"""Band levels by SciPy's sections in float64, and the likeness of every delay by NumPy's own correlation."""

import numpy as np
from numpy.typing import NDArray
from scipy import signal

from dsp import echo


def levels(x: NDArray[np.float32]) -> NDArray[np.float64]:
    """(hops, 8) log2 of the mean square over the last two hops."""
    x = np.where(np.isfinite(x), x, 0).astype(np.float64)
    hops = len(x) // echo.HOP
    out = np.zeros((hops, 8))
    for band, (low, high) in enumerate(zip(echo.EDGES_HZ, echo.EDGES_HZ[1:])):
        sos = signal.butter(1, [low, high], "bandpass", fs=8000, output="sos")
        square = np.sum(signal.sosfilt(sos, x)[: hops * echo.HOP].reshape(hops, echo.HOP) ** 2, axis=1)
        before = np.concatenate([[0.0], square[:-1]])
        out[:, band] = np.log2((square + before) / (2 * echo.HOP) + 1e-10)
    return out


def likeness(x: NDArray[np.float64], y: NDArray[np.float64]) -> float:
    """The lower of two correlations of (frames, 8) levels, each already no deeper than `DEPTH` below its loudest."""
    found = []
    for shape in (False, True):
        a, b = (v - v.mean(axis=1, keepdims=True) if shape else v for v in (x, y))
        a, b = a - a.mean(axis=0), b - b.mean(axis=0)
        energy = np.sum(a**2) * np.sum(b**2)
        found.append(float(np.sum(a * b) / np.sqrt(energy)) if energy > 1e-3 else 0.0)
    return min(found)


def find(said: NDArray[np.float64], last: int, sent: NDArray[np.float64]) -> tuple[float, int]:
    """Likeness and delay of the best place; of odd delays only the neighbours of the best even one."""

    def hops(track: NDArray[np.float64], which: NDArray[np.int_]) -> NDArray[np.float64]:
        inside = (which >= 0) & (which < len(track))
        return np.where(inside[:, None], track[np.clip(which, 0, len(track) - 1)], np.log2(1e-10))

    frames = last - 2 * np.arange(echo.FRAMES)[::-1]
    x = hops(said, frames)
    x = np.maximum(x - x.max(), -echo.DEPTH)
    # The span is one hop longer at its end than the last frame, as in the kernel.
    span = np.arange(frames[0] - echo.HIGH, frames[-1] - echo.LOW + 2)
    loudest = hops(sent, span).max()
    at = {
        lag: likeness(x, np.maximum(hops(sent, frames - lag) - loudest, -echo.DEPTH))
        for lag in range(echo.LOW, echo.HIGH + 1)
    }
    even = max((lag for lag in at if lag % 2 == 0), key=lambda lag: at[lag])
    best = max((lag for lag in (even - 1, even, even + 1) if lag in at), key=lambda lag: at[lag])
    return at[best], best
