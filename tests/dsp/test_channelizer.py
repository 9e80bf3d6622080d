"""Fast convolution against its twin, its mask by swept tones, and what a gap, a cut or a neighbour may not do."""

import itertools
from collections.abc import Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

from dsp.blocks import IqBlock
from dsp.channelizer import Channelizer, channel_cutoff_hz
from dsp.errors import RangeError, RateError, ShapeError
from tests.reference.channelizer import channelize

Iq = NDArray[np.complex64]
Spec = tuple[float, float, int]

# float32 tables and butterflies against float64: −134 dB measured.
ERROR_DB = -120.0
STOPBAND_DB = -80.0

SPECS: tuple[Spec, ...] = (
    (0.0, 11_000, 24_000),
    (20_013.37, 12_500, 24_000),
    (-22_000.0, 16_000, 24_000),
    (-1234.5, 8_000, 48_000),
    (7_012.9, 11_000, 16_000),
)


def noise(n: int, seed: int = 1) -> Iq:
    rng = np.random.default_rng(seed)
    return (0.3 * (rng.standard_normal(n) + 1j * rng.standard_normal(n))).astype(np.complex64)


def tone(hz: float, rate: int, n: int, index: int = 0) -> Iq:
    return np.asarray(np.exp(2j * np.pi * ((hz / rate * (index + np.arange(n))) % 1.0)), dtype=np.complex64)


def run(channelizer: Channelizer, x: Iq, cuts: Sequence[int] = (), index: int = 0) -> dict[int, tuple[int, Iq]]:
    """Everything that comes out, by rate: (index of the first sample, samples); fails where the index jumps."""
    parts: dict[int, list[Iq]] = {}
    first: dict[int, int] = {}
    expected: dict[int, int] = {}
    edges = [0, *sorted(cuts), len(x)]
    for a, b in itertools.pairwise(edges):
        for rate, block in channelizer.process(IqBlock(x[a:b], channelizer.rate, index + a)).items():
            first.setdefault(rate, block.index)
            assert block.index == expected.get(rate, block.index)
            expected[rate] = block.end
            parts.setdefault(rate, []).append(block.samples)
    return {rate: (first[rate], np.concatenate(p, axis=1)) for rate, p in parts.items()}


def db(x: float) -> float:
    return float(20 * np.log10(max(x, 1e-12)))


def rms(x: NDArray[np.complexfloating]) -> float:
    return float(np.sqrt((np.abs(x) ** 2).mean()))


@pytest.mark.parametrize("rate", (48_000, 64_000, 72_000, 96_000, 120_000, 240_000, 250_000, 1_024_000, 2_400_000))
def test_agrees_with_twin(rate: int) -> None:
    x = noise(rate // 100 * 5)
    specs = [*SPECS[:1], *((o * rate / 75_000, b, r) for o, b, r in SPECS[1:])]
    channelizer = Channelizer(rate, "fft")
    for spec in specs:
        channelizer.add(*spec)
    out = run(channelizer, x)
    for number, (offset_hz, bandwidth_hz, out_rate) in enumerate(specs):
        index, samples = out[out_rate]
        row = samples[channelizer.rows(out_rate).index(number)]
        expected = channelize(x, rate, offset_hz, bandwidth_hz, out_rate)
        assert index == -out_rate // 800
        assert db(rms(row - expected) / rms(expected)) < ERROR_DB


def test_lanes_beyond_one_group() -> None:
    x = noise(96_000 // 100 * 3)
    channelizer = Channelizer(96_000, "fft")
    offsets = np.linspace(-40_000, 40_000, 37)
    for offset_hz in offsets:
        channelizer.add(offset_hz, 8_000)
    out = run(channelizer, x)[24_000][1]
    for row, offset_hz in zip(out, offsets):
        expected = channelize(x, 96_000, offset_hz, 8_000, 24_000)
        assert db(rms(row - expected) / rms(expected)) < ERROR_DB


@pytest.mark.parametrize("seed", range(6))
def test_any_cutting_gives_the_same_bits(seed: int) -> None:
    rng = np.random.default_rng(seed)
    rate = 96_000
    x = noise(100_000, seed)
    whole, cut = Channelizer(rate), Channelizer(rate)
    for channelizer in (whole, cut):
        for spec in SPECS:
            channelizer.add(*spec)
    cuts = rng.integers(0, len(x), int(rng.integers(1, 400)))
    expected, found = run(whole, x), run(cut, x, [*cuts, 5, 6, 6, 7])
    for out_rate, (index, samples) in expected.items():
        assert found[out_rate][0] == index
        assert np.array_equal(found[out_rate][1], samples)


def test_one_sample_at_a_time() -> None:
    x = noise(2000)
    whole, single = Channelizer(48_000), Channelizer(48_000)
    whole.add(3000.0, 8_000)
    single.add(3000.0, 8_000)
    expected = run(whole, x)[24_000]
    found = run(single, x, range(1, len(x)))[24_000]
    assert expected[0] == found[0] and np.array_equal(expected[1], found[1])


@pytest.mark.parametrize(
    ("bandwidth_hz", "out_rate"),
    [*((b, 24_000) for b in (3_000, 5_600, 8_000, 11_000, 12_500, 16_000)), (8_000, 16_000), (11_000, 16_000)],
)
def test_mask_by_swept_tones(bandwidth_hz: float, out_rate: int) -> None:
    """In steady state, over row borders, at full scale; the sweep covers the tuner's whole band."""
    rate, center = 240_000, 31_257.0
    channelizer = Channelizer(rate, "fft")
    channelizer.add(center, bandwidth_hz, out_rate)
    stop = channel_cutoff_hz(bandwidth_hz) + 1100

    def level(offset_hz: float) -> float:
        channelizer.reset()
        out = run(channelizer, tone(center + offset_hz, rate, rate // 100 * 4))[out_rate][1][0]
        return db(float(np.abs(out[out_rate // 80 :]).max()))

    for offset_hz in np.linspace(-0.4, 0.4, 9) * bandwidth_hz:
        assert abs(level(offset_hz)) < 0.1
    assert level(channel_cutoff_hz(bandwidth_hz)) == pytest.approx(-6.0, abs=0.2)
    outside = [*np.linspace(stop, 20_000, 25), *np.linspace(20_000, 88_000, 40)]
    for offset_hz in [*outside, *(-f for f in outside)]:
        assert level(offset_hz) < STOPBAND_DB


@pytest.mark.parametrize(("bandwidth_hz", "out_rate"), [(11_000, 24_000), (12_500, 24_000), (11_000, 16_000)])
def test_adjacent_channel(bandwidth_hz: float, out_rate: int) -> None:
    """Noise of ±4 kHz, 12.5 kHz away, at least 70 dB down."""
    rate = 240_000
    shaped = np.fft.fft(noise(rate // 4))
    hz = np.fft.fftfreq(len(shaped), 1 / rate)
    shaped[np.abs(hz - 12_500) > 4_000] = 0
    x = np.fft.ifft(shaped).astype(np.complex64)
    channelizer = Channelizer(rate, "fft")
    channelizer.add(0.0, bandwidth_hz, out_rate)
    channelizer.add(12_500.0, bandwidth_hz, out_rate)
    out = run(channelizer, x)[out_rate][1][:, out_rate // 50 : -out_rate // 50]
    assert db(rms(out[0]) / rms(out[1])) < -70


def test_wide_channel() -> None:
    rate = 2_400_000
    channelizer = Channelizer(rate, "fft")
    channelizer.add(-300_000.0, 200_000, 240_000)
    for offset_hz, low, high in ((0.0, -0.1, 0.1), (79_000.0, -0.1, 0.1), (101_500.0, -300, -80), (-150e3, -300, -80)):
        channelizer.reset()
        out = run(channelizer, tone(offset_hz - 300_000, rate, rate // 100 * 4))[240_000][1][0]
        assert low < db(float(np.abs(out[3000:]).max())) < high


@pytest.mark.parametrize("at", (0, 1, 12_345, 24_000))
def test_index_is_on_air_time(at: int) -> None:
    """A pulse at input sample n comes out centred on n·24000/rate; the first output has index −half."""
    rate = 240_000
    x = np.zeros(rate // 10 * 2, dtype=np.complex64)
    x[at] = 1
    channelizer = Channelizer(rate, "fft")
    channelizer.add(0.0, 12_500)
    index, samples = run(channelizer, x)[24_000]
    energy = np.abs(samples[0]) ** 2
    center = (energy * (index + np.arange(len(energy)))).sum() / energy.sum()
    assert index == -30
    assert center == pytest.approx(at / 10, abs=0.01)


def test_phase_and_frequency_after_a_day() -> None:
    """The output is the input times exp(−2πi f t), t counted from index 0, however far away that is."""
    rate, offset_hz = 96_000, 12_345.678
    index = 86_400 * rate + 480
    x = tone(12_500.0, rate, 9_600, index)
    channelizer = Channelizer(rate, "fft")
    channelizer.add(offset_hz, 11_000)
    first, samples = run(channelizer, x, index=index)[24_000]
    t = (first + np.arange(samples.shape[1])) / 24_000
    expected = np.exp(2j * np.pi * (((12_500.0 - offset_hz) * t) % 1.0))
    assert np.abs(samples[0] - expected).max() < 1e-3


def test_gap_drops_what_it_touches_and_nothing_else() -> None:
    rate, hop = 48_000, 480
    x = noise(40 * hop)
    whole, gapped = Channelizer(rate), Channelizer(rate)
    whole.add(5000.0, 11_000)
    gapped.add(5000.0, 11_000)
    first, samples = run(whole, x)[24_000]
    blocks = []
    for a, b in ((0, 3700), (3701, 3702), (3900, 9000), (9000, 9000), (15_000, len(x))):
        block = gapped.process(IqBlock(x[a:b], rate, a))[24_000]
        assert np.array_equal(block.samples, samples[:, block.index - first : block.end - first])
        blocks.append((block.index, block.samples.shape[1]))
    # Whole rows of 240 from −30; row b needs inputs b·480 − 120 … b·480 + 479.
    assert blocks == [
        (-30, 7 * 240),
        (8 * 240 - 30, 0),
        (9 * 240 - 30, 9 * 240),
        (18 * 240 - 30, 240 * 0),
        (32 * 240 - 30, 8 * 240),
    ]


def test_going_back_is_a_new_start() -> None:
    x = noise(9_600)
    fresh, used = Channelizer(48_000), Channelizer(48_000)
    fresh.add(0.0, 8_000)
    used.add(0.0, 8_000)
    used.process(IqBlock(x[::-1].copy(), 48_000, 0))
    for index in (0, 777):
        a = used.process(IqBlock(x, 48_000, index))[24_000]
        b = fresh.process(IqBlock(x, 48_000, index))[24_000]
        assert a.index == b.index and np.array_equal(a.samples, b.samples)


def test_reset_equals_new() -> None:
    x = noise(5_000)
    fresh, used = Channelizer(48_000), Channelizer(48_000)
    used.add(1000.0, 8_000)
    fresh.add(1000.0, 8_000)
    used.process(IqBlock(noise(3_333, 9), 48_000, 0))
    used.reset()
    a, b = used.process(IqBlock(x, 48_000, 0))[24_000], fresh.process(IqBlock(x, 48_000, 0))[24_000]
    assert a.index == b.index and np.array_equal(a.samples, b.samples)


def test_add_remove_retune_leave_the_others_alone() -> None:
    rate, hop = 96_000, 960
    x = noise(30 * hop)
    quiet, busy = Channelizer(rate, "fft"), Channelizer(rate, "fft")
    for channelizer in (quiet, busy):
        for k in range(18):
            channelizer.add(2000.5 * k - 18_000, 8_000)
        channelizer.add(100.0, 8_000, 48_000)
    keep = busy.rows(24_000)[1:17]
    expected = run(quiet, x)
    extra = -1
    for b in range(30):
        if b == 4:
            extra = busy.add(7_777.7, 5_600)
        if b == 9:
            busy.remove(0)
        if b == 14:
            busy.retune(17, -30_000.0)
        if b == 20:
            busy.remove(extra)
        out = busy.process(IqBlock(x[b * hop : (b + 1) * hop], rate, b * hop))
        rows = [busy.rows(24_000).index(number) for number in keep]
        span = slice(b * 240, (b + 1) * 240)
        assert np.array_equal(out[24_000].samples[rows], expected[24_000][1][1:17, span])
        assert np.array_equal(out[48_000].samples[0], expected[48_000][1][0, 2 * span.start : 2 * span.stop])
    busy.remove(18)
    assert busy.rows(48_000) == () and set(busy.process(IqBlock(x[:0], rate, 30 * hop))) == {24_000}


def test_retuned_and_added_channels_are_what_they_would_have_been() -> None:
    rate, hop = 48_000, 480
    x = noise(10 * hop)
    channelizer, other = Channelizer(rate, "fft"), Channelizer(rate, "fft")
    number = channelizer.add(-4_000.0, 8_000)
    other.add(3_210.0, 8_000)
    channelizer.process(IqBlock(x[: 4 * hop], rate, 0))
    channelizer.retune(number, 3_210.0)
    late = channelizer.process(IqBlock(x[4 * hop :], rate, 4 * hop))[24_000]
    assert np.array_equal(late.samples, run(other, x)[24_000][1][:, 4 * 240 :])


def test_nan_spoils_its_rows_only() -> None:
    x = noise(4_800)
    clean, spoilt = Channelizer(48_000, "fft"), Channelizer(48_000, "fft")
    clean.add(0.0, 8_000)
    spoilt.add(0.0, 8_000)
    bad = x.copy()
    bad[1_000] = np.nan
    a, b = run(clean, x)[24_000][1][0], run(spoilt, bad)[24_000][1][0]
    assert np.all(np.isnan(b[480:720]))
    assert np.array_equal(np.delete(a, range(480, 720)), np.delete(b, range(480, 720)))


def test_read_only_input_and_no_channels() -> None:
    x = noise(4_800)
    x.flags.writeable = False
    channelizer = Channelizer(48_000)
    assert channelizer.process(IqBlock(x[:2_400], 48_000, 0)) == {}
    channelizer.add(0.0, 8_000)
    assert channelizer.process(IqBlock(x[2_400:], 48_000, 2_400))[24_000].index == 5 * 240 - 30


def test_spectrum() -> None:
    rate = 240_000
    channelizer = Channelizer(rate)
    x = (0.5 * tone(30_100.0, rate, rate // 5)).astype(np.complex64)
    assert channelizer.spectrum_db(240) is None
    channelizer.process(IqBlock(x, rate, 0))
    spectrum = channelizer.spectrum_db(240)
    assert spectrum is not None and spectrum.shape == (240,)
    assert int(spectrum.argmax()) == 150
    # Start-up transient in the first of 20 rows, and a Hann line spread over a slice border: within half a decibel.
    assert float(spectrum.max()) == pytest.approx(-6.0, abs=0.5)
    assert np.median(spectrum) < -60
    assert channelizer.spectrum_db(240) is None


@pytest.mark.parametrize("rate", (44_100, 50_000, 250_001, 259_000))
def test_rates_that_need_the_resampler(rate: int) -> None:
    """On-air time, phase and level are exact, cuts do not show, and the stopband holds."""
    offset_hz, hz = 0.3 * rate, 0.3 * rate + 1_000
    n = rate // 10
    whole, cut = Channelizer(rate), Channelizer(rate)
    for channelizer in (whole, cut):
        channelizer.add(offset_hz, 8_000)
        channelizer.add(-offset_hz, 8_000)
    x = tone(hz, rate, n)
    first, samples = run(whole, x)[24_000]
    t = (first + np.arange(samples.shape[1])) / 24_000
    expected = np.exp(2j * np.pi * ((1_000.0 * t) % 1.0))
    # Level within the channel filter's 0.1 dB; what leaks to the other side of the band is below the stopband.
    assert np.abs(samples[0, 300:] - expected[300:]).max() < 0.012
    assert db(float(np.abs(samples[1, 300:]).max())) < STOPBAND_DB
    again = run(cut, x, [1, 2, n // 3, n // 3 + 11, n - 5])[24_000]
    assert again[0] == first == -30 and np.array_equal(again[1], samples)
    with pytest.raises(RangeError, match="band"):
        whole.add(0.45 * rate, 8_000)


def test_gap_through_the_resampler() -> None:
    x = noise(44_100 // 5)
    whole, gapped = Channelizer(44_100), Channelizer(44_100)
    whole.add(1_000.0, 8_000)
    gapped.add(1_000.0, 8_000)
    first, samples = run(whole, x)[24_000]
    gapped.process(IqBlock(x[:3_000], 44_100, 0))
    block = gapped.process(IqBlock(x[3_001:], 44_100, 3_001))[24_000]
    assert block.index % 240 == 210 and block.index > 3_001 * 24_000 / 44_100
    assert np.array_equal(block.samples, samples[:, block.index - first : block.end - first])


def test_delay() -> None:
    channelizer = Channelizer(2_400_000, "fft")
    channelizer.add(0.0, 8_000)
    assert channelizer.delay == 3_000 and channelizer.hop == 24_000
    block = channelizer.process(IqBlock(noise(24_000), 2_400_000, 0))[24_000]
    assert block.end * 100 == 24_000 - channelizer.delay


def test_refuses() -> None:
    channelizer = Channelizer(48_000)
    for rate in (0, -48_000, 7_999):
        with pytest.raises(RateError, match=str(rate)):
            Channelizer(rate)
    with pytest.raises(RangeError, match=r"band.*±20000 Hz"):
        channelizer.add(20_001.0, 8_000)
    with pytest.raises(RangeError, match="band"):
        channelizer.add(float("nan"), 8_000)
    with pytest.raises(RangeError, match="21800"):
        channelizer.add(0.0, 23_000)
    with pytest.raises(RangeError, match="bandwidth"):
        channelizer.add(0.0, 0)
    for out_rate in (0, 8_000, 240_000):
        with pytest.raises(RateError, match=str(out_rate)):
            channelizer.add(0.0, 3_000, out_rate)
    with pytest.raises(RangeError, match="channel 3"):
        channelizer.remove(3)
    with pytest.raises(RangeError, match="channel 3"):
        channelizer.retune(3, 0.0)
    with pytest.raises(RangeError, match="method"):
        Channelizer(48_000, "other")  # type: ignore[arg-type]
    with pytest.raises(RateError, match="96000"):
        channelizer.process(IqBlock(noise(10), 96_000, 0))
    for bad in (noise(10).astype(np.complex128), noise(10)[::2], noise(10).reshape(2, 5)):
        with pytest.raises(ShapeError, match="complex64"):
            channelizer.process(IqBlock(bad, 48_000, 0))  # type: ignore[arg-type]
