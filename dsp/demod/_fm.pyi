import numpy as np
from numpy.typing import NDArray

def discriminate(
    block: NDArray[np.float32],
    taps: NDArray[np.float32],
    limits: NDArray[np.float32],
    position: NDArray[np.int64],
    track: NDArray[np.float32],
    power: NDArray[np.float32],
    history: NDArray[np.float32],
    last: NDArray[np.float32],
    scratch: NDArray[np.float32],
    scale: float,
    out: NDArray[np.float32],
) -> None: ...
