"""Is a signal there, and since when? From the baseband, without needing audio above the speech.

In: BasebandBlock (rows, n) complex64, filtered to the bandwidth of each channel. Out: OPEN and CLOSE with the on-air
index of the true edge. Each millisecond of a row is brought down to its power P, the variance W of its envelope |x|
within the millisecond, and C = Σ x[n]·conj(x[n − 1 ms]); each verdict looks at 20 ms of them, every 5 ms:

    fm    q = ΣW/ΣP. A steady envelope in noise has q ≈ N/2(S+N), noise alone q₀ (about 0.2); nothing has to be known
          about the noise floor, so a carrier that never ends is never absorbed by it. Variance within 1 ms, because a
          fade is slower than that. (The idea of an FM signal-to-noise ratio from the amplitude is ka9q-radio's.)
          Second opinion, for signals with an uneven envelope: power over the floor, if it does not look like noise.
    am    |ΣC|/ΣP: a carrier keeps its phase over 1 ms wherever it lies in the channel, noise does not; and power over
          the floor where that is known.
    ssb   power over the floor. Speech has no edge: it swells, and a weak sound and a pause may come before it opens.

    closed ── verdict ≥ open ──▶ open ── below close for the hang ──▶ closed
                                  └──── strong and suddenly gone for 8 ms ──▲

Three of the four 5 ms parts must agree and none may hold less than 1/12 of another: a click of a neighbour that is
keyed lasts 3 ms. (SSB may hold less if all four open by themselves: between two beats of a voice it falls that far.)
The floor is learned only from stretches of 40 ms with the statistics of noise, so a step of the gain moves it and does
not open. A strong signal (12 dB) that drops within 2 ms to the floor is gone after 8 ms. One that sinks slowly is
fading and may stay away for 50 … 150 ms; so may one that has faded lately, and a weak one: 150 ms. SSB hangs 600 ms.

The true edge is the most probable split of the half-millisecond powers into before and after (Page's cumulative sum),
taken 1.5 ms early at the beginning. For SSB it is the first sound within 450 ms that is rather speech 2 dB below the
noise than noise alone, if what follows makes good the pauses between, or the sound by itself has odds of e^10; taken
10 ms early. So an SSB over begins with 12 ms of hiss, one in twenty with 40 ms.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from dsp._squelch import MOST_RATE, SquelchBank
from dsp.blocks import BasebandBlock, baseband_rows
from dsp.errors import RangeError, RateError, ShapeError
from dsp.events import EventKind, RowEvent

T = TypeVar("T")

KINDS = ("fm", "am", "ssb")
OPEN_DB = {"fm": 4.5, "am": 5.0, "ssb": 6.0}
CLOSE_DB = {"fm": 2.0, "am": 2.0, "ssb": 3.0}
"""Default thresholds of the signal-to-noise ratio in the channel, dB."""

GROUPS = 16
HALVES = 1024
SHORT_GAP_S = 0.1
SLICE_S = 0.5
"""Most of a block handled at once; bounds the events of one call of the kernel."""


@lru_cache(maxsize=64)
def envelope_roughness(snr_db: float, bandwidth_hz: float) -> float:
    """Variance of the envelope within 1 ms over the power, for a steady carrier in noise of that two-sided bandwidth.

    Rice's distribution of the envelope gives its variance; the noise, flat over 1.1 · bandwidth_hz, is correlated over
    1/bandwidth, which hides a part of it from 1 ms. snr_db = −inf gives noise alone.
    """
    snr = 10 ** (snr_db / 10) if snr_db > -100 else 0.0
    node, weight = np.polynomial.hermite_e.hermegauss(40)
    weight = weight / weight.sum()
    i, q = np.meshgrid(node * math.sqrt(0.5), node * math.sqrt(0.5))
    mean = float((np.outer(weight, weight) * np.hypot(i + math.sqrt(snr), q)).sum())
    variance = 1 - mean**2 / (1 + snr)
    lag = np.linspace(0, 1e-3, 1001)
    rho = np.sinc(1.1 * bandwidth_hz * lag)
    kept = 2 * (1 - lag / 1e-3) / len(lag)
    # the envelope follows the noise in phase with the carrier (ρ) when strong, the power of the noise (ρ²) when alone
    share = snr / (1 + snr)
    hidden = float((kept * (share * rho + (1 - share) * rho**2)).sum())
    return variance * (1 - hidden)


@dataclass(frozen=True, slots=True)
class SquelchStatistics:
    """Counters since the last reset, all rows together. openings, closings: events. gaps: jumps of the index."""

    openings: int = 0
    closings: int = 0
    gaps: int = 0


class CarrierSquelch:
    """Carrier squelch of a bank of channels.

    rows: number of rows. rate: samples per second, a multiple of 8000 up to 512 000.
    bandwidth_hz, kind ("fm", "am" or "ssb"), open_db, close_db: one value, or one a row; thresholds None for the
    defaults of the kind, in dB of signal over noise in the channel. Raises `RateError`, `RangeError`.

    An opening is decided at most 30 ms after the true start (25 ms and the rest of a group), `index` is the start, up
    to 4 ms early. SSB is decided that long after speech that is `open_db` over the noise for 20 ms, and starts at the
    first sound up to 450 ms before. A channel that is open at the first sample has index 0. A gap of up to 100 ms
    leaves an open row open, a longer one closes it where the samples ended. NaN and infinities count as zero.
    """

    def __init__(
        self,
        rows: int,
        rate: int = 24_000,
        bandwidth_hz: float | Sequence[float] = 11_000.0,
        kind: str | Sequence[str] = "fm",
        open_db: float | Sequence[float | None] | None = None,
        close_db: float | Sequence[float | None] | None = None,
    ) -> None:
        if rows < 0:
            raise RangeError(f"rows = {rows}: cannot be negative")
        if not 8000 <= rate <= MOST_RATE or rate % 8000:
            raise RateError(f"rate = {rate}: squelch needs a multiple of 8000 from 8000 to {MOST_RATE}, e.g. 24000")
        self.rows = rows
        self.rate = rate
        self._bandwidth_hz = _per_row(bandwidth_hz, rows, "bandwidth_hz")
        self._kind: list[str] = [kind] * rows if isinstance(kind, str) else _per_row(kind, rows, "kind")
        self._open_db = _per_row(open_db, rows, "open_db")
        self._close_db = _per_row(close_db, rows, "close_db")
        self.reset()

    def reset(self) -> None:
        """Back to the constructed state."""
        rows, samples = self.rows, self.rate // 1000
        floats: list[NDArray[np.float32]] = [
            np.zeros((rows, n), np.float32) for n in (2 * samples, 2 * samples, HALVES, GROUPS, GROUPS, GROUPS, GROUPS)
        ]
        whole: list[NDArray[np.int32]] = [np.zeros(rows, np.int32) for _ in range(10)]
        doubles: list[NDArray[np.float64]] = [np.zeros(rows) for _ in range(18)]
        most = max(1, rows) * (int(SLICE_S * 1000) // 8 + 2)
        self._events = np.zeros((most, 4), np.int64)
        self._values = np.zeros(most)
        closed_at = np.full(rows, np.iinfo(np.int64).min, np.int64)
        self._state: list[NDArray[np.generic]] = [*floats, *whole[1:], *doubles[5:]]
        self._closed_at = closed_at
        self._kinds, self._open = whole[0], whole[1]
        self._limits = doubles[:5]
        self._floor, self._power, self._rough, self._steady = doubles[5], doubles[7], doubles[8], doubles[13]
        for row in range(rows):
            self._set(row)
        self._bank = SquelchBank(rows, samples, (floats, whole, [*doubles, self._values], [closed_at, self._events]))
        self._end: int | None = None
        self._statistics = SquelchStatistics()

    def set_row(
        self,
        row: int,
        bandwidth_hz: float,
        kind: str,
        open_db: float | None = None,
        close_db: float | None = None,
    ) -> None:
        """Put another channel on a row: new parameters and a fresh state, without an event; the others go on."""
        self._check_row(row)
        before = (self._bandwidth_hz[row], self._kind[row], self._open_db[row], self._close_db[row])
        try:
            self._put(row, bandwidth_hz, kind, open_db, close_db)
            self._set(row)
        except RangeError:
            self._put(row, *before)
            raise
        self.reset_row(row)

    def reset_row(self, row: int) -> None:
        """Forget one row, without an event; the others are not touched."""
        self._check_row(row)
        for state in self._state:
            state[row] = 0
        self._closed_at[row] = np.iinfo(np.int64).min

    @property
    def delay(self) -> int:
        """Samples are judged where they are: 0. What the events know late stands in them."""
        return 0

    @property
    def is_open(self) -> NDArray[np.bool_]:
        """(rows,) open at the newest sample."""
        return np.asarray(self._open != 0)

    @property
    def level_dbfs(self) -> NDArray[np.float32]:
        """(rows,) power in the channel over the last 20 ms, dB of full scale, −200 for nothing."""
        return np.asarray(10 * np.log10(np.maximum(self._power, 1e-20)), np.float32)

    @property
    def floor_dbfs(self) -> NDArray[np.float32]:
        """(rows,) noise in the channel, dB of full scale; NaN while none was heard."""
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.asarray(np.where(self._floor > 0, 10 * np.log10(self._floor), np.nan), np.float32)

    @property
    def snr_db(self) -> NDArray[np.float32]:
        """(rows,) signal over noise in the channel, dB: from the floor where it is known, else from the envelope.

        −20 … 60; −20 on a row that is closed.
        """
        idle = self._limits[0]
        with np.errstate(divide="ignore", invalid="ignore"):
            from_floor = self._power / self._floor - 1
            am = self._steady / np.maximum(1 - self._steady, 1e-3)
            own = np.where(self._kinds == 1, am, 2 * idle / np.maximum(self._rough, 1e-6) - 1)
            snr = np.where((self._floor > 0) & (self._power > self._floor), from_floor, own)
            db = 10 * np.log10(np.clip(snr, 0.01, 1e6))
        return np.asarray(np.where(self.is_open, db, -20.0), np.float32)

    def statistics(self) -> SquelchStatistics:
        """Counters since the last reset."""
        return self._statistics

    def process(self, block: BasebandBlock) -> list[RowEvent]:
        """Take a block; OPEN and CLOSE in the order in which they were decided.

        Raises `ShapeError` or `RateError` for a block of another kind.
        """
        x = baseband_rows(block, self.rows, self.rate, "squelch")
        n = x.shape[1]
        if n == 0:
            return []
        events: list[RowEvent] = []
        if block.index != self._end:
            held = block.index if self._end is None else min(self._end, block.index)
            if self._end is not None:
                events = self._gap(self._end, block.index)
            self._bank.begin(block.index, held)
        self._end = block.end
        flat = np.ascontiguousarray(x).view(np.float32)
        most = int(SLICE_S * self.rate)
        for at in range(0, n, most):
            found = self._bank.process(flat, at, min(most, n - at))
            if found:
                events += self._told(found)
        if events:
            seen = self._statistics
            opened = sum(e.kind is EventKind.OPEN for e in events)
            self._statistics = SquelchStatistics(
                seen.openings + opened, seen.closings + len(events) - opened, seen.gaps
            )
        return events

    def _gap(self, end: int, index: int) -> list[RowEvent]:
        seen = self._statistics
        self._statistics = SquelchStatistics(seen.openings, seen.closings, seen.gaps + 1)
        if end <= index <= end + SHORT_GAP_S * self.rate:
            return []
        at = min(end, index)
        events = [RowEvent(EventKind.CLOSE, int(r), at, index, self.rate) for r in np.flatnonzero(self._open)]
        self._open[:] = 0
        return events

    def _told(self, found: int) -> list[RowEvent]:
        told = sorted(
            zip(self._events[:found].tolist(), self._values[:found].tolist()), key=lambda e: (e[0][3], e[0][1])
        )
        return [
            RowEvent(EventKind.CLOSE, r, i, d, self.rate) if k else RowEvent(EventKind.OPEN, r, i, d, self.rate, v)
            for (k, r, i, d), v in told
        ]

    def _put(self, row: int, bandwidth_hz: float, kind: str, open_db: float | None, close_db: float | None) -> None:
        self._bandwidth_hz[row], self._kind[row] = bandwidth_hz, kind
        self._open_db[row], self._close_db[row] = open_db, close_db

    def _set(self, row: int) -> None:
        """Check the parameters of a row and derive what the kernel compares with."""
        kind, bandwidth = self._kind[row], self._bandwidth_hz[row]
        if kind not in KINDS:
            raise RangeError(f'row {row}: kind = "{kind}"; it is one of {", ".join(KINDS)}')
        if not 500 <= bandwidth <= self.rate:
            raise RangeError(f"row {row}: bandwidth = {bandwidth:g} Hz is outside 500 … {self.rate} Hz (the rate)")
        open_db, close_db = self._open_db[row], self._close_db[row]
        open_db = OPEN_DB[kind] if open_db is None else open_db
        close_db = min(CLOSE_DB[kind], open_db - 1.5) if close_db is None else close_db
        if not (3 <= open_db <= 40 and 0 <= close_db <= open_db - 1):
            raise RangeError(
                f"row {row}: open = {open_db:g} dB, close = {close_db:g} dB; "
                "open is 3 … 40 dB and close 0 dB … open − 1"
            )
        self._kinds[row] = KINDS.index(kind)
        for limit, value in zip(
            self._limits,
            (
                envelope_roughness(-math.inf, bandwidth),
                envelope_roughness(open_db, bandwidth),
                envelope_roughness(close_db, bandwidth),
                10 ** (open_db / 10),
                10 ** (close_db / 10),
            ),
        ):
            limit[row] = value

    def _check_row(self, row: int) -> None:
        if not 0 <= row < self.rows:
            raise RangeError(f"row = {row}: this squelch has rows 0 … {self.rows - 1}")


def _per_row(value: T | Sequence[T], rows: int, name: str) -> list[T]:
    if not isinstance(value, Sequence | np.ndarray):
        return [value] * rows
    if len(value) != rows:
        raise ShapeError(f"{name} has {len(value)} values for {rows} rows")
    return list(value)
