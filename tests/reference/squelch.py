"""The slow twin of `dsp.squelch`: one row that begins at index 0 and has no gap; float64, whole arrays."""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dsp.squelch import envelope_roughness

Told = list[tuple[str, int, int]]


class _Features:
    """Of each millisecond and each half: powers, variance of the envelope, product with the millisecond before."""

    def __init__(self, x: NDArray[np.complex64], samples: int) -> None:
        self.samples = samples
        steps = len(x) // samples
        x = np.where(np.abs(x) < 1e15, x, 0)[: steps * samples].astype(np.complex128)
        m = x.reshape(steps, samples)
        self.half = (np.abs(x) ** 2).reshape(2 * steps, samples // 2).sum(axis=1)
        self.power = self.half.reshape(steps, 2).sum(axis=1)
        self.rough = self.power - np.abs(m).sum(axis=1) ** 2 / samples
        self.turn = (m * np.conj(np.concatenate([np.zeros((1, samples)), m[:-1]]))).sum(axis=1)

    def groups(self, of: NDArray[Any]) -> NDArray[Any]:
        """Sums of five milliseconds."""
        n = len(of) // 5
        return np.asarray(of[: 5 * n].reshape(n, 5).sum(axis=1))


def _split(half: NDArray[np.float64], first: int, end: int, before: float, after: float) -> int:
    """The half millisecond from which on `after` explains the powers better than `before`, by the most."""
    p = np.minimum(half[first:end][::-1], 8 * max(before, after))
    gain = np.cumsum(p * (1 / before - 1 / after) - math.log(after / before))
    k = int(gain.argmax()) if len(gain) else 0
    return end - 1 - k if len(gain) and gain[k] > 0 else end


def _first_sound(half: NDArray[np.float64], first: int, end: int, noise: float) -> int:
    """Half millisecond at which speech began: back over all that gains, and to any sound that gains 10 by itself."""
    gain = np.minimum(half / noise, 8 * 1.6) * (1 - 1 / 1.6) - math.log(1.6)
    best = end
    for k in range(end - 1, first - 1, -1):
        back = np.cumsum(gain[k:best])  # from k on: the sum up to any later point
        if back[-1] > 0 or back.max() > 10:
            best = k
    return best


def squelch(
    x: NDArray[np.complex64], rate: int, bandwidth_hz: float, kind: str, open_db: float, close_db: float
) -> Told:
    """("open" | "close", index, decided)."""
    samples = rate // 1000
    f = _Features(x, samples)
    idle, at_open, at_close = (envelope_roughness(s, bandwidth_hz) for s in (-math.inf, open_db, close_db))
    over_open, over_close = 10 ** (open_db / 10), 10 ** (close_db / 10)
    gp, gw, gc = f.groups(f.power), f.groups(f.rough), f.groups(f.turn)
    fm, ssb = kind == "fm", kind == "ssb"
    told: Told = []
    is_open = abrupt = False
    floor = level = 0.0
    low = dips = calm = bad = since = quiet = 0
    closed_at = -(10**9)

    def close(step: int, gone: int) -> None:
        nonlocal is_open, closed_at, low, bad, since, quiet
        end = 2 * (step + 1)
        before, after = level / 2, f.half[max(0, end - 12) : end].mean()
        k = end - 2 * gone
        if before > 1.25 * after:
            k = _split(f.half, max(0, end - 2 * (gone + 25)), end, before, after)
        closed_at = (step + 1 - 600) * samples if ssb else k * samples // 2
        told.append(("close", closed_at, (step + 1) * samples))
        is_open, low, bad, since, quiet = False, 0, 0, 0, 0

    for step in range(len(f.power)):
        p = f.power[step]
        if is_open and not ssb:
            limit = 4 * floor * samples if floor > 0 else 0.03 * level
            if level < 4 * limit or p > limit:
                if low > 2:
                    dips, calm = max(dips, low), 0
                low = 0
                calm += 1
                if calm >= 1000 and dips > 0:
                    dips, calm = dips * 3 // 4, 0
            else:
                if low == 0:
                    abrupt = bool(f.power[step - 2] >= 0.25 * level)
                low += 1
                run = slice(step - low + 1, step + 1)
                if low >= min(150, (8 if abrupt else 50) + 4 * dips):
                    if fm:
                        gone = f.rough[run].sum() >= 0.5 * idle * f.power[run].sum()
                    else:
                        gone = abs(f.turn[run].sum()) <= 0.5 * f.power[run].sum()
                    if gone:
                        close(step, low)
        if step % 5 != 4:
            continue
        g = step // 5
        since += 1
        if g < 3:
            continue
        last = slice(g - 3, g + 1)
        q, c = gw[last].sum() / gp[last].sum(), abs(gc[last].sum()) / gp[last].sum()
        mean = gp[last].sum() / (20 * samples)
        over = mean / floor - 1 if floor > 0 else -1.0
        if is_open:
            if ssb:
                there = over >= over_close
            elif fm:
                there = q <= at_close or (over >= over_close and q <= 0.8 * idle)
            else:
                there = c >= 0.3 and (floor <= 0 or over >= over_close)
            if there:
                bad = 0
                if since > 4:
                    level += 0.1 * (gp[g - 4] / 5 - level)
            else:
                bad += 1
            weak = dips > 0 or (floor > 0 and level < 8 * floor * samples)
            if bad >= (120 if ssb else 30 if weak else 8):
                close(step, 5 * bad + 20)
        else:
            even = gp[last].min() * 12 >= gp[last].max()
            if ssb:
                begins = floor > 0 and over >= over_open
                even |= gp[last].min() >= (1 + over_open) * floor * 5 * samples
            elif fm:
                fit = (gw[last] <= 0.9 * idle * gp[last]).sum() >= 3
                begins = fit and (q <= at_open or (over >= over_open and q <= 0.7 * idle))
            elif floor > 0:
                begins = c >= 0.45 and over >= over_open
            else:
                begins = c >= max(0.45, 0.75 * over_open / (1 + over_open))
            if begins and even:
                end = 2 * (step + 1)
                first = max(0, end - (900 if ssb else 160))
                after = f.half[end - 20 : end].mean()
                before = 0.5 * samples * floor
                if floor <= 0:
                    n = (end - first) // 10
                    before = min(after, f.half[first : first + 10 * n].reshape(n, 10).mean(axis=1).min())
                if after > 1.25 * before:
                    k = _first_sound(f.half, first, end, before) if ssb else _split(f.half, first, end, before, after)
                else:
                    k = end - 40 if floor > 0 else first
                index = (k - (20 if ssb else 3)) * samples // 2
                index = max(0 if index < 3 * samples else index, closed_at)
                told.append(("open", index, (step + 1) * samples))
                is_open, level, since = True, 2 * after, 0
                low = bad = dips = calm = quiet = 0
                continue
        if since < 8:
            continue
        lately = slice(g - 7, g + 1)
        noise = 0.84 * idle <= gw[lately].sum() / gp[lately].sum() <= 1.3 * idle and (fm or c <= 0.35)
        quiet = quiet + 1 if noise else 0
        if noise and (not is_open or (ssb and quiet >= 60)):
            if floor <= 0:
                floor = gp[lately].sum() / (40 * samples)
            else:
                floor += 0.1 * (gp[g - 4] / (5 * samples) - floor)
    return told
