import numpy as np
from numpy.typing import NDArray

def correlate(
    x: NDArray[np.complex64],
    signs: NDArray[np.int8],
    first: int,
    turn: NDArray[np.float32],
    out: NDArray[np.float32],
) -> None: ...
def acquire(
    x: NDArray[np.complex64],
    at: int,
    taps: NDArray[np.float64],
    signs: NDArray[np.int8],
    sums: NDArray[np.float64],
    nominal: NDArray[np.float64],
    out: NDArray[np.float64],
) -> None: ...
def low_pass(
    x: NDArray[np.complex64],
    taps: NDArray[np.float32],
    step: int,
    n: int,
    out: NDArray[np.complex64],
) -> None: ...
