from typing import final

import numpy as np
from numpy.typing import NDArray

@final
class Fourier: ...

def forward(x: NDArray[np.float64], re: NDArray[np.float64], im: NDArray[np.float64]) -> None: ...
def inverse(re: NDArray[np.float64], im: NDArray[np.float64], x: NDArray[np.float64]) -> None: ...
