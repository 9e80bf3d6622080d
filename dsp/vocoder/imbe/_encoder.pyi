from typing import final

import numpy as np
from numpy.typing import NDArray

@final
class Encoder:
    def reset(self) -> None: ...
    def encode(self, samples: NDArray[np.float32], speech: NDArray[np.uint8]) -> None: ...
