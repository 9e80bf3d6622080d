"""Is the leveler its twin, do quiet and loud come out alike, and does nothing come out too loud?"""

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import signal

from dsp.blocks import RowBlock
from dsp.errors import RangeError, RateError, ShapeError
from dsp.level import CEILING_DBFS, TARGET_DBFS, SpeechLeveler
from tests.reference import level as twin

CEILING = np.float32(10 ** (CEILING_DBFS / 20))


def talk(seconds: float, level_dbfs: float = -20.0, seed: int = 1) -> NDArray[np.float32]:
    """Like speech: noise of 300–3000 Hz in syllables of 4 Hz, words with pauses; (n,), RMS of the words as stated."""
    rng = np.random.default_rng(seed)
    n = round(seconds * 8000)
    t = np.arange(n) / 8000
    noise = signal.lfilter(*signal.butter(2, [300, 3000], "band", fs=8000), rng.standard_normal(n))
    syllables = 0.15 + np.sin(2 * np.pi * 2 * t) ** 2
    words = (t % 1.0 < 0.7).astype(float)
    x = noise * syllables * words
    return np.asarray(x * 10 ** (level_dbfs / 20) / np.sqrt(np.mean(x[words > 0] ** 2)), np.float32)


def run(x: NDArray[np.float32]) -> NDArray[np.float32]:
    """One row, aligned with the input."""
    bank = SpeechLeveler(1)
    padded = np.append(x, np.zeros(bank.delay, np.float32))[None]
    return bank.process(RowBlock(padded, 8000, 0)).samples[0, bank.delay :]


def words_dbfs(y: NDArray[np.floating], begin_s: int, end_s: int) -> float:
    t = np.arange(len(y)) / 8000
    inside = (t % 1.0 < 0.7) & (t >= begin_s) & (t < end_s)
    return float(10 * np.log10(np.mean(y[inside].astype(np.float64) ** 2)))


@pytest.mark.parametrize("level_dbfs", [-40.0, -20.0, 3.0])
def test_is_its_twin(level_dbfs: float) -> None:
    x = talk(1.5, level_dbfs)
    got = SpeechLeveler(1).process(RowBlock(x[None], 8000, 0)).samples[0]
    # float32 output up to 0.9, gain kept as a running sum.
    np.testing.assert_allclose(got, twin.row(x), atol=2e-6)


def test_quiet_and_loud_come_out_alike() -> None:
    levels = {}
    for level_dbfs in (-40.0, -32.0, -20.0, -8.0):
        y = run(talk(6.0, level_dbfs))
        levels[level_dbfs] = [words_dbfs(y, 1, 2), words_dbfs(y, 2, 6)]
    second, later = np.array(list(levels.values())).T
    assert np.ptp(second) < 1.5, levels
    assert np.ptp(later) < 0.5, levels
    assert np.abs(later - TARGET_DBFS).max() < 1.5, levels


@pytest.mark.parametrize("level_dbfs", [-8.0, 0.0, 4.0])
def test_first_syllable_is_neither_lost_nor_blasted(level_dbfs: float) -> None:
    """From the start, and after a quiet system's gain: within 50 ms at no more than 8 dB over the target."""
    loud = talk(1.0, level_dbfs, seed=2)
    for head in (np.zeros(0, np.float32), talk(4.0, -44.0)):
        y = run(np.concatenate([head, loud]))[len(head) :]
        assert np.abs(y).max() <= CEILING
        assert 10 * np.log10(np.mean(y[400:1600].astype(np.float64) ** 2)) < TARGET_DBFS + 8
        assert 10 * np.log10(np.mean(y[:1600].astype(np.float64) ** 2)) > TARGET_DBFS - 8


def test_noise_is_never_pumped_up() -> None:
    """10 s of steady hiss at -45 dBFS, alone and in the pauses of a talker, keeps its level to the talker's."""
    rng = np.random.default_rng(5)
    hiss = (10 ** (-45 / 20) * rng.standard_normal(80_000)).astype(np.float32)
    bank = SpeechLeveler(1)
    y = bank.process(RowBlock(hiss[None], 8000, 0)).samples[0]
    assert 10 * np.log10(np.mean(y[-8000:] ** 2)) < -44
    x = hiss.copy()
    x[:24_000] += talk(3.0, -20.0)
    after = run(x)
    gain_in_speech = words_dbfs(after[:24_000], 1, 3) - -20.0
    gain_in_hiss = 10 * np.log10(np.mean(after[-16_000:].astype(np.float64) ** 2)) + 45
    assert abs(gain_in_hiss - gain_in_speech) < 1.0


def test_a_row_told_not_to_adapt_keeps_its_gain() -> None:
    bank = SpeechLeveler(2)
    x = np.stack([talk(3.0, -36.0)] * 2)
    bank.process(RowBlock(x, 8000, 0), np.array([True, False]))
    gain = bank.meters().gain_db
    assert gain[0] > 12
    assert gain[1] == 0.0


def test_gain_is_kept_from_over_to_over_and_lost_with_the_row() -> None:
    bank = SpeechLeveler(2)
    x = np.stack([talk(4.0, -38.0)] * 2)
    bank.process(RowBlock(x, 8000, 0))
    block = bank.process(RowBlock(x[:, :4000], 8000, 100_000))
    assert block.index == 100_000 - bank.delay
    assert words_dbfs(block.samples[0, bank.delay :], 0, 1) > TARGET_DBFS - 3
    assert not block.samples[:, : bank.delay].any()  # nothing of the last over
    bank.reset_row(1)
    gain = bank.meters().gain_db
    assert gain[0] > 15
    assert gain[1] == 0.0


def test_tone_is_clean() -> None:
    """1 kHz (1003 Hz, so that rounding does not repeat) at -6 dBFS, settled: distortion under 0.1 %."""
    x = (0.5 * np.sin(2 * np.pi * 1003 * np.arange(40_000) / 8000)).astype(np.float32)
    y = run(x)[-8000:].astype(np.float64)
    power = np.abs(np.fft.rfft(y)) ** 2
    assert 10 * np.log10((power.sum() - power[1003]) / power[1003]) < -60


@pytest.mark.parametrize("amplitude", [1.0, 5.0, 1000.0])
def test_nothing_above_the_ceiling_and_no_flat_tops(amplitude: float) -> None:
    rng = np.random.default_rng(3)
    x = np.zeros(16_000, np.float32)
    for at in rng.integers(0, 15_000, 40):
        x[at : at + 200] += amplitude * np.sin(2 * np.pi * rng.uniform(300, 3000) * np.arange(200) / 8000)
    y = run(x)
    assert np.abs(y).max() <= CEILING
    flat = (np.abs(y[1:]) == CEILING) & (y[1:] == y[:-1])
    assert not flat.any()


def test_meters_tell_what_came_out() -> None:
    bank = SpeechLeveler(2)
    x = np.zeros((2, 8000), np.float32)
    x[0] = 0.1 * np.sin(2 * np.pi * 1000 * np.arange(8000) / 8000)
    y = bank.process(RowBlock(x, 8000, 0)).samples
    meters = bank.meters()
    assert meters.rms_dbfs[0] == pytest.approx(10 * np.log10(np.mean(y[0].astype(np.float64) ** 2)))
    assert meters.peak_dbfs[0] == pytest.approx(20 * np.log10(np.abs(y[0]).max()))
    assert meters.rms_dbfs[1] == -np.inf
    assert (bank.meters().peak_dbfs == -np.inf).all()


def test_any_cut_gives_the_same_bits_and_rows_do_not_meet() -> None:
    rng = np.random.default_rng(4)
    x = np.stack([talk(1.0, level, seed) for seed, level in enumerate((-40.0, -20.0, 5.0))])
    x.flags.writeable = False
    expected = SpeechLeveler(3).process(RowBlock(x, 8000, 3)).samples
    for size in (1, 9, 160, 1000):
        bank, got, at = SpeechLeveler(3), [], 0
        while at < x.shape[1]:
            step = min(int(rng.integers(0, size + 1)) if size > 1 else 1, x.shape[1] - at)
            block = bank.process(RowBlock(x[:, at : at + step], 8000, at + 3))
            assert block.index == at + 3 - bank.delay
            got.append(block.samples)
            at += step
        np.testing.assert_array_equal(np.concatenate(got, axis=1), expected)
    alone = SpeechLeveler(1).process(RowBlock(x[2:], 8000, 3)).samples
    np.testing.assert_array_equal(alone[0], expected[2])
    bank.reset()
    np.testing.assert_array_equal(bank.process(RowBlock(x, 8000, 3)).samples, expected)


@pytest.mark.parametrize("bad", [np.nan, np.inf, 1e30])
def test_no_number_counts_as_zero(bad: float) -> None:
    x = talk(1.0)[None].copy()
    y = x.copy()
    x[0, 500:510] = 0
    y[0, 500:510] = bad
    clean = SpeechLeveler(1).process(RowBlock(x, 8000, 0)).samples
    np.testing.assert_array_equal(SpeechLeveler(1).process(RowBlock(y, 8000, 0)).samples, clean)


def test_wrong_calls_say_what_is_right() -> None:
    with pytest.raises(RangeError):
        SpeechLeveler(0)
    bank = SpeechLeveler(2)
    assert bank.process(RowBlock(np.zeros((2, 0), np.float32), 8000, 0)).samples.shape == (2, 0)
    with pytest.raises(ShapeError, match=r"float32 \(2, n\)"):
        bank.process(RowBlock(np.zeros((3, 5), np.float32), 8000, 0))
    with pytest.raises(ShapeError, match=r"bool \(2,\)"):
        bank.process(RowBlock(np.zeros((2, 5), np.float32), 8000, 0), np.array([True]))
    with pytest.raises(RateError, match="8000"):
        bank.process(RowBlock(np.zeros((2, 5), np.float32), 24_000, 0))
