"""What a receiver adds to a signal: noise, imbalance, offset, clipping, few bits, lost samples. For tests and scenes.

Every impairment is a stage of one IQ stream: `process(IqBlock) -> IqBlock` of the same rate and index, `reset()`,
`delay` (0 here; the radio path of `dsp.fading` has some). Random ones take their seed and share nothing, so a scene is
the same for the same description, however it is cut. `Chain` puts several behind each other.

`SampleGaps` ends a chain: what it gives are blocks with jumps of the index between them.
"""

import itertools
import math
from collections.abc import Sequence
from typing import Protocol

import numpy as np

from dsp.blocks import IqBlock
from dsp.convert import from_complex, sample_type, to_complex
from dsp.errors import RangeError


class Impairment(Protocol):
    """One stage of an IQ stream."""

    @property
    def delay(self) -> int:
        """Samples held back."""
        ...

    def process(self, block: IqBlock) -> IqBlock:
        """Same rate, same on-air index, lagging by `delay`."""
        ...

    def flush(self) -> IqBlock | None:
        """What is held back; None if nothing is. The next block starts afresh."""
        ...

    def reset(self) -> None:
        """Back to the constructed state."""
        ...


class Instant:
    """An impairment that holds nothing back."""

    @property
    def delay(self) -> int:
        """Samples held back: none."""
        return 0

    def flush(self) -> None:
        """Nothing is held back."""

    def reset(self) -> None:
        """Nothing to forget."""


class Awgn(Instant):
    """White Gaussian noise, of the same density everywhere or tilted.

    rate: samples per second. cn_db: ratio of a carrier of `carrier_dbfs` to the noise in `bandwidth_hz`, dB.
    carrier_dbfs: power of that carrier relative to |x|² = 1. tilt_db: by how much the density at +rate/4 is above that
    at −rate/4; between it follows a sine, the total is unchanged. seed: of this noise alone.
    """

    def __init__(
        self,
        rate: int,
        cn_db: float,
        bandwidth_hz: float,
        carrier_dbfs: float = 0.0,
        *,
        tilt_db: float = 0.0,
        seed: int,
    ) -> None:
        if not 0 < bandwidth_hz <= rate:
            raise RangeError(f"noise bandwidth = {bandwidth_hz:g} Hz is outside 0 … {rate} Hz (the rate)")
        if abs(tilt_db) > 20:
            raise RangeError(f"noise tilt = {tilt_db:g} dB; at most ±20 dB")
        self.power_dbfs = carrier_dbfs - cn_db + 10 * math.log10(rate / bandwidth_hz)
        # |1 + jg·e^(−jω)|² = 1 + g² + 2g·sin ω: at ω = ±π/2 it is (1 ± g)².
        ratio = 10 ** (abs(tilt_db) / 20)
        g = math.copysign((ratio - 1) / (ratio + 1), tilt_db)
        self._echo = 1j * g
        self._scale = math.sqrt(10 ** (self.power_dbfs / 10) / 2 / (1 + g * g))
        self._seed = seed
        self.reset()

    def reset(self) -> None:
        """The same noise from its beginning."""
        self._rng = np.random.Generator(np.random.PCG64(self._seed))
        self._last = np.zeros(1, np.complex128)

    def process(self, block: IqBlock) -> IqBlock:
        """Adds the noise that comes next, whatever the index."""
        white = self._rng.standard_normal(2 * len(block.samples)).view(np.complex128)
        before = np.concatenate([self._last, white])
        self._last = before[-1:]
        noise = (before[1:] + self._echo * before[:-1]) * self._scale
        return IqBlock((block.samples + noise).astype(np.complex64), block.rate, block.index)


class IqImbalance(Instant):
    """Gain and phase difference of the I and Q paths, shared evenly: an image at the mirrored frequency.

        I' = √g · (I·cos φ/2 + Q·sin φ/2)       Q' = (Q·cos φ/2 + I·sin φ/2) / √g

    Image to signal: (g + 1/g − 2 cos φ) / (g + 1/g + 2 cos φ). gain_db: I over Q. phase_deg: φ.
    """

    def __init__(self, gain_db: float, phase_deg: float) -> None:
        if abs(gain_db) > 20 or abs(phase_deg) > 45:
            raise RangeError(f"IQ imbalance = {gain_db:g} dB, {phase_deg:g}°; at most ±20 dB and ±45°")
        root = 10 ** (gain_db / 40)
        half = math.radians(phase_deg) / 2
        self._i = (root * math.cos(half), root * math.sin(half))
        self._q = (math.cos(half) / root, math.sin(half) / root)

    def process(self, block: IqBlock) -> IqBlock:
        """(n,) complex64 → (n,) complex64."""
        i, q = block.samples.real.astype(np.float64), block.samples.imag.astype(np.float64)
        out = np.empty(len(i), np.complex64)
        out.real = i * self._i[0] + q * self._i[1]
        out.imag = q * self._q[0] + i * self._q[1]
        return IqBlock(out, block.rate, block.index)


class DcOffset(Instant):
    """A constant on I and Q, full scale ±1.0: the spike in the middle of a zero-IF receiver's band."""

    def __init__(self, offset: complex) -> None:
        if not abs(offset) <= 1:
            raise RangeError(f"DC offset = {offset:g}; at most 1.0 in magnitude (full scale)")
        self._offset = np.complex64(offset)

    def process(self, block: IqBlock) -> IqBlock:
        """(n,) complex64 → (n,) complex64."""
        return IqBlock(block.samples + self._offset, block.rate, block.index)


class Clip(Instant):
    """An overdriven converter: I and Q each held to ±`level`."""

    def __init__(self, level: float = 1.0) -> None:
        if not level > 0:
            raise RangeError(f"clip level = {level:g}; it must be over 0")
        self._level = np.float32(level)

    def process(self, block: IqBlock) -> IqBlock:
        """(n,) complex64 → (n,) complex64."""
        out = np.clip(block.samples.view(np.float32), -self._level, self._level).view(np.complex64)
        return IqBlock(out, block.rate, block.index)


class Quantise(Instant):
    """A converter of few bits: exactly what a recording of this SigMF type gives back ("cu8", "ci16_le" …)."""

    def __init__(self, kind: str = "cu8") -> None:
        self._kind = sample_type(kind)

    def process(self, block: IqBlock) -> IqBlock:
        """(n,) complex64 → (n,) complex64."""
        out = np.empty(len(block.samples), np.complex64)
        raw, _ = from_complex(np.ascontiguousarray(block.samples), self._kind)
        to_complex(raw, self._kind, out)
        return IqBlock(out, block.rate, block.index)


class SampleGaps:
    """Loses samples at stated places: `(index, length)` each, in order, apart from each other."""

    def __init__(self, places: Sequence[tuple[int, int]]) -> None:
        for index, length in places:
            if index < 0 or length <= 0:
                raise RangeError(f"gap of {length} samples at {index}; both start at 0 and the length is at least 1")
        for (a, length), (b, _) in itertools.pairwise(places):
            if a + length >= b:
                raise RangeError(f"gap at {b} does not lie after the one of {length} samples at {a}")
        self.places = tuple(places)

    def process(self, block: IqBlock) -> list[IqBlock]:
        """What is left of the block: no block of no samples, none that spans a gap."""
        kept, at = [], block.index
        for index, length in self.places:
            if index + length > at and index < block.end:
                kept.append((at, index))
                at = index + length
        kept.append((at, block.end))
        first = block.index
        return [IqBlock(block.samples[a - first : b - first], block.rate, a) for a, b in kept if a < b]


def random_gaps(samples: int, count: int, longest: int, seed: int) -> list[tuple[int, int]]:
    """`count` places for `SampleGaps` within `samples`, one in each of as many equal stretches, 1 … `longest` long.

    Raises `RangeError` if they could meet.
    """
    stretch = samples // count if count else samples
    if count and longest + 2 > stretch:
        raise RangeError(f"{count} gaps of up to {longest} samples do not fit apart in {samples}")
    rng = np.random.Generator(np.random.PCG64(seed))
    places = []
    for k in range(count):
        length = int(rng.integers(1, longest + 1))
        places.append((k * stretch + int(rng.integers(1, stretch - length)), length))
    return places


class Chain:
    """Impairments behind each other; itself one."""

    def __init__(self, stages: Sequence[Impairment]) -> None:
        self.stages = tuple(stages)

    @property
    def delay(self) -> int:
        """Samples held back by all of them."""
        return sum(s.delay for s in self.stages)

    def process(self, block: IqBlock) -> IqBlock:
        """Through each in turn."""
        for stage in self.stages:
            block = stage.process(block)
        return block

    def flush(self) -> IqBlock | None:
        """What each holds back, through those after it."""
        parts = []
        for k, stage in enumerate(self.stages):
            block = stage.flush()
            for after in self.stages[k + 1 :]:
                block = after.process(block) if block is not None else None
            if block is not None:
                parts.append(block)
        if not parts:
            return None
        return IqBlock(np.concatenate([p.samples for p in parts]), parts[0].rate, parts[0].index)

    def reset(self) -> None:
        """Back to the constructed state."""
        for stage in self.stages:
            stage.reset()
