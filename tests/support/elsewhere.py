"""Somebody else's system: what our transmitter on it sends comes out of our receiver on it, later and worse."""

from collections.abc import Callable, Sequence

import numpy as np
import soundfile
from scipy import signal

from dsp.vocoder.imbe.vocoder import ImbeVocoder
from sdrbridge.port import Audio
from sdrbridge.transmission import Transmission
from tests.conftest import ROOT

Way = Callable[[Audio], Audio]
"""What is done to frames of 20 ms on the way, one after the other."""


def talker(which: str) -> Audio:
    """A recorded talker, "male" or "female": seven seconds at 8 kHz."""
    samples, rate = soundfile.read(ROOT / "tests" / "data" / f"speech_{which}.8000.flac", dtype="float32")
    assert rate == 8000
    return np.asarray(samples)


def imbe() -> Way:
    """Through a P25 radio system: full-rate vocoder, there and back."""
    vocoder = ImbeVocoder()
    return lambda frame: vocoder.decode(vocoder.encode(frame))


def pcmu() -> Way:
    """Through a telephone line: 8 bits of µ-law, 300 … 3000 Hz."""
    sections = signal.butter(4, [300, 3000], "bandpass", fs=8000, output="sos")
    state = np.zeros((len(sections), 2))

    def way(frame: Audio) -> Audio:
        nonlocal state
        passed, state = signal.sosfilt(sections, frame, zi=state)
        folded = np.sign(passed) * np.log1p(255 * np.abs(passed)) / np.log(256)
        rounded = np.round(folded * 127) / 127
        return np.asarray(np.sign(rounded) * (256 ** np.abs(rounded) - 1) / 255, np.float32)

    return way


def through(way: Way, samples: Audio) -> Audio:
    """All of it at once."""
    whole = samples[: len(samples) // 160 * 160].reshape(-1, 160)
    return np.concatenate([way(frame) for frame in whole]).astype(np.float32)


class Elsewhere:
    """tx and rx of it. delay: samples on the way, a multiple of 160. level: factor."""

    def __init__(self, name: str, way: Way, delay: int, level: float = 1.0) -> None:
        self.name = name
        self.delay = delay
        self._way, self._level = way, level
        self._air = np.zeros(8000 * 120, np.float32)
        self._keyed = False
        self._due: list[tuple[int, bool]] = []
        self._over: Transmission | None = None
        self._begun: list[Transmission] = []
        self._now = self._count = 0

    def write(self, frame: Audio, index: int, keyed: bool) -> None:
        """Sent: on the air here after the delay."""
        at = index + self.delay
        self._air[at : at + len(frame)] = self._level * self._way(frame) if keyed else 0.0
        if keyed != self._keyed:
            self._keyed = keyed
            self._due.append((at, keyed))

    def advance(self, now: int) -> None:
        self._now = now
        while self._due and self._due[0][0] <= now:
            at, keyed = self._due.pop(0)
            if keyed:
                self._count += 1
                self._over = Transmission.begin(self.name, self._count, at)
                self._begun.append(self._over)
            elif self._over is not None:
                self._over.end = self._over.on_air_end = at

    def begun(self) -> Sequence[Transmission]:
        begun, self._begun = self._begun, []
        return begun

    def available(self) -> int:
        return self._now

    def read(self, start: int, n: int) -> Audio:
        return self._air[start : start + n]
