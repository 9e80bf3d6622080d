"""The blip25-vocoder package as vocoder, where somebody has installed it and chosen it: `vocoder = "blip25"`.

It is never installed by default; `NOTICE` says why and is logged once a process where it is chosen. Its objects belong
to the thread that made them (use from another ends in a panic that `except Exception` does not catch), so each has a
thread of its own, and any thread may ask it. Only the full rate is used. There is no wheel for aarch64.
"""

import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Any, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from dsp.vocoder.base import FRAME_SAMPLES, FrameStatus
from dsp.vocoder.imbe import channel
from hw.errors import DeviceLost, DeviceNotFound

NOTICE = (
    "blip25-vocoder: its authors provide it for research and interoperability study only. Its core is reverse-"
    "engineered from a compiled image of the reference vocoder, and its half-rate part, which is not used here, reads "
    "on US8359197 (active until 2028-05-20). Read its PATENT_NOTICE before use."
)

ENCODER_DELAY = 3 * FRAME_SAMPLES
DECODER_DELAY = FRAME_SAMPLES
"""As the own codec of the same standard; a frame of look-ahead lies within the first."""

_LOUDEST = 127
"""Soft bits are handed over as int8."""

Samples = NDArray[np.float32]
T = TypeVar("T")
_log = logging.getLogger(__name__)


@cache
def show_notice() -> None:
    """Log `NOTICE`, once a process, however many streams it speaks for."""
    _log.warning(NOTICE)


class Blip25Vocoder:
    """A `dsp.vocoder.base.Vocoder`. Raises `DeviceNotFound` where the package is not there."""

    encoder_delay = ENCODER_DELAY
    decoder_delay = DECODER_DELAY

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="blip25")
        self.status = FrameStatus()
        try:
            self._module: Any = self._in_thread(_import)
        except ImportError as problem:
            self._thread.shutdown()
            raise DeviceNotFound(
                'vocoder "blip25": the Python package blip25-vocoder is not installed; the own codec needs nothing: '
                'vocoder = "imbe"'
            ) from problem
        show_notice()
        self.reset()

    def reset(self) -> None:
        """Back to the constructed state, both directions."""
        self._in_thread(self._make)
        self.status = FrameStatus()

    def encode(self, samples: NDArray[np.float32]) -> NDArray[np.uint8]:
        """The speech bits of the frame that is now complete, packed."""
        pcm = np.rint(np.clip(samples, -1.0, 1.0) * 32767).astype(np.int16)
        return np.frombuffer(self._in_thread(lambda: self._encoder.encode_pcm(pcm)), np.uint8)

    def flush(self) -> list[NDArray[np.uint8]]:
        """The frame still inside the encoder."""
        return [np.frombuffer(frame, np.uint8) for frame in self._in_thread(lambda: self._encoder.flush_encode())]

    def protect(self, speech: ArrayLike) -> NDArray[np.uint8]:
        """See `channel.protect`."""
        return channel.protect(speech)

    def decode(self, speech: ArrayLike) -> Samples:
        """Samples of packed speech bits that are known to be right."""
        return self._spoken(np.packbits(channel.protect(speech)).tobytes())

    def decode_hard(self, received: ArrayLike) -> Samples:
        """Samples of channel bits, each 0 or 1."""
        channel.unprotect(received)  # says what is wrong with the shape or the values
        return self._spoken(np.packbits(np.asarray(received, np.uint8)).tobytes())

    def decode_soft(self, llr: ArrayLike) -> Samples:
        """Samples of log-likelihood ratios of channel bits, positive = 1, 0 = unknown."""
        channel.unprotect_soft(llr)
        values = np.nan_to_num(np.asarray(llr, np.float32))
        loudest = float(np.abs(values).max(initial=0.0))
        if loudest == 0.0:
            return self.erase()
        soft = np.rint(values * (_LOUDEST / loudest)).astype(np.int8)
        return self._taken(self._in_thread(lambda: self._decoder.decode_soft(soft)))

    def erase(self) -> Samples:
        """Samples in the place of a frame that never came."""
        samples = self._spoken(self._in_thread(lambda: self._decoder.erasure_frame))
        self.status = FrameStatus(repeated=True, erased=True)
        return samples

    def close(self) -> None:
        """End its thread."""
        self._in_thread(self._drop)
        self._thread.shutdown()

    def _make(self) -> None:
        full_rate = self._module.Rate
        self._encoder = self._module.Vocoder(full_rate.FULL_RATE_4400X4400)
        self._decoder = self._module.Vocoder(full_rate.FULL_RATE_7200X4400)

    def _drop(self) -> None:
        # they must not outlive their thread either
        del self._encoder, self._decoder

    def _spoken(self, frame: bytes) -> Samples:
        return self._taken(self._in_thread(lambda: self._decoder.decode_bits(frame)))

    def _taken(self, pcm: NDArray[np.int16]) -> Samples:
        errors = self._in_thread(lambda: self._decoder.last_decode_errors())
        disposition = self._in_thread(lambda: self._decoder.last_disposition())
        self.status = FrameStatus(errors[1] if errors else 0, repeated=bool(disposition and disposition.concealed))
        return (pcm / np.float32(32768)).astype(np.float32)

    def _in_thread(self, work: Callable[[], T]) -> T:
        try:
            return self._thread.submit(work).result()
        except Exception:
            raise
        except BaseException as panic:
            # a panic of the package's core is a BaseException; it must not end the whole bridge
            if type(panic).__name__ != "PanicException":
                raise
            raise DeviceLost(f"blip25-vocoder failed: {panic}") from None


def _import() -> Any:
    import blip25_vocoder

    return blip25_vocoder


def open_vocoder(place: str = "") -> Blip25Vocoder:
    """A vocoder; `place` must be empty. Raises `DeviceNotFound`."""
    if place:
        raise DeviceNotFound(f'vocoder "blip25:{place}": takes nothing behind its name')
    return Blip25Vocoder()
