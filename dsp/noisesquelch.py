"""Squelch for FM-discriminator audio of a donor radio, where there is no baseband to judge: the noise above the speech.

Without a carrier a discriminator gives wide-band noise at its full strength. A carrier quiets it, most of all above the
speech band. In: RowBlock (1, n) float32 at 24 kHz, any scale, polarity and DC offset. Every 5 ms:

    quieting = idle / h       h: power in 4.5 … 9 kHz; idle: the strongest h so far, which only noise reaches
    fill     = s / h          s: power below 3.4 kHz without the mean

A carrier is there when the noise is quieted by 8 dB, or when speech, a tone or data stand 12 dB above what noise is
left (idle may not have been heard yet). Silence as a radio with its own squelch gives is no carrier.

    closed ──4 frames in a row──▶ open ──noise at full strength for 2 frames, or no carrier for 100 ms──▶ closed

An over begins with the first of those frames, 5 ms early; it ends with the first frame that had no carrier.
"""

import math
from enum import Enum

import numpy as np
from numpy.typing import NDArray

from dsp.blocks import RowBlock, real_rows
from dsp.design import lowpass
from dsp.events import EventKind, RowEvent

RATE = 24_000
FRAME = RATE // 200
"""Samples per verdict: 5 ms."""

QUIETED_DB, UNQUIETED_DB, FULL_NOISE_DB = 8.0, 5.0, 3.0
"""Quieting that opens, that keeps open, and below which the noise is back."""

FILLED_DB = 12.0
"""Speech over noise that opens without anything being known of the idle noise."""

SILENCE_DBFS = -80.0

FRAMES_TO_OPEN, FRAMES_TO_CLOSE, FRAMES_OF_HANG = 4, 2, 20

_HALF = 20


class _Verdict(Enum):
    CARRIER = 1
    DOUBT = 2
    NOISE = 3


def _bands() -> NDArray[np.float64]:
    """Two filters of 41 taps: below 3.4 kHz, and 4.5 … 9 kHz."""
    low, high, top = (lowpass(f, RATE, 2 * _HALF + 1, 40.0) for f in (3_400, 4_500, 9_000))
    return np.stack([low, top - high])


class NoiseSquelch:
    """Squelch of one row of discriminator audio at 24 kHz. A short gap in the index leaves it open."""

    _TAPS = _bands()

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Nothing heard yet."""
        self._index: int | None = None
        self._held = np.zeros(0, np.float64)
        self._idle = 0.0
        self._open = False
        self._run = 0
        self._bad = 0
        self._bad_from = 0
        self._noise = 0

    @property
    def delay(self) -> int:
        """Samples held back at most: half of the filters, and a frame that is not full."""
        return _HALF + FRAME

    def process(self, block: RowBlock) -> list[RowEvent]:
        """(1, n) float32 in, OPEN and CLOSE out. Raises `ShapeError`, `RateError`."""
        x = real_rows(block, 1, RATE, "squelch of discriminator audio")
        events: list[RowEvent] = []
        end = None if self._index is None else self._index + len(self._held)
        if end is None or block.index != end:
            if self._open and end is not None and block.index - end > FRAMES_OF_HANG * FRAME:
                events.append(self._close(end, end))
            # Frames lie at multiples of their length, wherever the input is cut.
            start = -(-(block.index + _HALF) // FRAME) * FRAME - _HALF
            x = x[:, max(0, start - block.index) :]
            self._index = max(start, block.index)
            self._held = np.zeros(0, np.float64)
        clean = np.nan_to_num(x[0].astype(np.float64), posinf=0.0, neginf=0.0)
        self._held = np.concatenate([self._held, clean])
        assert self._index is not None
        frames = (len(self._held) - 2 * _HALF) // FRAME
        for number in range(max(frames, 0)):
            at = number * FRAME
            events += self._judge(self._held[at : at + FRAME + 2 * _HALF], self._index + at + _HALF)
        if frames > 0:
            self._held = self._held[frames * FRAME :]
            self._index += frames * FRAME
        return events

    def _judge(self, samples: NDArray[np.float64], start: int) -> list[RowEvent]:
        """One frame that begins at `start`, with half a filter around it."""
        speech, noise = (np.convolve(samples, taps, "valid") for taps in self._TAPS)
        h = float(np.mean(noise**2)) + 1e-20
        s = float(np.var(speech)) + 1e-20
        self._idle = max(self._idle, h)
        quieting = 10 * math.log10(self._idle / h)
        verdict = self._verdict(quieting, 10 * math.log10(s / h), 10 * math.log10(s + h))
        decided = start + FRAME + _HALF
        if not self._open:
            self._run = self._run + 1 if verdict is _Verdict.CARRIER else 0
            if self._run < FRAMES_TO_OPEN:
                return []
            self._open, self._bad, self._noise = True, 0, 0
            index = max(0, start - FRAMES_TO_OPEN * FRAME)
            return [RowEvent(EventKind.OPEN, 0, index, decided, RATE, quieting)]
        if verdict is _Verdict.CARRIER:
            self._bad = self._noise = 0
            return []
        if self._bad == 0:
            self._bad_from = start
        self._bad += 1
        self._noise = self._noise + 1 if verdict is _Verdict.NOISE else 0
        if self._noise >= FRAMES_TO_CLOSE or self._bad >= FRAMES_OF_HANG:
            return [self._close(self._bad_from, decided)]
        return []

    def _verdict(self, quieting_db: float, fill_db: float, level_dbfs: float) -> _Verdict:
        if level_dbfs < SILENCE_DBFS:
            return _Verdict.NOISE
        if quieting_db >= (UNQUIETED_DB if self._open else QUIETED_DB) or fill_db >= FILLED_DB:
            return _Verdict.CARRIER
        return _Verdict.NOISE if quieting_db < FULL_NOISE_DB else _Verdict.DOUBT

    def _close(self, index: int, decided: int) -> RowEvent:
        self._open = False
        self._run = 0
        return RowEvent(EventKind.CLOSE, 0, index, decided, RATE)
