import numpy as np
from numpy.typing import NDArray

def search(
    llr: NDArray[np.float32],
    first: int,
    end: int,
    sync: int,
    most_errors: int,
    least_agreement: float,
    places: NDArray[np.int64],
    inverted: NDArray[np.uint8],
    scores: NDArray[np.float32],
) -> int: ...
