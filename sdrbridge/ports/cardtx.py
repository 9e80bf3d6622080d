"""The transmit side of a sound card port: frames to the card, and the PTT line around them.

    keyed    ▁▁████████████▁▁▁▁▁▁▁▁▁▁
    line     ▁▁██████████████████████▁   keyed at once; let go when the last sound has left the card, and tail_ms more
    sound    ▁▁▁▁▁▁▁▁████████████▁▁▁▁▁   through the elastic buffer and the card: at least lead_ms after the line

With the card gone the line is let go at once: a carrier without speech helps nobody.
"""

from collections import deque

import numpy as np
from numpy.typing import NDArray

from dsp.blocks import AUDIO_RATE, TICK_SAMPLES
from dsp.elastic import Elastic
from hw.clock import Clock
from hw.soundcard import SoundBackend, SoundStream
from sdrbridge.bank import Stage
from sdrbridge.ports.card import Card
from sdrbridge.ports.kinds import SoundCardSettings
from sdrbridge.ports.live import KeyerHandle

Audio = NDArray[np.float32]

RING_FRAMES = 25
"""Frames (half a second) between the matrix's thread and the card's."""

_LOWEST, _HIGHEST = np.float32(-1.0), np.float32(1.0)


class CardTransmitter:
    """A TxPort. It keys nothing until it was given a line with `attach`."""

    def __init__(self, settings: SoundCardSettings, clock: Clock, backend: SoundBackend) -> None:
        self._settings = settings
        self._backend = backend
        self.card = Card("output", clock, self._open)
        self._keyer: KeyerHandle | None = None
        self._ring: deque[Audio] = deque()
        self._waiting: deque[Audio] = deque()
        self._elastic: Elastic | None = None
        self._until = 0
        self._line = False
        self._refused = self._dropped = self._slips = 0

    def attach(self, keyer: KeyerHandle) -> None:
        """The line of the transmitter."""
        self._keyer = keyer

    def _open(self) -> SoundStream:
        if self._elastic is not None:
            self._slips += self._elastic.slips
        # While there is no buffer the card gets silence; its rate is known only when it is open.
        self._elastic = None
        stream = self._backend.open_output(self._settings.output or "", self._settings.rate, self._give)
        self._elastic = Elastic(AUDIO_RATE, stream.rate, self._settings.buffer_ms / 1000)
        return stream

    def _give(self, n: int) -> Audio:
        """By the card's thread."""
        self.card.called()
        elastic = self._elastic
        if elastic is None:
            return np.zeros(n, np.float32)
        while self._ring:
            elastic.push(self._ring.popleft())
        out = elastic.pull(n)
        np.maximum(out, _LOWEST, out=out)
        return np.minimum(out, _HIGHEST, out=out)

    @property
    def _sound_delay(self) -> int:
        """Bridge samples from a frame's tick to its sound at the plug, up to a tick less; the lead not counted."""
        elastic = self._elastic
        held = self._settings.buffer_ms * AUDIO_RATE // 1000
        if elastic is not None:
            held = elastic.delay * AUDIO_RATE // elastic.rate_out
        return held + round(self.card.latency_s * AUDIO_RATE)

    @property
    def _lead_frames(self) -> int:
        """Frames that wait, so that the line leads the sound by enough."""
        missing = self._settings.lead_ms * AUDIO_RATE // 1000 - (self._sound_delay - TICK_SAMPLES)
        return max(0, -(-missing // TICK_SAMPLES))

    def write(self, frame: Audio, index: int, keyed: bool) -> None:
        """Send a frame and drive the line. Never waits."""
        working = self.card.working
        lead = self._lead_frames
        if keyed:
            tail = self._settings.tail_ms * AUDIO_RATE // 1000
            self._until = index + len(frame) + self._sound_delay + lead * TICK_SAMPLES + tail
            self._refused += not working
        self._set(working and self._keyer is not None and (keyed or index < self._until))
        self._waiting.append(frame.copy())
        while len(self._waiting) > lead:
            self._push(self._waiting.popleft())

    def _push(self, frame: Audio) -> None:
        if self.card.stream is None:
            self._ring.clear()
            return
        if len(self._ring) >= RING_FRAMES:
            self._dropped += len(self._ring.popleft())
        self._ring.append(frame)

    def _set(self, keyed: bool) -> None:
        self._line = keyed
        if self._keyer is not None:
            self._keyer.set(keyed)

    def unkey(self) -> None:
        """Let the line go now, and key no more."""
        self._set(False)
        self._keyer = None

    def close(self) -> None:
        """Let the line and the card go."""
        self.unkey()
        self.card.close()

    def problems(self) -> list[str]:
        """What is wrong, for a technician."""
        found = [] if self.card.working else [self.card.problem or "output: the sound card takes nothing"]
        if self._keyer is not None and self._keyer.problem:
            found.append(f"PTT: {self._keyer.problem}")
        return found

    def counters(self) -> dict[str, int | float]:
        """Since the start."""
        elastic = self._elastic
        return {
            "tx_slips": self._slips + (elastic.slips if elastic is not None else 0),
            "tx_dropped": self._dropped,
            "tx_refused": self._refused,
            "tx_faults": self.card.faults,
            "tx_opened": self.card.opened,
            "tx_ppm": round(elastic.ppm, 1) if elastic is not None else 0.0,
        }

    def stages(self) -> tuple[Stage, ...]:
        """What is held back on the way out."""
        return (
            Stage("transmitter's lead", self._lead_frames * TICK_SAMPLES / AUDIO_RATE),
            Stage("elastic buffer", (self._sound_delay - TICK_SAMPLES // 2) / AUDIO_RATE - self.card.latency_s),
            Stage("sound card out", self.card.latency_s),
        )
