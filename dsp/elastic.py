"""Between two clocks: samples go in at one device's pace and come out at another's, and nothing is lost or repeated.

No two crystals agree. At 100 ppm apart a queue between them grows or starves by 8.6 s a day. `Elastic` plays a little
faster or slower than it is fed, so that what it holds stays at `target_delay_s`, and converts the rate on the way.

    push ─▶ queue ─▶ h(k − position) ─▶ pull         position advances rate_in/rate_out · (1 + ppm/10⁶) a sample
                 └──what it holds──▶ Regulator ──ppm──┘

Filter: Kaiser low-pass of ±2 ms at the lower rate, flat to 0.42 of it, 60 dB down from 0.56, half way at 0.5.

Regulator: the holding is smoothed over 1 s, then PI with both poles at 0.03 rad/s. A clock that is 300 ppm off moves
the holding by 4 ms at worst and is matched after two minutes. The pace never leaves ±(limit + 200) ppm, a cent of
pitch.

    FILLING ──target is held──▶ PLAYING ──not enough for the next 2.5 ms──▶ FILLING      a slip; faded out and in
                                  └──1 s long never less than target + 40 ms──▶ jumps to the target  a slip; faded over

What happens depends on the order of the samples pushed and pulled only, not on how the calls are cut.
"""

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from dsp import _elastic
from dsp.design import kaiser_beta
from dsp.errors import RangeError, RateError, ShapeError

Audio = NDArray[np.float32]

REACH_S = 0.002
"""Half the length of the filter, at the lower rate: what the conversion adds to the delay."""

ATTENUATION_DB = 60.0

LIMIT_PPM = 300.0
"""How far two clocks may be apart."""

ALLOWANCE_PPM = 200.0
"""Beyond the limit, to come back to the target."""

SPARE_S = 0.040
"""What may be held beyond the target before some of it is dropped."""

_STEPS_A_VERDICT = 8
_VERDICTS_A_SECOND = 50
_PHASES = 512


def _steps(rate_out: int) -> tuple[int, int]:
    """Outputs of a step of about 2.5 ms, and steps of a verdict of 20 ms; a verdict falls on a tick if it can."""
    tick = rate_out // _VERDICTS_A_SECOND
    counts = [n for n in range(6, 12) if tick % n == 0] or [_STEPS_A_VERDICT]
    count = min(counts, key=lambda n: abs(n - _STEPS_A_VERDICT))
    return tick // count, count


class Regulator:
    """How much faster to play, from how much too much is held.

    interval_s: time between two verdicts. limit_ppm: how far the clocks may be apart.
    """

    POLE = 0.03
    SMOOTH_S = 1.0

    def __init__(self, interval_s: float, limit_ppm: float = LIMIT_PPM) -> None:
        if not 0 < interval_s <= 1:
            raise RangeError(f"interval = {interval_s:g} s; it must lie between 0 and 1")
        if not 0 < limit_ppm <= 5000:
            raise RangeError(f"limit = {limit_ppm:g} ppm; it must lie between 0 and 5000")
        self.limit_ppm = limit_ppm
        self._interval_s = interval_s
        self._smooth = -math.expm1(-interval_s / self.SMOOTH_S)
        self.reset()

    def reset(self) -> None:
        """Nothing known of the clocks."""
        self._clocks = 0.0
        self.settle()

    def settle(self) -> None:
        """What is held was put right at once: forget how wrong it was, keep what is known of the clocks."""
        self._error_s = 0.0
        self.ppm = self._clocks * 1e6

    def step(self, error_s: float) -> float:
        """Take what is held beyond the target now; returns how much faster to play, in ppm."""
        self._error_s += self._smooth * (error_s - self._error_s)
        limit = self.limit_ppm * 1e-6
        clocks = self._clocks + self.POLE**2 * self._error_s * self._interval_s
        self._clocks = min(max(clocks, -limit), limit)
        most = limit + ALLOWANCE_PPM * 1e-6
        self.ppm = 1e6 * min(max(self._clocks + 2 * self.POLE * self._error_s, -most), most)
        return self.ppm


@dataclass(frozen=True, slots=True)
class ElasticStatistics:
    """Counters since the last reset. Times in samples of the side they belong to.

    starved: times it ran dry. jumps: times it held too much. lost: input dropped in these. waited: output that was
    silence because there was nothing to play, the first filling not counted.
    """

    starved: int = 0
    jumps: int = 0
    lost: int = 0
    waited: int = 0

    @property
    def slips(self) -> int:
        """Times that somebody could hear it."""
        return self.starved + self.jumps


@lru_cache(maxsize=16)
def _filters(rate_in: int, rate_out: int, reach: int) -> NDArray[np.float32]:
    """The filter at each phase, (phases + 1, 2·reach) float32, for all buffers of these rates."""
    lower = min(rate_in, rate_out)
    rows = max(16, _PHASES * lower // rate_in)
    at = np.arange(1 - reach, reach + 1)[None, :] - np.arange(rows + 1)[:, None] / rows
    inside = np.sqrt(np.clip(1 - (at / reach) ** 2, 0, None))
    beta = kaiser_beta(ATTENUATION_DB)
    taps = np.sinc(lower / rate_in * at) * np.i0(beta * inside) / np.i0(beta)
    taps[np.abs(taps) < 1e-12] = 0.0  # on a sample the others have no part at all
    table: NDArray[np.float32] = (taps / taps.sum(axis=1, keepdims=True)).astype(np.float32)
    table.setflags(write=False)
    return table


class Stretch(_elastic.Stretch):
    """Rate conversion whose pace can be set while it runs: the part of `Elastic` without a will of its own.

    capacity: input samples that may be held. reach_s: half the length of the filter.

    Samples are numbered from 0 as they are pushed; `end` is how many came, `position` the place of the next output
    among them, `held` how many are there for outputs to come, half the filter not counted.

        reset()           back to the constructed state: the first sample pushed is number 0, silence before it
        set_ppm(ppm)      plays that much faster from the next output on
        push(x)           takes (n,) float32, C-contiguous; raises `ValueError` for more than may be held
        move(position)    goes on at another place among what is held
        possible()        how many outputs can be made from what is there
        pull(out)         makes outputs into (n,) float32, C-contiguous; what is not there counts as silence
    """

    def __init__(self, rate_in: int, rate_out: int, capacity: int, reach_s: float = REACH_S) -> None:
        if not (4_000 <= rate_in <= 400_000 and 4_000 <= rate_out <= 400_000):
            raise RateError(f"cannot convert {rate_in} to {rate_out} S/s; both must lie between 4000 and 400000")
        self.rate_in, self.rate_out = rate_in, rate_out
        reach = -(-round(reach_s * rate_in) // 4) * 4
        self._table = _filters(rate_in, rate_out, reach)
        super().__init__(self._table, rate_in / rate_out, capacity + 4 * reach + 8)


class Elastic:
    """A buffer between two clocks.

    rate_in, rate_out: samples per second on each side, by its own clock. target_delay_s: what it holds before an
    output is made, 5 ms … 1 s; it has to cover the blocks of both sides and the unevenness of the calls.
    limit_ppm: how far the clocks may be apart. Raises `RateError`, `RangeError`.
    """

    def __init__(
        self, rate_in: int, rate_out: int = 8000, target_delay_s: float = 0.04, limit_ppm: float = LIMIT_PPM
    ) -> None:
        if not 0.005 <= target_delay_s <= 1:
            raise RangeError(f"target delay = {target_delay_s:g} s; it must lie between 0.005 and 1")
        self.target_delay_s = target_delay_s
        self._target = target_delay_s * rate_in
        self._spare = SPARE_S * rate_in
        self._capacity = round((target_delay_s + 0.5) * rate_in)
        self._stretch = Stretch(rate_in, rate_out, self._capacity)
        self.rate_in, self.rate_out = rate_in, rate_out
        self._unit, self._steps_a_verdict = _steps(rate_out)
        self._fade = (np.arange(1, self._unit + 1, dtype=np.float32) / np.float32(self._unit)).astype(np.float32)
        self._interval_s = self._steps_a_verdict * self._unit / rate_out
        self.regulator = Regulator(self._interval_s, limit_ppm)
        self.reset()

    def reset(self) -> None:
        """Back to the constructed state: empty, and nothing known of the clocks."""
        self._stretch.reset()
        self.regulator.reset()
        self._ready: Audio = np.zeros(0, np.float32)
        self._filling = True
        self._began = False
        self._steps = 0
        self._least = math.inf
        self._verdicts = 0
        self._starved = self._jumps = self._lost = self._waited = 0

    @property
    def delay(self) -> int:
        """Output samples by which it delays, once it plays: the target and half the filter."""
        return round((self.target_delay_s + self._stretch.reach / self.rate_in) * self.rate_out)

    @property
    def held_s(self) -> float:
        """Seconds held now."""
        return max(0.0, self._stretch.held / self.rate_in + len(self._ready) / self.rate_out)

    @property
    def ppm(self) -> float:
        """How much faster than its own clock it plays now."""
        return self.regulator.ppm

    @property
    def playing(self) -> bool:
        """Whether it gives out what was pushed; otherwise it waits for more, and gives silence."""
        return not self._filling

    @property
    def slips(self) -> int:
        """Times that samples were lost or missing."""
        return self._starved + self._jumps

    def statistics(self) -> ElasticStatistics:
        """Counters since the last reset."""
        return ElasticStatistics(self._starved, self._jumps, self._lost, self._waited)

    def push(self, samples: Audio) -> None:
        """Take (n,) float32 at `rate_in`. NaN and infinity become 0. Raises `ShapeError`."""
        if samples.dtype != np.float32 or samples.ndim != 1:
            raise ShapeError(f"samples are {samples.dtype} {samples.shape}; this buffer takes float32 (n,)")
        # The sum of squares says it sooner where all is well.
        if not (math.isfinite(np.dot(samples, samples)) or np.isfinite(samples).all()):
            samples = np.nan_to_num(samples, posinf=0.0, neginf=0.0)
        for at in range(0, len(samples), self._capacity):
            part = samples[at : at + self._capacity]
            surplus = self._stretch.held + self._stretch.reach + len(part) - self._capacity
            if surplus > 0:
                self._overflow(surplus)
            self._stretch.push(np.ascontiguousarray(part))

    def pull(self, n: int) -> Audio:
        """(n,) float32 at `rate_out`, newly allocated: what is due by the clock of the other side."""
        if n < 0:
            raise RangeError(f"n = {n}: cannot pull a negative number of samples")
        while len(self._ready) < n:
            made = self._make(n - len(self._ready))
            self._ready = np.concatenate([self._ready, made]) if len(self._ready) else made
        out, self._ready = self._ready[:n], self._ready[n:]
        return out

    def _make(self, wanted: int) -> Audio:
        """The next steps: several where nothing happens between them."""
        unit, stretch = self._unit, self._stretch
        if self._steps == 0 and not self._filling and (excess := self._judge()) > self._spare:
            return self._skip(excess)
        if self._filling:
            if stretch.end - max(0.0, stretch.position) < self._target + stretch.reach:
                self._waited += unit * self._began
                self._count(1)
                return np.zeros(unit, np.float32)
            return self._begin()
        steps = min(-(-wanted // unit), self._steps_a_verdict - self._steps, stretch.possible() // unit)
        if steps > 0:
            made = np.empty(steps * unit, np.float32)
            stretch.pull(made)
            self._count(steps)
            return made
        made = np.empty(unit, np.float32)
        stretch.pull(made)
        made *= self._fade[::-1]
        self._starved += 1
        self._filling = True
        self._count(1)
        return made

    def _count(self, steps: int) -> None:
        self._steps = (self._steps + steps) % self._steps_a_verdict
        if not self._filling:
            self._least = min(self._least, self._stretch.held)

    def _begin(self) -> Audio:
        """Play on from exactly the target, faded in."""
        surplus = self._stretch.held - self._target
        if surplus > 0:
            self._lost += int(surplus) * self._began
            self._stretch.move(self._stretch.position + surplus)
        self._filling, self._began = False, True
        self._least, self._verdicts = math.inf, 0
        self.regulator.settle()
        self._stretch.set_ppm(self.regulator.ppm)
        made = np.empty(self._unit, np.float32)
        self._stretch.pull(made)
        made *= self._fade
        self._count(1)
        return made

    def _judge(self) -> float:
        """Every 20 ms: set the pace; every second: how much too much was held all the time, in samples?"""
        self._stretch.set_ppm(self.regulator.step((self._stretch.held - self._target) / self.rate_in))
        self._verdicts += 1
        if self._verdicts * self._interval_s < 1:
            return 0.0
        least, self._least, self._verdicts = self._least, math.inf, 0
        return least + self._interval_s * self.rate_in - self._target

    def _overflow(self, samples: float) -> None:
        """Nobody pulls: drop the oldest, and begin anew when somebody does."""
        self._stretch.move(self._stretch.position + samples)
        self._lost += int(samples) * self._began
        self._jumps += self._began and not self._filling
        self._filling = True

    def _skip(self, samples: float) -> Audio:
        """Jump ahead, the two sides faded into each other."""
        stretch = self._stretch
        old = np.empty(self._unit, np.float32)
        stretch.pull(old)
        stretch.move(stretch.position + samples)
        new = np.empty(self._unit, np.float32)
        here = stretch.position
        stretch.move(here - self._unit * self.rate_in / self.rate_out)
        stretch.pull(new)
        self._jumps += 1
        self._lost += int(samples)
        self._least = math.inf
        self.regulator.settle()
        self._stretch.set_ppm(self.regulator.ppm)
        self._count(1)
        return np.asarray(old + (new - old) * self._fade, np.float32)
