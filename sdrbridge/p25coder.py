"""Who speaks for a P25 transmitter: the vocoder that the site file names, and silence while there is none.

The messages of a transmitter without a vocoder go on the air all the same, with their talker and their emergency; only
their voice frames are silence.
"""

import logging
from collections.abc import Callable
from typing import TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from dsp.errors import DspError
from dsp.p25.transmitter import SLOWEST_VOCODER
from dsp.vocoder import registry
from dsp.vocoder.base import Vocoder
from dsp.vocoder.imbe import channel
from hw.errors import DeviceError

SILENCE = bytes.fromhex("040cfd7bfb7df27b3d9e45")
"""Speech bits of a frame of silence, as radios send it where there is nothing to say."""

T = TypeVar("T")

log = logging.getLogger(__name__)


class Coder:
    """What `VoiceTransmitter` asks for voice frames. name: of the port, for the log. spec: NAME or NAME:PLACE.

    silent: why nothing is spoken, None where all is well. Nothing is opened before `open`.
    """

    def __init__(self, name: str, spec: str) -> None:
        self.name = name
        self.silent: str | None = "no vocoder: not opened yet"
        self._spec = spec
        self._vocoder: Vocoder | None = None
        self._refused = spec == registry.NONE
        if self._refused:
            self.silent = 'no vocoder: the site file says vocoder = "none"'

    @property
    def encoder_delay(self) -> int:
        """Samples from the last one given to `encode` back to the centre of the frame it returns."""
        return 0 if self._vocoder is None else self._vocoder.encoder_delay

    def open(self) -> None:
        """Open the vocoder, if it is not there. May take a second where a device does not answer."""
        if self._vocoder is not None or self._refused:
            return
        try:
            vocoder = registry.open_vocoder(self._spec)
        except (DeviceError, DspError) as problem:
            self._lose(f"no vocoder: {problem}")
            return
        if not 0 <= vocoder.encoder_delay <= SLOWEST_VOCODER:
            self._refused = True
            held = f"holds back {vocoder.encoder_delay} samples; at most {SLOWEST_VOCODER} while the header is sent"
            self._lose(f'no vocoder: "{self._spec}" {held}')
            return
        self._vocoder, self.silent = vocoder, None

    def reset(self) -> None:
        """Another message begins."""
        if self._vocoder is not None:
            self._ask(self._vocoder.reset)

    def encode(self, samples: NDArray[np.float32]) -> NDArray[np.uint8]:
        """The speech bits of the frame that is now complete, packed."""
        vocoder = self._vocoder
        coded = None if vocoder is None else self._ask(lambda: vocoder.encode(samples))
        return np.frombuffer(SILENCE, np.uint8) if coded is None else coded

    def protect(self, speech: ArrayLike) -> NDArray[np.uint8]:
        """The channel bits of packed speech bits, one a byte, in the order sent."""
        return channel.protect(speech)

    def close(self) -> None:
        """Let go of the device behind it, if there is one."""
        close = getattr(self._vocoder, "close", None)
        if close is not None:
            close()
        self._vocoder, self.silent = None, "no vocoder: closed"

    def _ask(self, work: Callable[[], T]) -> T | None:
        """What the vocoder answers; once it has failed there is none until it is opened again."""
        try:
            return work()
        except DeviceError as problem:
            self._vocoder = None
            self._lose(f"the vocoder failed: {problem}")
            return None

    def _lose(self, reason: str) -> None:
        if reason != self.silent:
            self.silent = reason
            log.warning("%s", reason, extra={"port": self.name})
