"""Channel bits: the twin's layout, every correctable error corrected, soft never worse than hard, nothing raises."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dsp.errors import RangeError, ShapeError
from dsp.vocoder.imbe import tables
from dsp.vocoder.imbe.channel import packed, protect, unprotect, unprotect_soft
from tests.reference.imbe import protect as twin

speech_frames = st.binary(min_size=11, max_size=11)


def on_air(vector: int, bit: int) -> int:
    """Place on the air of a bit of a vector, counted from its first."""
    return int(np.flatnonzero(tables.interleave() == sum(tables.CODE_BITS[:vector]) + bit)[0])


@settings(deadline=None)
@given(speech_frames)
def test_channel_bits_are_those_of_the_twin(speech: bytes) -> None:
    assert np.array_equal(protect(speech), twin(np.frombuffer(speech, dtype=np.uint8)))


@settings(deadline=None)
@given(speech_frames, st.data())
def test_all_that_the_codes_promise_is_corrected(speech: bytes, data: st.DataObject) -> None:
    sent = protect(speech)
    wrong = [0] * 7
    for vector in range(7):
        most = 3 if vector < 4 else 1
        places = data.draw(st.sets(st.integers(0, tables.CODE_BITS[vector] - 1), max_size=most))
        wrong[vector] = len(places)
        for place in places:
            sent[on_air(vector, place)] ^= 1
    bits, errors = unprotect(sent)
    assert bits.tobytes() == speech
    assert errors.tolist() == wrong
    # Equal confidence everywhere: soft is hard.
    bits, errors = unprotect_soft(np.where(sent, np.int8(5), np.int8(-5)))
    assert bits.tobytes() == speech
    assert errors.tolist() == wrong


@settings(deadline=None)
@given(speech_frames, st.sets(st.integers(0, 22), max_size=6))
def test_six_doubtful_bits_of_a_golay_word_are_recovered(speech: bytes, places: set[int]) -> None:
    """Distance 7: with six bits unknown there is still one code word only."""
    llr = protect(speech) * np.float32(2) - 1
    for place in places:
        llr[on_air(0, place)] = 0
    bits, errors = unprotect_soft(llr)
    assert bits.tobytes() == speech
    assert errors[0] == len(places) // 2


@settings(deadline=None)
@given(st.lists(st.floats(width=32), min_size=144, max_size=144))
def test_any_soft_input_is_decoded_to_the_likeliest_word(llr: list[float]) -> None:
    soft = np.array(llr, dtype=np.float32)
    bits, errors = unprotect_soft(soft)
    assert (errors >= 0).all()
    # No single hard decision beats it on c₀.
    known = np.clip(np.nan_to_num(soft, nan=0.0, posinf=1e9, neginf=-1e9), -1e9, 1e9).astype(np.float64)
    c0 = [on_air(0, k) for k in range(23)]
    sign = protect(bits)[c0] * 2.0 - 1
    hard = protect(unprotect((soft > 0).astype(np.uint8))[0])[c0] * 2.0 - 1
    best, rival = (sign * known[c0]).sum(), (hard * known[c0]).sum()
    assert best >= rival - 1e-9 * np.abs(known[c0]).sum()


def test_soft_decoding_finds_what_a_search_of_all_words_finds() -> None:
    rng = np.random.default_rng(3)
    c0 = [on_air(0, k) for k in range(23)]
    words = np.array([protect(bytes([d >> 4, (d & 15) << 4, *[0] * 9])) for d in range(4096)])
    signs = words[:, c0] * 2.0 - 1
    for _ in range(200):
        llr = (signs[rng.integers(4096)] + 1.2 * rng.normal(size=23)).astype(np.float32)
        frame = np.ones(144, dtype=np.float32)
        frame[c0] = llr
        bits, _ = unprotect_soft(frame)
        assert (int(bits[0]) << 4 | int(bits[1]) >> 4) == int(np.argmax(signs @ llr.astype(np.float64)))


def test_read_only_input_is_taken() -> None:
    sent = protect(b"\x11" * 11)
    soft = sent * np.float32(2) - 1
    for frozen in (sent, soft):
        frozen.setflags(write=False)
    assert unprotect(sent)[0].tobytes() == b"\x11" * 11
    assert unprotect_soft(soft)[0].tobytes() == b"\x11" * 11
    assert unprotect(sent.astype(bool))[0].tobytes() == b"\x11" * 11


def test_wrong_frames_are_refused() -> None:
    with pytest.raises(ShapeError, match="88 bits packed"):
        packed(b"too short")
    with pytest.raises(ShapeError, match="88 bits packed"):
        packed(np.zeros(11, dtype=np.float32))
    with pytest.raises(ShapeError, match="144 bits"):
        unprotect(np.zeros(143, dtype=np.uint8))
    with pytest.raises(ShapeError, match="144 bits"):
        unprotect(np.zeros(144))
    with pytest.raises(RangeError, match="0 or 1"):
        unprotect(np.full(144, 2))
    with pytest.raises(ShapeError, match="positive = 1"):
        unprotect_soft(np.zeros(288, dtype=np.float32))
    with pytest.raises(ShapeError, match="positive = 1"):
        unprotect_soft(np.zeros(144, dtype=complex))
