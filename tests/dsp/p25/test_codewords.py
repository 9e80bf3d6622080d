"""The fields of the voice units: every code word beside what was received, and the kernels against plain counting."""

from collections.abc import Callable

import numpy as np
import pytest

from dsp.errors import ShapeError
from dsp.fec import _soft, cyclic, golay, hamming, soft
from dsp.fec.reed_solomon import ENCRYPTION_SYNC, HEADER, LINK_CONTROL, ReedSolomon, unpack
from dsp.p25 import _codewords, codewords
from tests.reference import p25_codewords as reference

Encode = Callable[[int], int]

KINDS: dict[str, tuple[codewords.Field, ReedSolomon, Encode, int, int]] = {
    "header": (codewords.HEADER_FIELD, HEADER, golay.encode18, 18, 1),
    "link control": (codewords.LINK_FIELD, LINK_CONTROL, hamming.encode10, 10, 1),
    "encryption sync": (codewords.SYNC_FIELD, ENCRYPTION_SYNC, hamming.encode10, 10, 1),
    "terminator": (codewords.TERMINATOR_FIELD, LINK_CONTROL, golay.encode24, 24, 2),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("sigma", [0.0, 0.6, 1.0, 3.0])
def test_word_is_weighed_as_by_counting(kind: str, sigma: float) -> None:
    field, outer, encode, length, per_word = KINDS[kind]
    rng = np.random.default_rng(1)
    for _ in range(20):
        llr = soft.from_bits(field.encode(rng.bytes(field.bytes))) + sigma * rng.normal(size=field.bits)
        llr[rng.integers(field.bits, size=5)] = 0
        levels = soft.levels(llr.astype(np.float32))
        found = field.decode(llr.astype(np.float32))
        # The outer code's word that belongs to these data.
        symbols = outer.encode(unpack(found.data)).tolist()
        pairs = zip(*[iter(symbols)] * per_word)
        values = [sum(symbol * 64**i for i, symbol in enumerate(reversed(pair))) for pair in pairs]
        agreement, total, errors = reference.compare(levels, [encode(value) for value in values], length)
        assert (found.errors, found.bits) == (errors, field.bits)
        assert found.valid == (agreement >= field.least_agreement * total)
        assert found.data == reference.packed(symbols, field.bytes)


@pytest.mark.parametrize("kind", KINDS)
def test_clean_field_comes_back(kind: str) -> None:
    field = KINDS[kind][0]
    for data in (bytes(field.bytes), b"\xff" * field.bytes, bytes(range(1, field.bytes + 1))):
        llr = soft.from_bits(field.encode(data))
        llr.setflags(write=False)
        assert field.decode(llr) == codewords.Word(data, True, 0, field.bits)


def test_nothing_known_is_nothing_valid() -> None:
    for field, *_ in KINDS.values():
        assert not field.decode(np.zeros(field.bits, dtype=np.float32)).valid
        assert not field.decode(np.full(field.bits, np.nan, dtype=np.float32)).valid
    assert not codewords.decode_low_speed(np.zeros(32, dtype=np.float32)).valid


@pytest.mark.parametrize("sigma", [0.0, 0.7, 1.5, 9.0])
def test_low_speed_data_as_by_comparing_all_words(sigma: float) -> None:
    rng = np.random.default_rng(2)
    words = [cyclic.encode(data) for data in range(256)]
    for _ in range(20):
        data = rng.bytes(2)
        llr = (soft.from_bits(codewords.encode_low_speed(data)) + sigma * rng.normal(size=32)).astype(np.float32)
        llr[rng.integers(32, size=3)] = 0
        levels = soft.levels(llr).reshape(2, 16)
        best = reference.likeliest(levels, words)
        found, errors = cyclic.decode(levels)
        assert list(zip(found.tolist(), errors.tolist())) == best
        word = codewords.decode_low_speed(llr)
        assert (word.data, word.errors) == (bytes(b for b, _ in best), sum(e for _, e in best))
        assert word.valid == all(e <= 2 for _, e in best)


def test_first_of_equals_wins() -> None:
    """Of what is not known at all the word is 0, whatever the others."""
    data, errors = cyclic.decode(np.zeros((3, 16), dtype=np.float32))
    assert (data.tolist(), errors.tolist()) == ([0, 0, 0], [0, 0, 0])


def test_broken_calls_are_refused() -> None:
    with pytest.raises(ShapeError, match=r"\(239,\)"):
        codewords.LINK_FIELD.decode(np.zeros(239, dtype=np.float32))
    with pytest.raises(ShapeError, match="it has 9"):
        codewords.LINK_FIELD.encode(bytes(8))
    with pytest.raises(ShapeError, match="31"):
        codewords.decode_low_speed(np.zeros(31, dtype=np.float32))
    levels, symbols, data = np.zeros(240, np.float32), np.zeros(24, np.uint8), np.zeros(9, np.uint8)
    table = np.zeros((64, 10), np.uint8)
    _codewords.compare(levels, symbols, table, data)
    with pytest.raises(ValueError, match="do not fit"):
        _codewords.compare(levels[:-1], symbols, table, data)
    with pytest.raises(ValueError, match="too few inner code words"):
        _codewords.compare(levels, symbols, table[:-1].copy(), data)
    with pytest.raises(ValueError, match="too few symbols"):
        _codewords.compare(levels, symbols, table, np.zeros(19, np.uint8))
    with pytest.raises(ValueError, match="do not fit"):
        one = np.zeros(1, np.int32)
        _soft.likeliest(np.zeros((2, 16), np.float32), np.zeros((16, 256), np.float32), one, one)
