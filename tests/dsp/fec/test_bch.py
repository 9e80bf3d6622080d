"""The code of the network identifier: the printed matrix, its full capacity, and what lies beyond."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from dsp.errors import RangeError, ShapeError
from dsp.fec import bch, soft
from tests.reference import bch as reference

# TIA-102.BAAA-B Table 19, parity part in octal, row of the first NAC bit first.
TABLE_19 = """
    6331141367235452 5265521614723276 4603711461164164 2301744630472072
    7271623073000466 5605650752635660 2702724365316730 1341352172547354
    0560565075263566 6141333751704220 3060555764742110 1430266772361044
    0614133375170422 6037114611641642 5326507063515373 4662302756473127
"""


def levels_of(word: int) -> soft.Levels:
    return soft.levels(soft.from_bits(soft.from_int(word, 64)))


@pytest.fixture(scope="module")
def code_words() -> NDArray[np.float64]:
    return reference.code_words()


@pytest.mark.parametrize("row", range(16))
def test_generator_row_is_the_printed_one(row: int) -> None:
    assert bch.encode(0x8000 >> row) == 0x8000 >> row << 48 | int(TABLE_19.split()[row], 8)


def test_last_bit_is_the_sum_of_the_two_lowest_duid_bits() -> None:
    for data in range(0, 65536, 257):
        assert bch.encode(data) & 1 == (data ^ data >> 1) & 1


@given(st.integers(0, 65535), st.sets(st.integers(0, 63), max_size=bch.CORRECTS))
def test_eleven_errors_are_always_corrected(data: int, places: set[int]) -> None:
    word = bch.encode(data)
    for place in places:
        word ^= 1 << place
    assert bch.decode(levels_of(word)) == (data, 32 * (64 - 2 * len(places)), len(places))


@given(st.integers(0, 2**64 - 1))
def test_every_word_decodes_to_the_nearest_code_word(word: int) -> None:
    data, agreement, errors = bch.decode(levels_of(word))
    assert errors == (bch.encode(data) ^ word).bit_count()
    assert agreement == 32 * (64 - 2 * errors)


@pytest.mark.parametrize("sigma", [0.0, 0.5, 0.8, 1.0, 1.2, 20.0])
@pytest.mark.parametrize("chosen", [1.0, 0.4])
def test_agrees_with_the_comparison_of_all_words(code_words: NDArray[np.float64], sigma: float, chosen: float) -> None:
    """At 0.8 the short way leads to the likeliest word of some, at 1.0 to another, which must not be believed."""
    rng = np.random.default_rng(1)
    duids = rng.random(16) < chosen
    for _ in range(40):
        sent = code_words[rng.choice(np.flatnonzero(duids[np.arange(65536) & 15]))]
        levels = soft.levels((sent + sigma * rng.normal(size=64)).astype(np.float32))
        data, agreement, errors = bch.decode(levels, duids)
        best, most = reference.decode(levels, code_words, duids)
        assert data in best
        assert agreement == most
        assert errors == int(((code_words[data] > 0) != (levels > 0)).sum())


@pytest.mark.parametrize("more", [-1, 0, 1])
def test_a_word_is_not_believed_for_being_the_nearest(code_words: NDArray[np.float64], more: int) -> None:
    """Ten hard bits are wrong for one word, thirteen for the other; in soft bits they differ by one level at most."""
    rng = np.random.default_rng(4)
    apart_by_23 = np.flatnonzero((code_words != code_words[0]).sum(axis=1) == 23)
    for _ in range(30):
        near = int(rng.integers(65536))
        far = near ^ int(rng.choice(apart_by_23))
        places = rng.permutation(np.flatnonzero(code_words[near] != code_words[far]))
        says = np.full(64, 40)
        says[places] = [-2] * 10 + [2] * (7 + more) + [1] * (6 - more)
        levels = (says * code_words[near]).astype(np.float32)
        data, agreement, errors = bch.decode(levels)
        assert (data, errors) in {-1: [(far, 13)], 0: [(near, 10), (far, 13)], 1: [(near, 10)]}[more]
        assert agreement == reference.decode(levels, code_words, np.ones(16, dtype=bool))[1]


def test_soft_bits_correct_more_than_the_hard_limit() -> None:
    rng = np.random.default_rng(2)
    sent = soft.from_int(bch.encode(0x2935), 64)
    lost = beyond = 0
    for _ in range(300):
        received = soft.from_bits(sent) + rng.normal(size=64) * 1.0
        errors = int((soft.to_bits(received) != sent).sum())
        beyond += errors > bch.CORRECTS
        lost += bch.decode(soft.levels(received))[0] != 0x2935
    # 16 % of the bits are wrong at this level: about a third of the words have more than eleven errors.
    assert beyond > 60
    assert lost <= 3


def test_known_nac_leaves_seven_words() -> None:
    rng = np.random.default_rng(3)
    duids = np.array([0, 3, 5, 7, 10, 12, 15], dtype=np.uint16)
    candidates = (0x293 << 4 | duids).astype(np.uint16)
    lost = 0
    for _ in range(300):
        sent = int(rng.choice(candidates))
        received = soft.from_bits(soft.from_int(bch.encode(sent), 64)) + rng.normal(size=64) * 1.4
        lost += bch.decode_among(soft.levels(received), candidates)[0] != sent
    # Every fourth bit is wrong here.
    assert lost <= 6


def test_only_candidate_is_the_likeliest() -> None:
    candidates = np.array([5], dtype=np.uint16)
    candidates.setflags(write=False)
    assert bch.decode_among(levels_of(bch.encode(5)), candidates) == (5, 2048, 0)
    assert bch.decode_among(-levels_of(bch.encode(5)), candidates) == (5, -2048, 64)


def test_broken_calls_are_refused() -> None:
    with pytest.raises(RangeError, match="65536 does not fit 16 bits"):
        bch.encode(65536)
    with pytest.raises(ShapeError, match=r"\(63,\)"):
        bch.decode(np.zeros(63, dtype=np.float32))
    with pytest.raises(ShapeError):
        bch.decode(np.zeros(64, dtype=np.float32), np.zeros(16, dtype=bool))
    with pytest.raises(ShapeError):
        bch.decode_among(np.zeros(64, dtype=np.float32), np.zeros(0, dtype=np.uint16))


def test_erasures_and_nonsense_never_raise() -> None:
    nothing: NDArray[np.float32] = np.full(64, np.nan, dtype=np.float32)
    assert bch.decode(soft.levels(nothing))[1] == 0
    wild = np.where(np.arange(64) % 2, np.inf, -np.inf).astype(np.float32)
    wild.setflags(write=False)
    assert bch.decode(soft.levels(wild))[1] > 0
