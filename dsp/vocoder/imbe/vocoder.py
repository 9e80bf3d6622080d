"""Encoder and decoder of one stream behind the common face of all vocoders."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from dsp.errors import RangeError
from dsp.vocoder.base import FrameStatus
from dsp.vocoder.imbe import channel
from dsp.vocoder.imbe.decoder import ImbeDecoder
from dsp.vocoder.imbe.encoder import ImbeEncoder


class ImbeVocoder:
    """The full-rate vocoder as a `dsp.vocoder.base.Vocoder`; see `ImbeEncoder` and `ImbeDecoder` for each direction."""

    def __init__(self) -> None:
        self._encoder = ImbeEncoder()
        self._decoder = ImbeDecoder()

    @property
    def encoder_delay(self) -> int:
        """480 samples, 60 ms."""
        return self._encoder.delay

    @property
    def decoder_delay(self) -> int:
        """160 samples, 20 ms."""
        return self._decoder.delay

    @property
    def status(self) -> FrameStatus:
        """What became of the last frame decoded."""
        return self._decoder.status

    def encode(self, samples: NDArray[np.float32]) -> NDArray[np.uint8]:
        """See `ImbeEncoder.encode`."""
        return self._encoder.encode(samples)

    def flush(self) -> list[NDArray[np.uint8]]:
        """See `ImbeEncoder.flush`."""
        return self._encoder.flush()

    def protect(self, speech: ArrayLike) -> NDArray[np.uint8]:
        """See `channel.protect`."""
        return channel.protect(speech)

    def decode(self, speech: ArrayLike) -> NDArray[np.float32]:
        """See `ImbeDecoder.decode`."""
        return self._decoder.decode(speech)

    def decode_hard(self, received: ArrayLike) -> NDArray[np.float32]:
        """See `ImbeDecoder.decode_hard`."""
        return self._decoder.decode_hard(received)

    def decode_soft(self, llr: ArrayLike) -> NDArray[np.float32]:
        """See `ImbeDecoder.decode_soft`."""
        return self._decoder.decode_soft(llr)

    def erase(self) -> NDArray[np.float32]:
        """See `ImbeDecoder.erase`."""
        return self._decoder.erase()

    def reset(self) -> None:
        """Back to the constructed state, both directions."""
        self._encoder.reset()
        self._decoder.reset()


def open_vocoder(place: str = "") -> ImbeVocoder:
    """A vocoder; it is in no place. Raises `RangeError` where one is given."""
    if place:
        raise RangeError(f'vocoder "imbe:{place}": takes nothing behind its name')
    return ImbeVocoder()
