"""What is highest and lowest in a frame, and whether there is anything at all: one look for who checks every frame."""

import numpy as np
from numpy.typing import NDArray

from dsp import _peaks
from dsp.errors import RangeError

Audio = NDArray[np.float32]


def silent(x: Audio) -> bool:
    """Whether all of (n,) float32, C-contiguous, is exactly 0. NaN is not."""
    return _peaks.silent(x)


def peaks(x: Audio, first: int, step: int) -> tuple[float, float, float]:
    """How far from 0 any sample gets; and of x[first::step] the highest above 0, and the lowest above 0.

    x: (n,) float32, C-contiguous, of any scale. Where none lies above 0 the highest is 0, the lowest infinity. NaN
    counts as nothing. Raises `RangeError` for a `first` below 0 or a `step` below 1.
    """
    if first < 0 or step < 1:
        raise RangeError(f"samples from {first} on, each {step}th; first must be 0 or more and step 1 or more")
    return _peaks.peaks(x, first, step)
