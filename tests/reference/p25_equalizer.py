"""Slow twin of the kernel of `dsp.p25.equalizer`: the first pass of one burst, with matrices."""

import numpy as np
from numpy.typing import NDArray

from dsp.p25 import equalizer as settings
from dsp.p25.c4fm import SYMBOL_OF_DIBIT

Complex = NDArray[np.complex128]
RAYS = np.array([-4, -2, 0, 2, 4])
OFFSETS = np.arange(-8, 9, 2)
BEHIND, ACROSS, EVERY, RECALL = 5, 5, 3, 36
ASLEEP, AWAKE = 0.04, 0.06


class Track:
    """Decision feedback differential detection."""

    def __init__(self, before: complex, memory: float) -> None:
        self.before, self.memory = before, memory
        self.noise = 0.3
        self.spread = 0.3 * abs(before) ** 2
        self.count = 1

    def step(self, y: complex, turn: float, step: float, known: int | None) -> tuple[int, tuple[float, float], float]:
        """Dibit, its soft bits, and the angle by which the point is off."""
        metric = (y * np.conj(self.before * np.exp(1j * (turn + step * SYMBOL_OF_DIBIT)))).real
        dibit = int(np.argmax(metric)) if known is None else known
        first = max(metric[2], metric[3]) - max(metric[0], metric[1])
        second = max(metric[1], metric[3]) - max(metric[0], metric[2])
        soft = (2 * first / self.spread, 2 * second / self.spread)
        expected = self.before * np.exp(1j * (turn + step * SYMBOL_OF_DIBIT[dibit]))
        off, size = abs(y - expected) ** 2, abs(expected) ** 2
        self.count += 1
        settle = max(0.05, 1 / self.count)
        self.noise += settle * (min(off / size, 1) - self.noise)
        self.spread += settle * (off - self.spread)
        self.before = self.memory * expected + (1 - self.memory) * y
        return dibit, soft, float(np.angle(y * np.conj(expected)))


class Burst:
    """The same arguments as the kernel's; x[0] is sample 0. `soft` (2, n, 2): fixed filter and equaliser."""

    def __init__(
        self, taps: NDArray[np.float64], pulse: NDArray[np.float64], start: int, turn: float, step: float
    ) -> None:
        self.taps = taps * np.exp(-1j * turn / 5 * np.arange(-8, 9))
        self.pulse, self.start, self.turn, self.step = pulse, start, turn, step
        self.turn0 = turn
        self.points: Complex = np.zeros(0, np.complex128)

    def run(self, x: Complex, known: NDArray[np.uint8], n: int) -> NDArray[np.float64]:
        """Train with the known dibits, then decide; soft bits (2, n, 2) of the first n symbols."""
        angles = self.turn0 * np.arange(1, len(known) + 1) + self.step * np.cumsum(SYMBOL_OF_DIBIT[known])
        fixed = np.array([self._fixed(x, k) for k in range(len(known))])
        mean = (fixed * np.exp(-1j * (angles - self.turn0))).mean()
        out = np.zeros((2, n, 2))
        # The point before the first is turned back by the frequency alone.
        self._begin(mean)
        self._forget()
        for k, dibit in enumerate(known):
            self._symbol(x, k, int(dibit))
        if self.plain.noise > ASLEEP:
            points = self.points
            for newest in range(len(known)):
                self.points = points[: newest + 1]
                self._learn(x)
            self._design()
            self._begin(mean)
            self.awake = True
        else:
            self._begin(mean)
        for k in range(n):
            out[:, k] = self._symbol(x, k, int(known[k]) if k < len(known) else None)
        return out

    def _begin(self, mean: complex) -> None:
        self.turn = self.turn0
        self.plain = Track(mean * np.exp(-1j * self.turn0), settings.MEMORY)
        self.eq = Track(np.exp(-1j * self.turn0), settings.EQUALIZER_MEMORY)
        self.points = np.zeros(0, np.complex128)
        self.awake = False

    def _forget(self) -> None:
        self.windows = [(np.zeros((5, 5), np.complex128), np.zeros(5, np.complex128)) for _ in range(2)]
        self.power = 0.0
        self.residue = 0.0

    def _fixed(self, x: Complex, k: int) -> complex:
        at = self.start + 5 * k
        return complex(np.dot(self.taps, x[at - 8 : at + 9]))

    def _symbol(self, x: Complex, k: int, known: int | None) -> list[tuple[float, float]]:
        turn = self.turn
        before = self.points[-1] if k else np.exp(-1j * self.turn0)
        dibit, soft_fixed, off = self.plain.step(self._fixed(x, k), turn, self.step, known)
        if self.awake:
            early = known is not None and k < 4 * EVERY
            little_to_win = k // EVERY % 4 != 0 and self.eq.noise > self.plain.noise
            if k % EVERY == 0 and k and not early and not little_to_win:
                self._design()
            y = complex(np.dot(self.filter, x[self.start + 5 * k + OFFSETS]))
            for back in range(1, min(ACROSS, k) + 1):
                y -= self.feedback[back - 1] * self.points[k - back]
            _, soft, off_equalized = self.eq.step(y, turn, self.step, known)
            places = before * np.exp(1j * (turn + self.step * SYMBOL_OF_DIBIT))
            dibit = int(np.argmax((y * places.conj()).real)) if known is None else known
            self._advance(before, turn, dibit)
            self._learn(x)
            if self.eq.noise < self.plain.noise:
                off = off_equalized
        else:
            soft = soft_fixed
            self._advance(before, turn, dibit)
        if abs(off) < 0.7:
            self.turn += (0.02 if known is not None else settings.GAIN) * off
        if known is None and self.awake and self.plain.noise < ASLEEP:
            self.awake = False
        elif known is None and not self.awake and self.plain.noise > AWAKE:
            self._wake(x)
        return [soft_fixed, soft]

    def _advance(self, before: complex, turn: float, dibit: int) -> None:
        self.points = np.append(self.points, before * np.exp(1j * (turn + self.step * SYMBOL_OF_DIBIT[dibit])))

    def _wake(self, x: Complex) -> None:
        points = self.points
        self._forget()
        for newest in range(max(len(points) - 1 - RECALL, 0), len(points)):
            self.points = points[: newest + 1]
            self._learn(x)
        self.eq = Track(points[-1], settings.EQUALIZER_MEMORY)
        self.eq.noise = self.eq.spread = self.plain.noise
        self.eq.count = self.plain.count
        self._design()
        self.awake = True

    def _signal(self, sample: int, newest: int) -> complex:
        """What the decided symbols make at a sample counted from the first point; no symbol after `newest`."""
        centre = round(sample / 5)
        near = [q for q in range(max(centre - 4, 0), centre + 5) if abs(sample - 5 * q) <= 20 and q <= newest]
        return complex(sum(self.pulse[sample - 5 * q + 20] * self.points[q] for q in near))

    def _learn(self, x: Complex) -> None:
        newest = len(self.points) - 1
        middle = newest - BEHIND
        if middle < 4:
            return
        forgets = (settings.FORGET_FAST, settings.FORGET)
        self.windows = [(a * f, b * f) for (a, b), f in zip(self.windows, forgets)]
        self.power *= settings.FORGET
        self.residue *= settings.FORGET
        for n in range(5 * middle - 2, 5 * middle + 3):
            rays = np.array([self._signal(n - ray, newest) for ray in RAYS])
            came = x[self.start + n]
            self.windows = [(a + np.outer(rays.conj(), rays), b + rays.conj() * came) for a, b in self.windows]
            self.power += 1
            self.residue += float(abs(came)) ** 2

    def _design(self) -> None:
        (fast_a, fast_b), (slow_a, slow_b) = self.windows
        load = settings.SHRINK * np.trace(slow_a).real / 5
        slow = np.linalg.solve(slow_a + load * np.eye(5), slow_b)
        load *= (1 - settings.FORGET) / (1 - settings.FORGET_FAST)
        fast = np.linalg.solve(fast_a + load * np.eye(5), fast_b)
        noise = max(self.residue - float(np.vdot(slow, slow_b).real), 1e-4 * self.residue) / self.power
        channel = slow + settings.AHEAD * (fast - slow)
        reach = np.zeros((2 * ACROSS + 1, 9), np.complex128)
        for q in range(2 * ACROSS + 1):
            for i, offset in enumerate(OFFSETS):
                for ray, gain in zip(RAYS, channel):
                    place = offset - 5 * (q - ACROSS) - ray + 20
                    if 0 <= place <= 40:
                        reach[q, i] += gain * self.pulse[place]
        doubt = min(1.0, 0.05 + settings.DOUBT * self.eq.noise)
        weights = np.where(np.arange(2 * ACROSS + 1) < ACROSS, doubt, 1.0)
        matrix = (reach.conj().T * weights) @ reach + noise * np.eye(9)
        self.filter = np.linalg.solve(matrix, reach[ACROSS].conj())
        self.feedback = (1 - doubt) * (reach[:ACROSS][::-1] @ self.filter)
