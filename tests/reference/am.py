"""AM detector, one row in float64, sample by sample as the text has it."""

import numpy as np
from numpy.typing import NDArray

from dsp.demod import am


def row(x: NDArray[np.complex64], rate: int) -> NDArray[np.float64]:
    """One row from its start; `round(LOOK_AHEAD_S * rate)` samples late."""
    late, settle, lost = round(am.LOOK_AHEAD_S * rate), round(am.SETTLE_S * rate), round(am.LOST_S * rate)
    envelope = np.concatenate([np.zeros(late), np.abs(np.nan_to_num(x.astype(np.complex128), nan=0, posinf=0))])
    out = np.zeros(len(x))
    carrier, age, low = 0.0, 0, 0
    for i in range(len(x)):
        newest, mean = envelope[i + late], envelope[i + 1 : i + 1 + late].mean()
        low = low + 1 if mean < am.FALL * carrier else 0
        if (mean > am.RISE * carrier and mean > 1e-12) or low > lost:
            carrier, age, low = mean, 0, 0
        age = min(age + 1, settle)
        carrier += (newest - carrier) / age
        if carrier > 1e-12:
            out[i] = np.clip(envelope[i] / carrier - 1, -1, 2)
    return out
