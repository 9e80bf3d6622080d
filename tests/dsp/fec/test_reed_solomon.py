"""The Reed-Solomon codes: the printed polynomials, errors with erasures, and soft decoding over the inner codes."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dsp.errors import RangeError, ShapeError
from dsp.fec import golay, hamming, soft
from dsp.fec.reed_solomon import ENCRYPTION_SYNC, HEADER, LINK_CONTROL, ReedSolomon, unpack
from tests.reference import reed_solomon as reference

CODES = [LINK_CONTROL, ENCRYPTION_SYNC, HEADER]

# TIA-102.BAAA-B clause 4, coefficients in octal, lowest power first.
GENERATORS = {
    12: "50 41 02 74 11 60 34 71 03 55 05 71 01",
    16: "26 06 24 57 60 45 75 67 01",
    20: "60 73 46 51 73 05 42 64 33 22 27 21 23 02 35 34 01",
}


@pytest.mark.parametrize("code", CODES, ids=lambda c: f"{c.length},{c.data}")
def test_code_words_are_those_of_the_printed_polynomial(code: ReedSolomon) -> None:
    generator = [int(c, 8) for c in GENERATORS[code.data].split()]
    rng = np.random.default_rng(4)
    for _ in range(20):
        data = rng.integers(0, 64, code.data).tolist()
        assert code.encode(data).tolist() == reference.encode(data, generator)


@given(st.sampled_from(CODES), st.randoms(use_true_random=False))
def test_all_within_the_distance_is_corrected(code: ReedSolomon, random) -> None:  # type: ignore[no-untyped-def]
    word = code.encode([random.randrange(64) for _ in range(code.data)])
    places = random.sample(range(code.length), random.randrange(code.parity + 1))
    errors = random.randrange((code.parity - len(places)) // 2 + 1)
    received = word.copy()
    for place in places:
        received[place] = random.randrange(64)
    for place in random.sample([p for p in range(code.length) if p not in places], errors):
        received[place] ^= random.randrange(1, 64)
    decoded = code.decode(received, places)
    assert decoded is not None
    assert decoded[0].tolist() == word.tolist()
    assert decoded[1] == int((received != word).sum())


@given(st.sampled_from(CODES), st.binary(min_size=36, max_size=36), st.sets(st.integers(0, 23), max_size=20))
def test_beyond_the_distance_is_a_code_word_or_nothing(code: ReedSolomon, noise: bytes, erasures: set[int]) -> None:
    received = np.frombuffer(noise, dtype=np.uint8)[: code.length] & 63
    decoded = code.decode(received, sorted(erasures))
    if decoded is not None:
        word, corrected = decoded
        assert code.encode(word[: code.data]).tolist() == word.tolist()
        changed = set(np.flatnonzero(word != received).tolist())
        assert corrected == len(changed)
        assert 2 * len(changed - erasures) + len(erasures) <= code.parity


def noisy(code: ReedSolomon, rng: np.random.Generator, sigma: float) -> tuple[list[int], soft.Levels]:
    """A word over its inner code, and the levels received of it."""
    encode: Callable[[int], int]
    encode, length = (golay.encode18, 18) if code is HEADER else (hamming.encode10, 10)
    word = code.encode(rng.integers(0, 64, code.data)).tolist()
    bits = np.concatenate([soft.from_int(encode(symbol), length) for symbol in word])
    levels = soft.levels(soft.from_bits(bits) + sigma * rng.normal(size=len(bits)))
    return word, levels.reshape(code.length, length)


@pytest.mark.parametrize("code", CODES, ids=lambda c: f"{c.length},{c.data}")
def test_soft_decoder_agrees_with_its_twin(code: ReedSolomon) -> None:
    rng = np.random.default_rng(5)
    agree = golay.agreement18 if code is HEADER else hamming.agreement10
    for sigma in (0.0, 0.8, 1.1, 1.1, 1.3, 3.0):
        agreement = agree(noisy(code, rng, sigma)[1])
        agreement.setflags(write=False)
        word, total = code.decode_soft(agreement)
        assert total == reference.soft(agreement.tolist(), code.decode, code.parity)
        assert total == sum(row[s] for row, s in zip(agreement, word))
        assert code.encode(word[: code.data]).tolist() == word.tolist()


def test_soft_decoding_of_link_control_at_eight_percent() -> None:
    # σ = 0.712 makes 8 % of the bits wrong; hard decisions lose every tenth word there, soft ones hardly any.
    rng = np.random.default_rng(6)
    wrong = hard_wrong = 0
    for _ in range(200):
        word, levels = noisy(LINK_CONTROL, rng, 0.712)
        wrong += LINK_CONTROL.decode_soft(hamming.agreement10(levels))[0].tolist() != word
        symbols = hamming.agreement10(np.sign(levels)).argmax(axis=1)
        hard = LINK_CONTROL.decode(symbols)
        hard_wrong += hard is None or hard[0].tolist() != word
    assert wrong == 0
    assert hard_wrong > 10


def test_bytes_and_symbols() -> None:
    assert unpack(b"\x04\x20\xff").tolist() == [0b000001, 0b000010, 0b000011, 0b111111]


def test_broken_calls_are_refused() -> None:
    with pytest.raises(RangeError, match="data < length"):
        ReedSolomon(64, 12)
    with pytest.raises(ShapeError, match=r"\(12,\)"):
        LINK_CONTROL.encode([1, 2, 3])
    with pytest.raises(RangeError, match="64"):
        LINK_CONTROL.encode([64] * 12)
    with pytest.raises(RangeError, match="erasures"):
        LINK_CONTROL.decode([0] * 24, [24])
    with pytest.raises(ShapeError, match=r"\(24, 64\)"):
        LINK_CONTROL.decode_soft(np.zeros((24, 63), dtype=np.float32))


def test_erased_everything_is_the_zero_word() -> None:
    word, total = LINK_CONTROL.decode_soft(np.zeros((24, 64), dtype=np.float32))
    assert (word.tolist(), total) == ([0] * 24, 0)
