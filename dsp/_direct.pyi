import numpy as np
from numpy.typing import NDArray

class DirectKernel:
    def __init__(
        self,
        first: NDArray[np.float32],
        first_step: int,
        turn: NDArray[np.float32],
        middle: int,
        second: NDArray[np.float32],
        second_step: int,
        hop: int,
        middle_rate: int,
        middle_skip: int,
        bin_hz: int,
        fine_hz: float,
    ) -> None: ...
    def run(
        self,
        head: NDArray[np.complex64],
        filled: int,
        body: NDArray[np.complex64],
        start: int,
        step: int,
        row: int,
        out: NDArray[np.complex64],
    ) -> None: ...
