"""The slow twin of `dsp.tones.ctcss`: one row, all samples at once, float64, every window summed anew."""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dsp.tones.ctcss import COHERENCE, LEAST_HZ, MOST_HZ, PROBES_HZ, STANDS_OUT, tolerances
from dsp.tones.subaudible import FRAME, decimator
from dsp.tones.tables import CTCSS_HZ
from tests.reference.subaudible import at_1_khz

Told = list[tuple[str, int, int, float]]
HZ = np.array(CTCSS_HZ)
KNOWN = np.concatenate([HZ, PROBES_HZ])


def _wrap(a: float) -> float:
    return a - 2 * math.pi * math.floor(a / (2 * math.pi) + 0.5)


class _Row:
    def __init__(self, x: NDArray[np.float32], rate: int) -> None:
        self.factor = rate // 1000
        self.y = at_1_khz(x, rate)
        taps = decimator(rate)
        w = 2 * np.pi * HZ / rate
        self.gain = np.abs(np.exp(-1j * np.outer(w, np.arange(len(taps)))) @ taps)
        self.tolerance = tolerances(HZ)

    def on_air(self, frame: int) -> int:
        return frame * FRAME * self.factor - 3 * self.factor - self.factor // 2

    def window(self, frame: int, count: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Times and samples of the last `count` sub-blocks, mean taken off."""
        n = np.arange((frame + 1 - count) * FRAME, (frame + 1) * FRAME)
        return n / 1000.0, self.y[n] - self.y[n].mean()

    def correlation(self, frame: int, count: int) -> NDArray[np.complex128]:
        t, y = self.window(frame, count)
        return np.asarray(np.exp(-2j * np.pi * np.outer(KNOWN, t)) @ y)

    def stands_out(self, power: NDArray[np.float64], k: int) -> float:
        away = np.abs(HZ - HZ[k]) > 10.0
        return float(power[k] / power[: len(HZ)][away].mean())

    def seek(self, frame: int) -> tuple[int, float, int, float] | None:
        """(tone, Hz it is off, first sub-block, deviation) if the last 16 sub-blocks hold one."""
        every = self.correlation(frame, 16)
        power = np.abs(every) ** 2
        k = int(power[: len(HZ)].argmax())
        size = abs(every[k]) / 64 / self.gain[k]
        if not LEAST_HZ <= size <= MOST_HZ or self.stands_out(power, k) < STANDS_OUT:
            return None
        t, y = self.window(frame, 16)
        mirror = np.conj(every[k]) / 128 * np.exp(-4j * np.pi * HZ[k] * t)
        part = (y * np.exp(-2j * np.pi * HZ[k] * t) - mirror).reshape(16, FRAME).sum(axis=1)
        total = part.sum()
        at = (np.arange(16) - 7.5) * 0.008
        off = float(16 * ((at * part).sum() * np.conj(total)).imag / (abs(total) ** 2 * 2 * np.pi * (at**2).sum()))
        newest = part[4:]
        since = (np.arange(12) - 5.5) * 0.008
        turn = 12 * ((since * newest).sum() * np.conj(newest.sum())).imag / abs(newest.sum()) ** 2
        if abs(turn / (2 * np.pi * (since**2).sum()) - off) > 1.2:
            return None
        quarters = np.abs(part.reshape(4, 4).sum(axis=1))
        if abs(off) > self.tolerance[k] or (quarters < abs(total) / 8).any():
            return None
        if abs(total) < COHERENCE * quarters.sum():
            return None
        error = np.cumsum(16 * part[:2] - np.exp(2j * np.pi * off * at[:2]) * total)
        if abs(error[0]) > 1.5 * abs(total) or abs(error[1]) > 2 * abs(total):
            return None
        if not self.alone(frame, k, off, every, total):
            return None
        first = frame - 15
        m = self.y[first * FRAME : (frame + 1) * FRAME].mean()
        while first > max(0, frame - 23):
            n = np.arange((first - 1) * FRAME, first * FRAME)
            c = ((self.y[n] - m) * np.exp(-2j * np.pi * HZ[k] * n / 1000)).sum()
            along = total * np.exp(2j * np.pi * off * (first - 1 - (frame - 7.5)) * 0.008)
            if (c * np.conj(along)).real * 16 < 0.5 * abs(total) ** 2:
                break
            first -= 1
        return k, off, first, float(size)

    def alone(self, frame: int, k: int, off: float, every: NDArray[np.complex128], total: complex) -> bool:
        n = np.arange((frame - 15) * FRAME, (frame + 1) * FRAME) / 1000.0
        like = np.exp(2j * np.pi * (HZ[k] + off) * n)
        share = np.exp(-2j * np.pi * np.outer(KNOWN, n)) @ like
        left = np.abs(every - total * share / share[k]) ** 2 / abs(total) ** 2
        left[np.abs(KNOWN - HZ[k]) < 6.0] = 0
        limit = np.full(len(KNOWN), 0.16)
        if abs(HZ[k] - 67.2) < 1.0:
            limit[np.abs(KNOWN - 201.6) < 3.0] *= 0.2
        return bool((left <= limit).all())


def ctcss(x: NDArray[np.float32], rate: int = 24_000) -> Told:
    """("ctcss" | "ctcss_lost" | "reverse_burst", index, decided, Hz) of one row of deviation that begins at index 0."""
    row = _Row(x, rate)
    told: Told = []
    lock: int | None = None
    seen: tuple[int, int, float] | None = None
    quiet = bad = 0
    turned: float | None = None
    phase = off = size = 0.0
    stands = True

    def say(kind: str, frame: int, index: int, k: int) -> None:
        decided = (frame + 1) * FRAME * row.factor
        told.append((kind, min(index if kind == "ctcss_lost" else max(index, 0), decided), decided, CTCSS_HZ[k]))

    def ended(frame: int, k: int) -> int:
        kept = min(32, frame + 1)
        n = np.arange((frame + 1 - kept) * FRAME, (frame + 1) * FRAME)
        y = row.y[n] - row.y[n].mean()
        c = (y * np.exp(-2j * np.pi * HZ[k] * n / 1000)).reshape(kept, FRAME).sum(axis=1)
        back = np.arange(kept)
        expected = np.exp(1j * (phase + 2 * np.pi * off * 0.008 * (3.5 - back)))
        along = (c[::-1] * np.conj(expected)).real * 2 / (FRAME * row.gain[k] * size)
        gone = np.concatenate([[0.0], np.cumsum(0.5 - np.clip(along, -1.0, 1.5))])
        return row.on_air(frame + 1 - int(gone.argmax()))

    for frame in range(len(row.y) // FRAME):
        quiet = max(0, quiet - 1)
        if lock is not None:
            k: Any = lock
            step = 2 * np.pi * off * 0.008
            phase = _wrap(phase + step)
            c = row.correlation(frame, 8)
            now = abs(c[k]) / 32 / row.gain[k]
            error = _wrap(float(np.angle(c[k])) - phase)
            good = 0.5 * size <= now <= 1.6 * size and abs(error) < 1.0
            if good and frame % 4 == 0:
                stands = row.stands_out(np.abs(c) ** 2, k) >= 4.0
            if good and stands:
                phase = _wrap(phase + 0.2 * error)
                size += 0.05 * (now - size)
                bad = max(0, bad - 1)
            else:
                bad += 1
            c = row.correlation(frame, 4)
            now = abs(c[k]) / 16 / row.gain[k]
            error = _wrap(float(np.angle(c[k])) - phase - 2 * step)
            turn = 0.6 * size <= now <= 1.5 * size and abs(error) > 1.2
            turn = turn and row.stands_out(np.abs(c) ** 2, k) >= 8.0
            if turn and turned is not None and abs(_wrap(error - turned)) < 0.6:
                say("reverse_burst", frame, row.on_air(frame - 4), k)
                say("ctcss_lost", frame, row.on_air(frame - 4), k)
                lock, quiet, bad, turned = None, 40, 0, None
            else:
                turned = error if turn else None
                if bad >= 16:
                    say("ctcss_lost", frame, ended(frame, k), k)
                    lock, bad, turned = None, 0, None
        if frame < 15 or not (lock is None or bad >= 4 or frame % 8 < 2):
            continue
        found = row.seek(frame)
        if found is None or quiet or found[0] == lock:
            continue
        k, new_off, first, new_size = found
        if seen is None or seen[:2] != (k, frame - 1) or abs(seen[2] - new_off) > 0.25:
            seen = (k, frame, new_off)
            continue
        if lock is not None:
            say("ctcss_lost", frame, ended(frame, lock), lock)
        say("ctcss", frame, row.on_air(first), k)
        lock, bad, turned, stands, off, size = k, 0, None, True, new_off, new_size
        phase = float(np.angle(row.correlation(frame, 8)[k]))
    return told
