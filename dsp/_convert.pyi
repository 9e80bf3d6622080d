import numpy as np
from numpy.typing import NDArray

UNPACK_FORMATS: tuple[str, ...]
PACK_FORMATS: tuple[str, ...]

def unpack(loop: int, raw: NDArray[np.uint8], out: NDArray[np.float32], group: int) -> int: ...
def pack(loop: int, x: NDArray[np.float32], raw: NDArray[np.uint8], group: int) -> int: ...
