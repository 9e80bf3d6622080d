"""Impairments: each measured against what it was asked to do, and all of them as stages."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from dsp.blocks import IqBlock
from dsp.convert import from_complex, sample_type
from dsp.errors import DspError, RangeError
from dsp.fading import FrequencyOffset, Rayleigh, TwoRay
from dsp.impair import Awgn, Chain, Clip, DcOffset, Impairment, IqImbalance, Quantise, SampleGaps, random_gaps
from tests.support.chunks import cut, together

RATE = 48_000

MAKERS: dict[str, Callable[[], Impairment]] = {
    "awgn": lambda: Awgn(RATE, 10, 12_500, seed=1),
    "awgn tilted": lambda: Awgn(RATE, 10, 12_500, tilt_db=3, seed=1),
    "iq": lambda: IqImbalance(1, 5),
    "dc": lambda: DcOffset(0.1 - 0.05j),
    "clip": lambda: Clip(0.5),
    "cu8": lambda: Quantise("cu8"),
    "ci16": lambda: Quantise("ci16_le"),
    "offset": lambda: FrequencyOffset(RATE, -123.456),
    "drift": lambda: FrequencyOffset(RATE, 100, -37.5),
    "rayleigh": lambda: Rayleigh(RATE, 12, seed=3),
    "two rays": lambda: TwoRay(RATE, 83.3e-6, -2, 77, 3.3),
    "chain": lambda: Chain(
        [
            TwoRay(RATE, 50e-6),
            Rayleigh(RATE, 5, seed=1),
            TwoRay(RATE, 10e-6),
            Awgn(RATE, 20, 12_500, seed=2),
            Quantise(),
        ]
    ),
}
each = pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)


def noise(n: int, seed: int, scale: float = 0.3) -> NDArray[np.complex64]:
    rng = np.random.default_rng(seed)
    return (scale * (rng.standard_normal(n) + 1j * rng.standard_normal(n))).astype(np.complex64)


def line(hz: float, n: int, rate: int = RATE) -> NDArray[np.complex64]:
    return np.asarray(np.exp(2j * np.pi * (hz * np.arange(n) / rate % 1)), np.complex64)


def all_of(stage: Impairment, parts: list[IqBlock]) -> IqBlock:
    rest = [stage.process(p) for p in parts]
    last = stage.flush()
    return together([*rest, last] if last is not None else rest)


def level_db(x: NDArray[np.complexfloating]) -> float:
    return float(10 * np.log10(np.mean(np.abs(x.astype(np.complex128)) ** 2)))


@each
def test_the_cut_of_the_stream_does_not_matter(make: Callable[[], Impairment]) -> None:
    block = IqBlock(noise(6_000, 1), RATE, 12_345)
    whole = all_of(make(), [block])
    assert (whole.index, whole.end, whole.rate) == (block.index, block.end, RATE)
    assert not np.array_equal(whole.samples, block.samples)
    for seed in (2, 3):
        np.testing.assert_array_equal(all_of(make(), list(cut(block, seed))).samples, whole.samples)


@each
def test_reset_is_a_fresh_object_and_delay_is_kept(make: Callable[[], Impairment]) -> None:
    stage, block = make(), IqBlock(noise(3_000, 4), RATE, 0)
    first = stage.process(block)
    assert first.end == block.end - stage.delay
    stage.reset()
    np.testing.assert_array_equal(stage.process(block).samples, first.samples)


@each
def test_a_gap_is_seen(make: Callable[[], Impairment]) -> None:
    stage = make()
    stage.process(IqBlock(noise(500, 5), RATE, 0))
    assert stage.process(IqBlock(noise(500, 6), RATE, 700)).index == 700


@pytest.mark.parametrize(
    ("cn", "bandwidth", "carrier"), [(10.0, 12_500, 0.0), (-3.0, 25_000, -20.0), (40.0, 4_000, -6.0)]
)
def test_cn_is_within_a_tenth_of_a_decibel(cn: float, bandwidth: float, carrier: float) -> None:
    n = 1 << 19
    out = Awgn(RATE, cn, bandwidth, carrier, seed=7).process(IqBlock(np.zeros(n, np.complex64), RATE, 0)).samples
    power = np.abs(np.fft.fft(out)) ** 2 / n**2
    inside = np.abs(np.fft.fftfreq(n, 1 / RATE)) <= bandwidth / 2
    # 10⁵ bins and more: a standard deviation of 0.02 dB.
    assert carrier - 10 * np.log10(power[inside].sum()) == pytest.approx(cn, abs=0.1)
    assert np.mean(out.real * out.imag) == pytest.approx(0, abs=0.01 * 10 ** (level_db(out) / 10))


@pytest.mark.parametrize("tilt", [-4.0, 3.0])
def test_noise_tilt_is_as_asked_and_keeps_the_total(tilt: float) -> None:
    n = 1 << 18
    stage = Awgn(RATE, 0, RATE, tilt_db=tilt, seed=8)
    out = stage.process(IqBlock(np.zeros(n, np.complex64), RATE, 0)).samples
    power, hz = np.abs(np.fft.fft(out)) ** 2, np.fft.fftfreq(n, 1 / RATE)
    high, low = (power[np.abs(hz - f) < 1_000].mean() for f in (RATE / 4, -RATE / 4))
    assert 10 * np.log10(high / low) == pytest.approx(tilt, abs=0.25)
    assert level_db(out) == pytest.approx(0.0, abs=0.05)


def test_noises_of_two_seeds_are_strangers() -> None:
    zero = IqBlock(np.zeros(50_000, np.complex64), RATE, 0)
    a, b = (Awgn(RATE, 0, RATE, seed=s).process(zero).samples for s in (1, 2))
    assert abs(np.vdot(a, b)) / 50_000 < 0.02


@pytest.mark.parametrize(("gain", "angle"), [(1.0, 0.0), (0.0, 5.0), (-0.7, 3.0)])
def test_image_of_an_imbalance(gain: float, angle: float) -> None:
    out = IqImbalance(gain, angle).process(IqBlock(line(3_000, 48_000), RATE, 0)).samples
    spectrum = np.abs(np.fft.fft(out)) ** 2
    g, cos = 10 ** (gain / 20), np.cos(np.radians(angle))
    ideal = (g + 1 / g - 2 * cos) / (g + 1 / g + 2 * cos)
    assert spectrum[-3_000] / spectrum[3_000] == pytest.approx(ideal, rel=1e-3)
    assert spectrum[3_000] / 48_000**2 == pytest.approx(1.0, abs=0.02)


def test_dc_and_clip() -> None:
    block = IqBlock(noise(1_000, 9), RATE, 0)
    np.testing.assert_allclose(DcOffset(0.25 - 0.5j).process(block).samples - block.samples, 0.25 - 0.5j, atol=1e-6)
    clipped = Clip(0.2).process(block).samples.view(np.float32)
    np.testing.assert_array_equal(clipped, np.clip(block.samples.view(np.float32), -0.2, 0.2, dtype=np.float32))


def test_eight_bits_are_those_of_a_cu8_recording() -> None:
    block = IqBlock(noise(10_000, 10, 0.6), RATE, 0)
    once = Quantise("cu8").process(block)
    steps = once.samples.view(np.float32) * 128 + 127.5
    np.testing.assert_array_equal(steps, np.rint(steps))
    assert steps.min() == 0 and steps.max() == 255
    raw, _ = from_complex(block.samples, sample_type("cu8"))
    np.testing.assert_array_equal(raw, steps.astype(np.uint8))
    np.testing.assert_array_equal(Quantise("cu8").process(once).samples, once.samples)


@pytest.mark.parametrize(("offset", "drift"), [(200.0, 0.0), (-1_500.0, 0.0), (50.0, 400.0)])
def test_frequency_and_drift(offset: float, drift: float) -> None:
    out = FrequencyOffset(RATE, offset, drift).process(IqBlock(line(0, 2 * RATE), RATE, 0)).samples
    phase = np.unwrap(np.angle(out.astype(np.complex128)))
    hz = np.diff(phase) * RATE / (2 * np.pi)
    t = np.arange(1, 2 * RATE) / RATE
    np.testing.assert_allclose(hz, offset + drift * t, atol=0.02)


def test_a_second_ray_is_late_turned_and_shifted() -> None:
    delay, f = 61.7e-6, 5_000
    x = line(f, 48_000)
    out = all_of(TwoRay(RATE, delay, -6, 40, 2.5), [IqBlock(x, RATE, 0)]).samples.astype(np.complex128)
    t = np.arange(48_000) / RATE
    echo = 10 ** (-6 / 20) * np.exp(1j * (np.radians(40) + 2 * np.pi * (2.5 * t - f * delay)))
    steady = slice(100, -100)
    np.testing.assert_allclose((out / x)[steady], (1 + echo)[steady], atol=3e-4)


def test_equal_rays_notch_the_band() -> None:
    out = TwoRay(RATE, 50e-6, 0, 0).process(IqBlock(line(10_000, 4_800), RATE, 0)).samples
    # Half a period late at 10 kHz: gone.
    assert level_db(out[200:]) < -60


def test_fading_has_the_statistics_of_its_name() -> None:
    rate, doppler, n = 1_000, 10.0, 200_000
    gains = [Rayleigh(rate, doppler, seed).gain(np.arange(n, dtype=np.int64)) for seed in range(8)]
    power = np.concatenate([np.abs(g) ** 2 for g in gains])
    assert power.mean() == pytest.approx(1.0, abs=0.03)
    # P(|h|² < x) = 1 − e^(−x): shares below −10 and −20 dB.
    for below in (0.1, 0.01):
        assert np.mean(power < below) == pytest.approx(1 - np.exp(-below), rel=0.12)
    # Level crossings per second at the mean power: √2π · f · e^(−1) (Jakes, Microwave Mobile Communications, 1974).
    crossings = np.mean([np.sum((np.abs(g[:-1]) < 1) & (np.abs(g[1:]) >= 1)) for g in gains]) * rate / n
    assert crossings == pytest.approx(np.sqrt(2 * np.pi) * doppler * np.exp(-1), rel=0.08)
    # Autocorrelation J₀(2π f τ): its first zero at 2πfτ = 2.405, its minimum −0.403 at 3.83.
    for angle, j0 in ((2.405, 0.0), (3.832, -0.4028)):
        lag = round(angle / (2 * np.pi * doppler) * rate)
        measured = np.mean([np.mean(g[lag:] * g[:-lag].conj()).real for g in gains])
        assert measured == pytest.approx(j0, abs=0.05)


@given(
    st.lists(st.tuples(st.integers(0, 2_000), st.integers(1, 300)), max_size=6),
    st.integers(0, 500),
    st.integers(1, 2_000),
    st.integers(0, 10),
)
def test_gaps_lose_exactly_their_places(places: list[tuple[int, int]], index: int, n: int, seed: int) -> None:
    try:
        stage = SampleGaps(sorted(places))
    except RangeError:
        return
    lost = {i for a, length in places for i in range(a, a + length)}
    block = IqBlock(np.arange(n).astype(np.complex64), RATE, index)
    for parts in (stage.process(block), [q for p in cut(block, seed) for q in stage.process(p)]):
        kept = [i for p in parts for i in range(p.index, p.end)]
        assert kept == [i for i in range(index, index + n) if i not in lost]
        for p in parts:
            assert len(p.samples)
            np.testing.assert_array_equal(p.samples.real, np.arange(p.index - index, p.end - index))


def test_random_gaps_are_as_many_as_asked_and_apart() -> None:
    places = random_gaps(100_000, 20, 700, seed=5)
    assert places == random_gaps(100_000, 20, 700, seed=5) != random_gaps(100_000, 20, 700, seed=6)
    kept = SampleGaps(places).process(IqBlock(np.zeros(100_000, np.complex64), RATE, 0))
    assert len(kept) == 21
    assert 100_000 - sum(len(p.samples) for p in kept) == sum(length for _, length in places)
    assert random_gaps(100, 0, 5, seed=1) == []


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Awgn(RATE, 10, 50_000, seed=1), "bandwidth"),
        (lambda: Awgn(RATE, 10, 5_000, tilt_db=30, seed=1), "tilt"),
        (lambda: IqImbalance(30, 0), "imbalance"),
        (lambda: DcOffset(2), "full scale"),
        (lambda: Clip(0), "over 0"),
        (lambda: Quantise("cu7"), "not known"),
        (lambda: SampleGaps([(0, 0)]), "at least 1"),
        (lambda: SampleGaps([(0, 10), (5, 10)]), "does not lie after"),
        (lambda: random_gaps(100, 10, 9, seed=1), "do not fit"),
        (lambda: FrequencyOffset(RATE, 30_000), "half the rate"),
        (lambda: Rayleigh(RATE, 0, 1), "Doppler"),
        (lambda: TwoRay(RATE, 0.01), "later"),
        (lambda: TwoRay(RATE, 0, 100), "within"),
    ],
)
def test_settings_out_of_range_are_refused(make: Callable[[], object], message: str) -> None:
    with pytest.raises(DspError, match=message):
        make()
