from typing import final

import numpy as np
from numpy.typing import NDArray

HOP: int

@final
class Store:
    filled: int
    hops: int
    def __init__(self, capacity: int) -> None: ...
    def push(self, samples: NDArray[np.float32]) -> None: ...
    def copy(self, start: int, out: NDArray[np.float32]) -> None: ...
    def is_quiet(self, hop: int) -> bool: ...

@final
class Cursor:
    position: int
    played: int
    skipped: int
    lost: int
    waited: int
    paused: int
    def __init__(self, store: Store, start: int) -> None: ...
    def pull(self, out: NDArray[np.float32], reserve: int, ended: bool, step: int) -> None: ...
    def drains_in(self, reserve: int, limit: int) -> int: ...
