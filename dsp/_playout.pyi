from typing import final

import numpy as np
from numpy.typing import NDArray

HOP: int

@final
class Store:
    filled: int
    hops: int
    ended: bool
    def __init__(self, capacity: int) -> None: ...
    def push(self, samples: NDArray[np.float32]) -> bool: ...
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
    def pull(self, out: NDArray[np.float32], reserve: int, step: int) -> None: ...
    def drains_in(self, reserve: int, limit: int) -> int: ...

@final
class Tape:
    end: int
    def __init__(self, at: int, keep: int) -> None: ...
    @property
    def begin(self) -> int: ...
    def take(self, index: int, samples: NDArray[np.float32]) -> None: ...
    def read(self, start: int) -> NDArray[np.float32]: ...

@final
class Leg:
    rows: NDArray[np.intp]
    gains: NDArray[np.float32]
    target: NDArray[np.float32]
    launch: int
    heard: bool
    sounds: bool
    tape: Tape | None
    def __init__(self, cursor: Cursor, reserve: int, launch: int) -> None: ...
    def hear(self, rows: NDArray[np.intp], gains: NDArray[np.float32], target: NDArray[np.float32]) -> bool: ...

def play(
    legs: list[Leg], now: int, frame: NDArray[np.float32], out: NDArray[np.float32], ramp: int
) -> list[Leg] | None: ...
