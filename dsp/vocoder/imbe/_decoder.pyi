from typing import final

import numpy as np
from numpy.typing import NDArray

@final
class Decoder:
    @property
    def error_rate(self) -> float: ...
    def reset(self) -> None: ...
    def decode(
        self, speech: NDArray[np.uint8], errors: NDArray[np.int32], erased: bool, out: NDArray[np.float32]
    ) -> int: ...
    def model(self) -> tuple[float, int, list[int], list[float]]: ...
