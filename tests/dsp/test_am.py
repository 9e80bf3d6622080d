"""Is the AM detector its twin, is it clean, and does an over begin well whatever went before?"""

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import signal

from dsp.blocks import BasebandBlock
from dsp.demod.am import AmDemodulator
from dsp.errors import RangeError, RateError, ShapeError
from tests.reference import am as twin

RATE = 24_000


def station(
    depth: float, tone_hz: float = 1000.0, seconds: float = 1.0, level: float = 0.1, offset_hz: float = 0.0
) -> NDArray[np.complex64]:
    """(n,) a carrier of `level` with a tone on it, `offset_hz` from the channel's centre."""
    t = np.arange(round(seconds * RATE)) / RATE
    x = level * np.maximum(1 + depth * np.sin(2 * np.pi * tone_hz * t), 0) * np.exp(2j * np.pi * offset_hz * t)
    return np.asarray(x, np.complex64)


def hear(x: NDArray[np.complex64]) -> NDArray[np.float32]:
    """Audio of one row, aligned with the input; the last `delay` samples are missing."""
    bank = AmDemodulator(1, RATE)
    return bank.process(BasebandBlock(x[None], RATE, 0)).samples[0, bank.delay :]


def distortion(audio: NDArray[np.floating], tone_hz: float) -> float:
    """Everything but the tone and DC, over the tone, in the last second's whole periods."""
    y = audio[-RATE // 2 :].astype(np.float64)
    t = np.arange(len(y)) / RATE
    basis = np.array([np.ones(len(y)), np.cos(2 * np.pi * tone_hz * t), np.sin(2 * np.pi * tone_hz * t)]).T
    fit = basis @ np.linalg.lstsq(basis, y, rcond=None)[0]
    return float(np.std(y - fit) / np.std(fit))


def scene() -> NDArray[np.complex64]:
    rng = np.random.default_rng(1)
    noise = 0.003 * (rng.standard_normal((2, 12_000)) + 1j * rng.standard_normal((2, 12_000)))
    x = noise.astype(np.complex64)
    x[0, 3000:9000] += station(0.8, 700, 0.25)
    x[1, :2000] += station(0.5, 700, 2000 / RATE, 0.9)
    return x


def test_is_its_twin() -> None:
    x = scene()
    got = AmDemodulator(2, RATE).process(BasebandBlock(x, RATE, 0)).samples
    for row in range(2):
        # float32 of the envelope; the decisions fall on the same samples.
        np.testing.assert_allclose(got[row], twin.row(x[row], RATE), atol=1e-5)


@pytest.mark.parametrize("offset_hz", [0.0, 2000.0, -2000.0])
@pytest.mark.parametrize("tone_hz", [300.0, 1000.0, 2500.0])
def test_distortion_under_2_percent_at_80_percent(tone_hz: float, offset_hz: float) -> None:
    audio = hear(station(0.8, tone_hz, offset_hz=offset_hz))
    assert distortion(audio, tone_hz) < 0.006  # stated: 0.5 % at 300 Hz
    assert np.std(audio[-RATE // 2 :]) * np.sqrt(2) == pytest.approx(0.8, rel=0.02)


@pytest.mark.parametrize(("filter_hz", "tone_hz"), [(8_000.0, 1000.0), (5_600.0, 1000.0), (5_600.0, 2000.0)])
def test_distortion_through_the_channel_filters(filter_hz: float, tone_hz: float) -> None:
    """25 kHz and 8.33 kHz channels, 40 dB of C/N: noise counts as distortion here, 1 % of it is 40 dB."""
    rng = np.random.default_rng(2)
    x = station(0.8, tone_hz, 2.0, level=1.0)
    noise = 10 ** (-50 / 20) * (rng.standard_normal(len(x)) + 1j * rng.standard_normal(len(x))) / np.sqrt(2)
    taps = signal.firwin(121, filter_hz / 2, window=("kaiser", 8.0), fs=RATE)
    audio = hear(signal.fftconvolve(x + noise, taps, "same").astype(np.complex64))
    assert distortion(audio, tone_hz) < 0.02


def test_overmodulation_stays_in_bounds() -> None:
    audio = hear(station(2.0, 500))
    assert audio.min() >= -1
    assert audio.max() <= 2


@pytest.mark.parametrize("before", [0.0, 0.001, 0.9])
def test_an_over_begins_at_full_level_without_a_thump(before: float) -> None:
    """Silence, noise, or a station 19 dB stronger that stopped 30 ms ago: the over sounds right from its first 5 ms."""
    rng = np.random.default_rng(3)
    n = 12_000
    head = before * (rng.standard_normal(n) + 1j * rng.standard_normal(n)) / np.sqrt(2)
    if before > 0.5:
        head = before * np.ones(n, complex)
        head[-720:] = 0.001
    over = station(0.8, 1000, 0.5, 0.1)
    audio = hear(np.concatenate([head, over]).astype(np.complex64))[n:]
    expected = 0.8 * np.sin(2 * np.pi * 1000 * np.arange(len(audio)) / RATE)
    assert np.abs(audio[120:1200] - expected[120:1200]).max() < 0.25
    assert np.abs(audio[:120]).max() < 1.3  # the same tone, and no spike


def test_fading_is_followed() -> None:
    """10 dB of flutter at 2 Hz leaves the tone within 3 dB."""
    t = np.arange(2 * RATE) / RATE
    fade = 10 ** (-(5 - 5 * np.cos(2 * np.pi * 2 * t)) / 20)
    audio = hear((station(0.5, 1000, 2.0) * fade).astype(np.complex64))
    blocks = audio[RATE : RATE + 80 * 240].reshape(-1, 240).astype(np.float64)
    level = blocks.std(axis=1) * np.sqrt(2)
    assert np.abs(20 * np.log10(level / 0.5)).max() < 3


def test_any_cut_gives_the_same_bits_and_rows_do_not_meet() -> None:
    rng = np.random.default_rng(4)
    x = scene()
    x.flags.writeable = False
    expected = AmDemodulator(2, RATE).process(BasebandBlock(x, RATE, 7)).samples
    for size in (1, 9, 240, 1000):
        bank, got, at = AmDemodulator(2, RATE), [], 0
        n = 4000 if size == 1 else x.shape[1]
        while at < n:
            step = min(int(rng.integers(0, size + 1)) if size > 1 else 1, n - at)
            block = bank.process(BasebandBlock(x[:, at : at + step], RATE, at + 7))
            assert block.index == at + 7 - bank.delay
            got.append(block.samples)
            at += step
        np.testing.assert_array_equal(np.concatenate(got, axis=1), expected[:, :n])
    alone = AmDemodulator(1, RATE).process(BasebandBlock(x[1:], RATE, 7)).samples
    np.testing.assert_array_equal(alone[0], expected[1])


def test_resets() -> None:
    x = scene()
    bank = AmDemodulator(2, RATE)
    first = bank.process(BasebandBlock(x, RATE, 0)).samples
    bank.reset_row(0)
    again = bank.process(BasebandBlock(x, RATE, x.shape[1])).samples
    np.testing.assert_array_equal(again[0], first[0])
    assert not np.array_equal(again[1], first[1])
    after_gap = bank.process(BasebandBlock(x, RATE, 10 * x.shape[1])).samples
    np.testing.assert_array_equal(after_gap, first)
    bank.reset()
    np.testing.assert_array_equal(bank.process(BasebandBlock(x, RATE, 0)).samples, first)


@pytest.mark.parametrize("bad", [np.nan, np.inf, 1e30])
def test_no_number_counts_as_zero(bad: float) -> None:
    x = scene()
    y = x.copy()
    x[:, 5000:5010] = 0
    y[:, 5000:5010] = bad
    clean = AmDemodulator(2, RATE).process(BasebandBlock(x, RATE, 0)).samples
    np.testing.assert_array_equal(AmDemodulator(2, RATE).process(BasebandBlock(y, RATE, 0)).samples, clean)


def test_wrong_calls_say_what_is_right() -> None:
    with pytest.raises(RangeError):
        AmDemodulator(0, RATE)
    with pytest.raises(RateError, match="8000"):
        AmDemodulator(1, 100)
    bank = AmDemodulator(2, RATE)
    assert bank.process(BasebandBlock(np.zeros((2, 0), np.complex64), RATE, 0)).samples.shape == (2, 0)
    with pytest.raises(ShapeError, match=r"\(2, n\)"):
        bank.process(BasebandBlock(np.zeros((1, 5), np.complex64), RATE, 0))
    with pytest.raises(RateError, match="24000"):
        bank.process(BasebandBlock(np.zeros((2, 5), np.complex64), 48_000, 0))
