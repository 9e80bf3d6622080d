import numpy as np
from numpy.typing import NDArray

def speech(
    block: NDArray[np.float32],
    gain: NDArray[np.float32],
    taps: NDArray[np.float32],
    decimation: int,
    first: int,
    pole: float,
    sections: NDArray[np.float64],
    history: NDArray[np.float32],
    state: NDArray[np.float64],
    line: NDArray[np.float32],
    lines: NDArray[np.float32],
    decimated: NDArray[np.float32],
    group: NDArray[np.float64],
    out: NDArray[np.float32],
) -> None: ...
