"""Speech leveler: a quiet system and a loud one come out alike, and nothing comes out clipped.

Once every 10 ms the row's power is looked at. A frame counts as speech when it is above -60 dBFS, 6 dB above the noise
floor (the least power lately, let up by 6 dB a second) and within 16 dB of the loudest (let down by 6 dB a second). The
noise between words and an open channel's hiss change nothing, so they are never pumped up. The speech level is the mean
of the speech frames' levels in dB, over the first frames at once and later over 1 s of speech. A frame 10 dB above is
too loud for what is known: the level follows within two or three frames, speech or not. The gain brings the level to
-20 dBFS RMS of active speech, within -20 … +30 dB, in ramps of 10 ms, and is kept from over to over, so the second over
of a system begins right.

Speed: two copies of one speech 24 dB apart are within 1.5 dB of each other after 1 s.

A limiter stands behind: 2.5 ms of look-ahead, so the gain is down before the peak arrives, released with 50 ms. Nothing
leaves above -1 dBFS.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dsp import _level
from dsp.blocks import AUDIO_RATE, RowBlock, real_rows
from dsp.errors import RangeError, ShapeError

FRAME = AUDIO_RATE // 100
"""Samples per decision: 10 ms."""

WINDOW = 20
"""Samples the limiter looks at: 2.5 ms."""

CEILING_DBFS = -1.0
"""No sample is above."""

TARGET_DBFS = -20.0
"""RMS of active speech at the output."""

GAIN_MIN_DB, GAIN_MAX_DB = -20.0, 30.0
"""Range of the gain."""

GATE_DBFS, OVER_FLOOR_DB, UNDER_LOUDEST_DB = -60.0, 6.0, 16.0
"""A frame is speech above this level, this much above the noise floor, and no further below the loudest (the margin of
ITU-T P.56 is 15.9 dB)."""

FLOOR_RISE_DB_S = 6.0
"""How fast the noise floor is let up, and the loudest frame down."""

RELEASE_S = 0.05
"""Time constant with which the limiter lets go."""

MEAN_BELOW_RMS_DB = 1.5
"""By how much the mean of the frame levels in dB lies under the RMS of active speech."""

_TOO_LOUD_DB, _TOO_LOUD_SHARE = 10.0, 0.5
_MEMORY_FRAMES, _FIRST_FRAMES = 100.0, 2.0
_LEAST_POWER = 1e-8


@dataclass(frozen=True, slots=True)
class Meters:
    """What a leveler put out since last asked, one value per row; -inf where there was nothing.

    rms_dbfs, peak_dbfs: of the output. gain_db: gain now, without the limiter.
    """

    rms_dbfs: NDArray[np.float64]
    peak_dbfs: NDArray[np.float64]
    gain_db: NDArray[np.float64]


class SpeechLeveler:
    """Bank of levelers, 8 kHz in and out. rows: number of rows, at least 1 (`RangeError`)."""

    def __init__(self, rows: int) -> None:
        if rows < 1:
            raise RangeError(f"rows = {rows}; a bank has at least 1")
        self._law = np.array(
            [
                10 ** (CEILING_DBFS / 20),
                -math.expm1(-1 / (RELEASE_S * AUDIO_RATE)),
                _LEAST_POWER,
                10 ** (FLOOR_RISE_DB_S * FRAME / AUDIO_RATE / 10),
                10 ** (GATE_DBFS / 10),
                10 ** (OVER_FLOOR_DB / 10),
                _TOO_LOUD_DB,
                _TOO_LOUD_SHARE,
                _MEMORY_FRAMES,
                TARGET_DBFS - MEAN_BELOW_RMS_DB,
                GAIN_MIN_DB,
                GAIN_MAX_DB,
                FLOOR_RISE_DB_S * FRAME / AUDIO_RATE,
                UNDER_LOUDEST_DB,
            ]
        )
        self._state = np.zeros((rows, 9))
        self._position = np.zeros((rows, 3), np.int64)
        self._ring = np.zeros((rows, 3, WINDOW), np.float32)
        self._meter = np.zeros((rows, 3))
        self._all = np.ones(rows, np.uint8)
        self._index: int | None = None
        self.reset()

    @property
    def delay(self) -> int:
        """Samples by which `block.end` lags the end of the input."""
        return WINDOW - 1

    def reset(self) -> None:
        """Back to the constructed state: what is known of the rows' speech is forgotten."""
        self._index = None
        for row in range(len(self._all)):
            self.reset_row(row)

    def reset_row(self, row: int) -> None:
        """Give the row to another channel; the others go on."""
        self._state[row] = 0
        self._state[row, 0] = TARGET_DBFS - MEAN_BELOW_RMS_DB
        self._state[row, 1] = _FIRST_FRAMES
        self._state[row, 2] = -1.0
        self._state[row, 3] = 1.0
        self._state[row, 8] = -80.0
        self._meter[row] = 0
        self._empty(row)

    def _empty(self, row: int) -> None:
        self._state[row, 5] = 0
        self._state[row, 6] = 1
        self._state[row, 7] = WINDOW
        self._position[row] = 0
        self._ring[row] = 1
        self._ring[row, 0] = 0

    def meters(self) -> Meters:
        """Read the meters and start them afresh."""
        with np.errstate(divide="ignore"):
            rms = 10 * np.log10(self._meter[:, 0] / np.maximum(self._meter[:, 2], 1))
            peak = 20 * np.log10(self._meter[:, 1])
        self._meter[:] = 0
        return Meters(rms, peak, 20 * np.log10(self._state[:, 3]))

    def process(self, block: RowBlock, adapt: NDArray[np.bool_] | None = None) -> RowBlock:
        """(rows, n) float32 speech at 8 kHz in and out, `delay` samples earlier on the air.

        adapt: (rows,) bool, which rows' gain may move; a row with its squelch closed is best told False. None means
        all. It is looked at where a 10 ms frame ends. NaN and infinite samples count as zero. After a jump of the
        index what was held back is dropped, the gains stay. Raises `ShapeError` for another shape or dtype,
        `RateError` for another rate.
        """
        rows = len(self._all)
        x = real_rows(block, rows, AUDIO_RATE, "leveler")
        if adapt is not None and (adapt.dtype != np.bool_ or adapt.shape != (rows,)):
            raise ShapeError(f"adapt is {adapt.dtype} {adapt.shape}; this bank takes bool ({rows},)")
        if self._index is not None and block.index != self._index:
            for row in range(rows):
                self._empty(row)
        self._index = block.end
        out = np.empty(x.shape, np.float32)
        if x.shape[1]:
            _level.level(
                np.ascontiguousarray(x),
                self._all if adapt is None else np.ascontiguousarray(adapt).view(np.uint8),
                self._state,
                self._position,
                self._ring,
                self._meter,
                self._law,
                FRAME,
                out,
            )
        return RowBlock(out, AUDIO_RATE, block.index - self.delay)
