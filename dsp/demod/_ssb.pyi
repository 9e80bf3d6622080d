import numpy as np
from numpy.typing import NDArray

def receive(
    block: NDArray[np.float32],
    carrier: NDArray[np.float32],
    phase: int,
    sign: NDArray[np.float32],
    state: NDArray[np.float64],
    ring: NDArray[np.float32],
    position: NDArray[np.int64],
    hang: int,
    attack: float,
    decay: float,
    target: float,
    weakest: float,
    out: NDArray[np.float32],
) -> None: ...
