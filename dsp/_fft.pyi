from typing import Any

import numpy as np
from numpy.typing import NDArray

class ForwardKernel:
    def __init__(
        self,
        down: Any,
        across: Any,
        turn: NDArray[np.float32],
        re: NDArray[np.float32],
        im: NDArray[np.float32],
        margin: int,
    ) -> None: ...
    def run(
        self, head: NDArray[np.complex64], filled: int, body: NDArray[np.complex64], start: int, reach: int
    ) -> None: ...
    def add_power(self, power: NDArray[np.float32]) -> None: ...
