"""A network made up for tests: datagrams with the time at which they come, lost, late, doubled, held back."""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np


@dataclass(eq=False)
class Network:
    """One direction. delay_s: of each datagram, from when it is sent. lost, doubled: shares.

    stall: from when to when it holds everything back, to let it go at once.
    """

    delay_s: Callable[[np.random.Generator, float], float] = lambda rng, at_s: 0.005
    lost: float = 0.0
    doubled: float = 0.0
    stall: tuple[float, float] = (0.0, 0.0)
    seed: int = 1
    sent: int = 0
    _queue: list[tuple[float, int, bytes]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._rng = np.random.default_rng(self.seed)

    def send(self, data: bytes, at_s: float) -> None:
        self.sent += 1
        if self._rng.random() < self.lost:
            return
        for _ in range(1 + int(self._rng.random() < self.doubled)):
            arrival = at_s + self.delay_s(self._rng, at_s)
            if self.stall[0] <= at_s < self.stall[1]:
                arrival = self.stall[1] + self.delay_s(self._rng, at_s) * 0.001
            self._queue.append((arrival, self.sent, data))

    def arrived(self, now_s: float) -> list[tuple[bytes, float]]:
        """What has come by now, with its arrival."""
        due = sorted(entry for entry in self._queue if entry[0] <= now_s)
        self._queue = [entry for entry in self._queue if entry[0] > now_s]
        return [(data, at_s) for at_s, _, data in due]


def jitter(most_s: float, least_s: float = 0.02) -> Callable[[np.random.Generator, float], float]:
    """Delays spread evenly."""
    return lambda rng, at_s: least_s + float(rng.uniform(0, most_s))
