"""What the twins of the tone and code detectors share: the deviation at 1 kHz."""

import numpy as np
from numpy.typing import NDArray

from dsp.tones.subaudible import FRAME, LIMIT_HZ, decimator


def at_1_khz(x: NDArray[np.float32], rate: int) -> NDArray[np.float64]:
    """Held within the limit, low-passed and decimated; whole frames of 8 only."""
    factor = rate // 1000
    taps = decimator(rate)
    clean = np.clip(np.where(np.isfinite(x), x, 0.0).astype(float), -LIMIT_HZ, LIMIT_HZ)
    frames = len(x) // (FRAME * factor)
    # as if the first sample had been there always
    line = np.concatenate([np.full(len(taps), clean[0]), clean])
    y = np.convolve(line, taps[::-1])[: len(line)]
    return np.asarray(y[len(taps) + factor - 1 :: factor][: frames * FRAME])
