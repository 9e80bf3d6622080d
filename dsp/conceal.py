"""Where sound was lost: the voice goes on for a moment and fades, so that a lost packet is a soft spot and no click.

    good ─▶ history, 40 ms                              good ─▶ faded in over 5 ms
    lost ─▶ last pitch period again and again, faded out
                                                        history: … a b c d e f | c d e f c d e f   (period 4)

The period is that of the best normalized autocorrelation of the last 15 ms, 2.5 to 15 ms; the last quarter of it is
faded into what came before it, so that it joins itself. As ITU-T G.711 Appendix I does, but gone sooner: a voice keeps
its level for 10 ms and is silent after 50 ms; a sound without pitch fades from the start and is gone in 20 ms. So what
is made up is never long enough to buzz. In and out: (n,) float32 at 8 kHz; no delay.
"""

import numpy as np
from numpy.typing import NDArray

from dsp.blocks import AUDIO_RATE
from dsp.errors import ShapeError

Audio = NDArray[np.float32]

JOIN = AUDIO_RATE // 200
"""Samples over which real sound takes over again: 5 ms."""

SHORTEST, LONGEST = AUDIO_RATE // 400, AUDIO_RATE * 15 // 1000
"""Periods that are looked for: 400 Hz down to 67 Hz."""

VOICED = 0.5
"""Correlation from which on a sound has a pitch."""

KEPT_VOICED, GONE_VOICED = AUDIO_RATE // 100, AUDIO_RATE // 20
GONE_UNVOICED = AUDIO_RATE // 50

_HISTORY = 2 * LONGEST + LONGEST // 2


class Concealer:
    """One voice. What comes out does not depend on how the calls are cut."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Nothing heard yet: what is lost now is silence."""
        self._history: Audio = np.zeros(_HISTORY, np.float32)
        self._cycle: Audio = np.zeros(0, np.float32)
        self._seam = np.float32(0.0)
        self._voiced = False
        self._made = 0
        """Samples made up since the last real one; 0 while there is nothing to go on from."""
        self._joined = JOIN

    @property
    def delay(self) -> int:
        """Nothing is held back: 0."""
        return 0

    def good(self, samples: Audio) -> Audio:
        """Sound that came; newly allocated where it is changed. Raises `ShapeError`."""
        if samples.dtype != np.float32 or samples.ndim != 1:
            raise ShapeError(f"samples are {samples.dtype} {samples.shape}; this stage takes float32 (n,)")
        n = min(JOIN - self._joined, len(samples))
        if n > 0:
            share = (np.arange(self._joined + 1, self._joined + n + 1) / (JOIN + 1)).astype(np.float32)
            samples = samples.copy()
            samples[:n] = share * samples[:n] + (1 - share) * self._more(n)
            self._joined += n
        if self._joined >= JOIN:
            self._made = 0
            self._cycle = self._cycle[:0]
        self._history = np.concatenate([self._history, samples])[-_HISTORY:]
        return samples

    def lost(self, n: int) -> Audio:
        """(n,) float32 in the place of what did not come."""
        if not len(self._cycle):
            self._begin()
        self._joined = 0
        return self._more(n)

    def _begin(self) -> None:
        """Find the period of what was last heard, and make a cycle of it that joins itself."""
        past = self._history.astype(np.float64)
        recent = past[-LONGEST:]
        lags = np.arange(SHORTEST, LONGEST + 1)
        before = np.array([past[_HISTORY - LONGEST - lag : _HISTORY - lag] for lag in lags])
        energy = np.einsum("ij,ij->i", before, before) * float(recent @ recent)
        likeness = before @ recent / np.sqrt(energy + 1e-12)
        best = int(np.argmax(likeness))
        self._voiced = bool(likeness[best] >= VOICED)
        period = int(lags[best]) if self._voiced else LONGEST
        quarter = period // 4
        cycle = past[-period:].copy()
        share = np.arange(1, quarter + 1) / (quarter + 1)
        cycle[-quarter:] += share * (past[-period - quarter : -period] - cycle[-quarter:])
        self._cycle = cycle.astype(np.float32)
        # A voice goes on without a step; in hiss nobody hears one.
        self._seam = np.float32(past[-1] - past[-period - 1] if self._voiced else 0.0)
        self._made = 0

    def _more(self, n: int) -> Audio:
        at = np.arange(self._made, self._made + n)
        self._made += n
        if not len(self._cycle):
            return np.zeros(n, np.float32)
        kept, gone = (KEPT_VOICED, GONE_VOICED) if self._voiced else (0, GONE_UNVOICED)
        gain = np.clip((gone - at) / (gone - kept), 0, 1)
        step = self._seam * np.clip(1 - at / JOIN, 0, 1)
        return np.asarray(gain * (self._cycle[at % len(self._cycle)] + step), np.float32)
