"""What the bridge asks of a vocoder, whichever it is."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

FRAME_SAMPLES = 160
"""Samples of one speech frame: 20 ms at 8 kHz."""


@dataclass(frozen=True, slots=True)
class FrameStatus:
    """What the decoder made of one frame.

    errors: channel bits corrected (0 where the bits came without their code).
    repeated: the last good frame was played in its place.
    muted: too many errors or erasures; a faint noise was played. Always repeated as well.
    erased: the frame never came.
    """

    errors: int = 0
    repeated: bool = False
    muted: bool = False
    erased: bool = False


class Encoder(Protocol):
    """What a transmitter needs of a `Vocoder`."""

    @property
    def encoder_delay(self) -> int: ...
    def encode(self, samples: NDArray[np.float32]) -> NDArray[np.uint8]: ...
    def protect(self, speech: ArrayLike) -> NDArray[np.uint8]: ...
    def reset(self) -> None: ...


class Vocoder(Protocol):
    """Speech frames ↔ samples of one stream, both directions independent of each other.

    One object a stream; any thread may use it, one at a time. Samples are float32 (160,), full scale ±1.0, 8 kHz.
    Speech bits are packed, first bit first, into uint8. `decode*` and `erase` return the samples of one frame, always;
    what became of the frame stands in `status`. Broken input raises `dsp.errors.DspError`, a bad signal never does.
    """

    @property
    def encoder_delay(self) -> int:
        """Samples from the last one given to `encode` back to the centre of the frame it returns."""

    @property
    def decoder_delay(self) -> int:
        """Samples from the centre of a frame back to the first sample its decoding returns."""

    @property
    def status(self) -> FrameStatus:
        """What became of the last frame decoded."""

    def encode(self, samples: NDArray[np.float32]) -> NDArray[np.uint8]:
        """The speech bits of the frame that is now complete, packed."""

    def flush(self) -> list[NDArray[np.uint8]]:
        """The frames still inside the encoder at the end of an over."""

    def protect(self, speech: ArrayLike) -> NDArray[np.uint8]:
        """The channel bits of packed speech bits, one a byte, in the order sent."""

    def decode(self, speech: ArrayLike) -> NDArray[np.float32]:
        """Samples of packed speech bits that are known to be right."""

    def decode_hard(self, received: ArrayLike) -> NDArray[np.float32]:
        """Samples of channel bits, each 0 or 1."""

    def decode_soft(self, llr: ArrayLike) -> NDArray[np.float32]:
        """Samples of log-likelihood ratios of channel bits, positive = 1, 0 = unknown."""

    def erase(self) -> NDArray[np.float32]:
        """Samples in the place of a frame that never came."""

    def reset(self) -> None:
        """Back to the constructed state, both directions."""
