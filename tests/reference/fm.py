"""FM discriminator with the envelope-steered narrow filter, one row in float64, written as the text has it."""

import numpy as np
from numpy.typing import NDArray

from dsp.demod import fm

Rows = NDArray[np.float64]


def discriminator(x: NDArray[np.complex128], rate: int) -> Rows:
    """(n,) complex in, (n,) hertz out; the sample before the first is zero."""
    y = np.zeros(len(x))
    y[1:] = np.angle(x[1:] * np.conj(x[:-1])) * rate / (2 * np.pi)
    return y


def row(x: NDArray[np.complex64], rate: int, taps: Rows) -> tuple[Rows, Rows]:
    """One row from its start: hertz, (n,), `len(taps) // 2` samples late, and the narrow filter's share."""
    n, past = len(x), len(taps) - 1
    padded = np.concatenate([np.zeros(past), np.nan_to_num(x.astype(np.complex128), nan=0, posinf=0, neginf=0)])
    wide = padded[past // 2 : past // 2 + n].copy()
    narrow = np.array([taps @ padded[i : i + past + 1] for i in range(n)])
    segment = 4 * round(fm.SEGMENT_S * rate / 4)
    wide_mean = wide_square = narrow_mean = narrow_square = 0.0
    running = starting = False
    before = after = 0.0
    share = np.zeros(n)
    for begin in range(0, n, segment):
        part = slice(begin, min(begin + segment, n))
        share[part] = (before + (after - before) * np.arange(1, segment + 1) / segment)[: part.stop - begin]
        if n - begin < segment:
            break
        p, q = np.abs(wide[part]) ** 2, np.abs(narrow[part]) ** 2
        wide_mean += fm.SMOOTHING * (p.mean() - wide_mean)
        wide_square += fm.SMOOTHING * ((p**2).mean() - wide_square)
        v = wide_square / wide_mean**2 - 1 if wide_mean > 1e-18 else 0.0
        before, after = after, 0.0
        if running:
            if starting:
                ratio = q.sum() / max(p.sum(), 1e-18)
                narrow_mean, narrow_square = wide_mean * ratio, wide_square * ratio**2
            else:
                narrow_mean += fm.SMOOTHING * (q.mean() - narrow_mean)
                narrow_square += fm.SMOOTHING * ((q**2).mean() - narrow_square)
            starting = False
            w = narrow_square / narrow_mean**2 - 1 if narrow_mean > 1e-18 else 1.0
            steadier = np.clip((fm.STEADIER * v - w) / (fm.STEADIER_RAMP * v), 0, 1) if v > 0 else 0.0
            after = steadier * np.clip((v - fm.BLEND_FROM) / (fm.BLEND_FULL - fm.BLEND_FROM), 0, 1)
            if after == 0 and before < 1e-6 and not fm.LOOK_FROM <= v <= fm.LOOK_TO:
                running = False
        elif fm.LOOK_FROM < v < fm.LOOK_TO:
            running = starting = True
    mixed = wide + share * (narrow - wide)
    return discriminator(np.concatenate([[0], mixed]), rate)[1:], share
