"""The resampler against its twin, its exact time, and its band."""

import itertools
from collections.abc import Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

from dsp.blocks import IqBlock
from dsp.errors import RateError, ShapeError
from dsp.resample import Resampler
from tests.reference.resample import resample

Iq = NDArray[np.complex64]

# Exact phases: float32 sums. Interpolated ones: (π/512)²/8 of the top of the band, −106 dB at worst.
ERROR_DB = -100.0

RATES = ((44_100, 48_000), (48_001, 48_400), (250_001, 252_000), (96_000, 48_000), (100_000, 31_999))


def noise(n: int) -> Iq:
    rng = np.random.default_rng(n)
    return (rng.standard_normal(n) + 1j * rng.standard_normal(n)).astype(np.complex64)


def run(stage: Resampler, x: Iq, cuts: Sequence[int] = ()) -> tuple[int, Iq]:
    blocks = [stage.process(IqBlock(x[a:b], stage.rate, a)) for a, b in itertools.pairwise([0, *sorted(cuts), len(x)])]
    assert all(a.end == b.index for a, b in itertools.pairwise(blocks))
    return blocks[0].index, np.concatenate([b.samples for b in blocks])


@pytest.mark.parametrize("rate, out_rate", RATES)
def test_agrees_with_twin(rate: int, out_rate: int) -> None:
    x = noise(3_000)
    stage = Resampler(rate, out_rate)
    index, y = run(stage, x)
    expected = resample(x, rate, out_rate, stage.delay, len(y))
    assert index == 0
    assert len(y) == -(-(len(x) - stage.delay) * out_rate // rate)
    error = np.sqrt((np.abs(y - expected) ** 2).mean() / (np.abs(expected) ** 2).mean())
    assert 20 * np.log10(error) < ERROR_DB


@pytest.mark.parametrize("rate, out_rate", RATES)
def test_any_cutting_gives_the_same_bits(rate: int, out_rate: int) -> None:
    x = noise(5_000)
    rng = np.random.default_rng(rate)
    expected = run(Resampler(rate, out_rate), x)
    for cuts in (range(1, 300), rng.integers(0, 5_000, 40), [2_500, 2_500]):
        index, y = run(Resampler(rate, out_rate), x, list(cuts))
        assert index == expected[0] and np.array_equal(y, expected[1])


@pytest.mark.parametrize("rate, out_rate", RATES)
def test_band(rate: int, out_rate: int) -> None:
    """A tone in the usable band keeps its level and its place in time, and leaves no image within 80 dB."""
    for part in (-0.44, 0.05, 0.3, 0.44):
        hz = part * min(rate, out_rate)
        x = np.exp(2j * np.pi * hz / rate * np.arange(6_000)).astype(np.complex64)
        y = run(Resampler(rate, out_rate), x)[1]
        j = np.arange(len(y))[200:]
        expected = np.exp(2j * np.pi * ((hz / out_rate * j) % 1.0))
        # The Kaiser filter ripples as much in its passband as in its stopband.
        assert 20 * np.log10(np.abs(y[200:] - expected).max()) < -80


def test_far_from_the_start() -> None:
    """A day in, time is still exact."""
    rate, out_rate = 48_001, 48_400
    start = 86_400 * rate
    x = np.exp(2j * np.pi * ((1_000 / rate * (start + np.arange(3_000))) % 1.0)).astype(np.complex64)
    block = Resampler(rate, out_rate).process(IqBlock(x, rate, start))
    assert start * out_rate <= block.index * rate
    expected = np.exp(2j * np.pi * ((1_000 / out_rate * (block.index + np.arange(len(block.samples)))) % 1.0))
    assert np.abs(block.samples - expected).max() < 1e-3


def test_gap_gives_no_output_that_touches_it() -> None:
    x = noise(4_000)
    whole = run(Resampler(44_100, 48_000), x)[1]
    stage = Resampler(44_100, 48_000)
    first = stage.process(IqBlock(x[:1_000], 44_100, 0))
    assert np.array_equal(first.samples, whole[: first.end])
    second = stage.process(IqBlock(x[1_001:], 44_100, 1_001))
    assert second.index > first.end
    assert np.array_equal(second.samples, whole[second.index : second.end])
    assert (second.index - 1) * 44_100 // 48_000 - stage.delay + 1 <= 1_000
    stage.reset()
    assert np.array_equal(run(stage, x)[1], whole)


def test_read_only_and_nan() -> None:
    x = noise(2_000)
    bad = x.copy()
    bad[700] = np.nan
    bad.flags.writeable = False
    stage = Resampler(44_100, 48_000)
    clean, spoilt = run(stage, x)[1], run(Resampler(44_100, 48_000), bad)[1]
    nan = np.flatnonzero(np.isnan(spoilt))
    assert 0 < len(nan) <= 2 * stage.delay * 48_000 // 44_100 + 1
    assert np.array_equal(np.delete(clean, nan), np.delete(spoilt, nan))


def test_refuses() -> None:
    with pytest.raises(RateError, match="above 0"):
        Resampler(0, 48_000)
    stage = Resampler(44_100, 48_000)
    with pytest.raises(RateError, match="44100"):
        stage.process(IqBlock(noise(3), 48_000, 0))
    with pytest.raises(ShapeError, match="complex64"):
        stage.process(IqBlock(noise(6)[::2], 44_100, 0))
