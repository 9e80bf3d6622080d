"""The forward transform against NumPy's in float64."""

import numpy as np
import pytest
from numpy.typing import NDArray

from dsp.errors import RangeError, ShapeError
from dsp.fft import ForwardFft, is_length, lane_plan, split
from tests.reference.fft import forward

# Every radix (2 3 4 5 6 8 10 and 7 11 13 by the general butterfly), sides that 16 divides and sides that it does not.
LENGTHS = (572, 600, 800, 900, 1200, 1500, 1792, 3125, 4576, 12_800, 25_600, 30_000, 40_000)
# float32 butterflies: −122 to −130 dB of the largest error against the mean bin, at all lengths.
ERROR_DB = -118.0

EMPTY = np.zeros(0, dtype=np.complex64)


def noise(n: int) -> NDArray[np.complex64]:
    rng = np.random.default_rng(n)
    return (rng.standard_normal(n) + 1j * rng.standard_normal(n)).astype(np.complex64)


def spectrum(fft: ForwardFft) -> NDArray[np.complex128]:
    return np.asarray(fft.re + 1j * fft.im, dtype=np.complex128)


@pytest.mark.parametrize("n", LENGTHS)
def test_agrees_with_twin(n: int) -> None:
    x = noise(n)
    fft = ForwardFft(n, margin=n // 2)
    fft.run(EMPTY, 0, x, 0)
    expected = forward(x)
    error = np.abs(spectrum(fft)[n // 2 : n // 2 + n] - expected).max() / np.sqrt((np.abs(expected) ** 2).mean())
    assert 20 * np.log10(error) < ERROR_DB


def test_margins_continue_the_band() -> None:
    n, margin = 1200, 150
    fft = ForwardFft(n, margin)
    fft.run(EMPTY, 0, noise(n), 0)
    x = spectrum(fft)
    assert np.array_equal(x[:margin], x[n : n + margin])
    assert np.array_equal(x[margin + n :], x[margin : 2 * margin])


def test_margins_are_filled_as_far_as_they_are_wanted() -> None:
    n, margin, reach = 1200, 150, 20
    fft, whole = ForwardFft(n, margin), ForwardFft(n, margin)
    fft.reach = reach
    for transform in (fft, whole):
        transform.run(EMPTY, 0, noise(n), 0)
    near = slice(margin - reach, margin + n + reach)
    assert np.array_equal(spectrum(fft)[near], spectrum(whole)[near])
    assert not spectrum(fft)[: margin - reach].any() and not spectrum(fft)[margin + n + reach :].any()
    with pytest.raises(RangeError, match="151"):
        fft.reach = 151


@pytest.mark.parametrize("cut", (0, 1, 29, 30, 31, 450, 899, 900))
def test_input_in_two_pieces_gives_the_same_bits(cut: int) -> None:
    x = noise(1000)
    whole, pieces = ForwardFft(900), ForwardFft(900)
    whole.run(EMPTY, 0, x, 57)
    head = np.concatenate([x[:cut], np.full(5, np.nan, dtype=np.complex64)])
    pieces.run(head, cut, x[cut:].copy(), 57)
    assert np.array_equal(whole.re, pieces.re)
    assert np.array_equal(whole.im, pieces.im)


def test_read_only_input() -> None:
    x = noise(600)
    x.flags.writeable = False
    fft = ForwardFft(600)
    fft.run(EMPTY, 0, x, 0)
    assert np.all(np.isfinite(fft.re))


def test_nan_reaches_every_bin_and_no_later_transform() -> None:
    x = noise(600)
    fft, fresh = ForwardFft(600), ForwardFft(600)
    fresh.run(EMPTY, 0, x, 0)
    bad = x.copy()
    bad[17] = np.nan
    fft.run(EMPTY, 0, bad, 0)
    assert np.all(np.isnan(fft.re))
    fft.run(EMPTY, 0, x, 0)
    assert np.array_equal(fft.re, fresh.re)


def test_hann_power_of_a_tone() -> None:
    n = 1200
    fft = ForwardFft(n)
    fft.run(EMPTY, 0, np.exp(2j * np.pi * 0.25 * np.arange(n)).astype(np.complex64), 0)
    power = np.zeros(n, dtype=np.float32)
    fft.add_power(power)
    # A tone on a bin: n/2 in it, n/4 in its neighbours, nothing elsewhere.
    assert power[299:302] == pytest.approx([(n / 4) ** 2, (n / 2) ** 2, (n / 4) ** 2], rel=1e-4)
    assert power.sum() - power[299:302].sum() < 1e-9 * n**2


def test_lengths() -> None:
    assert is_length(30_000) and is_length(1001) and not is_length(17)
    assert split(30_000) is not None and split(37 * 600) is None and split(128) is None
    rows, columns = split(250_000) or (0, 0)
    assert rows * columns == 250_000 and max(rows, columns) <= 1000
    plan = lane_plan(240)
    assert np.prod(plan.radices) == 240 and sorted(plan.position) == list(range(240))


def test_refuses() -> None:
    with pytest.raises(RangeError, match="37000"):
        ForwardFft(37_000)
    with pytest.raises(RangeError, match="margin"):
        ForwardFft(600, 601)
    with pytest.raises(RangeError, match="prime factor"):
        lane_plan(34)
    fft = ForwardFft(600)
    with pytest.raises(ShapeError, match="600"):
        fft.run(EMPTY, 0, noise(599), 0)
    with pytest.raises(ShapeError, match="bins"):
        fft.add_power(np.zeros(10, dtype=np.float32))
