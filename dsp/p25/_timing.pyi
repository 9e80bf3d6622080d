import numpy as np
from numpy.typing import NDArray

def correlate(
    x: NDArray[np.complex64],
    signs: NDArray[np.int8],
    first: int,
    turn: NDArray[np.float32],
    out: NDArray[np.float32],
) -> None: ...
def peaks(shares: NDArray[np.float32], thresholds: NDArray[np.float32], places: NDArray[np.int32]) -> int: ...
def acquire(
    x: NDArray[np.complex64],
    places: NDArray[np.int32],
    taps: NDArray[np.float32],
    signs: NDArray[np.int8],
    nominal: NDArray[np.float64],
    out: NDArray[np.float64],
) -> None: ...
def low_pass(
    x: NDArray[np.complex64],
    taps: NDArray[np.float32],
    step: int,
    out: NDArray[np.complex64],
) -> None: ...
