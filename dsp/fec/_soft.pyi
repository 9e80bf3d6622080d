import numpy as np
from numpy.typing import NDArray

def levels(
    llr: NDArray[np.float32], out: NDArray[np.float32], mean_level: float, limit: float, largest: float
) -> None: ...
