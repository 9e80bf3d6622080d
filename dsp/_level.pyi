import numpy as np
from numpy.typing import NDArray

def level(
    block: NDArray[np.float32],
    adapt: NDArray[np.uint8],
    state: NDArray[np.float64],
    position: NDArray[np.int64],
    ring: NDArray[np.float32],
    meter: NDArray[np.float64],
    law: NDArray[np.float64],
    frame: int,
    out: NDArray[np.float32],
) -> None: ...
