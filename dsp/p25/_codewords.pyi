import numpy as np
from numpy.typing import NDArray

def compare(
    levels: NDArray[np.float32], symbols: NDArray[np.uint8], sent: NDArray[np.uint8], data: NDArray[np.uint8]
) -> tuple[float, float, int]: ...
