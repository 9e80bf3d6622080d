"""Single-sideband demodulator, one row in float64, sample by sample as the text has it."""

import numpy as np
from numpy.typing import NDArray

from dsp.demod import ssb


def row(x: NDArray[np.complex64], index: int, rate: int, sideband: ssb.Sideband) -> NDArray[np.float64]:
    """One row from its start; `round(LOOK_AHEAD_S * rate)` samples late."""
    late, hang = round(ssb.LOOK_AHEAD_S * rate), round(ssb.HANG_S * rate)
    turn = 2j * np.pi * ssb.CENTER_HZ * (index + np.arange(len(x))) / rate
    y = np.nan_to_num(x.astype(np.complex128), nan=0, posinf=0)
    audio = np.concatenate([np.zeros(late), (y * np.exp(turn if sideband == "usb" else -turn)).real])
    out = np.zeros(len(x))
    level, left = 0.0, 0
    for i, magnitude in enumerate(np.abs(y)):
        if magnitude > level:
            level += (1 - np.exp(-1 / (ssb.ATTACK_S * rate))) * (magnitude - level)
            left = hang
        elif left:
            left -= 1
        else:
            level *= np.exp(-1 / (ssb.DECAY_S * rate))
        out[i] = audio[i] * ssb.TARGET / max(level, ssb.WEAKEST)
    return out
