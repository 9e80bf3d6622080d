import numpy as np
from numpy.typing import NDArray

def detect(
    block: NDArray[np.float32],
    state: NDArray[np.float64],
    ring: NDArray[np.float32],
    position: NDArray[np.int64],
    settle: int,
    lost_after: int,
    rise: float,
    fall: float,
    out: NDArray[np.float32],
) -> None: ...
