"""Slow twin of the kernel of `dsp.p25.equalizer`: the first pass of one burst, with matrices."""

import numpy as np
from numpy.typing import NDArray

from dsp.p25 import equalizer as settings
from dsp.p25.c4fm import SYMBOL_OF_DIBIT

Complex = NDArray[np.complex128]
RAYS = np.array([-2, 0, 2])
OFFSETS = np.arange(-6, 9, 2)
BEHIND, ACROSS, RECALL, SYNC = 4, 5, 36, 24
ASLEEP, AWAKE, LOST, CLEAR = 0.04, 0.06, 1.3, 0.15
# A channel is the taps and their slopes a symbol; this takes it on by one symbol.
ONWARD = np.block([[np.eye(3), np.eye(3)], [np.zeros((3, 3)), np.eye(3)]])


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
        self.taps, self.pulse, self.start, self.step = taps, pulse, start, step
        self.offset = turn

    def run(self, x: Complex, known: NDArray[np.uint8], n: int) -> NDArray[np.float64]:
        """Train with the known dibits, then decide; soft bits (2, n, 2) of the first n symbols."""
        x = x * np.exp(-1j * self.offset / 5 * (np.arange(len(x)) - self.start))
        fixed = np.array([self._fixed(x, k) for k in range(len(known))])
        mean = (fixed * np.exp(-1j * self.step * np.cumsum(SYMBOL_OF_DIBIT[known]))).mean()
        out = np.zeros((2, n, 2))
        self._begin(mean)
        for k, dibit in enumerate(known):
            self._symbol(x, k, int(dibit))
        if self.plain.noise > ASLEEP:
            self._unknown(x, 4)
            while self.learnt < SYNC - BEHIND - 1:
                self._learn(x)
            self._begin(mean)
            self.awake = True
        else:
            self._begin(mean)
        for k in range(n):
            out[:, k] = self._symbol(x, k, int(known[k]) if k < len(known) else None)
        return out

    def _begin(self, mean: complex) -> None:
        self.turn = 0.0
        self.plain = Track(mean, settings.MEMORY)
        self.eq = Track(1.0, settings.EQUALIZER_MEMORY)
        self.points: Complex = np.zeros(0, np.complex128)
        self.said: list[int] = []
        self.woke = 0
        self.awake = False

    def _unknown(self, x: Complex, first: int) -> None:
        self.power = float(np.mean(np.abs(x[self.start + 5 * first : self.start + 5 * (first + 16)]) ** 2))
        self.unexplained = 0.05 * self.power
        self.channel: Complex = np.zeros(6, np.complex128)
        self.covariance = self.power * np.diag([1.0] * 3 + [settings.STILL] * 3)
        self.solved_for: Complex = np.zeros(3, np.complex128)
        self.filter: Complex = np.zeros(len(OFFSETS), np.complex128)
        self.feedback: Complex = np.zeros(ACROSS, np.complex128)
        self.learnt = first - 1

    def _fixed(self, x: Complex, k: int) -> complex:
        at = self.start + 5 * k
        return complex(np.dot(self.taps, x[at - 8 : at + 9]))

    def _symbol(self, x: Complex, k: int, known: int | None) -> list[tuple[float, float]]:
        turn = self.turn
        before = self.points[-1] if k else 1.0
        dibit, soft_fixed, off = self.plain.step(self._fixed(x, k), turn, self.step, known)
        self.said.append(dibit)
        if self.awake:
            if k % 4 == 0 or self.eq.noise <= self.plain.noise:
                self._design(k)
            y = complex(np.dot(self.filter, x[self.start + 5 * k + OFFSETS]))
            for back in range(1, min(ACROSS, k) + 1):
                y -= self.feedback[back - 1] * self.points[k - back]
            _, soft, off_equalized = self.eq.step(y, turn, self.step, known)
            places = before * np.exp(1j * (turn + self.step * SYMBOL_OF_DIBIT))
            dibit = int(np.argmax((y * places.conj()).real)) if known is None else known
            self._advance(before, turn, dibit)
            while self.learnt < k - BEHIND:
                self._learn(x)
            if self.eq.noise < self.plain.noise:
                off = off_equalized
                if known is None and self.eq.noise < 0.5 * self.plain.noise:
                    taps, slopes = self.channel[:3], self.channel[3:]
                    self.turn += settings.STEER * float(np.vdot(taps, slopes).imag / np.vdot(taps, taps).real)
        else:
            soft = soft_fixed
            self._advance(before, turn, dibit)
        if abs(off) < 0.7:
            self.turn += (0.02 if known is not None else settings.GAIN) * off
        if known is None and self.awake:
            self.awake = self.plain.noise >= ASLEEP
            lost = self.plain.noise < CLEAR and self.eq.noise > LOST * self.plain.noise
            if self.awake and lost and k - self.woke >= RECALL:
                for place in range(max(k + 1 - RECALL, 1), k + 1):
                    angle = self.turn + self.step * SYMBOL_OF_DIBIT[self.said[place]]
                    self.points[place] = self.points[place - 1] * np.exp(1j * angle)
                self._wake(x)
        elif known is None and self.plain.noise > AWAKE:
            self._wake(x)
        return [soft_fixed, soft]

    def _advance(self, before: complex, turn: float, dibit: int) -> None:
        self.points = np.append(self.points, before * np.exp(1j * (turn + self.step * SYMBOL_OF_DIBIT[dibit])))

    def _wake(self, x: Complex) -> None:
        newest = len(self.points)
        self._unknown(x, max(newest - RECALL, 4))
        while self.learnt < newest - BEHIND - 1:
            self._learn(x)
        count = self.eq.count
        self.eq = Track(self.points[-1], settings.EQUALIZER_MEMORY)
        self.eq.noise = self.eq.spread = self.plain.noise
        self.eq.count = max(count, self.plain.count)
        self._design(newest)
        self.woke = newest
        self.awake = True

    def _signal(self, sample: int) -> complex:
        """What the decided symbols make at a sample counted from the first point."""
        near = [q for q in range(len(self.points)) if abs(sample - 5 * q) <= 20]
        return complex(sum(self.pulse[sample - 5 * q + 20] * self.points[q] for q in near))

    def _learn(self, x: Complex) -> None:
        self.learnt += 1
        self.channel = ONWARD @ self.channel
        self.covariance = ONWARD @ self.covariance @ ONWARD.T
        self.covariance[3:, 3:] += settings.DRIFT * self.power * np.eye(3)
        even = [n for n in range(5 * self.learnt - 2, 5 * self.learnt + 3) if n % 2 == 0]
        noise = max(self.unexplained, settings.MODEL * self.power)
        left = []
        for n in even:
            row = np.concatenate([[self._signal(n - ray) for ray in RAYS], np.zeros(3)])
            wrong = x[self.start + n] - row @ self.channel
            gain = self.covariance @ row.conj()
            variance = noise + (row @ gain).real
            self.channel = self.channel + gain * wrong / variance
            self.covariance = (self.covariance - np.outer(gain, gain.conj()) / variance).real
            left.append(abs(wrong) ** 2 * noise / variance)
        self.power += 0.02 * (float(np.mean([abs(x[self.start + n]) ** 2 for n in even])) - self.power)
        self.unexplained += 0.05 * (float(np.mean(left)) - self.unexplained)

    def _design(self, k: int) -> None:
        channel = self.channel[:3] + (k - self.learnt) * self.channel[3:]
        moved = float((np.abs(channel - self.solved_for) ** 2).sum())
        if moved < settings.WORTH * max(self.unexplained, settings.MODEL * self.power):
            return
        self.solved_for = channel
        reach = np.zeros((2 * ACROSS + 1, len(OFFSETS)), np.complex128)
        for q in range(2 * ACROSS + 1):
            for i, offset in enumerate(OFFSETS):
                for ray, gain in zip(RAYS, channel):
                    place = offset - 5 * (q - ACROSS) - ray + 20
                    if 0 <= place <= 40:
                        reach[q, i] += gain * self.pulse[place]
        doubt = min(1.0, 0.05 + settings.DOUBT * self.eq.noise)
        weights = np.where(np.arange(2 * ACROSS + 1) < ACROSS, doubt, 1.0)
        noise = max(self.unexplained, 0.001 * self.power)
        matrix = (reach.conj().T * weights) @ reach + noise * np.eye(len(OFFSETS))
        self.filter = np.asarray(np.linalg.solve(matrix, reach[ACROSS].conj()), np.complex128)
        self.feedback = (1 - doubt) * (reach[:ACROSS][::-1] @ self.filter)
