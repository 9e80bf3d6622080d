"""What is highest and lowest in a frame, with NumPy."""

import numpy as np
from numpy.typing import NDArray

Audio = NDArray[np.float32]


def silent(x: Audio) -> bool:
    return not np.any(x != 0)


def peaks(x: Audio, first: int, step: int) -> tuple[float, float, float]:
    reach = np.abs(x[~np.isnan(x)])
    own = x[first::step]
    above = own[own > 0]
    return float(reach.max(initial=0)), float(above.max(initial=0)), float(above.min(initial=np.inf))
