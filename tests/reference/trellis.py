"""List Viterbi decoder in plain Python: all continuations of all kept paths, sorted."""

import numpy as np
from numpy.typing import NDArray

from dsp.fec.trellis import _POINTS


def decode(levels: NDArray[np.float32], points: tuple[tuple[int, ...], ...], paths: int) -> list[tuple[int, list[int]]]:
    """(agreement, inputs) of the best paths, best first."""
    kept: dict[int, list[tuple[int, list[int]]]] = {0: [(0, [])]}
    for step in range(49):
        quad = levels[4 * step : 4 * step + 4]
        longer: dict[int, list[tuple[int, list[int]]]] = {}
        for state, best in kept.items():
            for symbol in range(len(points)) if step < 48 else [0]:
                word = _POINTS[points[state][symbol]]
                gain = sum(int(x) if word >> (3 - i) & 1 else -int(x) for i, x in enumerate(quad))
                longer.setdefault(symbol, []).extend((total + gain, [*path, symbol]) for total, path in best)
        kept = {state: sorted(found, key=lambda p: -p[0])[:paths] for state, found in longer.items()}
    return kept[0]
