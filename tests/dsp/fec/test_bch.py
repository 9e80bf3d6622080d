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
    found, agreement, runner_up = bch.decode(levels_of(word))
    assert found == data
    assert agreement == 32 * (64 - 2 * len(places)) > runner_up


@given(st.integers(0, 2**64 - 1))
def test_every_word_decodes_to_the_nearest_code_word(word: int) -> None:
    data, agreement, runner_up = bch.decode(levels_of(word))
    assert agreement == 32 * (64 - 2 * (bch.encode(data) ^ word).bit_count())
    assert runner_up <= agreement


def test_agrees_with_the_comparison_of_all_words() -> None:
    rng = np.random.default_rng(1)
    words = reference.code_words()
    for duids in (np.ones(16, dtype=bool), rng.random(16) < 0.4):
        for _ in range(10):
            levels = soft.levels(rng.normal(size=64).astype(np.float32))
            data, *agreement = bch.decode(levels, duids)
            assert tuple(agreement) == reference.decode(levels, words, duids)
            assert int(words[data] @ levels) == agreement[0]
            assert duids[data & 15]


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


def test_only_candidate_has_its_opposite_as_runner_up() -> None:
    assert bch.decode_among(levels_of(bch.encode(5)), np.array([5], dtype=np.uint16)) == (5, 2048, -2048)


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
