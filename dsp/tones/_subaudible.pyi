import numpy as np
from numpy.typing import NDArray

def lower(
    x: NDArray[np.float32],
    line: NDArray[np.float32],
    fresh: NDArray[np.int32],
    fill: int,
    taps: NDArray[np.float32],
    limit: float,
    scratch: NDArray[np.float32],
    out: NDArray[np.float32],
) -> None: ...
