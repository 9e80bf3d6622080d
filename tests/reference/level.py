"""Speech leveler, one row in float64, as the text has it: gains by frame, then the limiter over the whole row."""

import numpy as np
from numpy.typing import NDArray

from dsp import level


def row(x: NDArray[np.float32]) -> NDArray[np.float64]:
    """One row from its start; `WINDOW - 1` samples late."""
    y = np.nan_to_num(x.astype(np.float64), nan=0, posinf=0, neginf=0)
    target = level.TARGET_DBFS - level.MEAN_BELOW_RMS_DB
    speech, frames, floor, loudest, begin, end = target, 2.0, None, -80.0, 1.0, 1.0
    for at in range(0, len(y), level.FRAME):
        part = y[at : at + level.FRAME]
        power = max(float(np.mean(part**2)), 1e-8)
        part *= begin + (end - begin) * np.arange(1, len(part) + 1) / level.FRAME
        heard = 10 * np.log10(power)
        floor = min((power / 2 if floor is None else floor) * 10 ** (level.FLOOR_RISE_DB_S / 1000), power)
        loudest = max(loudest - level.FLOOR_RISE_DB_S / 100, heard)
        if heard > speech + 10:
            speech += 0.5 * (heard - 10 - speech)
        elif (
            heard > level.GATE_DBFS
            and power > floor * 10 ** (level.OVER_FLOOR_DB / 10)
            and heard > loudest - level.UNDER_LOUDEST_DB
        ):
            frames = min(frames + 1, 100)
            speech += (heard - speech) / frames
        begin, end = end, 10 ** (np.clip(target - speech, level.GAIN_MIN_DB, level.GAIN_MAX_DB) / 20)
    return limit(y)


def limit(y: NDArray[np.float64]) -> NDArray[np.float64]:
    """Least of the window, slow release, mean over the window."""
    window, ceiling = level.WINDOW, 10 ** (level.CEILING_DBFS / 20)
    wanted = np.minimum(1, ceiling / np.maximum(np.abs(y), ceiling))
    padded = np.concatenate([np.ones(window - 1), wanted])
    least = np.array([padded[i : i + window].min() for i in range(len(y))])
    smooth, held = np.ones(len(y) + window - 1), 1.0
    release = 1 - np.exp(-1 / (level.RELEASE_S * 8000))
    for i, value in enumerate(least):
        held = value if value < held else held + release * (value - held)
        smooth[i + window - 1] = held
    gain = np.array([smooth[i : i + window].mean() for i in range(len(y))])
    return np.asarray(np.concatenate([np.zeros(window - 1), y])[: len(y)] * gain)
