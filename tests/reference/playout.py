"""The launch buffer, written to be obviously right: everything kept, every hop looked at again for every sample."""

import numpy as np
from numpy.typing import NDArray

HOP = 40
FADE = 40
Audio = NDArray[np.float32]


def pauses(x: Audio) -> list[bool]:
    """For every whole hop of 5 ms, whether it is a pause."""
    found = []
    energies = [0.0, 0.0]
    level, floor = 0.0, None
    for start in range(0, len(x) - HOP + 1, HOP):
        now = 0.0
        for value in x[start : start + HOP]:
            now += float(value) ** 2 if np.isfinite(value) else 0.0
        energies.append(now)
        smooth = (energies[-1] + energies[-2] + energies[-3]) / 3.0
        level = max(smooth, level * 0.998)
        floor = now if floor is None else min(now, floor * 1.005)
        limit = min(max(floor * 4.0, level * 1e-4), level * 0.05)
        found.append(now < limit and smooth < limit)
    return found


class Playout:
    """Plays `known`, which grows by appending, from `start` (relative to its beginning)."""

    def __init__(self, start: int, reserve: int) -> None:
        self.position = start
        self.reserve = reserve
        self.played = self.skipped = self.waited = 0
        self.fade: list[float] = []
        self.paused = self.cut = 0

    def pull(self, known: Audio, n: int, ended: bool) -> Audio:
        quiet = pauses(known)
        x = np.where(np.isfinite(known), known, np.float32(0))
        out = np.zeros(n, np.float32)
        for i in range(n):
            if self.position >= len(x):
                self.waited += 0 if ended else n - i
                break
            if self.position % HOP == 0 and not self.fade:
                self._consider(x, quiet, len(x) - self.position - (n - i) - self.reserve)
            if self.fade:
                old = np.float32(self.fade.pop(0))
                weight = np.float32((FADE - len(self.fade) - 0.5) / FADE)
                out[i] = old + weight * (x[self.position] - old)
            else:
                out[i] = x[self.position]
            self.position += 1
            self.played += 1
        return out

    def _consider(self, x: Audio, quiet: list[bool], excess: int) -> None:
        hop = self.position // HOP
        if hop >= len(quiet) or not quiet[hop]:
            self.paused = self.cut = 0
            return
        if self.paused >= 6 and excess >= 40:
            ahead = 1
            while hop + ahead < len(quiet) and quiet[hop + ahead]:
                ahead += 1
            pause = (self.paused + ahead) * HOP + self.cut
            kept = min(max(2 * pause // 5, 480), 1200)
            jump = min(pause - kept - self.cut, (ahead - 7) * HOP, excess) // HOP * HOP
            if jump >= 40:
                self.fade = [float(v) for v in x[self.position : self.position + FADE]]
                self.position += jump
                self.skipped += jump
                self.cut += jump
        self.paused += 1
