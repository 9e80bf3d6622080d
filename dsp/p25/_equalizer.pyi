from typing import final

import numpy as np
from numpy.typing import NDArray

@final
class Burst:
    start: int
    turn0: float
    step: float
    forward: int
    emitted: int
    awake: bool
    def __init__(
        self,
        taps: NDArray[np.float64],
        pulse: NDArray[np.float64],
        products: NDArray[np.float64],
        reach: NDArray[np.float64],
        start: int,
        turn: float,
        step: float,
        free_step: bool,
        drift: float,
        still: float,
        model: float,
        steer: float,
        worth: float,
        doubt: float,
        memory: float,
        memory_eq: float,
        gain: float,
        gain_known: float,
    ) -> None: ...
    @property
    def turn(self) -> float: ...
    @property
    def noise(self) -> tuple[float, float]: ...
    def train(self, x: NDArray[np.complex64], base: int, known: NDArray[np.int8]) -> None: ...
    def run(self, x: NDArray[np.complex64], base: int) -> int: ...
    def soft_bits(self, first: int, count: int, path: int) -> list[tuple[float, float]]: ...
    def prefer(self, path: int) -> None: ...
    def emit(self, until: int, margin: float, out: NDArray[np.float32], path: NDArray[np.int8]) -> int: ...
