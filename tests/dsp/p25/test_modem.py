"""The modem as a stage, and on clean, weak, shifted and simulcast signals. Curves: `tests/curves/test_p25_modem.py`."""

import numpy as np
import pytest
from numpy.typing import NDArray

from dsp.blocks import BasebandBlock
from dsp.errors import RangeError, RateError, ShapeError
from dsp.p25.lsm import Pulse
from dsp.p25.modem import P25Modem, SymbolBlock, Verdict, judge_nid
from dsp.p25.modulator import C4fmModulator, CqpskModulator
from tests.dsp.p25.scenes import RATE, Path, bit_errors, heard, scene, symbol_index

BOTH = [C4fmModulator, CqpskModulator]
Make = type[C4fmModulator] | type[CqpskModulator]


def same(a: list[SymbolBlock], b: list[SymbolBlock]) -> None:
    """The same symbols, however they were cut into blocks."""
    assert np.array_equal(np.concatenate([p.llr for p in a]), np.concatenate([p.llr for p in b]))
    assert np.array_equal(np.concatenate([p.index for p in a]), np.concatenate([p.index for p in b]))
    assert np.array_equal(np.concatenate([p.path for p in a]), np.concatenate([p.path for p in b]))


@pytest.mark.parametrize("make", BOTH)
@pytest.mark.parametrize("offset_hz", [-1500.0, 0.0, 900.0])
def test_strong_signal_is_received_from_its_first_sync_without_errors(make: Make, offset_hz: float) -> None:
    x, dibits = scene(make, 3, Path(30.0, offset_hz=offset_hz), seed=1)
    blocks = heard(P25Modem(1, RATE), x)
    wrong, there = bit_errors(blocks, dibits)
    assert there.all()
    assert wrong.sum() == 0
    assert blocks[-1].frequency_hz == pytest.approx(offset_hz, abs=10)
    assert blocks[0].first == 0


@pytest.mark.parametrize("make", BOTH)
def test_index_is_the_middle_of_each_symbol_on_the_air(make: Make) -> None:
    x, _ = scene(make, 2, Path(30.0), seed=2)
    # A strong LSM signal fits the C4FM filter as well, half a symbol off; the equaliser makes up for it.
    tolerance = 1.5 if make is C4fmModulator else 2.5
    index = np.concatenate([b.index for b in heard(P25Modem(1, RATE), x)])
    assert np.abs(index - symbol_index(np.arange(len(index)))).max() <= tolerance


@pytest.mark.parametrize("deviation_hz", [1530.0, 2070.0])
def test_deviation_of_15_percent_is_followed(deviation_hz: float) -> None:
    x, dibits = scene(C4fmModulator, 2, Path(12.0), seed=3, deviation_hz=deviation_hz)
    blocks = heard(P25Modem(1, RATE), x)
    wrong, there = bit_errors(blocks, dibits)
    assert there.all()
    assert wrong.mean() / 2 < 0.01
    assert blocks[-1].deviation_hz == pytest.approx(deviation_hz, rel=0.03)


def test_two_steady_rays_need_the_equaliser() -> None:
    """80 µs apart, −3 dB: a differential receiver has 7 % errors there without any noise."""
    x, dibits = scene(CqpskModulator, 2, Path(60.0), seed=4)
    late = np.fft.ifft(np.fft.fft(x) * np.exp(-2j * np.pi * np.fft.fftfreq(len(x)) * 80e-6 * RATE))
    both = (x + 0.707 * np.exp(2.0j) * late).astype(np.complex64)
    wrong, there = bit_errors(heard(P25Modem(1, RATE), both), dibits)
    assert there.all()
    assert wrong.mean() / 2 < 0.001
    modem = P25Modem(1, RATE)
    modem.prefer(0, 0)
    plain, _ = bit_errors(heard(modem, both), dibits)
    assert plain.mean() / 2 > 0.01


def test_48_khz_is_the_same_signal() -> None:
    rng = np.random.default_rng(5)
    _, dibits = scene(C4fmModulator, 1, Path(60.0), seed=5)
    modulator = C4fmModulator(48_000)
    fast = np.concatenate([modulator.process(dibits).samples, modulator.flush().samples])
    fast = (fast + 0.02 * (rng.standard_normal(len(fast)) + 1j * rng.standard_normal(len(fast)))).astype(np.complex64)
    wrong, there = bit_errors(heard(P25Modem(1, 48_000), fast), dibits, 48_000)
    assert there.all()
    assert wrong.sum() == 0


@pytest.mark.parametrize("make", BOTH)
def test_pieces_do_not_matter(make: Make) -> None:
    x, _ = scene(make, 2, Path(9.0, offset_hz=300.0), seed=6)
    whole = heard(P25Modem(1, RATE), x, len(x))
    rng = np.random.default_rng(7)
    modem, out, at = P25Modem(1, RATE), list[SymbolBlock](), 0
    while at < len(x):
        n = int(rng.choice([0, 1, 2, 37, 240, 611]))
        part = x[None, at : at + n].copy()
        part.flags.writeable = False
        out += modem.process(BasebandBlock(part, RATE, at))
        at += n
    same(out + modem.flush(), whole)
    same(heard(modem, x), whole)  # a flush leaves it as new
    modem.process(BasebandBlock(np.ascontiguousarray(x[None, :3000]), RATE, 0))
    modem.reset()
    same(heard(modem, x), whole)


def test_rows_do_not_influence_each_other() -> None:
    a, _ = scene(C4fmModulator, 2, Path(12.0), seed=8)
    b, _ = scene(CqpskModulator, 2, Path(15.0, offset_hz=700.0), seed=9)
    modem = P25Modem(3, RATE)
    both = modem.process(BasebandBlock(np.stack([a, np.full_like(a, np.nan), b]), RATE, 0)) + modem.flush()
    same([p for p in both if p.row == 0], heard(P25Modem(1, RATE), a))
    same([p for p in both if p.row == 2], heard(P25Modem(1, RATE), b))
    assert not [p for p in both if p.row == 1]


def test_a_gap_ends_the_burst_and_the_next_sync_begins_another() -> None:
    x, dibits = scene(C4fmModulator, 3, Path(30.0), seed=10)
    modem = P25Modem(1, RATE)
    cut, resume = 5000, 7000
    out = modem.process(BasebandBlock(np.ascontiguousarray(x[None, :cut]), RATE, 0))
    out += modem.process(BasebandBlock(np.ascontiguousarray(x[None, resume:]), RATE, resume))
    out += modem.flush()
    wrong, there = bit_errors(out, dibits)
    assert wrong.sum() == 0
    assert there[: int(cut / 5) - 20].all()
    assert not there[int(cut / 5) : 2 * 864].any()
    assert there[2 * 864 :].all()
    index = np.concatenate([b.index for b in out])
    assert (np.diff(index) > 0).all()


def test_symbols_leave_within_the_stated_delay() -> None:
    x, dibits = scene(C4fmModulator, 2, Path(30.0), seed=11)
    modem = P25Modem(1, RATE)
    assert modem.delay / RATE < 0.018
    newest = -1
    for at in range(0, len(x), 24):
        for block in modem.process(BasebandBlock(np.ascontiguousarray(x[None, at : at + 24]), RATE, at)):
            newest = int(block.index[-1])
        # The first 57 symbols of a burst wait for the network identifier.
        if symbol_index(57 + 60) < at < symbol_index(len(dibits) - 1) and not 864 <= at / 5 - 10 < 864 + 57 + 60:
            assert at + 24 - newest <= modem.delay + 5


def test_noise_alone_is_not_a_signal_to_the_judge() -> None:
    rng = np.random.default_rng(12)
    n = 20 * RATE
    x = (rng.standard_normal(n) + 1j * rng.standard_normal(n)).astype(np.complex64)
    verdicts: list[Verdict] = []

    def judge(row: int, llr: NDArray[np.float32]) -> Verdict:
        verdicts.append(judge_nid(row, llr))
        return verdicts[-1]

    heard(P25Modem(1, RATE, judge), x, 2400)
    assert len(verdicts) < 100
    assert not [v for v in verdicts if v.accepted and v.errors < 9]


def test_the_judge_decides_between_paths() -> None:
    """A judge that finds nothing on the first question and everything on the second gets the second path's burst."""
    x, dibits = scene(CqpskModulator, 1, Path(20.0), seed=13)
    asked: list[NDArray[np.float32]] = []

    def judge(row: int, llr: NDArray[np.float32]) -> Verdict:
        assert row == 0
        assert llr.shape == (32, 2)
        asked.append(llr)
        return Verdict(judge_nid(row, llr).dibits, 20 if len(asked) == 1 else 0, len(asked) > 1)

    wrong, there = bit_errors(heard(P25Modem(1, RATE, judge), x), dibits)
    assert len(asked) >= 2
    assert there.all()
    assert wrong.sum() == 0


def test_pulse_is_told() -> None:
    x, _ = scene(C4fmModulator, 2, Path(40.0), seed=14)
    assert heard(P25Modem(1, RATE), x)[-1].pulse is Pulse.C4FM


def test_empty_block() -> None:
    assert P25Modem(2, RATE).process(BasebandBlock(np.zeros((2, 0), np.complex64), RATE, 7)) == []
    assert P25Modem(2, RATE).flush() == []


def test_wrong_input_says_what_is_right() -> None:
    with pytest.raises(RateError, match="24000 or 48000"):
        P25Modem(1, 25_000)
    with pytest.raises(RangeError, match="at least 1"):
        P25Modem(0, RATE)
    modem = P25Modem(2, RATE)
    with pytest.raises(ShapeError, match="complex64"):
        modem.process(BasebandBlock(np.zeros((1, 4), np.complex64), RATE, 0))
    with pytest.raises(RateError, match="made for 24000"):
        modem.process(BasebandBlock(np.zeros((2, 4), np.complex64), 48_000, 0))
    with pytest.raises(RangeError, match="equaliser"):
        modem.prefer(0, 2)
