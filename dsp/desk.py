"""The mixing desk: many playouts at once into the frames of all who hear them.

    Leg 1   Playout ─▶ frame ─┬─▶ Tape
                              └─× gain of each row─▶ out[row] +=
    Leg 2   Playout ─▶ …

One call plays any number of legs, one after the other, so that what a listener gets is summed in their order. It is
what `Playout.pull` and `mix.add` do leg by leg; a tick of a busy bridge has hundreds of them, and calls would cost more
than the sound.
"""

import numpy as np
from numpy.typing import NDArray

from dsp import _playout, mix
from dsp._playout import Leg, Tape
from dsp.errors import RangeError, ShapeError
from dsp.playout import Playout

__all__ = ["Leg", "Tape", "leg", "play"]

Audio = NDArray[np.float32]


def leg(playout: Playout, launch: int, rows: NDArray[np.intp], gains: Audio, target: Audio) -> Leg:
    """A leg that begins at index `launch`. rows: (k,) intp, who hears it. gains: (k,) float32, at the end of the last
    frame. target: in the next; the change is a ramp of `mix.RAMP` samples. Raises `ShapeError`.

    `sounds` says whether it had something to say in the last frame, `heard` whether it ever was launched. tape: keeps
    what it plays, before any gain.
    """
    made = Leg(playout, launch)
    hear(made, rows, gains, target)
    return made


def hear(changed: Leg, rows: NDArray[np.intp], gains: Audio, target: Audio) -> None:
    """Give a leg other listeners or gains. Raises `ShapeError`."""
    if not changed.hear(rows, gains, target):
        raise ShapeError(
            f"{rows.dtype} {rows.shape} rows, {gains.dtype} {gains.shape} and {target.dtype} {target.shape} gains; "
            "each row (intp) needs two gains (float32)"
        )


def play(legs: list[Leg], now: int, frame: Audio, out: Audio) -> list[Leg]:
    """Play `legs` from index `now` on, a tick or several, into `out`; returns those that are heard for the first time.

    Several ticks are played as if each tick's sound of an over that goes on had come just before it. frame: (n,)
    float32, scratch. out: (rows, n) float32, C-contiguous, changed in place. Raises `ShapeError` for sizes that do not
    fit or are 0, `RangeError` for a row that is not there; then some legs may have been played.
    """
    if out.ndim != 2 or frame.shape != out.shape[1:] or not len(frame):
        raise ShapeError(f"a frame of shape {frame.shape} does not fit rows of {out.shape}")
    begun = _playout.play(legs, now, frame, out, mix.RAMP)
    if begun is None:
        raise RangeError(f"a leg is heard in a row outside 0 … {len(out) - 1}")
    return begun
