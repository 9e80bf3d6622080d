"""Is the FM demodulator the same function as its twin, however it is cut, and what does it do at the edges?"""

import numpy as np
import pytest
from numpy.typing import NDArray

import dsp.design
from dsp.blocks import BasebandBlock
from dsp.demod.fm import HALF_S, FmDemodulator, narrow_width_hz
from dsp.errors import RangeError, RateError, ShapeError
from tests.dsp.radio import RATE, fm_channel, tone
from tests.reference import fm as twin

DEVIATION = 2_500.0


def whole(bank: FmDemodulator, x: NDArray[np.complex64], index: int = 0) -> NDArray[np.float32]:
    return bank.process(BasebandBlock(x, RATE, index)).samples


@pytest.fixture(scope="module")
def rows() -> NDArray[np.complex64]:
    """Strong, near the threshold, and noise alone."""
    m = tone(1000, 1500, 0.4)
    return np.array([fm_channel(m, cn, seed) for seed, cn in enumerate((40.0, 6.0, -40.0))])


def test_is_its_twin(rows: NDArray[np.complex64]) -> None:
    half = round(HALF_S * RATE)
    taps = dsp.design.lowpass(narrow_width_hz(DEVIATION) / 2, RATE, 2 * half + 1, 36.0)
    got = whole(FmDemodulator(3, RATE, DEVIATION), rows)
    for row in range(3):
        expected, share = twin.row(rows[row], RATE, taps.astype(np.float32).astype(np.float64))
        wrapped = np.abs(got[row] - expected)
        wrapped = np.minimum(wrapped, np.abs(RATE - wrapped))  # +π and -π are one angle
        # float32 noise of a sum of 41 products against the magnitude of the sample; deep fades of noise are worst.
        assert np.quantile(wrapped, 0.99) < 0.5
        assert np.median(wrapped) < 0.01
        assert (share.max() > 0.9) == (row == 1)


def test_angle_is_accurate() -> None:
    step = np.random.default_rng(3).uniform(-np.pi, np.pi, 20_000)
    x = np.exp(1j * np.cumsum(step)).astype(np.complex64)[None]
    got = whole(FmDemodulator(1, RATE, DEVIATION, threshold_extension=False), x)[0]
    expected = twin.discriminator(x[0].astype(np.complex128), RATE)
    # 1e-6 rad: the polynomial is good to 1.5e-7, float32 products of unit vectors add about 2e-7.
    assert np.abs(got - expected).max() * 2 * np.pi / RATE < 1e-6


@pytest.mark.parametrize("extension", [True, False])
def test_any_cut_gives_the_same_bits(rows: NDArray[np.complex64], extension: bool) -> None:
    rng = np.random.default_rng(5)
    expected = whole(FmDemodulator(3, RATE, DEVIATION, extension), rows)
    for size in (1, 7, 48, 500):
        bank, got, at = FmDemodulator(3, RATE, DEVIATION, extension), [], 0
        n = 1500 if size == 1 else rows.shape[1]
        while at < n:
            step = int(rng.integers(0, size + 1)) if size > 1 else 1
            block = bank.process(BasebandBlock(rows[:, at : min(at + step, n)], RATE, at))
            assert block.index == at - bank.delay
            got.append(block.samples)
            at = min(at + step, n)
        np.testing.assert_array_equal(np.concatenate(got, axis=1), expected[:, :n])


def test_rows_do_not_meet_and_reset_alone(rows: NDArray[np.complex64]) -> None:
    together = whole(FmDemodulator(3, RATE, DEVIATION), rows)
    for row in range(3):
        np.testing.assert_array_equal(whole(FmDemodulator(1, RATE, DEVIATION), rows[row : row + 1])[0], together[row])
    bank = FmDemodulator(3, RATE, DEVIATION)
    first = whole(bank, rows)
    bank.reset_row(1)
    again = bank.process(BasebandBlock(rows, RATE, rows.shape[1])).samples
    np.testing.assert_array_equal(again[1], first[1])
    assert not np.array_equal(again[0, :50], first[0, :50])
    bank.reset()
    np.testing.assert_array_equal(whole(bank, rows), first)


def test_gap_starts_afresh(rows: NDArray[np.complex64]) -> None:
    bank = FmDemodulator(3, RATE, DEVIATION)
    whole(bank, rows[:, :1000])
    block = bank.process(BasebandBlock(rows, RATE, 5000))
    assert block.index == 5000 - bank.delay
    np.testing.assert_array_equal(block.samples, whole(FmDemodulator(3, RATE, DEVIATION), rows))


def test_on_air_time_of_a_step() -> None:
    """A step of the frequency appears where it left the antenna."""
    m = np.where(np.arange(4000) < 2000, -1000.0, 1000.0)
    x = np.exp(2j * np.pi * np.cumsum(m) / RATE).astype(np.complex64)[None]
    block = FmDemodulator(1, RATE, DEVIATION).process(BasebandBlock(x, RATE, 0))
    assert int(np.argmax(block.samples[0, 100:] > 0)) + 100 + block.index == 2000


@pytest.mark.parametrize("bad", [np.nan, np.inf, 1e38])
def test_no_number_is_silence_and_passes(rows: NDArray[np.complex64], bad: float) -> None:
    x = rows.copy()
    x[0, 500] = bad
    x[1, 600:700] = complex(0, bad)
    got = whole(FmDemodulator(3, RATE, DEVIATION), x)
    clean = whole(FmDemodulator(3, RATE, DEVIATION), rows)
    assert np.isfinite(got).all()
    np.testing.assert_array_equal(got[2], clean[2])
    assert np.abs(got[0, 2000:] - clean[0, 2000:]).max() < 1.0


def test_strong_wide_signal_never_meets_the_narrow_filter() -> None:
    """Full deviation at the highest speech frequency: the widest a strong signal gets."""
    x = fm_channel(tone(2_500, 2_500, 1.0), 40.0)[None]
    bank, plain = FmDemodulator(1, RATE, DEVIATION), FmDemodulator(1, RATE, DEVIATION, threshold_extension=False)
    got, expected = whole(bank, x)[0], whole(plain, x)[0]
    np.testing.assert_array_equal(got[bank.delay + 2400 :], expected[2400 : -bank.delay])


def test_read_only_empty_and_single_samples(rows: NDArray[np.complex64]) -> None:
    x = rows.copy()
    x.flags.writeable = False
    bank = FmDemodulator(3, RATE, DEVIATION)
    assert whole(bank, x[:, :0]).shape == (3, 0)
    assert whole(bank, x[:, :1]).tolist() == [[0.0]] * 3
    assert bank.process(BasebandBlock(x[:, 1:2], RATE, 1)).index == 1 - bank.delay


def test_wrong_calls_say_what_is_right() -> None:
    bank = FmDemodulator(2, RATE, [2500.0, 5000.0])
    with pytest.raises(ShapeError, match=r"complex64 \(2, n\)"):
        whole(bank, np.zeros((3, 4), np.complex64))
    with pytest.raises(ShapeError, match="complex128"):
        bank.process(BasebandBlock(np.zeros((2, 4), np.complex128), RATE, 0))
    with pytest.raises(RateError, match="24000"):
        bank.process(BasebandBlock(np.zeros((2, 4), np.complex64), 48_000, 0))
    with pytest.raises(RangeError, match="row 1"):
        FmDemodulator(2, RATE, [2500.0, 0.0])
    with pytest.raises(RangeError):
        FmDemodulator(0, RATE, 2500.0)
    with pytest.raises(RateError):
        FmDemodulator(1, 10, 2.0)
