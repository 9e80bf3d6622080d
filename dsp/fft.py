"""Forward transform of one block of a tuner's band, and the plans that the transforms of the channelizer share.

    X[k] = Σ x[n] exp(−2πi k n / N),  n, k = 0 … N − 1

x: complex64, N samples of 12.5 ms (N = rate / 80: 30 000 at 2.4 MS/s). X: split into real and imaginary float32, with a
margin on both sides in which the band is continued periodically, so that a channel near the edge of the band is a
contiguous slice like any other. Error about −130 dB of the largest bin.

Why not `scipy.fft`: pocketfft vectorises across transforms only, and here there is one long transform each 10 ms. This
one is four-step, sixteen columns side by side (`_fft_forward.h`).
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dsp._fft import ForwardKernel
from dsp.errors import RangeError, ShapeError

LANES = 16
"""Transforms side by side in one tile."""

LARGEST_PRIME = 13
"""Largest prime factor of a length."""

_STAGE_COST = {2: 10, 3: 14, 4: 14, 5: 19, 6: 18, 7: 50, 8: 20, 10: 28, 11: 75, 13: 87}
"""Operations a stage of that radix costs a point: butterfly, twiddles, loads and stores, and what does not fit into the
sixteen registers of AVX2, which at ten points is most of them."""


@dataclass(frozen=True, slots=True)
class LanePlan:
    """Tables for a transform of `n` points in sixteen lanes.

    radices: of the stages, first to last; their product is n. position: int32 (n,), where point i stands at the start;
    source: its inverse.
    twiddles: float32, for each stage m·(radix − 1) pairs (cos, sin), one stage after the other.
    roots: float32, for each stage `radix` pairs.
    """

    n: int
    radices: tuple[int, ...]
    position: NDArray[np.int32]
    source: NDArray[np.int32]
    twiddles: NDArray[np.float32]
    roots: NDArray[np.float32]


def is_length(n: int) -> bool:
    """Whether `n` has no prime factor above `LARGEST_PRIME`."""
    for p in (2, 3, 5, 7, 11, 13):
        while n % p == 0:
            n //= p
    return n == 1


def _unit(turns: NDArray[np.float64]) -> NDArray[np.float32]:
    """(cos, sin) of −2π turns, interleaved."""
    w = np.exp(-2j * np.pi * turns).astype(np.complex64)
    return np.ascontiguousarray(w).reshape(-1).view(np.float32)


def _stages_cost(radices: tuple[int, ...]) -> int:
    return sum(_STAGE_COST[r] for r in radices)


def _radices(n: int) -> tuple[int, ...]:
    """The stages that make `n` at the least cost."""
    best: dict[int, tuple[int, ...]] = {1: ()}

    def cheapest(rest: int) -> tuple[int, ...] | None:
        if rest not in best:
            found = [(r, *tail) for r in _STAGE_COST if rest % r == 0 and (tail := cheapest(rest // r)) is not None]
            if not found:
                return None
            best[rest] = min(found, key=lambda f: (_stages_cost(f), len(f), max(f)))
        return best[rest]

    result = cheapest(n)
    if result is None:
        raise RangeError(f"transform length {n} has a prime factor above {LARGEST_PRIME}")
    return tuple(sorted(result))


def lane_plan(n: int) -> LanePlan:
    """Tables for `n` points, 2 … 65 535. Raises `RangeError` when a prime factor is above `LARGEST_PRIME`."""
    radices = _radices(n)
    source = np.zeros(1, dtype=np.int64)
    twiddles, roots = [], []
    m = 1
    for r in radices:
        source = np.concatenate([q + r * source for q in range(r)])
        k, q = np.arange(m)[:, None], np.arange(1, r)[None, :]
        twiddles.append(_unit((k * q) / (m * r)))
        roots.append(_unit(np.arange(r) / r))
        m *= r
    position = np.empty(n, dtype=np.int32)
    position[source] = np.arange(n, dtype=np.int32)
    return LanePlan(n, radices, position, source.astype(np.int32), np.concatenate(twiddles), np.concatenate(roots))


_ROUND = 20
"""Operations a point on its way into the tile, or transposed into the next."""


def _cost(n: int) -> float:
    """Operations of `n` points per point, dearer when the tile leaves the fast caches; with the way in or out."""
    return _stages_cost(_radices(n)) * (1.0 if n <= 384 else 1.3 if n <= 1024 else 3.0) + _ROUND


def split(n: int) -> tuple[int, int] | None:
    """Rows and columns for the four-step transform of `n` points, both at least `LANES`; None if there are none."""
    if not is_length(n):
        return None
    best, best_cost = None, math.inf
    for rows in range(LANES, n // LANES + 1):
        if n % rows:
            continue
        columns = n // rows
        padded_rows, padded_columns = -(-rows // LANES) * LANES, -(-columns // LANES) * LANES
        cost = _cost(rows) * padded_columns / columns + _cost(columns) * padded_rows / rows
        if cost < best_cost:
            best, best_cost = (rows, columns), cost
    return best


class ForwardFft:
    """Transform of `n` samples. `re` and `im` are (n + 2·margin,) float32; bin k stands at k + margin.

    margin: bins continued on each side, 1 … n. Raises `RangeError` when `split(n)` finds nothing.
    """

    def __init__(self, n: int, margin: int = 1) -> None:
        shape = split(n)
        if shape is None:
            raise RangeError(
                f"transform length {n} is not a product of two smooth numbers ≥ {LANES} (primes to {LARGEST_PRIME})"
            )
        if not 1 <= margin <= n:
            raise RangeError(f"margin = {margin} bins is outside 1 … {n}")
        self.n, self.margin = n, margin
        self._reach = margin
        rows, columns = shape
        start = [min(c * LANES, columns - LANES) for c in range(-(-columns // LANES))]
        column = np.array(start)[:, None, None] + np.arange(LANES)
        turns = (np.arange(rows)[None, :, None] * column) / n
        w = np.exp(-2j * np.pi * turns)
        turn = np.stack([w.real, w.imag], axis=2).astype(np.float32)
        self.re = np.zeros(n + 2 * margin, dtype=np.float32)
        self.im = np.zeros(n + 2 * margin, dtype=np.float32)
        self._kernel = ForwardKernel(lane_plan(rows), lane_plan(columns), turn.reshape(-1), self.re, self.im, margin)

    @property
    def reach(self) -> int:
        """How many bins of each margin are really filled: all, unless set to less, 1 … margin."""
        return self._reach

    @reach.setter
    def reach(self, bins: int) -> None:
        if not 1 <= bins <= self.margin:
            raise RangeError(f"reach = {bins} bins is outside 1 … {self.margin}")
        self._reach = bins

    def run(self, head: NDArray[np.complex64], filled: int, body: NDArray[np.complex64], start: int) -> None:
        """Transform the `n` samples from `start` of the sequence head[:filled] followed by body.

        head, body: complex64, C-contiguous; neither is copied. Raises `ShapeError` when they hold less than start + n.
        """
        if start < 0 or filled > len(head) or start + self.n > filled + len(body):
            raise ShapeError(f"{filled} + {len(body)} samples from {start} do not hold the {self.n} of one transform")
        self._kernel.run(head, filled, body, start, self._reach)

    def add_power(self, power: NDArray[np.float32]) -> None:
        """Add |X|² of the last transform under a Hann window to `power`, float32 (n,)."""
        if power.shape != (self.n,):
            raise ShapeError(f"power has shape {power.shape}; the transform has ({self.n},) bins")
        self._kernel.add_power(power)
