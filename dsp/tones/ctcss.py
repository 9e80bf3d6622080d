"""Continuous tones under the speech (CTCSS): which one is there, when it began, when it announces its end.

In: RowBlock (rows, n) float32, FM deviation in hertz, before any de-emphasis. Out: events. Per row:

    deviation ── `dsp.tones.subaudible` ──▶ 1 kHz ── sub-blocks of 8 ms ──▶ correlator of every tone

and after each sub-block, over the last 128 ms with the mean (a mistuned carrier) taken off, the tone with the most
power is believed when all of these hold, twice running:

- it has 100 … 1500 Hz of deviation;
- it stands 15 dB above the mean of the tones more than 10 Hz away, and with its own share taken off, neither they nor
  seven more frequencies below 60 Hz hold more than 16 % of its power (a DCS code is a comb of lines 5.8 Hz apart);
- its phase, followed over the 16 sub-blocks, puts its frequency within ±0.5 % and a margin for noise. The size alone
  cannot tell 67.0 from 69.3 Hz in 128 ms, the slope of the phase can (standard deviation 0.3 Hz at 12 dB SINAD and
  350 Hz deviation);
- its four quarters have the same phase and none is missing, the two oldest sub-blocks fit it, and the newest three
  quarters alone say the same frequency within 1.2 Hz: hiss from before the carrier would otherwise tilt the phase
  towards a neighbour.

A tone that was found is followed with the last 64 ms: gone when for 128 ms its size is below half (or beyond 1.6
times), its phase away by more than 1 rad, or it stands out by less than 6 dB. A turn of the phase by more than 70° in
the last 32 ms, twice alike, is the reverse burst (180° in most transmitters, 120° in others, 150 … 180 ms before the
carrier drops). The tone then counts as ended: `CTCSS_LOST` follows `REVERSE_BURST` at once, and for 320 ms no other is
taken.

Tones: the EIA/TIA-603 table with the additions in general use, 50 in all.
"""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from dsp.design import response
from dsp.errors import RangeError
from dsp.events import EventKind
from dsp.tones._ctcss import FRAMES_PER_CALL, CtcssBank
from dsp.tones.base import SubaudibleDetector
from dsp.tones.subaudible import FRAME, decimator
from dsp.tones.tables import CTCSS_HZ

PROBES_HZ = (20.0, 26.0, 32.0, 38.0, 44.0, 50.0, 56.0)
"""Below the tones: never one themselves, but where a DCS code has half of its lines."""

WINDOW = 16
RING = 32
TURNS = 64
LANES = 16
STANDS_OUT = 32.0
COHERENCE = 0.9
LEAST_HZ = 100.0
MOST_HZ = 1500.0


def tolerances(tones_hz: NDArray[np.float64]) -> NDArray[np.float64]:
    """How far from each tone (rising, in Hz) a measured frequency may lie, Hz.

    ±0.5 %, more than a transmitter may be off, and 0.35 Hz for noise in 128 ms; never nearer to a neighbour than 58 %
    of the way.
    """
    gap = np.diff(tones_hz, prepend=-1e3, append=1e6)
    return np.asarray(np.minimum(0.005 * tones_hz + 0.35, 0.42 * np.minimum(gap[:-1], gap[1:])))


class CtcssDetector(SubaudibleDetector):
    """Finds CTCSS on every row.

    rows: number of rows. rate: samples per second, an even multiple of 1000 from 8000. extra_hz: further tones to know
    besides the 50, 60 … 260 Hz and at least 1 Hz from any other.
    Raises `RateError` for another rate, `RangeError` for a tone outside the limits.

    Decision ≤ 150 ms after the tone begins at 12 dB SINAD with 350 Hz deviation. `index` is the beginning, up to 60 ms
    early where hiss before the carrier happens to continue the tone: never begin an over before its carrier.
    """

    KINDS = (EventKind.CTCSS, EventKind.CTCSS_LOST, EventKind.REVERSE_BURST)
    FRAMES_PER_CALL = FRAMES_PER_CALL

    def __init__(self, rows: int, rate: int = 24_000, extra_hz: Sequence[float] = ()) -> None:
        for tone in extra_hz:
            if not 60.0 <= tone <= 260.0:
                raise RangeError(f"tone = {tone:g} Hz is outside 60 … 260 Hz")
        self.tones_hz = tuple(sorted({*CTCSS_HZ, *(float(t) for t in extra_hz)}))
        for low, high in zip(self.tones_hz, self.tones_hz[1:], strict=False):
            if high - low < 1.0:
                raise RangeError(
                    f"tones {low:g} and {high:g} Hz are less than 1 Hz apart and cannot be told from each other"
                )
        super().__init__(rows, rate)
        self.reset()

    def reset(self) -> None:
        """Back to the constructed state."""
        super().reset()
        rows = self.rows
        hz = np.array(self.tones_hz)
        near_from = np.searchsorted(hz, hz - 10.0, "left").astype(np.int32)
        near_to = np.searchsorted(hz, hz + 10.0, "right").astype(np.int32)
        tolerance = tolerances(hz)
        hz = np.concatenate([hz, PROBES_HZ])
        count = len(hz)
        width = -(-count // LANES) * LANES
        # phases count from the middle of a sub-block, which makes the references symmetric
        t = (np.arange(FRAME) - (FRAME - 1) / 2) / 1000.0
        reference = np.zeros((FRAME, width), complex)
        reference[:, :count] = np.exp(-2j * np.pi * hz * t[:, None])
        base = reference[:, :count].sum(axis=0)
        step = np.exp(-2j * np.pi * hz * 0.001 * FRAME)
        # over the quarter, the half and the whole of a window that end with a sub-block, turned as its middle
        over = np.stack(
            [base * (step ** -np.arange(n)[:, None]).sum(axis=0) for n in (WINDOW // 4, WINDOW // 2, WINDOW)]
        )
        image = np.exp(-4j * np.pi * hz * t[:, None]).sum(axis=0)
        self._per_row: dict[str, NDArray[np.generic]] = {
            "sums": np.zeros((rows, RING), np.float32),
            "ring_re": np.zeros((rows, RING, width), np.float32),
            "ring_im": np.zeros((rows, RING, width), np.float32),
            "sum_re": np.zeros((rows, width), np.float32),
            "sum_im": np.zeros((rows, width), np.float32),
            "amplitude": self._amplitude,
            "offset": np.zeros(rows),
            "phase": np.zeros(rows),
            "turned_by": np.zeros(rows),
            "valid": np.zeros(rows, np.int32),
            "bad": np.zeros(rows, np.int32),
            "turned": np.zeros(rows, np.int32),
            "quiet": np.zeros(rows, np.int32),
            "anchored": np.zeros(rows, np.int32),
            "stands": np.zeros(rows, np.int32),
            "seen": np.zeros(rows, np.int32),
            "seen_off": np.zeros(rows),
            "seen_at": np.zeros(rows, np.int64),
        }
        self._bank = CtcssBank(
            rows,
            self.rate // 1000,
            len(self.tones_hz),
            {
                **self._per_row,
                "lock": self._lock,
                "gate": self._gate,
                "power": np.zeros(width, np.float32),
                "ref_re": np.ascontiguousarray(reference.real[: FRAME // 2], np.float32),
                "ref_im": np.ascontiguousarray(reference.imag[: FRAME // 2], np.float32),
                "turn_re": np.zeros((TURNS, width), np.float32),
                "turn_im": np.zeros((TURNS, width), np.float32),
                "dc_re": np.zeros((TURNS, width), np.float32),
                "dc_im": np.zeros((TURNS, width), np.float32),
                "window_re": np.zeros((3, TURNS, width), np.float32),
                "window_im": np.zeros((3, TURNS, width), np.float32),
                "short_sum": np.zeros((2, width), np.float32),
                "hz": hz,
                "tolerance": tolerance,
                "gain": np.abs(response(decimator(self.rate)[1:], hz, self.rate)),
                "base_re": np.ascontiguousarray(base.real),
                "base_im": np.ascontiguousarray(base.imag),
                "now_re": np.zeros(count),
                "now_im": np.zeros(count),
                "step_re": np.ascontiguousarray(step.real),
                "step_im": np.ascontiguousarray(step.imag),
                "over_re": np.ascontiguousarray(over.real),
                "over_im": np.ascontiguousarray(over.imag),
                "image_re": np.ascontiguousarray(image.real),
                "image_im": np.ascontiguousarray(image.imag),
                "near_from": near_from,
                "near_to": near_to,
                "events": self._events,
            },
            (STANDS_OUT, COHERENCE, LEAST_HZ, MOST_HZ),
        )

    @property
    def tone_hz(self) -> NDArray[np.float64]:
        """(rows,) the tone each row holds, Hz; 0 where there is none."""
        return np.array([self.tones_hz[k] if k >= 0 else 0.0 for k in self._lock])

    def reset_row(self, row: int) -> None:
        """Forget one row, without an event; the others are not touched."""
        super().reset_row(row)
        for state in self._per_row.values():
            state[row] = 0

    def _value(self, row: int, k: int) -> float:
        return self.tones_hz[k]


def nearest(tone_hz: float) -> float:
    """The standard tone nearest to a frequency."""
    return min(CTCSS_HZ, key=lambda t: math.fabs(t - tone_hz))
