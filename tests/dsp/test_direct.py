"""Direct conversion: the same channel as fast convolution gives, by another road."""

import itertools

import numpy as np
import pytest
from numpy.typing import NDArray

from dsp.blocks import IqBlock
from dsp.channelizer import ATTENUATION_DB, Channelizer, channel_cutoff_hz
from dsp.design import comb_lowpass, response
from dsp.direct import direct_design
from dsp.errors import RangeError, RateError
from tests.reference.direct import convert

Iq = NDArray[np.complex64]

ERROR_DB = -110.0  # float32 sums of some hundred products: −125 dB or better measured
STOPBAND_DB = -80.0

RATES = (240_000, 960_000, 2_400_000)


def noise(n: int) -> Iq:
    rng = np.random.default_rng(n)
    return (0.3 * (rng.standard_normal(n) + 1j * rng.standard_normal(n))).astype(np.complex64)


def tone(hz: float, rate: int, n: int) -> Iq:
    return np.asarray(np.exp(2j * np.pi * ((hz / rate * np.arange(n)) % 1.0)), dtype=np.complex64)


def db(x: float) -> float:
    return float(20 * np.log10(max(x, 1e-12)))


def direct(rate: int, *channels: tuple[float, float], out_rate: int = 24_000) -> Channelizer:
    channelizer = Channelizer(rate, "direct")
    for channel in channels:
        channelizer.add(*channel, out_rate)
    return channelizer


@pytest.mark.parametrize("out_rate", (16_000, 24_000))
@pytest.mark.parametrize("rate", RATES)
def test_agrees_with_twin(rate: int, out_rate: int) -> None:
    x = noise(rate // 100 * 4)
    channels = ((0.0, 11_000.0), (0.21 * rate + 13.37, 8_000.0))
    block = direct(rate, *channels, out_rate=out_rate).process(IqBlock(x, rate, 0))[out_rate]
    half = out_rate // 800
    assert block.index == -half and block.samples.shape == (2, out_rate // 25)
    for row, (offset_hz, bandwidth_hz) in zip(block.samples, channels):
        design = direct_design(rate, out_rate, channel_cutoff_hz(bandwidth_hz), 1100, ATTENUATION_DB)
        assert design is not None
        expected = convert(x, design, offset_hz)[: len(row) - half]
        error = row[half : half + len(expected)] - expected
        assert len(expected) > out_rate / 27
        assert db(float(np.sqrt((np.abs(error) ** 2).mean() / (np.abs(expected) ** 2).mean()))) < ERROR_DB


@pytest.mark.parametrize("rate", (240_000, 960_000))
def test_any_cutting_gives_the_same_bits(rate: int) -> None:
    x = noise(rate // 10)
    rng = np.random.default_rng(rate)
    channels = ((-12_345.6, 11_000.0), (1_000.0, 5_600.0))
    whole = direct(rate, *channels).process(IqBlock(x, rate, 0))[24_000]
    for count in (1, 7, 300):
        channelizer = direct(rate, *channels)
        edges = [0, *sorted(rng.integers(0, len(x), count).tolist()), len(x)]
        blocks = [channelizer.process(IqBlock(x[a:b], rate, a))[24_000] for a, b in itertools.pairwise(edges)]
        assert blocks[0].index == whole.index
        assert np.array_equal(np.concatenate([b.samples for b in blocks], axis=1), whole.samples)


@pytest.mark.parametrize(
    ("rate", "bandwidth_hz", "out_rate"),
    (
        (240_000, 3_000, 24_000),
        (240_000, 11_000, 24_000),
        (240_000, 16_000, 24_000),
        (960_000, 8_000, 24_000),
        (240_000, 11_000, 16_000),
        (1_024_000, 11_000, 16_000),
    ),
)
def test_mask_by_swept_tones(rate: int, bandwidth_hz: float, out_rate: int) -> None:
    center = 31_257.0
    channelizer = direct(rate, (center, bandwidth_hz), out_rate=out_rate)

    def level(offset_hz: float) -> float:
        channelizer.reset()
        block = channelizer.process(IqBlock(tone(center + offset_hz, rate, rate // 100 * 3), rate, 0))[out_rate]
        return db(float(np.abs(block.samples[0, out_rate // 80 :]).max()))

    for offset_hz in np.linspace(-0.4, 0.4, 9) * bandwidth_hz:
        assert abs(level(offset_hz)) < 0.1
    stop, top = channel_cutoff_hz(bandwidth_hz) + 1175, rate / 2 - center
    for offset_hz in [
        *np.linspace(stop, 25_000, 25),
        *np.linspace(25_000, top, 40),
        *np.linspace(-stop, -rate / 2, 60),
    ]:
        assert level(offset_hz) < STOPBAND_DB


def test_phase_and_time_are_those_of_the_fft_path() -> None:
    """Far from the start, too: a tone in the flat part comes out the same to a hundredth of a decibel and degree."""
    rate, index = 240_000, 86_400 * 240_000
    x = np.exp(2j * np.pi * ((51_000 / rate * (index + np.arange(12_000))) % 1.0)).astype(np.complex64)
    blocks = []
    for method in ("fft", "direct"):
        channelizer = Channelizer(rate, method)
        channelizer.add(50_123.456, 11_000)
        blocks.append(channelizer.process(IqBlock(x, rate, index))[24_000])
    assert blocks[0].index == blocks[1].index
    assert np.abs(blocks[0].samples - blocks[1].samples).max() < 1e-3


def test_gap_and_nan() -> None:
    rate = 240_000
    x = noise(48_000)
    whole = direct(rate, (5_000.0, 8_000.0)).process(IqBlock(x, rate, 0))[24_000]
    gapped = direct(rate, (5_000.0, 8_000.0))
    gapped.process(IqBlock(x[:15_000], rate, 0))
    block = gapped.process(IqBlock(x[15_001:], rate, 15_001))[24_000]
    assert block.index == 7 * 240 - 30
    assert np.array_equal(block.samples, whole.samples[:, 7 * 240 :])
    x[5_000] = np.nan
    spoilt = direct(rate, (5_000.0, 8_000.0)).process(IqBlock(x, rate, 0))[24_000].samples[0]
    assert np.isnan(spoilt[480:720]).any()
    assert np.array_equal(np.delete(spoilt, range(480, 720)), np.delete(whole.samples[0], range(480, 720)))


def test_auto_chooses_at_the_first_block_and_disturbs_nobody() -> None:
    """One channel of a wide band goes the direct way; many later ones do not change a bit of it."""
    rate, hop = 960_000, 9_600
    x = noise(6 * hop)
    alone, joined = Channelizer(rate), Channelizer(rate)
    for channelizer in (alone, joined):
        channelizer.add(100_000.5, 11_000)
        channelizer.process(IqBlock(x[: 2 * hop], rate, 0))
    for k in range(5):
        joined.add(20_000.0 * k, 8_000)
    expected = direct(rate, (100_000.5, 11_000.0)).process(IqBlock(x, rate, 0))[24_000].samples[0, 480:]
    a = alone.process(IqBlock(x[2 * hop :], rate, 2 * hop))[24_000].samples
    b = joined.process(IqBlock(x[2 * hop :], rate, 2 * hop))[24_000].samples
    assert a.shape[0] == 1 and b.shape[0] == 6
    assert np.array_equal(a[0], expected) and np.array_equal(b[0], expected)
    fft = Channelizer(rate, "fft")
    fft.add(80_000.0, 8_000)
    late = fft.process(IqBlock(x, rate, 0))[24_000].samples[0, 480:]
    assert np.array_equal(b[5], late)


def test_auto_takes_the_fft_for_many() -> None:
    rate = 960_000
    x = noise(19_200)
    auto, fft = Channelizer(rate), Channelizer(rate, "fft")
    for channelizer in (auto, fft):
        for k in range(6):
            channelizer.add(20_000.0 * k, 8_000)
    a, b = auto.process(IqBlock(x, rate, 0))[24_000], fft.process(IqBlock(x, rate, 0))[24_000]
    assert np.array_equal(a.samples, b.samples)


def test_refuses_what_does_not_divide() -> None:
    with pytest.raises(RateError, match="64000 to 24000"):
        Channelizer(64_000, "direct").add(0.0, 8_000)
    assert direct_design(64_000, 24_000, 4_000, 1_100, 84) is None


@pytest.mark.parametrize("step, edge_hz", ((2, 6_600.0), (10, 6_600.0), (25, 4_000.0), (25, 30_000.0)))
def test_first_filter_stops_what_folds_onto_the_channel(step: int, edge_hz: float) -> None:
    taps = comb_lowpass(step, edge_hz, 2_400_000, 90.0)
    assert len(taps) % 2 == 1 and np.allclose(taps, taps[::-1], atol=1e-15)
    assert np.isclose(taps.sum(), 1.0)
    middle = 2_400_000 / step
    for k in range(1, step // 2 + 1):
        fold = k * middle + np.linspace(-edge_hz, edge_hz, 301)
        assert db(float(np.abs(response(taps, fold, 2_400_000)).max())) <= -89.9
    between = np.linspace(0, 1_200_000, 5_001)
    assert np.abs(response(taps, between, 2_400_000)).max() <= 1.0 + 1e-12
    with pytest.raises(RangeError, match="a third"):
        comb_lowpass(step, middle / 3, 2_400_000, 90.0)
