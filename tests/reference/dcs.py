"""The slow twin of `dsp.tones.dcs`: one row, all samples at once, float64, words compared by name and not by table."""

import numpy as np
from numpy.typing import NDArray

from dsp.tones.codes import canonical_code, code_word
from dsp.tones.subaudible import FRAME
from dsp.tones.tables import DCS_CODES
from tests.reference.subaudible import at_1_khz

BIT = 1000.0 / 134.4
Told = list[tuple[str, int, int, str]]


def _words() -> tuple[NDArray[np.float64], list[str]]:
    """Every rotation of every code in use as ±1, oldest bit first, and its canonical name."""
    names = sorted({canonical_code(c + p) for c in DCS_CODES for p in "NI"})
    signs, of = [], []
    for name in names:
        bits = np.array([code_word(name) >> k & 1 for k in range(23)]) * 2.0 - 1
        for turn in range(23):
            signs.append(np.roll(bits, turn))
            of.append(name)
    return np.array(signs), of


WORDS, NAMES = _words()


def _sliced(v: NDArray[np.float64]) -> NDArray[np.float64] | None:
    """±1 about the middle of the two levels, or None where there are no two."""
    up = v > v.mean()
    if not 7 <= up.sum() <= 16 or np.abs(v - v.mean()).mean() < 80:
        return None
    d = v - (v[up].mean() + v[~up].mean()) / 2
    if np.abs(d).sum() ** 2 < 0.7 * 23 * (d**2).sum():
        return None
    return np.where(d > 0, 1.0, -1.0)


def _fit(v: NDArray[np.float64], word: NDArray[np.float64]) -> tuple[float, float, float]:
    """(share of the variance the repeated word explains, deviation, middle); v ends with the newest bit."""
    s = np.tile(word, 4)[-len(v) :]
    along = ((s - s.mean()) * v).sum()
    spread = ((s - s.mean()) ** 2).sum()
    size = along / spread
    share = along**2 / (spread * ((v - v.mean()) ** 2).sum()) if along > 0 else 0.0
    return float(share), float(size), float(v.mean() - size * s.mean())


def dcs(x: NDArray[np.float32], rate: int = 24_000) -> Told:
    """("dcs" | "dcs_lost" | "dcs_turn_off", index, decided, canonical code) of one row that begins at index 0."""
    factor = rate // 1000
    y = at_1_khz(x, rate)
    sums = np.concatenate([[0.0], np.cumsum(y)])
    count = int(np.floor(len(y) * 4 / BIT))
    steps = np.arange(count + 1)
    at = np.arange(len(sums))
    soft = np.interp(steps * BIT / 4, at, sums) - np.interp(steps * BIT / 4 - BIT, at, sums)
    soft /= BIT
    told: Told = []
    lock: str | None = None
    good = ended = 0
    size = 0.0
    quiet = 0

    def on_air(sample: float) -> int:
        return int(np.floor(sample * factor)) - 3 * factor - factor // 2

    def say(kind: str, frame: int, index: int, name: str) -> None:
        decided = (frame + 1) * FRAME * factor
        told.append((kind, min(index if kind == "dcs_lost" else max(index, 0), decided), decided, name))

    def newest(g: int, n: int) -> NDArray[np.float64]:
        return np.asarray(soft[g - 4 * (n - 1) : g + 1 : 4])

    g = 0
    for frame in range(len(y) // FRAME):
        quiet = max(0, quiet - 1)
        last = int(np.floor((frame + 1) * FRAME * 4 / BIT))
        while g < last:
            g += 1
            if quiet or g < 92:
                continue
            bits = _sliced(newest(g, 23))
            if bits is None:
                continue
            wrong = (23 - WORDS @ bits) / 2
            best = int(wrong.argmin())
            if wrong[best] > 2:
                continue
            word, name = WORDS[best], NAMES[best]
            if name == lock:
                share, now, middle = _fit(newest(g, 23), word)
                if share >= 0.6:
                    good = ended = g
                    if share >= 0.9:
                        size += 0.1 * (now - size)
                    else:
                        along = np.clip((newest(g, 23) - middle) / now * word, -1.0, 1.5)[::-1]
                        ended -= 4 * int(np.concatenate([[0.0], np.cumsum(0.5 - along)]).argmax())
                continue
            have = min(g // 4, 63)
            n = 0
            for bits_needed, share_needed in ((32, 0.86), (40, 0.78)):
                if n == 0 and have >= bits_needed:
                    share, now, middle = _fit(newest(g, bits_needed), word)
                    n = bits_needed if share >= share_needed else 0
            if n == 0:
                continue
            if lock is not None:
                say("dcs_lost", frame, on_air(ended * BIT / 4), lock)
            most = min(have, n + 20)
            while n < most and 0.3 * now < word[22 - n % 23] * (soft[g - 4 * n] - middle) < 2.5 * now:
                n += 1
            say("dcs", frame, on_air((g - 4 * n) * BIT / 4), name)
            lock, good, ended, size = name, g, g, now
        if lock is not None and frame >= 15:
            halves = y[(frame - 15) * FRAME : (frame + 1) * FRAME].reshape(2, 64)
            t = np.arange((frame - 15) * FRAME, (frame + 1) * FRAME).reshape(2, 64) / 1000.0
            c = ((halves - halves.mean(axis=1, keepdims=True)) * np.exp(-2j * np.pi * 134.4 * t)).sum(axis=1)
            deviation = np.abs(c) / 32
            pure = deviation**2 >= 0.8 * halves.var(axis=1)
            whole = abs(c.sum()) ** 2 / 64**2 >= 0.5 * halves.var(axis=1).sum()
            strong = (deviation >= 0.4 * size) & (deviation <= 2.5 * size)
            if whole and (pure & strong).all() and abs(np.angle(c[1] * np.conj(c[0]))) <= 0.44:
                say("dcs_turn_off", frame, on_air((frame - 15) * FRAME), lock)
                say("dcs_lost", frame, on_air((frame - 15) * FRAME), lock)
                lock, quiet = None, 40
        if lock is not None and last - good > int(0.25 * 134.4 * 4):
            say("dcs_lost", frame, on_air(ended * BIT / 4), lock)
            lock = None
    return told
