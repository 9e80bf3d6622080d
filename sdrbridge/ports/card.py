"""One direction of a sound card port: a stream that is opened, watched, let go and opened again."""

from collections.abc import Callable

from hw.clock import Clock
from hw.errors import DeviceError
from hw.soundcard import SoundStream

LOOK_S = 0.2
"""How often a card is looked after."""

DEAD_S = 0.3
"""A card that has not called for so long does not work: its callback comes every 10 ms, and at the start in bursts."""

GONE_S = 1.0
"""After so long it is let go and opened anew."""

STARTING_S = 2.0
"""The first call may take that long."""

AGAIN_S = 1.0
"""After a failure a card is tried again in so long."""


class Card:
    """open_stream: opens it, raises `DeviceError`. The callback says `called` each time."""

    def __init__(self, what: str, clock: Clock, open_stream: Callable[[], SoundStream]) -> None:
        self._what = what
        self._clock = clock
        self._open_stream = open_stream
        self._called_s = 0.0
        self._running = False
        self._again_s = float("-inf")
        self._faults = 0
        self.stream: SoundStream | None = None
        self.problem = f"{what}: not open yet"
        self.latency_s = 0.0
        """What the driver says lies between callback and plug."""
        self.opened = 0
        """Times it was opened."""

    def called(self) -> None:
        """The card's thread is alive."""
        self._called_s = self._clock.monotonic()
        self._running = True

    @property
    def working(self) -> bool:
        """Whether the card called lately."""
        return self.stream is not None and self._running and self._clock.monotonic() - self._called_s <= DEAD_S

    @property
    def faults(self) -> int:
        """Blocks that PortAudio lost or had to make up."""
        stream = self.stream
        return self._faults + (stream.faults if stream is not None else 0)

    def look_after(self) -> None:
        """Open the card if it is not open, let it go if it is dead. Blocks; one thread only."""
        now = self._clock.monotonic()
        if self.stream is not None:
            patience = GONE_S if self._running else STARTING_S
            if self.stream.alive and now - self._called_s <= patience:
                return
            self.problem = f'{self._what}: sound card "{self.stream.card}" is gone'
            self.close()
            self._again_s = now + AGAIN_S
        if now < self._again_s:
            return
        self._called_s, self._running = now, False
        try:
            stream = self._open_stream()
        except DeviceError as problem:
            self.problem = f"{self._what}: {problem}"
            self._again_s = self._clock.monotonic() + AGAIN_S
            return
        self.latency_s = min(max(stream.latency_s, 0.0), 0.5)
        self.problem = ""
        self.opened += 1
        self.stream = stream

    def close(self) -> None:
        """Let the card go."""
        stream, self.stream = self.stream, None
        if stream is not None:
            self._faults += stream.faults
            stream.close()
