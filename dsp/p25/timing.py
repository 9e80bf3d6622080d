"""Finding the frame sync: when, at which frequency, with which deviation and which pulse.

Two looks. Every sample of every row goes through a differential correlator: the turn of the phase in one symbol,

    t[n] = x[n]·conj(x[n−5])              weighted by √|t|, at 24 kHz

is what the dibits are sent by, in C4FM and in LSM, and a frequency error turns all t by the same angle. So the sum over
the 24 symbols of the sync, each turned back by its ±135°, is large whatever the frequency error up to ±2400 Hz. There
is nothing to lock, hence no false lock at ±1200 or ±2400 Hz.

A sample where that sum is a good share of its possible size is a candidate and gets the second look, `acquire`. Where
the samples as they are resemble a sync at some frequency near the one seen, that is: the receive filters of both
pulses, timing to an eighth of a sample, frequency and deviation by least squares on the phase, and the coherent match
ρ² = |∑ e·s*|² / (25·∑|e|²) of the 25 points. For noise ρ² has a share of (1 − ρ²)²⁴ above it,
which is what makes the threshold safe; a signal with 5 % of its bits wrong reaches about 0.75.

Sync word: TIA-102.BAAA-B clause 7, Table 15.
"""

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from dsp.errors import ShapeError
from dsp.p25 import _timing
from dsp.p25.c4fm import FRAME_SYNC_DIBITS, SYMBOL_OF_DIBIT, SYMBOL_RATE
from dsp.p25.lsm import HALF, PER_SYMBOL, Pulse, filters

SYNC_SYMBOLS = len(FRAME_SYNC_DIBITS)

CANDIDATE = 0.50
"""Share of the correlator at which a sample is looked at again: noise does so 140 times a second, a sync at 3 dB Eb/N0
(8 % of its bits wrong) in 98 of 100 cases."""

REACH = (SYNC_SYMBOLS - 1 + 1) * PER_SYMBOL
"""Samples before the last point of the sync that the correlator needs."""

LOOK_BACK = REACH + HALF + 5
LOOK_AHEAD = HALF + 6
"""Samples before and after a candidate that `acquire` needs."""

OTHER_DEVIATION = 0.72
"""Least match of a sync whose deviation is not the nominal one: one more number is fitted, so noise fits better."""

# The filters take 1 % from the outer symbols of C4FM.
_NOMINAL = np.array([0.988, 1.0]) * np.pi / 4
_MOST = 1.16 * np.pi / 4

_SIGNS = np.sign(SYMBOL_OF_DIBIT[FRAME_SYNC_DIBITS]).astype(np.int8)


@dataclass(frozen=True, slots=True)
class SyncHit:
    """One frame sync.

    match: ρ² of the coherent look, 0 … 1. pulse: which pulse fits. sample, phase: the last point of the sync is at
    `sample + phase/PHASES` (24 kHz). turn: frequency error in radians a symbol. step: radians per unit of symbol, π/4
    for nominal deviation.
    """

    match: float
    pulse: Pulse
    sample: int
    phase: int
    turn: float
    step: float

    @property
    def frequency_hz(self) -> float:
        """Frequency error in hertz."""
        return self.turn * SYMBOL_RATE / (2 * np.pi)


class SyncCorrelator:
    """The first look, of a bank of rows."""

    def __init__(self, rows: int) -> None:
        self._turn = np.zeros((rows, 3, 0), np.float32)

    def shares(self, x: NDArray[np.complex64], first: int) -> NDArray[np.float32]:
        """Share of its possible size that the correlator reaches, for the samples `first` … of every row.

        x: (rows, n) complex64; first: at least `REACH`. Returns (rows, n − first) float32, 0 … 1: entry i is for a
        sync whose last point is at sample first + i. Raises `ShapeError`.
        """
        rows = len(self._turn)
        if x.dtype != np.complex64 or x.ndim != 2 or len(x) != rows or x.strides[1] != x.itemsize:
            raise ShapeError(f"samples are {x.dtype} {x.shape}; this bank takes complex64 ({rows}, n)")
        if not REACH <= first <= x.shape[1]:
            raise ShapeError(f"first = {first} is outside {REACH} … {x.shape[1]}")
        if self._turn.shape[2] < x.shape[1]:
            self._turn = np.zeros((rows, 3, x.shape[1]), np.float32)
        out = np.empty((rows, x.shape[1] - first), np.float32)
        if out.size:
            _timing.correlate(x, _SIGNS, first, self._turn, out)
        return out


def peaks(shares: NDArray[np.float32], threshold: float | NDArray[np.float32] = CANDIDATE) -> NDArray[np.int32]:
    """Candidates (row, i) of `SyncCorrelator.shares`, (n, 2) int32: above the threshold, the largest of five around.

    threshold: one, or one for each row (rows,).
    """
    rows = len(shares)
    places = np.empty((shares.size, 2), np.int32)
    each = np.full(rows, threshold, np.float32) if np.ndim(threshold) == 0 else np.asarray(threshold, np.float32)
    return places[: _timing.peaks(np.ascontiguousarray(shares), each, places)]


def acquire_all(
    x: NDArray[np.complex64], places: NDArray[np.int32], least: float = 0.0
) -> list[tuple[int, list[SyncHit]]]:
    """The second look at candidates of a bank: the row of each that is one, and what the sync would be for each pulse.

    x: (rows, n) complex64 at 24 kHz. places: (n, 2) int32, row and sample, `LOOK_BACK` ≤ sample < n − `LOOK_AHEAD`.
    least: match below which there is none. Best match first. Raises `ShapeError`.
    """
    if x.dtype != np.complex64 or x.ndim != 2:
        raise ShapeError(f"samples are {x.dtype} {x.shape}; a bank is complex64 (rows, n)")
    if not len(places):
        return []
    at = places[:, 1]
    if not (at.min() >= LOOK_BACK and at.max() < x.shape[1] - LOOK_AHEAD):
        raise ShapeError(f"at = {at.min()} … {at.max()} is outside {LOOK_BACK} … {x.shape[1] - LOOK_AHEAD - 1}")
    out = np.zeros((len(places), 3, 5))
    _timing.acquire(x, places, _single_filters(), _SIGNS, _NOMINAL, out)
    there = np.flatnonzero((out[:, :, 0].max(axis=1) >= least) & out[:, :2, 0].any(axis=1))
    return [(int(places[i, 0]), _hits(out[i].tolist())) for i in there]


def acquire(x: NDArray[np.complex64], at: int) -> list[SyncHit]:
    """The second look: what a sync near sample `at` would be, for each pulse, best match first; [] if it is none.

    x: (n,) complex64 of one row at 24 kHz; at: LOOK_BACK ≤ at < n − LOOK_AHEAD. Raises `ShapeError`.
    """
    if x.ndim != 1:
        raise ShapeError(f"samples are {x.dtype} {x.shape}; a row is complex64 (n,)")
    found = acquire_all(x[None], np.array([[0, at]], np.int32))
    return found[0][1] if found else []


def _hits(found: list[list[float]]) -> list[SyncHit]:
    """Of what the kernel found for C4FM, LSM and C4FM of any deviation."""
    nominal, linear, other = found
    off = abs(other[4] / _NOMINAL[0] - 1)
    if other[0] > nominal[0] + 0.05 and other[0] > OTHER_DEVIATION and off > 0.06 and other[4] < _MOST:
        nominal = other
    hits = [_hit(Pulse.C4FM, *nominal), _hit(Pulse.LSM, *linear)]
    return hits if nominal[0] >= linear[0] else hits[::-1]


def _hit(pulse: Pulse, match: float, sample: float, phase: float, turn: float, step: float) -> SyncHit:
    return SyncHit(match, pulse, int(sample), int(phase), turn, step)


@cache
def _single_filters() -> NDArray[np.float32]:
    """`both_filters` as the kernel of the second look takes them."""
    return both_filters().astype(np.float32)


@cache
def both_filters() -> NDArray[np.float64]:
    """Receive filters of both pulses, (2, PHASES, 2·HALF + 1) float64."""
    return np.stack([filters(pulse) for pulse in Pulse])
