import numpy as np
from numpy.typing import NDArray

def resample_into(
    x: NDArray[np.complex64],
    at: int,
    phase: int,
    step: int,
    rest: int,
    phases: int,
    table: NDArray[np.float32],
    out: NDArray[np.complex64],
) -> None: ...
