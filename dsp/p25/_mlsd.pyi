from typing import final

import numpy as np
from numpy.typing import NDArray

@final
class Detector:
    at: int
    noise: float
    def __init__(self, response: NDArray[np.float64], memory: float) -> None: ...
    def begin(
        self,
        x: NDArray[np.complex64],
        first: int,
        known: NDArray[np.int8],
        number: int,
        turn: float,
        step: float,
    ) -> None: ...
    def forward(self, x: NDArray[np.complex64], first: int, count: int, turn: float, step: float) -> None: ...
    def soft(self, first: int, scale: float, out: NDArray[np.float32]) -> None: ...
