"""Do the tables in closed form agree with the printed ones, and does every frame spend its 88 bits?"""

import math

import numpy as np
import pytest

from dsp.vocoder.imbe import tables
from dsp.vocoder.imbe.priority import placement, scan

ALL = range(tables.MIN_HARMONICS, tables.MAX_HARMONICS + 1)

# Annex F, rows of the table: harmonics, m, bits, step.
ANNEX_F = [
    (9, 3, 10, 0.003100),
    (9, 7, 9, 0.002640),
    (10, 5, 8, 0.006720),
    (12, 4, 7, 0.016080),
    (13, 6, 6, 0.021750),
    (13, 7, 6, 0.019800),
    (14, 3, 7, 0.024800),
]

# Annex H, rows of the table: symbol, bit 1 as (vector, bit counted from its last), bit 0.
ANNEX_H = """
    0 0,22 1,21   1 2,20 3,19   2 4,10 5,1    3 1,20 0,21   4 3,18 2,19   5 5,0 4,9    6 0,20 1,19   7 2,18 3,17
    8 4,8 6,14   11 6,13 4,7   34 3,8 2,9    35 6,5 5,14   38 5,13 6,4   53 7,6 5,8   56 5,7 7,5    59 7,4 5,6
    61 2,0 4,14  62 5,5 7,3    64 4,13 3,22  66 0,0 2,22   68 5,3 7,1    69 2,21 1,22 70 4,11 3,20  71 7,0 5,2
"""

# Annex J, rows of the table.
ANNEX_J = {
    9: (1, 1, 1, 2, 2, 2),
    13: (2, 2, 2, 2, 2, 3),
    20: (3, 3, 3, 3, 4, 4),
    33: (5, 5, 5, 6, 6, 6),
    34: (5, 5, 6, 6, 6, 6),
    36: (6, 6, 6, 6, 6, 6),
}


@pytest.mark.parametrize(("count", "m", "bits", "step"), ANNEX_F)
def test_annex_f(count: int, m: int, bits: int, step: float) -> None:
    assert tables.allocation(count)[m] == bits
    assert tables.steps(count)[m - 3] == pytest.approx(step, abs=5e-7)  # printed to six places


def test_annex_h() -> None:
    words = ANNEX_H.split()
    order = tables.interleave()
    for symbol, *bits in zip(words[::3], words[1::3], words[2::3]):
        for half, bit in enumerate(bits):
            vector, index = map(int, bit.split(","))
            place = sum(tables.CODE_BITS[:vector]) + tables.CODE_BITS[vector] - 1 - index
            assert order[2 * int(symbol) + half] == place
    assert sorted(order) == list(range(144))


@pytest.mark.parametrize("count", ANNEX_J)
def test_annex_j(count: int) -> None:
    assert tables.block_lengths(count) == ANNEX_J[count]


@pytest.mark.parametrize("count", ALL)
def test_every_frame_spends_88_bits(count: int) -> None:
    bits = tables.allocation(count)
    assert len(bits) == count + 3
    assert sum(bits) == 88
    assert len(scan(count)) == 73 - tables.bands(count)
    assert sorted(placement(count)) == sorted((m, k) for m, width in enumerate(bits) for k in range(width))
    # Figure 22: a bit never stands before one of more weight.
    weights = [bit for _, bit in scan(count)]
    assert weights == sorted(weights, reverse=True)


def test_order_of_the_first_and_last_bits() -> None:
    """Nine harmonics: pitch and gain, then bit 9 of b₃, then bit 8 of all that have one."""
    order = placement(9)
    assert order[:9] == [(0, 7), (0, 6), (0, 5), (0, 4), (0, 3), (0, 2), (2, 5), (2, 4), (2, 3)]
    assert order[9:16] == [(3, 9), (3, 8), (4, 8), (5, 8), (6, 8), (7, 8), (8, 8)]
    assert order[-4:] == [(2, 0), (0, 1), (0, 0), (11, 0)]


def test_harmonics_in_whole_numbers_are_those_of_equation_47() -> None:
    for pitch in range(tables.PITCH_LEVELS):
        w0 = 4 * math.pi / (pitch + 39.5)
        assert tables.harmonics(pitch) == math.floor(0.9254 * math.floor(math.pi / w0 + 0.25))
    assert {tables.harmonics(p) for p in range(tables.PITCH_LEVELS)} == set(ALL)


def test_windows() -> None:
    # Annex I: 0.02 at ±104, 0.50 at ±80, 1 from ±55 inwards.
    assert [tables.synthesis_window(n) for n in (-105, -104, 80, 55, 0, 106)] == [0, 0.02, 0.5, 1, 1, 0]
    # Eq. 6: the energy of w_I is 1, to the eight places printed.
    w = tables.PITCH_WINDOW
    assert w[0] ** 2 + 2 * (w[1:] ** 2).sum() == pytest.approx(1, abs=1e-7)
    assert len(w) == 151
    # w_R is Kaiser's window of β = 6 over ±110, to the six places printed.
    assert np.abs(tables.REFINEMENT_WINDOW - np.kaiser(221, 6)[110:]).max() < 1e-5
    # Gain of the low-pass at 0 Hz.
    assert tables.LOW_PASS[0] + 2 * tables.LOW_PASS[1:].sum() == pytest.approx(1, abs=0.01)


def test_gain_levels_rise() -> None:
    levels = tables.GAIN_LEVELS
    assert len(levels) == 64
    assert (np.diff(levels) > 0).all()
    assert (levels[0], levels[31], levels[63]) == (-2.842205, 2.504443, 8.695827)
