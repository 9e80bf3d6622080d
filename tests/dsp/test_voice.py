"""Is the speech filter its twin, and does its response keep speech and leave tones behind?"""

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import signal

from dsp import voice
from dsp.blocks import RowBlock
from dsp.errors import RangeError, RateError, ShapeError
from dsp.voice import VoiceFilter, de_emphasis
from tests.reference import voice as twin

EMPHASES: list[voice.Emphasis] = ["none", "nfm", "wfm75", "wfm50"]


def noise(rows: int, n: int, seed: int = 1) -> NDArray[np.float32]:
    return np.random.default_rng(seed).standard_normal((rows, n)).astype(np.float32)


def gain_db(frequency_hz: float, emphasis: voice.Emphasis, rate: int = 24_000) -> float:
    """Gain for a sine, once settled."""
    x = np.sin(2 * np.pi * frequency_hz * np.arange(rate) / rate).astype(np.float32)[None]
    y = VoiceFilter(1, rate, emphasis).process(RowBlock(x, rate, 0)).samples[0, -4000:]
    wave = np.exp(-2j * np.pi * frequency_hz * np.arange(4000) / 8000) * np.hanning(4001)[:-1]
    return float(20 * np.log10(np.abs(y @ wave) / 1000 + 1e-12))


@pytest.mark.parametrize("rate", [16_000, 24_000, 48_000, 240_000])
@pytest.mark.parametrize("emphasis", EMPHASES)
@pytest.mark.parametrize("index", [0, -29, 1_000_001])
def test_is_its_twin(rate: int, emphasis: voice.Emphasis, index: int) -> None:
    x = noise(9, rate // 20)
    block = VoiceFilter(9, rate, emphasis, 0.5).process(RowBlock(x, rate, index))
    for row in (0, 7, 8):
        expected, first = twin.row(x[row], index, rate, emphasis, 0.5)
        assert block.index == first
        # The twin samples the ideal response on another grid (2e-4); float32 sums add 1e-6.
        np.testing.assert_allclose(block.samples[row], expected, atol=5e-4)


def test_high_pass_is_the_elliptic_filter_it_says() -> None:
    sos = signal.ellip(6, 0.8, 47.5, 299.0, "high", output="sos", fs=8000)
    np.testing.assert_allclose(voice.HIGH_PASS, sos[:, [0, 1, 2, 4, 5]], rtol=1e-9)


@pytest.mark.parametrize("emphasis", EMPHASES)
@pytest.mark.parametrize("rate", [16_000, 24_000, 48_000, 240_000])
def test_speech_band_within_1_db_of_the_ideal(emphasis: voice.Emphasis, rate: int) -> None:
    for f in (300.0, 310, 330, 400, 500, 700, 1000, 1500, 2000, 2500, 2800, 3000):
        ideal = 20 * np.log10(de_emphasis(np.array([f]), emphasis)[0])
        assert abs(gain_db(f, emphasis, rate) - ideal) < 1.0, f


@pytest.mark.parametrize("rate", [16_000, 24_000])
def test_takes_back_the_droop_of_a_phase_difference(rate: int) -> None:
    """A phase that swings by a sine, read as its difference from sample to sample, is what its derivative would be."""
    for f in (300.0, 1000.0, 2000.0, 3000.0):
        phase = np.sin(2 * np.pi * f * np.arange(-1, rate) / rate)
        x = (np.diff(phase) * rate / (2 * np.pi * f)).astype(np.float32)[None]
        y = VoiceFilter(1, rate, "nfm", differenced=True).process(RowBlock(x, rate, 0)).samples[0, -4000:]
        wave = np.exp(-2j * np.pi * f * np.arange(4000) / 8000) * np.hanning(4001)[:-1]
        assert 20 * np.log10(np.abs(y @ wave) / 1000) == pytest.approx(gain_db(f, "nfm", rate), abs=0.02), f


def test_sub_audible_tones_are_35_db_under_speech() -> None:
    reference = gain_db(1000, "nfm")
    for f in [67.0, 69.3, 88.5, 100.0, 118.8, 134.4, 141.3, 153.0, 156.7, 179.9, 203.5, 225.7, 241.8, 250.3, 254.1]:
        assert reference - gain_db(f, "nfm") > 35, f


def test_what_folds_is_60_db_down() -> None:
    for f in (4700.0, 5500, 7000, 7500, 8500, 10_000, 11_900):
        assert gain_db(1000, "none") - gain_db_folded(f) > 58, f


def gain_db_folded(frequency_hz: float) -> float:
    x = np.sin(2 * np.pi * frequency_hz * np.arange(24_000) / 24_000).astype(np.float32)[None]
    y = VoiceFilter(1, 24_000, "none").process(RowBlock(x, 24_000, 0)).samples[0, -4000:]
    return float(10 * np.log10(2 * np.mean(y**2) + 1e-12))


def test_speech_keeps_its_time_within_half_a_millisecond() -> None:
    """A burst of 1.2 kHz, centred on index 12000 at 24 kHz, is centred on 4000 at 8 kHz."""
    t = np.arange(24_000) - 12_000
    x = (np.exp(-((t / 400.0) ** 2)) * np.sin(2 * np.pi * 1200 * t / 24_000)).astype(np.float32)[None]
    block = VoiceFilter(1, 24_000, "nfm").process(RowBlock(x, 24_000, 0))
    p = block.samples[0].astype(np.float64) ** 2
    centre = (p * (np.arange(len(p)) + block.index)).sum() / p.sum()
    assert abs(centre - 4000) < 4


@pytest.mark.parametrize("rate", [16_000, 24_000, 240_000])
def test_any_cut_gives_the_same_bits(rate: int) -> None:
    rng = np.random.default_rng(2)
    x = noise(10, 4001)
    x.flags.writeable = False
    expected = VoiceFilter(10, rate, "nfm").process(RowBlock(x, rate, -31))
    for size in (1, 5, 240, 900):
        bank, got, at, index = VoiceFilter(10, rate, "nfm"), [], 0, expected.index
        while at < x.shape[1]:
            step = int(rng.integers(0, size + 1)) if size > 1 else 1
            block = bank.process(RowBlock(x[:, at : at + step], rate, at - 31))
            assert block.index == index
            got.append(block.samples)
            at, index = min(at + step, x.shape[1]), block.end
        np.testing.assert_array_equal(np.concatenate(got, axis=1), expected.samples)


def test_rows_do_not_meet_and_reset_alone() -> None:
    x = noise(10, 3000)
    bank = VoiceFilter(10, 24_000, "nfm", [1.0 + r for r in range(10)])
    together = bank.process(RowBlock(x, 24_000, 0)).samples
    for row in (0, 9):
        alone = VoiceFilter(1, 24_000, "nfm", 1.0 + row).process(RowBlock(x[row : row + 1], 24_000, 0)).samples[0]
        np.testing.assert_array_equal(together[row], alone)
    bank.reset_row(9)
    again = bank.process(RowBlock(x, 24_000, 3000)).samples
    np.testing.assert_array_equal(again[9], together[9])
    assert not np.array_equal(again[8], together[8])
    bank.set_row(8, 2.0)
    third = bank.process(RowBlock(x, 24_000, 6000)).samples
    np.testing.assert_allclose(third[8], together[8] * np.float32(2 / 9), atol=1e-5)
    bank.reset()
    bank.set_row(8, 9.0)
    np.testing.assert_array_equal(bank.process(RowBlock(x, 24_000, 0)).samples, together)


def test_gap_starts_afresh() -> None:
    x = noise(2, 1000)
    bank = VoiceFilter(2, 24_000, "nfm")
    bank.process(RowBlock(x, 24_000, 0))
    after = bank.process(RowBlock(x, 24_000, 3000))
    fresh = VoiceFilter(2, 24_000, "nfm").process(RowBlock(x, 24_000, 3000))
    assert after.index == fresh.index
    np.testing.assert_array_equal(after.samples, fresh.samples)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_no_number_counts_as_zero(bad: float) -> None:
    x = noise(2, 2000)
    y = x.copy()
    x[0, 100:110] = 0
    y[0, 100:110] = bad
    clean = VoiceFilter(2, 24_000, "nfm").process(RowBlock(x, 24_000, 0)).samples
    np.testing.assert_array_equal(VoiceFilter(2, 24_000, "nfm").process(RowBlock(y, 24_000, 0)).samples, clean)


def test_wrong_calls_say_what_is_right() -> None:
    with pytest.raises(RateError, match="nearest is 24000"):
        VoiceFilter(1, 25_000, "nfm")
    with pytest.raises(RangeError, match="wfm75"):
        VoiceFilter(1, 24_000, "wfm")  # type: ignore[arg-type]
    with pytest.raises(RangeError, match="row 1"):
        VoiceFilter(2, 24_000, "nfm", [1.0, 0.0])
    with pytest.raises(RangeError):
        VoiceFilter(0, 24_000, "nfm")
    bank = VoiceFilter(2, 24_000, "nfm")
    with pytest.raises(ShapeError, match=r"float32 \(2, n\)"):
        bank.process(RowBlock(np.zeros((1, 3), np.float32), 24_000, 0))
    with pytest.raises(RateError, match="24000"):
        bank.process(RowBlock(np.zeros((2, 3), np.float32), 8000, 0))
