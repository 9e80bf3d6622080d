"""The sum of the matrix: one talker's frame into the frames of all who hear him, each with its gain.

    out[row] += frame · gain(t)

The gain goes from `before` to `after` in a straight line over the first `RAMP` samples and stays there.

A gain that stays at 0 adds exactly nothing, whatever the frame holds.
"""

import numpy as np
from numpy.typing import NDArray

from dsp import _mix
from dsp.errors import RangeError, ShapeError

RAMP = 40
"""Samples over which a gain changes: 5 ms, short for the ear and too long to click."""

Audio = NDArray[np.float32]


def add(frame: Audio, rows: NDArray[np.intp], before: Audio, after: Audio, out: Audio) -> None:
    """Add one frame to some rows of `out`.

    frame: (n,) float32. rows: (k,) intp, rows of `out`. before, after: (k,) float32, gains when the frame begins and
    once the ramp is over. out: (ports, n) float32, C-contiguous, changed in place.
    Raises `ShapeError` for sizes that do not fit, `RangeError` for a row that is not there.
    """
    if out.ndim != 2 or frame.shape != out.shape[1:]:
        raise ShapeError(f"a frame of shape {frame.shape} does not fit rows of {out.shape}")
    if not rows.shape == before.shape == after.shape:
        raise ShapeError(f"{rows.shape} rows, {before.shape} and {after.shape} gains; each row needs two gains")
    if not _mix.add(frame, rows, before, after, RAMP, out):
        raise RangeError(f"rows {rows.min()} … {rows.max()} lie outside 0 … {len(out) - 1}")
