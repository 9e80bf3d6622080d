from typing import Any

import numpy as np
from numpy.typing import NDArray

class BankKernel:
    def __init__(
        self,
        plan: Any,
        shape: NDArray[np.float32],
        turn: NDArray[np.float32],
        start: NDArray[np.int64],
        bins: NDArray[np.int64],
        fine_hz: NDArray[np.float64],
        rows: NDArray[np.int64],
        rate: int,
        skip: int,
    ) -> None: ...
    def run(
        self,
        re: NDArray[np.float32],
        im: NDArray[np.float32],
        row: int,
        out: NDArray[np.complex64],
        at: int,
    ) -> None: ...
