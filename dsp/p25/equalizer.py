"""What follows a frame sync, symbol by symbol: the fixed filter and a trained equaliser, side by side.

Both give one complex point a symbol, and each is detected against a reference r carried along by its own decisions,

    expected = r·exp(j(turn + step·symbol)),      r ← memory·expected + (1 − memory)·point,

which is coherent detection where the phase stands still and differential detection where it does not. Soft dibits are
max-log likelihood ratios for the measured noise around the expected points.

The equaliser knows the pulse and learns the channel: three complex taps, two samples apart (±83 µs), each with its
slope, by a Kalman filter between the signal that the decided symbols make and the signal that came. The slope carries
the channel over the four symbols between the newest decision and the newest sample that is wholly explained by
decisions, which is what keeps up with fading: a tap that turns at 50 Hz goes 15° in that time. For that channel the
eight filter taps and five feedback taps of least mean square error are solved, anew whenever it has moved: feedback of
decisions as far as they are sure, so in noise it becomes a linear filter, and with one ray the matched one. Three
unknowns instead of one a filter tap make it follow, and it cannot come out of a fade a symbol early or late, as
equalisers that learn their own taps do. Nothing waits for it: the equaliser's soft dibits are those of its first pass.

The covariances of the Kalman filter are taken as real, as they are on average over random symbols. What all taps turn
by together is a frequency error that the sync, itself in a fade, had: the frequency follows it.

It learns from the known symbols (24 of the sync, then 57 with the network identifier), then from decisions. A decision
is the point nearest in the frame of the channel, so one that is wrong does not turn the ones behind it. Where the
equaliser has clearly more noise than the fixed filter it has lost the channel: where the fixed filter's own decisions
are clear, it learns the channel anew from the last 36 of them.

Where the equaliser has more noise than the fixed filter it is solved a quarter as often. Where the fixed filter has too
little noise for any error the equaliser sleeps. It wakes when the noise rises, and learns the channel from the
decisions of the 36 symbols before.

Which of both goes on is decided symbol by symbol from the measured noise of each, and by `prefer` from above. For C4FM
the likeliest sequence (`dsp.p25.mlsd`) stands in for the fixed filter where that is too noisy to be without errors.
"""

from dataclasses import replace
from functools import cache

import numpy as np
from numpy.typing import NDArray

from dsp.errors import RangeError, ShapeError
from dsp.p25 import _equalizer
from dsp.p25.c4fm import SYMBOL_RATE
from dsp.p25.head import BAND, Compared, compare
from dsp.p25.lsm import HALF, PER_SYMBOL, PHASES, PULSE_HALF, Pulse, pulses
from dsp.p25.mlsd import MEMORY as SEQUENCE_MEMORY
from dsp.p25.mlsd import response
from dsp.p25.timing import SYNC_SYMBOLS, SyncHit, both_filters

DRIFT = 2e-5
"""Variance that the slope of a tap gains each symbol, of the power received: with less, fading of 50 Hz is lost; with
more, that of 5 Hz is noisier."""

STILL = 1e-3
"""Variance of the slope before anything is known: ±30 Hz."""

MODEL = 0.01
"""Least variance of what the channel does not explain, of the power received, for learning: the line that each tap
follows is not the truth either."""

STEER = 0.005
"""Share of the turn that all taps have in common by which the frequency follows, each symbol."""

WORTH = 0.25
"""The taps are solved anew where the channel has moved by this share of what it does not explain."""

DOUBT = 0.5
"""Share by which decisions are not fed back, times the relative noise: fed back in full only where that is low."""

MEMORY = 0.8
"""Memory of the fixed filter's reference: five symbols."""

EQUALIZER_MEMORY = 0.8

MARGIN = 0.85
"""The equaliser's noise must be below this share of the fixed filter's to be preferred."""

MARGIN_SEQUENCE = 0.6
"""The same where the likeliest sequence stands in for the fixed filter: as few errors at so much more noise."""

ONE_RAY = 0.9
"""Where the equaliser leaves less than this share of the fixed filter's noise there is a second ray."""

CALM = 0.04
"""Noise of the fixed filter below which it makes no errors: 45° are five standard deviations."""

WANDER = 2 * np.pi * 12.0 / SYMBOL_RATE
"""The frequency of the head, good to 3 Hz, holds as long as the tracked one, good to 8 Hz, is no farther away."""

NOMINAL = 0.06
"""Deviation within 6 % of nominal is taken as nominal: the estimate from one sync is good to 2 %."""

STEP_BIAS = 1.012
"""What intersymbol interference takes from the deviation measured on the sync of C4FM."""

GAIN = 0.001
"""Share of the phase error by which the frequency follows, each symbol."""

KNOWN_GAIN = 0.02
"""The same over the known symbols, where the frequency is what the sync says."""

WANDER_GAIN = 0.03
"""The same for signals that have been through a discriminator, whose offset wanders."""

FIXED, EQUALIZED = 0, 1

# As the kernel has them: rays of the channel and taps of the equaliser, both two samples apart; samples before the
# point at which the taps begin; symbols to either side that are taken to reach into them.
RAYS, TAPS, EARLY, ACROSS = 3, 8, 6, 5


@cache
def _between_samples(phase: int) -> NDArray[np.float64]:
    """Taps that read the signal `phase/PHASES` samples after the centre: windowed sinc of the whole band."""
    t = np.arange(-HALF, HALF + 1) - phase / PHASES
    return np.asarray(np.sinc(t) * np.cos(np.pi * t / (2 * HALF + 3)) ** 2)


@cache
def _reached(pulse: Pulse) -> NDArray[np.float64]:
    """What a symbol of 1 leaves in the sample of each tap by each ray: (PHASES, rays, 11 symbols, taps); the sixth
    symbol is that of the point."""
    ray, symbol, tap = np.ogrid[:RAYS, : 2 * ACROSS + 1, :TAPS]
    place = (2 * tap - EARLY) - PER_SYMBOL * (symbol - ACROSS) - 2 * (ray - RAYS // 2) + PULSE_HALF
    there = (place >= 0) & (place <= 2 * PULSE_HALF)
    return np.where(there, pulses(pulse)[:, place.clip(0, 2 * PULSE_HALF)], 0.0)


@cache
def _reach(pulse: Pulse) -> NDArray[np.float32]:
    """The same of the symbol of the point and of those before it, nearest first: (PHASES, rays, 6, taps)."""
    return np.ascontiguousarray(_reached(pulse)[:, :, ACROSS::-1], np.float32)


@cache
def _products(pulse: Pulse) -> NDArray[np.float32]:
    """What the taps' matrix is put together from, (PHASES, 2, 9, taps²), by columns.

    By the symbols before the point, and by the others; by the power of each ray, then the real and then the imaginary
    part of conj(a)·b of the rays (0, 1), (0, 2), (1, 2).
    """
    out = np.zeros((PHASES, 2, RAYS * RAYS, TAPS * TAPS), np.float32)
    for half, symbols in enumerate((slice(0, ACROSS), slice(ACROSS, None))):
        part = _reached(pulse)[:, :, symbols]
        product = np.einsum("prqi,psqj->prsji", part, part)
        straight = product.reshape(PHASES, RAYS, RAYS, -1)
        crossed = product.swapaxes(3, 4).reshape(PHASES, RAYS, RAYS, -1)
        for ray in range(RAYS):
            out[:, half, ray] = straight[:, ray, ray]
        for pair, (a, b) in enumerate(((0, 1), (0, 2), (1, 2))):
            out[:, half, RAYS + pair] = straight[:, a, b] + crossed[:, a, b]
            out[:, half, 2 * RAYS + pair] = straight[:, a, b] - crossed[:, a, b]
    return out


_SETTINGS = _equalizer.Settings(
    drift=DRIFT,
    still=STILL,
    model=MODEL,
    steer=STEER,
    worth=WORTH,
    doubt=DOUBT,
    memory=EQUALIZER_MEMORY,
    margin=MARGIN,
    margin_sequence=MARGIN_SEQUENCE,
    one_ray=ONE_RAY,
    calm=CALM,
    wander=WANDER,
    band=BAND,
)


@cache
def _filters(pulse: Pulse, phase: int, by_turns: bool) -> _equalizer.Filters:
    """What bursts of that pulse have in common whose points are `phase/PHASES` after a sample."""
    return _equalizer.Filters(
        _between_samples(phase) if by_turns else both_filters()[pulse, phase].copy(),
        pulses(pulse)[phase],
        _products(pulse)[phase],
        _reach(pulse)[phase],
        0.0 if by_turns else MEMORY,
        response(phase) if pulse is Pulse.C4FM and not by_turns else np.empty((0, PER_SYMBOL)),
        SEQUENCE_MEMORY,
    )


class Burst(_equalizer.Burst):
    """The symbols after one frame sync of one row, at 24 kHz.

    hit: the sync, with samples counted from wherever the caller counts `base`. by_turns: no fixed filter; the phase of
    the signal itself from symbol to symbol, which for C4FM is the discriminator with D(f). For what has been through a
    discriminator already: a slow wander of its output, which no phase reference survives, costs nothing there.

    From the kernel, all as of now: `start`, sample of the first symbol's point; `decided`, symbols decided, the sync's
    24 included; `emitted`, those given by `emit`; `turn`, the frequency error in radians a symbol; `step`, radians per
    unit of symbol; `noise`, mean squared distance from the expected points, relative to their size, of fixed filter and
    equaliser (that of the fixed filter where the equaliser sleeps); and `run(x, base)`, which decides every symbol
    whose samples are there and returns how many are decided in all. Train first.
    """

    def __init__(self, hit: SyncHit, by_turns: bool = False, tuned: bool = False) -> None:
        self.hit = hit
        self.by_turns = by_turns
        step = hit.step
        free = False
        if hit.pulse is Pulse.C4FM:
            step *= STEP_BIAS
            free = abs(step / (np.pi / 4) - 1) > NOMINAL
            if not free:
                step = np.pi / 4
        gain = WANDER_GAIN if by_turns else GAIN
        self._turn, self._step, self._free = hit.turn, step, free
        filters = _filters(hit.pulse, hit.phase, by_turns)
        start = hit.sample - PER_SYMBOL * (SYNC_SYMBOLS - 1)
        super().__init__(_SETTINGS, filters, start, hit.turn, step, free, gain, gain if tuned else KNOWN_GAIN)

    def train(self, x: NDArray[np.complex64], base: int, known: NDArray[np.uint8]) -> None:
        """Begin again at the sync with the first symbols known. x: (n,) samples, x[0] is sample `base`.

        known: (24 or more,) dibits. Raises `ShapeError` where x does not hold them.
        """
        first, last = self.start - HALF, self.start + PER_SYMBOL * (len(known) - 1) + HALF
        if len(known) < SYNC_SYMBOLS or first < base or last >= base + len(x):
            raise ShapeError(f"samples {base} … {base + len(x) - 1} do not hold {first} … {last}, the known symbols")
        self.train_on(x, base, known)

    def compare(self, x: NDArray[np.complex64], base: int, head: NDArray[np.uint8]) -> Compared:
        """What came beside the head, (57,) dibits, as this burst takes it to have been sent."""
        return compare(x, self.start - base, self.hit.pulse, self.hit.phase, head, self._turn, self._step)

    def tuned(self, compared: Compared) -> "Burst":
        """A new one with the frequency, and where it is free the deviation, that the head speaks for."""
        turn, step = compared.off(deviates=self._free)
        return Burst(replace(self.hit, turn=self._turn + turn, step=self.hit.step + step / STEP_BIAS), tuned=True)

    def soft(self, first: int, count: int, path: int) -> NDArray[np.float32]:
        """Soft dibits (count, 2) as first decided, of the last 256 symbols. path: `FIXED` or `EQUALIZED`.

        Raises `RangeError` for symbols that are not there.
        """
        if not max(0, self.decided - 256) <= first <= first + count <= self.decided:
            raise RangeError(f"symbols {first} … {first + count - 1} are not among the last 256 of {self.decided}")
        out = np.empty((count, 2), np.float32)
        self.soft_into(first, path, out)
        return out

    def prefer(self, path: int | None) -> None:
        """Take the given path from now on, or (None) judge by the noise again.

        Symbols decided while the equaliser slept stay with the fixed filter.
        """
        self.set_bias(0 if path is None else path + 1)

    def emit(self, x: NDArray[np.complex64], base: int, until: int) -> tuple[NDArray[np.float32], NDArray[np.int8]]:
        """Soft dibits (n, 2) of the symbols up to `until` (not included) not given before, and the path of each (n,).

        x must hold their samples, x[0] being sample `base`.
        Raises `RangeError` where they are not decided yet, or more than 256 ago.
        """
        emitted, decided = self.emitted, self.decided
        if until > decided:
            raise RangeError(f"symbol {until - 1} is not decided yet; {decided} are")
        if emitted < decided - 256:
            raise RangeError(f"symbol {emitted} is not among the last 256 of {decided}")
        n = max(0, until - emitted)
        out, path = np.empty((n, 2), np.float32), np.empty(n, np.int8)
        self.emit_into(x, base, until, out, path)
        return out, path
