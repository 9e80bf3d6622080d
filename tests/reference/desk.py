"""Leg by leg and sample by sample, with the twins of the launch buffer and of the sum; a tape is a dictionary."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from tests.reference import mix, playout

Audio = NDArray[np.float32]


@dataclass
class Leg:
    """launch: index of its first sample. known: its over so far. tape: what was played, by index."""

    cursor: playout.Playout
    launch: int
    rows: NDArray[np.intp]
    gains: Audio
    target: Audio
    known: Audio = field(default_factory=lambda: np.zeros(0, np.float32))
    ended: bool = False
    heard: bool = False
    sounds: bool = False
    tape: dict[int, np.float32] = field(default_factory=dict)


def play(legs: list[Leg], now: int, out: Audio, ramp: int) -> list[Leg]:
    """One tick of each; those that are heard for the first time."""
    begun = []
    for leg in legs:
        wait = max(leg.launch - now, 0)
        n = out.shape[1] - wait
        leg.sounds = n > 0 and not (leg.ended and leg.cursor.position >= len(leg.known))
        if n <= 0:
            continue
        frame = np.concatenate([np.zeros(wait, np.float32), leg.cursor.pull(leg.known, n, leg.ended)])
        leg.tape.update((now + i, x) for i, x in enumerate(frame))
        mix.add(frame, leg.rows, leg.gains, leg.target, ramp, out)
        leg.gains = leg.target
        if not leg.heard:
            leg.heard = True
            begun.append(leg)
    return begun
