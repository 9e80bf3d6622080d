from collections.abc import Sequence
from typing import final

import numpy as np
from numpy.typing import NDArray

MOST_RATE: int

@final
class SquelchBank:
    rows: int
    def __init__(self, rows: int, samples: int, arrays: Sequence[Sequence[NDArray[np.generic]]]) -> None: ...
    def begin(self, index: int, held: int) -> None: ...
    def process(self, x: NDArray[np.float32], at: int, n: int) -> int: ...
