"""CPU time of the matrix; run it by hand:

    python -m tests.bench.bench_matrix

Tick: ports that all receive speech and all transmit, medians over 200 ticks. The limit is 2 ms. Measured with
real-time priority on two slow cores that others load, in turns with what it cost when each leg was played for itself:
256 ports in patches of two 1.05 ms (2.5 before), of four 1.05 (1.95), of sixteen 0.97 (1.55), all in one 0.93 (1.4), in
patches of four that mix 1.6 (3.75).
Simulation: 16 ports in four patches, each talks a fifth of the time. The aim is 20 hours in a CPU-minute, which is
missed; measured as above 17.3, and 10.6 when the loop guard and every launch cut the strides. The whole simulation
(`sdrbridge simulate`, with workers, sound cards, journal and all that watches) makes 6.3, and made 5.1.
"""

import time
from collections.abc import Sequence
from statistics import median

import numpy as np

from dsp.blocks import AUDIO_RATE, TICK_SAMPLES
from sdrbridge.matrix import Event, Matrix
from sdrbridge.patch import Patch, Rules
from sdrbridge.port import Audio, Loopback, Port
from sdrbridge.transmission import Transmission
from tests.support.speech import speech_like


class Talker:
    """Receives one over that never ends, out of `loop`; what it is sent goes nowhere."""

    def __init__(self, name: str, loop: Audio) -> None:
        self._over: list[Transmission] = [Transmission.begin(name, 1, 0)]
        self._loop = np.concatenate([loop, loop])
        self._period = len(loop)
        self._now = 0
        self.written = 0

    def advance(self, now: int) -> None:
        self._now = now

    def begun(self) -> Sequence[Transmission]:
        begun, self._over = self._over, []
        return begun

    def available(self) -> int:
        return self._now

    def read(self, start: int, n: int) -> Audio:
        at = start % self._period
        return self._loop[at : at + n]

    def write(self, frame: Audio, index: int, keyed: bool) -> None:
        self.written += 1


def busy(ports: int, size: int, mix: bool = False) -> Matrix:
    """A matrix in which `ports` ports all talk without end, in patches of `size`."""
    talkers = [Talker(str(i), speech_like(4, i % 16)) for i in range(ports)]
    patches = []
    for first in range(0, ports, size):
        patch = Patch(f"p{first}", rules=Rules(timeout=1 << 40, mix=mix))
        for i in range(first, first + size):
            patch = patch.add(str(i))
        patches.append(patch)
    events: list[Event] = []
    return Matrix([Port(str(i), x, x) for i, x in enumerate(talkers)], patches, events.append)


def tick_ms(matrix: Matrix, ticks: int = 250, first: int = 0) -> float:
    """Median milliseconds of CPU a tick, once everybody is heard: from the 50th of `ticks` ticks on."""
    spent = []
    for tick in range(first, first + ticks):
        begun = time.process_time_ns()
        matrix.tick(tick * TICK_SAMPLES)
        spent.append(time.process_time_ns() - begun)
    return median(spent[50:]) / 1e6


def conversation(ports: int, size: int, seconds: int, seed: int = 1) -> tuple[Matrix, list[Loopback], list[Event]]:
    """Ports in patches of `size`; each says overs of 2 to 8 s, a fifth of the time."""
    rng = np.random.default_rng(seed)
    loops = [Loopback(str(i), keep=AUDIO_RATE, latency=252, decision=1200) for i in range(ports)]
    for i, loop in enumerate(loops):
        speech = speech_like(20, i)
        at = int(rng.integers(0, 20 * AUDIO_RATE))
        while at < seconds * AUDIO_RATE:
            n = int(rng.integers(2 * AUDIO_RATE, 8 * AUDIO_RATE))
            first = int(rng.integers(0, len(speech) - n))
            loop.say(at, speech[first : first + n])
            at += n + int(n * rng.uniform(2, 6))
    patches = []
    for first in range(0, ports, size):
        patch = Patch(f"p{first}", rules=Rules(lockout=800))
        for i in range(first, first + size):
            patch = patch.add(str(i))
        patches.append(patch)
    events: list[Event] = []
    setup = [Port(str(i), x, x, access_ms=(0, 300)[i % 2]) for i, x in enumerate(loops)]
    return Matrix(setup, patches, events.append), loops, events


def main() -> None:
    print("ports in patches of    ms a tick")
    for ports, size, mix in ((256, 2, False), (256, 4, False), (256, 16, False), (256, 256, False), (256, 4, True)):
        print(f"{ports:>5} {size:>13}{' mixed' if mix else '      '} {tick_ms(busy(ports, size, mix)):>9.3f}")
    seconds = 3600
    matrix, _, _ = conversation(16, 4, seconds)
    begun, now, strides = time.process_time(), 0, 0
    while now < seconds * AUDIO_RATE:
        now += matrix.stride(now, 1000) * TICK_SAMPLES
        strides += 1
    matrix.settle()
    spent = time.process_time() - begun
    ticks = seconds * 50
    hours = seconds / spent / 60
    print(f"\n16 ports, a fifth busy: {spent / ticks * 1e6:.1f} µs a tick, {hours:.1f} hours a CPU-minute")
    print(f"{ticks / strides:.1f} ticks a stride")


if __name__ == "__main__":
    main()
