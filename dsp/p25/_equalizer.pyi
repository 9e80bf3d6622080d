from typing import final

import numpy as np
from numpy.typing import NDArray

@final
class Settings:
    def __init__(
        self,
        *,
        drift: float,
        still: float,
        model: float,
        steer: float,
        worth: float,
        doubt: float,
        memory: float,
        margin: float,
        margin_sequence: float,
        one_ray: float,
        calm: float,
        wander: float,
        band: float,
    ) -> None: ...

@final
class Filters:
    def __init__(
        self,
        taps: NDArray[np.float64],
        pulse: NDArray[np.float64],
        products: NDArray[np.float32],
        reach: NDArray[np.float32],
        memory: float,
        response: NDArray[np.float64],
        memory_sequence: float,
    ) -> None: ...

class Burst:
    start: int
    turn0: float
    step: float
    decided: int
    emitted: int
    awake: bool
    def __init__(
        self,
        settings: Settings,
        filters: Filters,
        start: int,
        turn: float,
        step: float,
        free_step: bool,
        gain: float,
        gain_known: float,
    ) -> None: ...
    @property
    def turn(self) -> float: ...
    @property
    def noise(self) -> tuple[float, float]: ...
    def train_on(self, x: NDArray[np.complex64], base: int, known: NDArray[np.uint8]) -> None: ...
    def run(self, x: NDArray[np.complex64], base: int) -> int: ...
    def soft_into(self, first: int, path: int, out: NDArray[np.float32]) -> None: ...
    def set_bias(self, path: int) -> None: ...
    def emit_into(
        self,
        x: NDArray[np.complex64],
        base: int,
        until: int,
        out: NDArray[np.float32],
        path: NDArray[np.int8],
    ) -> None: ...
