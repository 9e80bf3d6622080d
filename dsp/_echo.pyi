import numpy as np
from numpy.typing import NDArray

def bands(
    x: NDArray[np.float32],
    phase: int,
    sections: NDArray[np.float32],
    state: NDArray[np.float32],
    energy: NDArray[np.float32],
    ring: NDArray[np.float32],
    hop: int,
) -> None: ...
def activity(
    said: NDArray[np.float32],
    last: int,
    said_begin: int,
    said_end: int,
    frames: int,
    depth: float,
    active_depth: float,
) -> tuple[int, float]: ...
def find(
    said: NDArray[np.float32],
    last: int,
    said_begin: int,
    said_end: int,
    sent: NDArray[np.float32],
    sent_begin: int,
    sent_end: int,
    frames: int,
    low: int,
    high: int,
    apart: int,
    depth: float,
    active_depth: float,
    least_active: int,
    least_changes: float,
) -> tuple[float, int, float, int, float]: ...
