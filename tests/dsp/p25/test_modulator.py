"""The transmitters against the standard's own measure, and their promises as stages."""

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from dsp.errors import RangeError, RateError, ShapeError
from dsp.p25.c4fm import DEVIATION_HZ, SYMBOL_OF_DIBIT, SYMBOL_RATE, receive_taps
from dsp.p25.modulator import REACH, C4fmModulator, CqpskModulator, P25Modulator


def some_dibits(n: int, seed: int = 1) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 4, n, dtype=np.uint8)


def sent(modulator: P25Modulator, dibits: NDArray[np.uint8]) -> NDArray[np.complex64]:
    return np.concatenate([modulator.process(dibits).samples, modulator.flush().samples])


def symbol_times(n: int, rate: int) -> NDArray[np.float64]:
    return (REACH + np.arange(n)) * rate / SYMBOL_RATE


def received_deviation(iq: NDArray[np.complex64], dibits: int, rate: int) -> NDArray[np.float64]:
    """Deviation in hertz of each symbol: by how much the phase turned in the symbol around its middle."""
    at = np.unwrap(np.angle(iq.astype(np.complex128)))
    edge = symbol_times(dibits, rate)
    grid = np.arange(len(iq))
    turned = np.interp(edge + rate / 9600, grid, at) - np.interp(edge - rate / 9600, grid, at)
    return np.asarray(turned * SYMBOL_RATE / (2 * np.pi))


@pytest.mark.parametrize("rate", [240_000, 250_000, 1_024_000])
def test_modulation_fidelity_of_c4fm_is_below_3_percent(rate: int) -> None:
    """TIA-102.CAAA 2.2.16: z_k = C0 + C1·(s_k + e_k); rms of e against rms of s after C0 and C1 are fitted."""
    dibits = some_dibits(500)
    iq = sent(C4fmModulator(rate), dibits)
    z = received_deviation(iq, len(dibits), rate)[5:-5]
    s = SYMBOL_OF_DIBIT[dibits][5:-5]
    c1, c0 = np.polyfit(s, z, 1)
    error = (z - c0) / c1 - s
    assert np.sqrt(np.mean(error**2) / np.mean(s**2)) < 0.012  # 0.7 % is what ten symbols of reach leave
    assert abs(c0) < 2.0
    assert c1 * 3 == pytest.approx(DEVIATION_HZ, rel=0.003)


def test_calibration_pattern_is_a_1200_hz_tone_of_2827_hz_deviation() -> None:
    """TIA-102.BAAA-B 8.4.1: 01 01 11 11 … gives a sine of 1.2 kHz and π/2·1800 Hz peak deviation."""
    rate = 48_000
    iq = sent(C4fmModulator(rate), np.tile(np.array([1, 1, 3, 3], np.uint8), 70)).astype(np.complex128)
    deviation = np.angle(iq[1:] * iq[:-1].conj()) * rate / (2 * np.pi)
    middle = deviation[480:-480]
    assert np.abs(middle).max() == pytest.approx(np.pi / 2 * 1800, rel=0.01)
    spectrum = np.abs(np.fft.rfft(middle[: 40 * 40] * np.hanning(1600)))
    assert np.argmax(spectrum) == 40
    assert spectrum[100:].max() < spectrum[40] * 0.01


def test_envelope_of_c4fm_is_constant_between_rise_and_fall() -> None:
    iq = sent(C4fmModulator(48_000), some_dibits(200))
    assert np.abs(np.abs(iq[48:-48]) - 1).max() < 1e-6
    assert abs(iq[0]) < 1e-6
    assert abs(iq[-1]) < 0.01


def test_c4fm_stays_in_its_channel() -> None:
    """Less than −60 dBc beyond ±6.25 kHz of the neighbour's centre: 12.5 kHz channels."""
    rate = 96_000
    iq = sent(C4fmModulator(rate), some_dibits(4000))[96:-96]
    frames = iq[: len(iq) // 2048 * 2048].reshape(-1, 2048) * np.kaiser(2048, 16)
    power = np.fft.fftshift((np.abs(np.fft.fft(frames)) ** 2).mean(axis=0))
    f = np.fft.fftshift(np.fft.fftfreq(2048, 1 / rate))
    adjacent = power[(f > 12_500 - 3_000) & (f < 12_500 + 3_000)].sum() / power.sum()
    assert 10 * np.log10(adjacent) < -60


@pytest.mark.parametrize("rate", [48_000, 250_000])
def test_cqpsk_turns_by_the_dibits_and_has_mean_power_1(rate: int) -> None:
    dibits = some_dibits(800)
    iq = sent(CqpskModulator(rate), dibits).astype(np.complex128)
    t = symbol_times(len(dibits), rate)
    grid = np.arange(len(iq))
    y = np.interp(t, grid, iq.real) + 1j * np.interp(t, grid, iq.imag)
    turned = np.angle(y[1:] * y[:-1].conj())[10:-10]
    tolerance = 0.03 if rate == 250_000 else 0.05  # the straight line between 48 kHz samples is the test's error
    assert np.abs(turned - (np.pi / 4 * SYMBOL_OF_DIBIT[dibits])[11:-10]).max() < tolerance
    assert np.mean(np.abs(iq[2000:-2000]) ** 2) == pytest.approx(1.0, rel=0.05)


@pytest.mark.parametrize("make", [lambda: C4fmModulator(250_000), lambda: CqpskModulator(24_000)])
def test_dibits_cut_otherwise_give_the_same_samples(make: Callable[[], P25Modulator]) -> None:
    dibits = some_dibits(150)
    whole = sent(make(), dibits)
    modulator, at = make(), 0
    parts: list[NDArray[np.complex64]] = []
    rng = np.random.default_rng(5)
    while at < len(dibits):
        n = int(rng.choice([0, 1, 2, 17]))
        piece = dibits[at : at + n].copy()
        piece.flags.writeable = False
        block = modulator.process(piece)
        assert block.index == sum(len(p) for p in parts)
        parts.append(block.samples)
        at += n
    parts.append(modulator.flush().samples)
    assert np.array_equal(np.concatenate(parts), whole)
    assert np.array_equal(sent(modulator, dibits), whole)  # after a flush it is as new
    modulator.process(dibits)
    modulator.reset()
    assert np.array_equal(sent(modulator, dibits), whole)


def test_no_dibits_no_carrier() -> None:
    modulator = C4fmModulator(48_000)
    assert len(modulator.process(np.empty(0, np.uint8)).samples) == 0
    assert len(modulator.flush().samples) == 0


def test_over_ends_reach_symbols_after_the_last_dibit() -> None:
    iq = sent(C4fmModulator(48_000), some_dibits(100))
    assert len(iq) == (REACH + 100 + REACH) * 10


def test_wrong_input_says_what_is_right() -> None:
    with pytest.raises(RateError, match="20000"):
        C4fmModulator(8_000)
    with pytest.raises(RangeError, match="1800"):
        C4fmModulator(48_000, 200.0)
    modulator = C4fmModulator(48_000)
    with pytest.raises(ShapeError, match="uint8"):
        modulator.process(np.zeros(4))  # type: ignore[arg-type]
    with pytest.raises(RangeError, match="dibit 4"):
        modulator.process(np.array([4], np.uint8))


def test_receive_filter_is_the_average_over_a_symbol() -> None:
    for rate in (24_000, 48_000):
        taps = receive_taps(rate)
        assert taps.sum() == pytest.approx(1.0)
        assert len(taps) % 2 == 1
    with pytest.raises(RateError, match="24000"):
        receive_taps(25_000)
