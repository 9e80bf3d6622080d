import numpy as np
from numpy.typing import NDArray

def interpolate(
    x: NDArray[np.float32],
    whole: int,
    fraction: int,
    step: int,
    table: NDArray[np.float32],
    out: NDArray[np.float32],
) -> bool: ...
