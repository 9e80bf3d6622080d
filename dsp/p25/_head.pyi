import numpy as np
from numpy.typing import NDArray

def compare(
    x: NDArray[np.complex64],
    first: int,
    response: NDArray[np.float32],
    by_phase: bool,
    dibits: NDArray[np.uint8],
    turn: float,
    step: float,
    of: NDArray[np.complex64],
) -> tuple[float, float, float]: ...
def off(
    of: NDArray[np.complex64],
    turned: NDArray[np.float32],
    before: int,
    behind: int,
    certainty: float,
    turn: float,
    turn_before: float,
    step: float,
    step_before: float,
    deviates: bool,
) -> tuple[float, float]: ...
