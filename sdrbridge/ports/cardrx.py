"""The receive side of a sound card port: blocks of the card's thread to overs in bridge time.

A COR line is faster than the sound it belongs to, a VOX slower; both open an over where it began. While nobody speaks
what the card gives is kept, never passed on.
"""

from collections import deque
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from dsp.blocks import AUDIO_RATE, TICK_SAMPLES, RowBlock
from dsp.elastic import Elastic
from dsp.events import EventKind
from dsp.vox import Vox
from hw.clock import Clock
from hw.corwatch import CorWatch, Line
from hw.soundcard import SoundBackend, SoundStream
from sdrbridge.bank import Stage
from sdrbridge.ports.card import Card
from sdrbridge.ports.kinds import SoundCardSettings
from sdrbridge.ports.overs import LiveReceiver
from sdrbridge.transmission import Transmission

Audio = NDArray[np.float32]

OpenLine = Callable[[], Line]

RING_BLOCKS = 50
"""Blocks (half a second) between the card's thread and the matrix's."""


class CardReceiver:
    """An RxPort. open_line: opens the COR line; None listens for speech."""

    def __init__(
        self,
        name: str,
        settings: SoundCardSettings,
        clock: Clock,
        backend: SoundBackend,
        open_line: OpenLine | None,
    ) -> None:
        self._settings = settings
        self._clock = clock
        name_of_card = settings.input or ""
        self.card = Card("input", clock, lambda: backend.open_input(name_of_card, settings.rate, self._take))
        self.cor = None if open_line is None else CorWatch(open_line, clock)
        self._vox = None if self.cor is not None else Vox(settings.vox_open, settings.vox_hang_ms / 1000)
        self._overs = LiveReceiver(name)
        self._ring: deque[Audio] = deque()
        self._stream: SoundStream | None = None
        self._elastic = Elastic(settings.rate or 48_000, AUDIO_RATE, settings.buffer_ms / 1000)
        self._at: int | None = None
        self._dropped = self._slips = 0

    def _take(self, samples: Audio) -> None:
        """By the card's thread."""
        self.card.called()
        if len(self._ring) >= RING_BLOCKS:
            self._dropped += len(samples)
        else:
            self._ring.append(samples.copy())

    @property
    def delay(self) -> int:
        """Bridge samples between the plug and what is known, less the tick that has just passed."""
        return self._elastic.delay + round(self.card.latency_s * AUDIO_RATE)

    def advance(self, now: int) -> None:
        """Take what the card gave, and act on it."""
        if self._at is None:
            self._at = now - TICK_SAMPLES
        stream = self.card.stream
        if stream is not self._stream:
            self._follow(stream)
        while self._ring:
            self._elastic.push(self._ring.popleft())
        while self._at < now:
            n = min(TICK_SAMPLES, now - self._at)
            self._hear(self._at + TICK_SAMPLES - self.delay, self._elastic.pull(n))
            self._at += n
        self._watch(now)
        self._overs.release()

    def _follow(self, stream: SoundStream | None) -> None:
        """Another stream: perhaps another rate, surely another start. It is not joined to the one before."""
        self._stream = stream
        if stream is None:
            return
        self._slips += self._elastic.slips
        if stream.rate == self._elastic.rate_in:
            self._elastic.reset()
        else:
            self._elastic = Elastic(stream.rate, AUDIO_RATE, self._settings.buffer_ms / 1000)

    def _hear(self, index: int, samples: Audio) -> None:
        known = self._overs.known
        if index < known:  # the delay shrank with another card
            samples, index = samples[known - index :], known
        if not len(samples):
            return
        self._overs.hear(index, samples)
        if self._vox is None:
            return
        for event in self._vox.process(RowBlock(samples[None, :], AUDIO_RATE, index)):
            if event.kind is EventKind.OPEN:
                self._overs.open(event.index)
            else:
                self._overs.close(event.index)

    def _watch(self, now: int) -> None:
        if self.cor is None:
            return
        at_s = self._clock.monotonic()
        for edge in self.cor.edges():
            at = now - round((at_s - edge.at_s) * AUDIO_RATE)
            if edge.is_open:
                self._overs.open(at - self._settings.cor_early_ms * AUDIO_RATE // 1000)
            else:
                self._overs.close(at)

    def begun(self) -> Sequence[Transmission]:
        """Overs that began since the last call, oldest first."""
        return self._overs.begun()

    def available(self) -> int:
        """Index of the sample after the last one that may be read."""
        return self._overs.available()

    def read(self, start: int, n: int) -> Audio:
        """Samples start … start+n, (n,) float32; zeros where nothing came."""
        return self._overs.read(start, n)

    def close(self) -> None:
        """Let the card and the COR line go."""
        self.card.close()
        if self.cor is not None:
            self.cor.stop()

    def problems(self) -> list[str]:
        """What is wrong, for a technician."""
        found = [] if self.card.working else [self.card.problem or "input: the sound card gives nothing"]
        if self.cor is not None and self.cor.problem:
            found.append(f"COR line: {self.cor.problem}")
        return found

    def counters(self) -> dict[str, int | float]:
        """Since the start."""
        return {
            "rx_overs": self._overs.count,
            "rx_slips": self._slips + self._elastic.slips,
            "rx_dropped": self._dropped,
            "rx_faults": self.card.faults,
            "rx_opened": self.card.opened,
            "rx_ppm": round(self._elastic.ppm, 1),
        }

    def stages(self) -> tuple[Stage, ...]:
        """What is held back on the way in."""
        return (
            Stage("sound card in", self.card.latency_s),
            Stage("elastic buffer", (self._elastic.delay - TICK_SAMPLES) / AUDIO_RATE),
            Stage("leveler", self._overs.held_back / AUDIO_RATE),
        )
