"""The encoder: what it finds in signals whose pitch, voicing and level are known, and what comes out at the far end."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from numpy.typing import NDArray

from dsp.errors import ShapeError
from dsp.vocoder import FRAME_SAMPLES, Vocoder
from dsp.vocoder.imbe import ImbeDecoder, ImbeEncoder, ImbeVocoder, _model, tables
from tests.reference import imbe as twin

Samples = NDArray[np.float32]


def encode(samples: Samples) -> list[NDArray[np.uint8]]:
    encoder = ImbeEncoder()
    return [encoder.encode(part) for part in samples.reshape(-1, FRAME_SAMPLES)] + encoder.flush()


def decode(frames: list[NDArray[np.uint8]]) -> Samples:
    decoder = ImbeDecoder()
    return np.concatenate([decoder.decode(frame) for frame in frames])


def values(frame: NDArray[np.uint8]) -> tuple[NDArray[np.int32], int]:
    b = np.zeros(59, dtype=np.int32)
    return b, _model.unpack(frame, b)


def glottal(f0_hz: float, seconds: float, level_dbov: float = -26.0) -> Samples:
    """A buzz with all harmonics to 3.6 kHz falling 6 dB an octave, like a vowel's source."""
    t = np.arange(int(seconds * 50) * FRAME_SAMPLES) / 8000
    x = np.zeros_like(t)
    for k in range(1, int(3600 / f0_hz) + 1):
        x += np.cos(2 * np.pi * k * f0_hz * t + k * k) / k
    return np.asarray(x * 10 ** (level_dbov / 20) / np.sqrt((x**2).mean()), dtype=np.float32)


def noise(seconds: float, level_dbov: float = -26.0) -> Samples:
    x = np.random.default_rng(0).normal(size=int(seconds * 50) * FRAME_SAMPLES)
    return (x * 10 ** (level_dbov / 20)).astype(np.float32)


def level(x: Samples) -> float:
    return float(10 * np.log10((x.astype(np.float64) ** 2).mean()))


@pytest.mark.parametrize("f0_hz", [70.0, 90.0, 113.0, 140.0, 185.0, 230.0, 300.0, 370.0])
def test_pitch_of_a_buzz(f0_hz: float) -> None:
    """To half a step of the pitch quantiser and the refinement grid together: 0.375 of a sample."""
    for frame in encode(glottal(f0_hz, 0.6))[8:-6]:
        b, count = values(frame)
        assert (b[0] + 39.5) / 2 == pytest.approx(8000 / f0_hz, abs=0.375)
        # All voiced but perhaps the highest, which may hold nothing.
        assert int(b[1]) | 1 == (1 << tables.bands(count)) - 1


def test_noise_is_unvoiced() -> None:
    voiced = bands = 0
    for frame in encode(noise(1.0))[5:]:
        b, count = values(frame)
        voiced += int(b[1]).bit_count()
        bands += tables.bands(count)
    assert voiced < 0.1 * bands


@pytest.mark.parametrize("level_dbov", [-46.0, -36.0, -26.0, -16.0])
@pytest.mark.parametrize("kind", ["buzz", "noise"])
def test_level_is_kept(kind: str, level_dbov: float) -> None:
    x = glottal(130.0, 1.0, level_dbov) if kind == "buzz" else noise(1.0, level_dbov)
    y = decode(encode(x))
    assert level(y[2000:-2000]) == pytest.approx(level(x[1500:-1500]), abs=1.5)


def test_silence_is_nearly_silent() -> None:
    y = decode(encode(np.zeros(8000, dtype=np.float32)))
    assert np.abs(y).max() < 10 / 32768


def test_long_silence_is_coded_like_silence() -> None:
    """The high-pass rings on for ever; after 2 s of zeros what comes out is what a fresh encoder makes of zeros."""
    encoder, quiet = ImbeEncoder(), np.zeros(FRAME_SAMPLES, dtype=np.float32)
    for part in glottal(120.0, 0.2).reshape(-1, FRAME_SAMPLES):
        encoder.encode(part)
    frames = [encoder.encode(quiet) for _ in range(700)]
    # Pairs, since the last bit toggles; all parameters stand still once the high-pass does.
    assert frames[-1].tobytes() == frames[-3].tobytes()
    assert values(frames[-1])[0][2] == values(encode(np.zeros(1600, dtype=np.float32))[-1])[0][2]


@pytest.mark.parametrize(
    "tones_hz",
    [(500.0,), (700.0,), (1000.0,), (1633.0,), (2100.0,), (697.0, 1209.0), (941.0, 1477.0), (600.0, 1500.0)],
)
def test_steady_tones_stay_tones(tones_hz: tuple[float, ...]) -> None:
    """Alert, paging and key pad tones: within 1.5 % (what a DTMF receiver takes), each at its level to 6 dB."""
    t = np.arange(8000) / 8000
    x = sum((0.1 * np.sin(2 * np.pi * f * t) for f in tones_hz), start=np.zeros(8000)).astype(np.float32)
    y = decode(encode(x))[2000:7000]
    power = np.abs(np.fft.rfft(y * np.hanning(len(y)))) ** 2
    f = np.arange(len(power)) * 8000 / len(y)
    parts = [power[np.abs(f - tone) < 0.015 * tone].sum() for tone in tones_hz]
    # The rest is the fill of the other harmonics.
    assert sum(parts) > 0.75 * power.sum()
    for part in parts:
        assert level(y) + 10 * np.log10(part / power.sum()) == pytest.approx(10 * np.log10(0.005), abs=6)


def test_bits_are_those_of_the_twin() -> None:
    """Buzz, noise, a pause, a glide and tones: every branch of the analysis, bit for bit."""
    t = np.arange(160 * 12) / 8000
    glide = (0.05 * np.sign(np.sin(2 * np.pi * (300 * t - 400 * t**2)))).astype(np.float32)
    tone = (0.1 * np.sin(2 * np.pi * 1000 * t) + 0.08 * np.sin(2 * np.pi * 1700 * t)).astype(np.float32)
    x = np.concatenate([glottal(140.0, 0.2), noise(0.2), np.zeros(800, np.float32), glide, tone, glottal(370.0, 0.1)])
    encoder, slow = ImbeEncoder(), twin.Encoder()
    for part in x.reshape(-1, FRAME_SAMPLES):
        assert encoder.encode(part).tobytes() == slow.encode(part).tobytes()


def test_delay_of_both_ways() -> None:
    """A burst comes out `encoder.delay` after it went in, counted in samples given and returned."""
    x = np.zeros(16000, dtype=np.float32)
    x[6000:6800] = glottal(150.0, 0.1)
    coder = ImbeVocoder()
    out = np.concatenate([coder.decode(coder.encode(part)) for part in x.reshape(-1, FRAME_SAMPLES)])
    shape_in, shape_out = np.abs(x), np.abs(out)
    middle_in = (shape_in * np.arange(16000)).sum() / shape_in.sum()
    middle_out = (shape_out * np.arange(16000))[5000:9000].sum() / shape_out[5000:9000].sum()
    # Sample k of the block that a call returns stands for the input sample `encoder_delay` before sample k of the block
    # given to it; a frame is coded whole, so its edges are known to half a frame.
    assert middle_out - middle_in == pytest.approx(coder.encoder_delay, abs=FRAME_SAMPLES / 2)
    assert (coder.encoder_delay, coder.decoder_delay) == (480, 160)


def test_reset_is_a_fresh_object_and_frames_repeat_exactly() -> None:
    x = np.concatenate([glottal(120.0, 0.2), noise(0.2)])
    encoder = ImbeEncoder()
    first = [encoder.encode(part).tobytes() for part in x.reshape(-1, FRAME_SAMPLES)]
    encoder.reset()
    assert [encoder.encode(part).tobytes() for part in x.reshape(-1, FRAME_SAMPLES)] == first


def test_the_last_bit_toggles() -> None:
    """Eq. 80."""
    bits = [frame[10] & 1 for frame in encode(noise(0.2))]
    assert bits == [(k + 1) % 2 for k in range(len(bits))]


def test_a_sample_off_by_one_rounding_does_not_change_the_bits() -> None:
    """Decisions stand well above rounding: a change of one part in 10⁷ moves hardly a bit."""
    x = np.concatenate([glottal(120.0, 0.5), noise(0.5)])
    a, b = encode(x), encode((x * np.float32(1 + 2**-23)).astype(np.float32))
    differing = sum(int(np.unpackbits(p ^ q).sum()) for p, q in zip(a, b))
    assert differing <= 0.002 * 88 * len(a)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e30, 1.0, -1.0])
def test_any_sample_is_taken(value: float) -> None:
    encoder = ImbeEncoder()
    for _ in range(5):
        encoder.encode(np.full(FRAME_SAMPLES, value, dtype=np.float32))
    frames = [encoder.encode(part) for part in glottal(120.0, 1.2).reshape(-1, FRAME_SAMPLES)]
    assert values(frames[-1])[0][0] == values(encode(glottal(120.0, 1.2))[-4])[0][0]


def test_read_only_input_is_taken_and_wrong_input_refused() -> None:
    x = noise(0.02)
    x.setflags(write=False)
    ImbeEncoder().encode(x)
    for wrong in (np.zeros(159, np.float32), np.zeros(0, np.float32), np.zeros(160), np.zeros((1, 160), np.float32)):
        with pytest.raises(ShapeError, match="a frame needs float32"):
            ImbeEncoder().encode(wrong)  # type: ignore[arg-type]


def test_streams_in_threads_do_not_meet() -> None:
    """One object a stream, any thread: four streams at once give what they give one after the other."""
    streams = [glottal(f0, 0.4) for f0 in (90.0, 120.0, 180.0, 240.0)]

    def both_ways(x: Samples) -> bytes:
        return decode(encode(x)).tobytes()

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(both_ways, streams)) == [both_ways(x) for x in streams]


def test_it_is_a_vocoder() -> None:
    coder: Vocoder = ImbeVocoder()
    frame = coder.encode(noise(0.02))
    sent = coder.protect(frame)
    first = coder.decode_hard(sent)
    assert not coder.status.repeated
    assert coder.erase().shape == first.shape == (FRAME_SAMPLES,)
    assert coder.status.erased
    assert len(coder.flush()) * FRAME_SAMPLES == coder.encoder_delay
    coder.reset()
    assert np.array_equal(coder.decode_soft(sent * 2.0 - 1), first)
