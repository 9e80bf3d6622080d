from collections.abc import Sequence
from typing import final

import numpy as np
from numpy.typing import NDArray

FRAMES_PER_CALL: int

@final
class DcsBank:
    rows: int
    def __init__(
        self,
        rows: int,
        factor: int,
        arrays: Sequence[NDArray[np.generic]],
        tables: Sequence[NDArray[np.generic]],
    ) -> None: ...
    def begin(self, index: int) -> None: ...
    def clear(self, r: int) -> None: ...
    def process(self, y: NDArray[np.float32], at: int, frames: int) -> int: ...
