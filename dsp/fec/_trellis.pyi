import numpy as np
from numpy.typing import NDArray

def decode(
    levels: NDArray[np.int32], words: NDArray[np.int32], inputs: NDArray[np.uint8], agreement: NDArray[np.int32]
) -> None: ...
