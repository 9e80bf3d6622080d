"""Bridge time on the machine's clock. A tick is late at times and never early, so of the latest the earliest counts."""

from collections import deque

from dsp.blocks import AUDIO_RATE
from sdrbridge.pacer import MOST_LATE_S

_LATEST = 64


class BridgeTime:
    """Told of each tick by the matrix thread; read by any."""

    def __init__(self) -> None:
        self._offsets: deque[float] = deque(maxlen=_LATEST)
        self._offset_s = 0.0

    def tick(self, index: int, at_s: float) -> None:
        """The tick at bridge time `index` is made at `at_s` of the clock."""
        offset = at_s - index / AUDIO_RATE
        if self._offsets and offset - self._offset_s > MOST_LATE_S:
            self._offsets.clear()  # the beat began anew
        self._offsets.append(offset)
        self._offset_s = min(self._offsets)

    @property
    def known(self) -> bool:
        """Whether there was a tick."""
        return bool(self._offsets)

    def index(self, at_s: float) -> float:
        """Bridge time at `at_s` of the clock."""
        return (at_s - self._offset_s) * AUDIO_RATE

    def at_s(self, index: int) -> float:
        """When bridge time is `index`, on the clock."""
        return index / AUDIO_RATE + self._offset_s
