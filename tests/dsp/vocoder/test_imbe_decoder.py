"""The decoder is its twin, repeats and mutes where clause 7 says so, and survives any bits."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from dsp.errors import ShapeError
from dsp.vocoder.imbe import ImbeDecoder, _decoder, _fourier, _model, tables
from dsp.vocoder.imbe.channel import protect
from tests.reference import imbe as twin

Frame = NDArray[np.uint8]


def random_frames(count: int, seed: int) -> list[Frame]:
    """Frames with a pitch in use and everything else random, loudness held to a middling one."""
    rng = np.random.default_rng(seed)
    frames: list[Frame] = []
    while len(frames) < count:
        frame = rng.integers(0, 256, 11, dtype=np.uint8)
        values = np.zeros(59, dtype=np.int32)
        if not _model.unpack(frame, values):
            continue
        values[2] = rng.integers(20, 40)
        _model.pack(values, frame)
        frames.append(frame)
    return frames


def speech(corpus: dict[str, dict[str, Any]], name: str = "p25p1_conv_voice_a") -> list[Frame]:
    lines = corpus[name]["path"].with_suffix("").with_suffix(".imbe.txt").read_text().split("\n")
    return [np.frombuffer(bytes.fromhex(line.split()[0]), dtype=np.uint8) for line in lines if line.strip()]


def errors_with(c0: int, others: int) -> NDArray[np.int32]:
    """Error counts: `c0` in c₀ and `others` in all the other vectors together."""
    return np.array([c0, others, 0, 0, 0, 0, 0], dtype=np.int32)


def test_fourier_transform_both_ways() -> None:
    x = np.random.default_rng(0).normal(size=256)
    re, im, back = np.zeros(129), np.zeros(129), np.zeros(256)
    _fourier.forward(x, re, im)
    assert np.abs(re + 1j * im - np.fft.rfft(x)).max() < 1e-12
    _fourier.inverse(re, im, back)
    assert np.abs(back - x).max() < 1e-14


def test_quantiser_values_and_residuals_are_those_of_the_twin() -> None:
    for frame in random_frames(100, seed=1):
        values, out = np.zeros(59, dtype=np.int32), np.zeros(60)
        count = _model.unpack(frame, values)
        b, twin_count = twin.quantiser_values(frame)
        assert (count, values[: count + 3].tolist()) == (twin_count, b)
        _model.residual(values, out)
        assert np.abs(out[1 : count + 1] - twin.residuals(b, count)[1:]).max() < 1e-12
        again = np.zeros_like(frame)
        _model.pack(values, again)
        assert np.array_equal(again, frame)


def test_quantising_what_was_dequantised_gives_the_same_bits() -> None:
    """Eq. 61 undoes eq. 69 and eq. 60 undoes eq. 73, for every number of harmonics."""
    for frame in random_frames(300, seed=2):
        values, again, out = np.zeros(59, dtype=np.int32), np.zeros(59, dtype=np.int32), np.zeros(60)
        count = _model.unpack(frame, values)
        _model.residual(values, out)
        again[:2], again[count + 2] = values[:2], values[count + 2]
        _model.quantise(out, again)
        assert np.array_equal(again, values)


@pytest.mark.parametrize("seed", [5, 6])
def test_samples_are_those_of_the_twin(seed: int) -> None:
    """Random frames, errors and erasures: all branches of repeat, mute, smoothing and synthesis."""
    rng = np.random.default_rng(seed)
    kernel, slow = _decoder.Decoder(), twin.Decoder()
    out = np.zeros(160, dtype=np.float32)
    seen = set()
    for i, frame in enumerate(random_frames(120, seed)):
        errors = np.zeros(7, dtype=np.int32)
        if i > 20:
            errors[:4], errors[4:] = rng.integers(0, 3, 4), rng.integers(0, 2, 3)
        if i > 90:
            errors[:4] = 3
        erased = bool(rng.random() < 0.2) or 60 < i < 68
        flags = kernel.decode(frame, errors, erased, out)
        samples, repeated, muted = slow.decode(frame, None if erased else errors)
        assert (bool(flags & 1), bool(flags & 2)) == (repeated, muted)
        seen.add((repeated, muted))
        # float32 at full scale rounds to 3e-8; phases of some thousand radians agree to 1e-12.
        assert np.abs(out - samples).max() < 1e-7
    assert seen == {(False, False), (True, False), (True, True)}


def test_corpus_frames_are_speech(corpus: dict[str, dict[str, Any]]) -> None:
    decoder = ImbeDecoder()
    out = np.concatenate([decoder.decode(frame) for frame in speech(corpus)])
    assert len(out) == 160 * 441
    level_dbov = 20 * np.log10(np.sqrt((out.astype(np.float64) ** 2).mean()))
    # A talker at the nominal level of −26 dBov with pauses: a scale that is off by a factor of two would show.
    assert -40 < level_dbov < -26


def test_hard_and_soft_give_what_the_bits_give(corpus: dict[str, dict[str, Any]]) -> None:
    plain, hard, soft = ImbeDecoder(), ImbeDecoder(), ImbeDecoder()
    for frame in speech(corpus)[:50]:
        sent = protect(frame)
        expected = plain.decode(frame)
        assert np.array_equal(hard.decode_hard(sent), expected)
        assert np.array_equal(soft.decode_soft(sent * 2.0 - 1), expected)
        assert plain.status == hard.status == soft.status
    assert hard.error_rate == 0


def test_reset_is_a_fresh_object(corpus: dict[str, dict[str, Any]]) -> None:
    frames = speech(corpus)[:40]
    decoder = ImbeDecoder()
    first = [decoder.decode(frame) for frame in frames]
    decoder.erase()
    decoder.decode_hard(protect(frames[0]) ^ 1)
    decoder.reset()
    assert decoder.status.errors == 0
    for frame, samples in zip(frames, first):
        assert np.array_equal(decoder.decode(frame), samples)


@pytest.mark.parametrize(
    ("c0", "others", "repeated"),
    [(0, 0, False), (2, 7, False), (2, 9, True), (1, 12, False), (3, 9, True)],
)
def test_repeat_rule(c0: int, others: int, repeated: bool) -> None:
    """Clause 7.7: at least two errors in c₀ and at least 10 + 40·ε_R in all."""
    kernel, out = _decoder.Decoder(), np.zeros(160, dtype=np.float32)
    good, bad = random_frames(2, seed=9)
    kernel.decode(good, errors_with(0, 0), False, out)
    before = kernel.model()
    assert bool(kernel.decode(bad, errors_with(c0, others), False, out) & 1) == repeated
    assert (kernel.model() == before) == repeated


def test_reserved_pitch_repeats() -> None:
    decoder = ImbeDecoder()
    good, reserved = random_frames(1, seed=4)[0], np.full(11, 0xFF, dtype=np.uint8)
    decoder.decode(good)
    decoder.decode(reserved)
    assert decoder.status.repeated
    assert not decoder.status.muted


def test_mute_rule_and_the_way_back() -> None:
    """Clause 7.8: ε_R > 0.0875. With 15 errors a frame ε_R nears 0.1095 and passes it in frame 32."""
    kernel, out = _decoder.Decoder(), np.zeros(160, dtype=np.float32)
    frame = random_frames(1, seed=8)[0]
    errors = np.array([3, 3, 3, 3, 1, 1, 1], dtype=np.int32)
    muted = [bool(kernel.decode(frame, errors, False, out) & 2) for _ in range(40)]
    first = next(n for n in range(1, 99) if 0.000365 * 15 * (1 - 0.95**n) / 0.05 > 0.0875)
    assert muted.index(True) == first - 1
    assert all(muted[first:])
    assert 0 < np.abs(out).max() <= 5 / 32768
    while kernel.decode(frame, errors_with(0, 0), False, out) & 2:
        assert kernel.error_rate > 0.0875
    assert np.abs(out).max() > 5 / 32768


def test_erasures_are_bridged_then_muted() -> None:
    decoder = ImbeDecoder()
    decoder.decode(random_frames(1, seed=8)[0])
    states = []
    for _ in range(5):
        decoder.erase()
        states.append((decoder.status.erased, decoder.status.repeated, decoder.status.muted))
    assert states == [(True, True, False)] * 3 + [(True, True, True)] * 2
    assert decoder.error_rate == 0
    decoder.decode(random_frames(1, seed=8)[0])
    assert not decoder.status.repeated


def test_soft_errors_weigh_less_and_are_told_in_full() -> None:
    """Three errors in c₀ and eleven in all repeat a hard frame; of a soft one they count two and seven."""
    good, frame = random_frames(2, seed=9)
    sent = protect(frame)
    order = tables.interleave().tolist()
    for vector, wrong in enumerate((3, 3, 3, 1)):
        for bit in range(wrong):
            sent[order.index(23 * vector + bit)] ^= 1
    hard, soft = ImbeDecoder(), ImbeDecoder()
    for decoder in (hard, soft):
        decoder.decode(good)
    hard.decode_hard(sent)
    soft.decode_soft(sent * 2.0 - 1)
    assert (hard.status.errors, hard.status.repeated) == (10, False)
    sent[order.index(23 * 3 + 1)] ^= 1
    hard.decode_hard(sent)
    soft.decode_soft(sent * 2.0 - 1)
    assert (hard.status.errors, hard.status.repeated) == (11, True)
    assert (soft.status.errors, soft.status.repeated) == (11, False)


@pytest.mark.parametrize("nothing", [np.zeros(144, dtype=np.int8), np.full(144, np.nan, dtype=np.float32)])
def test_a_frame_of_which_nothing_is_known_is_an_erasure(nothing: NDArray[Any]) -> None:
    decoder = ImbeDecoder()
    decoder.decode_soft(nothing)
    assert decoder.status.erased


def random_bits(frames: int, seed: int) -> None:
    """Random frames, some with made-up error counts: finite samples within full scale, and no memory of the bad."""
    rng = np.random.default_rng(seed)
    kernel, out = _decoder.Decoder(), np.zeros(160, dtype=np.float32)
    for start in range(0, frames, 10000):
        bits = rng.integers(0, 256, (10000, 11), dtype=np.uint8)
        errors = (rng.integers(0, 40, (10000, 7)) // 38).astype(np.int32)
        for k in range(min(10000, frames - start)):
            kernel.decode(bits[k], errors[k], False, out)
            assert np.abs(out).max() <= 1.0  # false for NaN as well


def test_random_frames() -> None:
    random_bits(20000, seed=0)


@pytest.mark.parametrize("soft", [False, True])
def test_noise_in_place_of_frames_is_muted_in_half_a_second(soft: bool) -> None:
    """What a receiver hands on that lost its signal: muted within 40 frames, for good, and hardly a sound till then."""
    first, loud = [], 0
    for seed in range(10):
        rng = np.random.default_rng(seed)
        decoder = ImbeDecoder()
        muted = []
        for _ in range(120):
            llr = 2 * rng.normal(size=144)
            samples = decoder.decode_soft(llr) if soft else decoder.decode_hard(llr > 0)
            loud += float(np.abs(samples).max()) > 0.05
            muted.append(decoder.status.muted)
        first.append(muted.index(True))
        assert all(muted[45:])
    assert max(first) < (25 if soft else 45)
    # A frame of noise passes for speech about once in a hundred, and is then repeated till the mute.
    assert loud < 0.1 * 1200


@pytest.mark.slow
def test_ten_million_random_frames() -> None:
    for seed in range(10):
        random_bits(1000000, seed)


def test_speech_after_random_frames_is_speech_again(corpus: dict[str, dict[str, Any]]) -> None:
    """What bad frames leave in the prediction dies out: ρ ≤ 0.7, so 40 frames later less than 1e-6 of it is left."""
    frames = speech(corpus)
    clean, disturbed = _decoder.Decoder(), _decoder.Decoder()
    out, none = np.zeros(160, dtype=np.float32), np.zeros(7, dtype=np.int32)
    for frame in random_frames(50, seed=3):
        disturbed.decode(frame, none, False, out)
    for frame in frames[:60]:
        for decoder in (clean, disturbed):
            decoder.decode(frame, none, False, out)
    assert disturbed.model()[:3] == clean.model()[:3]
    assert np.allclose(disturbed.model()[3], clean.model()[3], rtol=1e-4)


def test_wrong_frames_are_refused() -> None:
    decoder = ImbeDecoder()
    for call in (decoder.decode, decoder.decode_hard, decoder.decode_soft):
        with pytest.raises(ShapeError):
            call(np.zeros(12, dtype=np.uint8))


def test_annex_a() -> None:
    pitch, count, voiced, amplitudes = _decoder.Decoder().model()
    assert pitch == pytest.approx(0.02985 * np.pi)
    assert (count, sum(voiced), sum(amplitudes)) == (30, 0, 0)
    assert tables.bands(count) == 10
