"""Speech filter of a bank of channels: demodulated rows in, 8 kHz speech of 300–3000 Hz out.

    rows at 24, 48 or 240 kHz ─gain─▶ FIR, 2 ms: 3 kHz edge, decimate to 8 kHz ─▶ de-emphasis ─▶ high-pass under 300 Hz

De-emphasis is a single pole with unit gain at 1 kHz, so a 1 kHz tone at full deviation is ±1.0:

    "nfm"     750 µs (212 Hz): the 6 dB per octave of TIA-603 from 300 to 3000 Hz, within its +1, -3 dB
    "wfm75"   75 µs, broadcast in the Americas and South Korea (47 CFR 73.1570 (b)(2))
    "wfm50"   50 µs, broadcast elsewhere (ITU-R BS.450, 1.2)
    "none"    AM and SSB

The pole is a recursion at 8 kHz; the FIR makes up for what that does not follow of the analog pole towards 4 kHz.

The high-pass is an elliptic filter of order 6. With the de-emphasis, CTCSS tones up to 254.1 Hz and the spectrum of
DCS below that come out at least 35 dB under a 1 kHz tone of the same deviation, while 300 Hz loses 0.5 dB. A filter
without phase distortion would hold speech back by 20 ms or more. This one holds it back by 0.4 ms at 700 Hz, 0.2 ms at
1 kHz and 0.05 ms at 2 kHz, which the index does not count; only next to 300 Hz it is more (2 ms at 400 Hz).
"""

from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

import dsp.design
from dsp import _voice
from dsp.blocks import AUDIO_RATE, RowBlock, real_rows
from dsp.errors import RangeError, RateError

Emphasis = Literal["none", "nfm", "wfm75", "wfm50"]

TIME_CONSTANT_S = {"none": 0.0, "nfm": 750e-6, "wfm75": 75e-6, "wfm50": 50e-6}
"""Of the de-emphasis."""

HALF_S = 0.002
"""Half the length of the FIR, which is the delay."""

CUTOFF_HZ = 3_350.0
"""Where the FIR is 6 dB down; its transition is 900 Hz wide."""

ATTENUATION_DB = 60.0
"""Ripple of the FIR's window, hence of the stopband: what could fold into the speech band is that far down."""

HIGH_PASS = np.array(
    [
        [0.620863897076143, -1.2389036951155048, 0.6208638970761431, -1.371662011069512, 0.5421640598550761],
        [1.0, -1.97418525353009, 1.0, -1.8419341184876905, 0.9130237314485126],
        [1.0, -1.9619398888327209, 1.0, -1.929986823900403, 0.9842721045690325],
    ]
)
"""Sections b0 b1 b2 a1 a2 at 8 kHz: elliptic, order 6, 0.8 dB ripple above 299 Hz, 47.5 dB below 254 Hz. The tests
design it anew."""

_SECTIONS = np.ascontiguousarray(HIGH_PASS[:, [1, 3, 4]] / [[HIGH_PASS[0, 0], 1, 1], [1, 1, 1], [1, 1, 1]])
"""b1 a1 a2 of each; b0 and b2 are 1, once the gain of the first section is in the FIR."""

_LANES = 80
_GROUP = 8


def de_emphasis(frequency_hz: NDArray[np.float64], emphasis: Emphasis) -> NDArray[np.float64]:
    """Magnitude of the ideal de-emphasis, 1 at 1 kHz."""
    w = 2 * np.pi * TIME_CONSTANT_S[emphasis]
    return np.asarray(np.sqrt((1 + (w * 1000) ** 2) / (1 + (w * frequency_hz) ** 2)))


def _fir(rate: int, emphasis: Emphasis, differenced: bool) -> tuple[NDArray[np.float32], float]:
    """The FIR, with the gain of the first section, and the pole of the de-emphasis, 0 for none."""
    length = 2 * round(HALF_S * rate) + 1
    f = np.arange(rate // 2 + 1, dtype=np.float64)
    tau = TIME_CONSTANT_S[emphasis]
    pole = np.exp(-1 / (tau * AUDIO_RATE)) if tau else 0.0
    recursion = 1 / np.abs(1 - pole * np.exp(-2j * np.pi * f / AUDIO_RATE))
    droop = np.sinc(f / rate) if differenced else 1.0
    wanted = np.where(f <= CUTOFF_HZ, de_emphasis(f, emphasis) / recursion / droop, 0.0)
    taps = dsp.design.from_response(wanted, rate, length, ATTENUATION_DB) * HIGH_PASS[0, 0]
    return taps.astype(np.float32), float(pole)


class VoiceFilter:
    """Bank of speech filters.

    rows: number of channels. rate: samples per second of the input, a multiple of 8000 from 16 000 to 960 000.
    emphasis: as above. gain: factor of the input, one for all or one per row; 1 / peak deviation for FM. differenced:
    the input is how far a phase went from sample to sample, as `dsp.demod.fm` gives it, which droops by sinc(f / rate);
    the FIR takes that back (0.5 dB at 3 kHz and 16 kS/s).

    Output samples lie at whole multiples of 1/8000 s of the input's index, whatever index it began at. NaN and infinite
    samples count as zero. Raises `RateError` or `RangeError` for numbers it cannot work with.
    """

    def __init__(
        self,
        rows: int,
        rate: int,
        emphasis: Emphasis,
        gain: float | Sequence[float] = 1.0,
        differenced: bool = False,
    ) -> None:
        if rows < 1:
            raise RangeError(f"rows = {rows}; a bank has at least 1")
        if rate % AUDIO_RATE or not 16_000 <= rate <= 960_000:
            nearest = min(max(round(rate / AUDIO_RATE), 2), 120) * AUDIO_RATE
            raise RateError(f"rate = {rate} S/s is no multiple of 8000 from 16000 to 960000; nearest is {nearest}")
        if emphasis not in TIME_CONSTANT_S:
            raise RangeError(f'emphasis = "{emphasis}"; there are {", ".join(TIME_CONSTANT_S)}')
        self.rate = rate
        self._gain = np.array(np.broadcast_to(np.asarray(gain, np.float32), (rows,)))
        for row in range(rows):
            self._check_gain(row, float(self._gain[row]))
        self._decimation = rate // AUDIO_RATE
        self._half = round(HALF_S * rate)
        self._taps, self._pole = _fir(rate, emphasis, differenced)
        groups = -(-rows // _GROUP)
        self._history = np.zeros((rows, 2 * self._half), np.float32)
        self._state = np.zeros((groups, 1 + len(_SECTIONS), 2, _GROUP))
        self._scratch_for(0)
        self._index: int | None = None
        self.reset()

    @staticmethod
    def _check_gain(row: int, gain: float) -> None:
        if not 0 < gain < 1e6:
            raise RangeError(f"row {row}: gain = {gain:g} is outside 0 … 1e6")

    def _scratch_for(self, n: int) -> None:
        outputs = n // self._decimation + 2
        self._room = n
        self._line = np.zeros(n + 2 * self._half + self._decimation, np.float32)
        width = outputs + len(self._taps) // self._decimation + 2 * _LANES
        self._lines = np.zeros((self._decimation, width), np.float32)
        self._decimated = np.zeros((_GROUP, outputs + _LANES), np.float32)
        self._group = np.zeros((outputs + _GROUP, _GROUP))

    @property
    def delay(self) -> int:
        """Input samples by which the output's end lags the input's, to within one output sample."""
        return self._half

    def reset(self) -> None:
        """Back to the constructed state."""
        self._index = None
        self._history[:] = 0
        self._state[:] = 0

    def reset_row(self, row: int) -> None:
        """Forget what one row has heard; the others go on."""
        self._history[row] = 0
        self._state[row // _GROUP, :, :, row % _GROUP] = 0

    def set_row(self, row: int, gain: float) -> None:
        """Give a row to another channel: its gain, and a fresh start. The others go on."""
        self._check_gain(row, gain)
        self._gain[row] = gain
        self.reset_row(row)

    def process(self, block: RowBlock) -> RowBlock:
        """(rows, n) float32 in, (rows, m) float32 speech at 8 kHz out; m may be 0.

        After a jump of the index the filters start afresh. Raises `ShapeError` for another shape or dtype, `RateError`
        for another rate.
        """
        rows = len(self._gain)
        x = real_rows(block, rows, self.rate, "voice filter")
        n = x.shape[1]
        if self._index is not None and block.index != self._index:
            self.reset()
        self._index = block.end
        # Output j needs the inputs jD - half … jD + half; those come whose newest input is in this block.
        d, half = self._decimation, self._half
        begin = -(-(block.index - half) // d)
        end = -(-(block.end - half) // d)
        out = np.empty((rows, end - begin), np.float32)
        if n:
            if n > self._room:
                self._scratch_for(n)
            first = begin * d + half - block.index
            _voice.speech(
                np.ascontiguousarray(x),
                self._gain,
                self._taps,
                d,
                first,
                self._pole,
                _SECTIONS,
                self._history,
                self._state,
                self._line,
                self._lines,
                self._decimated,
                self._group,
                out,
            )
        return RowBlock(out, AUDIO_RATE, begin)
