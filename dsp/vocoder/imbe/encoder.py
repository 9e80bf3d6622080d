"""The encoder: speech to frames of 88 bits.

    samples ─ high-pass ─┬─ low-pass ─ E(P) ─ look back, look ahead ─┐ P̂_I
             5, eq. 3    │             5.1.1       5.1.2 – 5.1.4     │
                         └─ S_w(m) ─ refinement ─ voicing ─ amplitudes ─ residuals ─ quantiser values ─ bits
                            eq. 29      5.1.5       5.2        5.3        6.3          6.1 – 6.5        7.1

The pitch of a frame is chosen with the two frames before and the two after it, so a frame is known when 480 samples
after its centre are in: `delay` is 480 samples, 60 ms. The first three frames of a stream lie before its first sample.

The standard leaves the decisions of an encoder open. Where this one leaves the description:

- refinement (5.1.5) looks at the spectrum from 125 Hz, not from 1.5 kHz: radio speech ends at 3 kHz;
- a period that is a multiple of the true one is found out where the spectrum is very clean;
- deep valleys between harmonics are filled where that keeps the peaks beside them within the range of the quantisers
  (five trials, the least error in loudness is sent);
- there are no frames for silence or tones at the full rate. Silence gives frames at the lowest gain. One or two steady
  tones above 453 Hz are given a high fundamental that has them as harmonics: few harmonics have many bits each.

TIA-102.BABA-A. All decisions are taken in IEEE double precision with functions made of + − × ÷ and √, so the same
samples give the same bits on every machine.
"""

import numpy as np
from numpy.typing import NDArray

from dsp.errors import ShapeError
from dsp.vocoder.base import FRAME_SAMPLES
from dsp.vocoder.imbe import _encoder, channel

_SILENCE = np.zeros(FRAME_SAMPLES, dtype=np.float32)


class ImbeEncoder:
    """One stream of speech to full-rate frames."""

    delay = 3 * FRAME_SAMPLES
    """Samples from the last one given back to the centre of the frame returned."""

    def __init__(self) -> None:
        self._kernel = _encoder.Encoder()

    def reset(self) -> None:
        """Back to the constructed state (Annex A)."""
        self._kernel.reset()

    def encode(self, samples: NDArray[np.float32]) -> NDArray[np.uint8]:
        """The frame that 160 more samples complete: 88 bits packed into (11,) uint8, u₀ first.

        samples: (160,) float32 at 8 kHz, full scale ±1.0; beyond that is clipped, not a number is silence. Speech at
        −26 dBov is coded best. Raises `ShapeError`.
        """
        if samples.shape != (FRAME_SAMPLES,) or samples.dtype != np.float32:
            raise ShapeError(f"speech: {samples.dtype} {samples.shape}; a frame needs float32 ({FRAME_SAMPLES},)")
        speech = np.empty(channel.SPEECH_BYTES, dtype=np.uint8)
        self._kernel.encode(np.ascontiguousarray(samples), speech)
        return speech

    def flush(self) -> list[NDArray[np.uint8]]:
        """The three frames whose centres are not coded yet, as if silence followed."""
        return [self.encode(_SILENCE) for _ in range(self.delay // FRAME_SAMPLES)]
