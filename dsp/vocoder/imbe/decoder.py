"""The decoder: frames of 88 bits (or 144 channel bits) to speech.

    bits ─ quantiser values ─ log amplitudes + prediction ─ enhancement ─ smoothing ─┬─ harmonics, voiced ───┐
           clauses 6.1–6.5     6.4, eq. 75–79                  8              9      └─ shaped noise, rest ──┴─ samples
                                                                                        clause 11

    good    ─ synthesised, and becomes the last good frame
    repeat  ─ ε₀ ≥ 2 and ε_T ≥ 10 + 40·ε_R, or a reserved pitch, or erased: the last good frame again (clause 7.7)
    mute    ─ ε_R > 0.0875, or the fourth erasure in a row: faint noise, parameters kept (clause 7.8)

ε₀ are the errors of c₀, ε_T those of all vectors, ε_R their running rate (eq. 95, 96). Frames given as bare speech bits
have no errors. The rules are made for hard decisions, which correct three errors of 23 and one of 15; soft decisions
bring as much through at 2 dB less, where 1.6 times as many bits are wrong, so an error of a soft frame counts 0.6
(8 % of bits wrong, four talkers: PESQ 2.68 instead of 2.19), unless there are as many as in noise. `status` tells the
true number.

The 160 samples returned run from the centre of the last frame to the centre of this one, so nothing
is held back beyond the frame itself: `delay` is 160 samples, 20 ms, from a frame's centre to the first of its samples.

TIA-102.BABA-A; the phase of the upper harmonics follows eq. 139 to 141, the noise is that of eq. 117, so the same
frames give the same samples on every machine.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from dsp.vocoder.base import FRAME_SAMPLES, FrameStatus
from dsp.vocoder.imbe import _decoder, channel

_NO_ERRORS = np.zeros(7, dtype=np.int32)
_NO_BITS = np.zeros(channel.SPEECH_BYTES, dtype=np.uint8)
_REPEATED, _MUTED, _ERASED = 1, 2, 4

# What one error counts when the decision was soft, below this many in a frame. Noise decodes with 21 ± 3 errors, 10 %
# of bits wrong make 14 ± 3; from the border on they count in full, so that noise is repeated away and soon muted.
_SOFT_WEIGHT = 0.6
_SOFT_LOST = 18
_SOFT_ERRORS = np.floor(_SOFT_WEIGHT * np.arange(_SOFT_LOST) + 0.5).astype(np.int32)

# What is counted of a frame of which nothing is known: half the bits of each vector.
_ALL_UNKNOWN = 4 * (23 // 2) + 3 * (15 // 2)

Samples = NDArray[np.float32]


class ImbeDecoder:
    """One stream of full-rate frames to speech; each call returns (160,) float32, full scale ±1.0, 8 kHz."""

    delay = FRAME_SAMPLES
    """Samples from the centre of a frame back to the first sample its decoding returns."""

    def __init__(self) -> None:
        self._kernel = _decoder.Decoder()
        self.status = FrameStatus()

    def reset(self) -> None:
        """Back to the constructed state (Annex A)."""
        self._kernel.reset()
        self.status = FrameStatus()

    @property
    def error_rate(self) -> float:
        """ε_R, the running rate of errors in protected bits, 0 … 1 (eq. 96)."""
        return self._kernel.error_rate

    def decode(self, speech: ArrayLike) -> Samples:
        """Samples of 88 packed speech bits, (11,) uint8 or bytes, that are known to be right. Raises `ShapeError`."""
        return self._run(channel.packed(speech), _NO_ERRORS, counted=0)

    def decode_hard(self, received: ArrayLike) -> Samples:
        """Samples of 144 received bits, (144,) integers 0 or 1 in the order sent. Raises `ShapeError`, `RangeError`."""
        speech, errors = channel.unprotect(received)
        return self._run(speech, errors, counted=int(errors.sum()))

    def decode_soft(self, llr: ArrayLike) -> Samples:
        """Samples of 144 log-likelihood ratios, (144,) float or int8, positive = bit 1. Raises `ShapeError`.

        A frame of which nothing at all is known (all zero, or not a number) is an erasure.
        """
        speech, errors = channel.unprotect_soft(llr)
        counted = sum(errors.tolist())
        if counted == _ALL_UNKNOWN:
            values = np.asarray(llr)
            if not ((values > 0) | (values < 0)).any():
                return self.erase()
        if counted < _SOFT_LOST:
            errors = _SOFT_ERRORS[errors]
        return self._run(speech, errors, counted)

    def erase(self) -> Samples:
        """Samples in the place of a frame that never came."""
        return self._run(_NO_BITS, _NO_ERRORS, counted=0, erased=True)

    def _run(self, speech: NDArray[np.uint8], errors: channel.Errors, counted: int, erased: bool = False) -> Samples:
        samples = np.empty(FRAME_SAMPLES, dtype=np.float32)
        flags = self._kernel.decode(speech, errors, erased, samples)
        self.status = FrameStatus(counted, bool(flags & _REPEATED), bool(flags & _MUTED), bool(flags & _ERASED))
        return samples
