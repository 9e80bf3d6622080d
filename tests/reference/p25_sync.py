"""Frame sync proposals by comparing every place bit by bit."""

import numpy as np
from numpy.typing import NDArray

from dsp.p25.symbols import SYNC_BITS
from dsp.p25.sync import LEAST_SYNC_AGREEMENT, MOST_SYNC_ERRORS


def proposals(llr: NDArray[np.float32]) -> list[tuple[int, bool]]:
    """Places and polarity, the better polarity of each place."""
    found = []
    for place in range(len(llr) - 23):
        x = llr[place : place + 24].astype(np.float64)
        best = None
        for inverted in (False, True):
            signs = np.where(SYNC_BITS, 1.0, -1.0).reshape(24, 2) * ([-1, 1] if inverted else [1, 1])
            agree = np.where(np.isnan(x), 0.0, x) * signs
            errors = int((~(agree > 0)).sum())
            if best is None or errors < best[0]:
                best = (errors, inverted, float(agree.sum()), float(np.abs(agree).sum()))
        assert best is not None
        errors, inverted, agreement, total = best
        if errors <= MOST_SYNC_ERRORS and agreement >= LEAST_SYNC_AGREEMENT * total:
            found.append((place, inverted))
    return found
