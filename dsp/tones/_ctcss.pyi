from collections.abc import Mapping
from typing import final

import numpy as np
from numpy.typing import NDArray

FRAMES_PER_CALL: int
KIND_FOUND: int
KIND_LOST: int
KIND_BURST: int

@final
class CtcssBank:
    rows: int
    def __init__(
        self,
        rows: int,
        factor: int,
        tones: int,
        arrays: Mapping[str, NDArray[np.generic]],
        limits: tuple[float, float, float, float],
    ) -> None: ...
    def begin(self, index: int) -> None: ...
    def process(self, y: NDArray[np.float32], at: int, frames: int) -> int: ...
