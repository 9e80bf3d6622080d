import numpy as np
from numpy.typing import NDArray

def add(
    frame: NDArray[np.float32],
    rows: NDArray[np.intp],
    before: NDArray[np.float32],
    after: NDArray[np.float32],
    ramp: int,
    out: NDArray[np.float32],
) -> bool: ...
