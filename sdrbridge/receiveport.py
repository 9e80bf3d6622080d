"""A channel seen from the matrix: a receive port whose audio is the levelled speech of its bank's row."""

from collections.abc import Callable, Sequence
from math import isfinite

import numpy as np
from numpy.typing import NDArray

from sdrbridge.channel import Channel
from sdrbridge.p25channel import P25Channel
from sdrbridge.speech import Speech
from sdrbridge.transmission import Transmission


class ReceivePort:
    """One channel. rules: when it is heard. speech: what it releases. freq_hz: where it lies, if known.
    on_over: told of each over when it begins.

    The bridge first lets all channels `decide`, then every bank release the speech of its open rows in one go, then the
    matrix play; so nothing is left to do in `advance`.
    """

    def __init__(
        self, rules: Channel | P25Channel, speech: Speech, freq_hz: int | None, on_over: Callable[[Transmission], None]
    ) -> None:
        self.rules = rules
        self.name = rules.config.name
        self.freq_hz = freq_hz
        self._speech = speech
        self._on_over = on_over
        self._over: Transmission | None = None
        self._begun: list[Transmission] = []

    @property
    def over(self) -> Transmission | None:
        """The over in progress, or the one that has ended and is not yet released to its last sample."""
        return self._over

    def decide(self, now: int) -> None:
        """Act on what became known by `now` (8 kHz samples)."""
        if self._over is not None:
            level = self._speech.level_dbfs
            self._over.facts.level_dbfs = level if isfinite(level) else None
            if self._over.end is not None and self.available() >= self._over.end:
                self._over = None
        self.rules.released = self.available()
        for over in self.rules.advance(now):
            if over is not self._over:
                self._over = over
                self._begun.append(over)
                self._on_over(over)
                self._speech.start(over.start)
            if over.end is not None:
                self._speech.stop(over.end)

    def advance(self, now: int) -> None:
        """Nothing: the bridge has let the channel decide, and its bank release, before the matrix asks."""

    def begun(self) -> Sequence[Transmission]:
        """Overs that began since the last call, oldest first."""
        begun, self._begun = self._begun, []
        return begun

    def available(self) -> int:
        """Index of the sample after the last one that may be read."""
        return self._speech.released

    def read(self, start: int, n: int) -> NDArray[np.float32]:
        """Samples start … start+n, (n,) float32; zeros where samples were lost."""
        return self._speech.read(start, n)
