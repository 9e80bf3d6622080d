"""Do the codes agree with the printed generator matrices, and do they correct all they promise?"""

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dsp.errors import RangeError
from dsp.fec import golay, hamming

# TIA-102.BABA-A clause 7.3, parity part of the generator matrix, row of the first data bit first.
GOLAY_ROWS = [
    "11000111010",
    "01100011101",
    "11110110100",
    "01111011010",
    "00111101101",
    "11011001100",
    "01101100110",
    "00110110011",
    "11011100011",
    "10101001011",
    "10010011111",
    "10001110101",
]
HAMMING_ROWS = ["1111", "1110", "1101", "1100", "1011", "1010", "1001", "0111", "0110", "0101", "0011"]


@pytest.mark.parametrize("row", range(12))
def test_golay_generator_row(row: int) -> None:
    data = 1 << (11 - row)
    assert golay.encode23(data) == data << 11 | int(GOLAY_ROWS[row], 2)


@pytest.mark.parametrize("row", range(11))
def test_hamming_generator_row(row: int) -> None:
    data = 1 << (10 - row)
    assert hamming.encode15(data) == data << 4 | int(HAMMING_ROWS[row], 2)


@settings(deadline=None)
@given(st.integers(0, 4095), st.sets(st.integers(0, 22), max_size=3))
def test_golay_corrects_three_errors(data: int, places: set[int]) -> None:
    word = golay.encode23(data)
    for place in places:
        word ^= 1 << place
    assert golay.decode23(word) == (data, len(places))


@settings(deadline=None)
@given(st.integers(0, 2047), st.sets(st.integers(0, 14), max_size=1))
def test_hamming_corrects_one_error(data: int, places: set[int]) -> None:
    word = hamming.encode15(data)
    for place in places:
        word ^= 1 << place
    assert hamming.decode15(word) == (data, len(places))


@settings(deadline=None)
@given(st.integers(0, (1 << 23) - 1))
def test_every_golay_word_is_within_three_bits_of_its_code_word(word: int) -> None:
    data, errors = golay.decode23(word)
    assert (golay.encode23(data) ^ word).bit_count() == errors <= 3


@settings(deadline=None)
@given(st.integers(0, (1 << 15) - 1))
def test_every_hamming_word_is_within_one_bit_of_its_code_word(word: int) -> None:
    data, errors = hamming.decode15(word)
    assert (hamming.encode15(data) ^ word).bit_count() == errors <= 1


@pytest.mark.parametrize(
    ("call", "value"),
    [
        (golay.encode23, 4096),
        (golay.decode23, 1 << 23),
        (golay.encode23, -1),
        (hamming.encode15, 2048),
        (hamming.decode15, 1 << 15),
        (hamming.decode15, -1),
    ],
)
def test_a_word_that_does_not_fit_is_refused(call: Callable[[int], object], value: int) -> None:
    with pytest.raises(RangeError, match=r"does not fit \d+ bits"):
        call(value)
