"""The short inner codes, the cyclic code, the CRCs and the soft bits they all work on."""

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dsp.errors import RangeError, ShapeError
from dsp.fec import crc, cyclic, golay, hamming, soft


def levels_of(words: list[int], length: int) -> soft.Levels:
    return soft.levels(soft.from_bits(np.array([soft.from_int(w, length) for w in words])))


# TIA-102.BAAA-B clause 4, rows of the generator matrices in octal (Golay) and binary (Hamming, cyclic).
def test_printed_generator_rows() -> None:
    first = [0o6165, 0o3073, 0o7550, 0o3664, 0o1732, 0o6631]
    last = [0o3315, 0o1547, 0o6706, 0o5227, 0o4476, 0o4353]
    assert [golay.encode24(0x800 >> i) & 0xFFF for i in range(12)] == first + last
    assert [golay.encode18(0x20 >> i) & 0xFFF for i in range(6)] == last
    assert [hamming.encode10(0x20 >> i) & 0xF for i in range(6)] == [0b1110, 0b1101, 0b1011, 0b0111, 0b0011, 0b1100]
    assert [cyclic.encode(0x80 >> i) & 0xFF for i in range(8)] == [0x4E, 0x27, 0x8F, 0xDB, 0xF1, 0xE4, 0x72, 0x39]


def test_distances() -> None:
    assert min(golay.encode24(d).bit_count() for d in range(1, 4096)) == 8
    assert min(golay.encode18(d).bit_count() for d in range(1, 64)) == 8
    assert min(hamming.encode10(d).bit_count() for d in range(1, 64)) == 3
    assert min(cyclic.encode(d).bit_count() for d in range(1, 256)) == 5


@given(st.integers(0, 63), st.sets(st.integers(0, 17), max_size=3))
def test_short_golay_corrects_three_errors(data: int, places: set[int]) -> None:
    word = golay.encode18(data) ^ sum(1 << p for p in places)
    assert golay.agreement18(levels_of([word], 18))[0].argmax() == data


@given(st.integers(0, 4095), st.sets(st.integers(0, 23), max_size=3))
def test_long_golay_corrects_three_errors(data: int, places: set[int]) -> None:
    word = golay.encode24(data) ^ sum(1 << p for p in places)
    agreement = golay.agreement24(levels_of([word], 24))
    assert agreement.shape == (2, 64)
    assert agreement.argmax(axis=1).tolist() == [data >> 6, data & 63]
    assert agreement.max() == 32 * (24 - 2 * len(places))


def test_long_golay_agreement_is_the_best_over_the_other_half() -> None:
    levels = soft.levels(np.random.default_rng(7).normal(size=(1, 24)))
    words = soft.signs([golay.encode24(d) for d in range(4096)], 24) @ levels[0]
    both = words.reshape(64, 64)
    assert np.array_equal(golay.agreement24(levels), [both.max(axis=1), both.max(axis=0)])


@given(st.integers(0, 63), st.integers(-1, 9))
def test_short_hamming_corrects_one_error(data: int, place: int) -> None:
    word = hamming.encode10(data) ^ (1 << place if place >= 0 else 0)
    assert hamming.agreement10(levels_of([word], 10))[0].argmax() == data


def test_cyclic_corrects_every_two_errors() -> None:
    for places in combinations(range(16), 2):
        word = cyclic.encode(0x5A) ^ sum(1 << p for p in places)
        data, errors = cyclic.decode(levels_of([0, word], 16))
        assert (data.tolist(), errors.tolist()) == ([0, 0x5A], [0, 2])


def test_crc_of_a_block_from_the_air() -> None:
    block = bytes.fromhex("0b9000000000000021148f55")
    assert crc.ccitt(block[:10]).to_bytes(2) == block[10:]


# Values worked out bit by bit from the formula of clauses 5.2, 5.3.3 and 5.4.2.
@pytest.mark.parametrize(
    ("data", "value"),
    [
        ("00000000000000000000", 0xFFFF),
        ("ffffffffffffffffffff", 0xB827),
        ("80000000000000000000", 0x1BCB),
        ("56fd0011223382000000", 0xC3A8),
    ],
)
def test_crc_of_sixteen_bits(data: str, value: int) -> None:
    assert crc.ccitt(bytes.fromhex(data)) == value


@pytest.mark.parametrize(
    ("serial", "data", "value"),
    [
        (0, "00000000000000000000000000000000", 0x1FF),
        (1, "00000000000000000000000000000000", 0x122),
        (0, "ffffffffffffffffffffffffffffffff", 0x183),
    ],
)
def test_crc_of_nine_bits(serial: int, data: str, value: int) -> None:
    assert crc.crc9(serial, bytes.fromhex(data)) == value


@pytest.mark.parametrize(
    ("data", "value"),
    [
        ("0000000000000000", 0xFFFFFFFF),
        ("4141414141414141", 0x9C9E2B63),
        ("00112233445566778899aabbccddeeff00112233", 0x9FFF50B4),
    ],
)
def test_crc_of_thirty_two_bits(data: str, value: int) -> None:
    assert crc.crc32(bytes.fromhex(data)) == value


@given(st.binary(min_size=1, max_size=40), st.integers(0, 319))
def test_a_flipped_bit_changes_every_crc(data: bytes, place: int) -> None:
    flipped = bytearray(data)
    flipped[place // 8 % len(data)] ^= 1 << place % 8
    assert crc.ccitt(bytes(flipped)) != crc.ccitt(data)
    assert crc.crc32(bytes(flipped)) != crc.crc32(data)
    assert crc.crc9(3, bytes(flipped)) != crc.crc9(3, data)


def test_levels() -> None:
    llr = np.array([1.0, -1.0, 3.0, 0.0, np.nan, np.inf], dtype=np.float32)
    assert soft.levels(llr).tolist() == [0, 0, 0, 0, 0, 96]
    assert soft.levels(np.array([2.0, -1.0, 0.0])).tolist() == [64, -32, 0]
    assert soft.levels(np.array([20, -10, 0], dtype=np.int8)).tolist() == [64, -32, 0]
    assert soft.levels(np.zeros(0, dtype=np.float32)).shape == (0,)
    with pytest.raises(ShapeError, match="complex"):
        soft.levels(np.zeros(3, dtype=complex))
    with pytest.raises(RangeError):
        soft.from_bits([0, 2])
    assert soft.to_int(soft.from_int(0xB35, 12)) == 0xB35


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: golay.encode18(64), "0 … 63"),
        (lambda: hamming.encode10(-1), "0 … 63"),
        (lambda: cyclic.encode(256), "0 … 255"),
        (lambda: crc.crc9(128, b""), "0 … 127"),
        (lambda: golay.agreement18(np.zeros((2, 17), dtype=np.float32)), "(n, 18)"),
        (lambda: golay.agreement24(np.zeros(24, dtype=np.float32)), "(n, 24)"),
        (lambda: hamming.agreement10(np.zeros((2, 9), dtype=np.float32)), "(n, 10)"),
        (lambda: cyclic.decode(np.zeros((2, 15), dtype=np.float32)), "(n, 16)"),
    ],
)
def test_broken_calls_are_refused(call, message: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises((RangeError, ShapeError)) as wrong:
        call()
    assert message in str(wrong.value)
