import numpy as np
from numpy.typing import NDArray

def levels(
    llr: NDArray[np.float32], out: NDArray[np.float32], mean_level: float, limit: float, largest: float
) -> None: ...
def likeliest(
    levels: NDArray[np.float32], signs: NDArray[np.float32], words: NDArray[np.int32], errors: NDArray[np.int32]
) -> None: ...
