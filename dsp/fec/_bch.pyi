import numpy as np
from numpy.typing import NDArray

def likeliest(
    levels: NDArray[np.int16], columns: NDArray[np.uint16], allowed: NDArray[np.uint8]
) -> tuple[int, int, int]: ...
