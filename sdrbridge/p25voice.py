"""The speech of P25 channels: voice frames in, 8 kHz rows by on-air index out, for `sdrbridge.speech`.

A voice unit lasts 180 ms and carries nine frames of 20 ms; frame n is the speech of the nth of these nine, whatever
place its bits have in the unit. Where no frame was decoded there is silence.
"""

import logging
from collections.abc import Callable, Sequence
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from dsp.blocks import AUDIO_RATE, RowBlock
from dsp.errors import DspError
from dsp.lookback import LookBack
from dsp.p25.frame import VoiceFrame
from dsp.vocoder import registry
from dsp.vocoder.base import Vocoder
from hw.errors import DeviceError
from sdrbridge.speech import Speech

KEPT = 4 * AUDIO_RATE
"""Samples kept a channel: what may be held until an over begins, several times over."""

T = TypeVar("T")

log = logging.getLogger(__name__)


class VoiceLine:
    """The speech of one channel. name: of the channel, for the log. vocoder: as `[bridge] vocoder` says it.

    silent: why nothing is spoken, None where all is well.
    """

    def __init__(self, name: str, vocoder: str) -> None:
        self.name = name
        self.silent: str | None = None
        self._vocoder = self._open(vocoder)
        self._kept = LookBack(1, KEPT)
        self.speech = Speech(self, 0)

    @property
    def written(self) -> int:
        """Index of the sample after the last one decoded."""
        return self._kept.end

    def read(self, row: int, start: int, n: int) -> NDArray[np.float32]:
        """Samples start … start+n, (n,) float32; zeros where nothing was spoken."""
        return self._kept.read(0, start, n)

    def begin(self) -> None:
        """Another talker: nothing of the one before colours his speech."""
        if self._vocoder is not None:
            self._ask(self._vocoder.reset)

    def hear(self, at: int, frame: VoiceFrame) -> bool:
        """Speak one frame from index `at` on. Returns whether it could be spoken as it was sent."""
        came = bool(frame.llr.any())
        vocoder = self._vocoder
        if vocoder is None:
            return came
        samples = self._ask(lambda: vocoder.decode_soft(frame.llr) if came else vocoder.erase())
        if samples is None:
            return came
        late = max(0, self.written - at)
        self._kept.write(RowBlock(samples[None, late:], AUDIO_RATE, at + late))
        return not vocoder.status.repeated

    def _ask(self, work: Callable[[], T]) -> T | None:
        """What the vocoder answers; from its first failure on there is none."""
        try:
            return work()
        except DeviceError as problem:
            self._vocoder, self.silent = None, f"the vocoder failed: {problem}"
            log.warning("%s", self.silent, extra={"channel": self.name})
            return None

    def _open(self, vocoder: str) -> Vocoder | None:
        if vocoder == registry.NONE:
            self.silent = 'no vocoder: the site file says vocoder = "none"'
            return None
        try:
            return registry.open_vocoder(vocoder)
        except (DeviceError, DspError) as problem:
            self.silent = f"no vocoder: {problem}"
            log.warning("%s", self.silent, extra={"channel": self.name})
            return None


class VoiceRows:
    """The lines of a bank as what `Receiver.heard` reads."""

    def __init__(self, lines: Sequence[VoiceLine]) -> None:
        self._lines = tuple(lines)

    def read(self, row: int, start: int, n: int) -> NDArray[np.float32]:
        """Samples start … start+n of a row, (n,) float32."""
        return self._lines[row].read(0, start, n)
