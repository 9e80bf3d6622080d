"""Is the SSB demodulator its twin, is the audio in place, and does the gain come and go as stated?"""

import numpy as np
import pytest
from numpy.typing import NDArray

from dsp.blocks import BasebandBlock
from dsp.demod.ssb import CENTER_HZ, TARGET, Sideband, SsbDemodulator
from dsp.errors import RangeError, RateError, ShapeError
from tests.reference import ssb as twin

RATE = 24_000


def voice_tone(
    frequency_hz: float, sideband: Sideband, seconds: float = 0.5, level: float = 0.01
) -> NDArray[np.complex64]:
    """(n,) baseband of a tone: the passband's centre is at 0 Hz."""
    t = np.arange(round(seconds * RATE)) / RATE
    f = frequency_hz - CENTER_HZ if sideband == "usb" else CENTER_HZ - frequency_hz
    return np.asarray(level * np.exp(2j * np.pi * f * t), np.complex64)


def scene() -> NDArray[np.complex64]:
    rng = np.random.default_rng(1)
    x = (rng.standard_normal((2, 20_000)) + 1j * rng.standard_normal((2, 20_000))) * 1e-4
    x[0, 2000:5000] = voice_tone(800, "usb", 3000 / RATE)
    x[1, :3000] = voice_tone(500, "lsb", 3000 / RATE, 0.5)
    return np.asarray(x, np.complex64)


@pytest.mark.parametrize("index", [0, 5, -3, 10**9 + 1])
def test_is_its_twin(index: int) -> None:
    x = scene()
    got = SsbDemodulator(2, RATE, ["usb", "lsb"]).process(BasebandBlock(x, RATE, index)).samples
    sides: list[Sideband] = ["usb", "lsb"]
    for row, side in enumerate(sides):
        # float32 of audio up to 1.0, oscillator table in float32.
        np.testing.assert_allclose(got[row], twin.row(x[row], index, RATE, side), atol=2e-6)


@pytest.mark.parametrize("sideband", ["usb", "lsb"])
@pytest.mark.parametrize("frequency_hz", [300.0, 1000.0, 2700.0])
def test_audio_is_where_it_was_spoken(frequency_hz: float, sideband: Sideband) -> None:
    bank = SsbDemodulator(1, RATE, sideband)
    audio = bank.process(BasebandBlock(voice_tone(frequency_hz, sideband)[None], RATE, 0)).samples[0, bank.delay :]
    expected = TARGET * np.cos(2 * np.pi * frequency_hz * np.arange(len(audio)) / RATE)
    assert np.abs(audio[600:] - expected[600:]).max() < 1e-3  # in time, frequency, phase and level


def test_gain_control_attacks_before_the_syllable_hangs_and_decays() -> None:
    parts = [voice_tone(1000, "usb", 0.5, level) for level in (0.001, 0.5)] + [voice_tone(1000, "usb", 2.0, 0.005)]
    bank = SsbDemodulator(1, RATE)
    audio = bank.process(BasebandBlock(np.concatenate(parts)[None], RATE, 0)).samples[0, bank.delay :]
    level = np.abs(audio[: len(audio) // 240 * 240]).reshape(-1, 240).max(axis=1)  # per 10 ms
    loud = level[50:100]
    assert loud.max() < 1.1 * TARGET  # 54 dB louder at once, and no blast
    assert level[48] > 0.5 * loud.max() or level[47] > 0.5 * loud.max()
    assert level[101:129].max() < 0.011 * TARGET  # hang: 300 ms at the gain of what was loud
    assert level[225:].min() > 0.9 * TARGET  # 40 dB weaker is at full level 1.25 s later


def test_any_cut_gives_the_same_bits_and_rows_do_not_meet() -> None:
    rng = np.random.default_rng(4)
    x = scene()
    x.flags.writeable = False
    expected = SsbDemodulator(2, RATE, ["usb", "lsb"]).process(BasebandBlock(x, RATE, -7)).samples
    for size in (1, 9, 240, 1000):
        bank, got, at = SsbDemodulator(2, RATE, ["usb", "lsb"]), [], 0
        n = 4000 if size == 1 else x.shape[1]
        while at < n:
            step = min(int(rng.integers(0, size + 1)) if size > 1 else 1, n - at)
            block = bank.process(BasebandBlock(x[:, at : at + step], RATE, at - 7))
            assert block.index == at - 7 - bank.delay
            got.append(block.samples)
            at += step
        np.testing.assert_array_equal(np.concatenate(got, axis=1), expected[:, :n])
    alone = SsbDemodulator(1, RATE, "lsb").process(BasebandBlock(x[1:], RATE, -7)).samples
    np.testing.assert_array_equal(alone[0], expected[1])


def test_resets() -> None:
    x = scene()
    bank = SsbDemodulator(2, RATE, "usb")
    first = bank.process(BasebandBlock(x, RATE, 0)).samples
    bank.reset_row(0)
    again = bank.process(BasebandBlock(x, RATE, x.shape[1])).samples  # 20000 is a whole number of periods (16)
    np.testing.assert_array_equal(again[0], first[0])
    assert not np.array_equal(again[1], first[1])
    after_gap = bank.process(BasebandBlock(x, RATE, 10 * x.shape[1])).samples
    np.testing.assert_array_equal(after_gap, first)
    bank.set_row(1, "lsb")
    lower = SsbDemodulator(2, RATE, "lsb").process(BasebandBlock(x, RATE, 11 * x.shape[1])).samples
    np.testing.assert_array_equal(bank.process(BasebandBlock(x, RATE, 11 * x.shape[1])).samples[1], lower[1])


@pytest.mark.parametrize("bad", [np.nan, np.inf, 1e30])
def test_no_number_counts_as_zero(bad: float) -> None:
    x = scene()
    y = x.copy()
    x[:, 4000:4010] = 0
    y[:, 4000:4010] = bad
    clean = SsbDemodulator(2, RATE).process(BasebandBlock(x, RATE, 0)).samples
    np.testing.assert_array_equal(SsbDemodulator(2, RATE).process(BasebandBlock(y, RATE, 0)).samples, clean)


def test_wrong_calls_say_what_is_right() -> None:
    with pytest.raises(RangeError):
        SsbDemodulator(0, RATE)
    with pytest.raises(RangeError, match='"usb" and "lsb"'):
        SsbDemodulator(1, RATE, "am")  # type: ignore[arg-type]
    with pytest.raises(RangeError, match="1 sidebands for 2 rows"):
        SsbDemodulator(2, RATE, ["usb"])
    with pytest.raises(RateError, match="multiples of 100"):
        SsbDemodulator(1, 24_001)
    bank = SsbDemodulator(2, RATE)
    assert bank.process(BasebandBlock(np.zeros((2, 0), np.complex64), RATE, 0)).samples.shape == (2, 0)
    with pytest.raises(ShapeError, match=r"\(2, n\)"):
        bank.process(BasebandBlock(np.zeros((1, 5), np.complex64), RATE, 0))
    with pytest.raises(RateError, match="24000"):
        bank.process(BasebandBlock(np.zeros((2, 5), np.complex64), 48_000, 0))
