"""Adding one frame to many rows, a sample at a time."""

import numpy as np
from numpy.typing import NDArray

Audio = NDArray[np.float32]


def add(frame: Audio, rows: NDArray[np.intp], before: Audio, after: Audio, ramp: int, out: Audio) -> None:
    for row, b, a in zip(rows, before, after, strict=True):
        for i, x in enumerate(frame):
            gain = a
            if i < ramp and a != b:
                gain = b + (a - b) / np.float32(ramp) * np.float32(i + 1)
            if gain != 0:
                out[row, i] += x * gain
