"""What is made up for lost sound: goes on with the voice, fades, never clicks, never buzzes."""

from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from dsp.conceal import GONE_UNVOICED, GONE_VOICED, JOIN, Concealer
from dsp.errors import ShapeError

Audio = NDArray[np.float32]
DATA = Path(__file__).parent.parent / "data"


def tone(hz: float, n: int) -> Audio:
    return np.asarray(0.5 * np.sin(2 * np.pi * hz * np.arange(n) / 8000), np.float32)


def run(x: Audio, lost: set[int], cut: int = 160) -> Audio:
    """Frames of 160 with some lost; each given in pieces of `cut`."""
    concealer, out = Concealer(), []
    for number in range(len(x) // 160):
        frame = x[160 * number : 160 * number + 160]
        for at in range(0, 160, cut):
            part = frame[at : at + cut]
            out.append(concealer.lost(len(part)) if number in lost else concealer.good(part))
    return np.concatenate(out)


def test_what_came_is_not_touched() -> None:
    x = tone(440, 1600)
    assert np.array_equal(run(x, set()), x)


def test_nothing_heard_is_silence() -> None:
    assert not Concealer().lost(800).any()


@pytest.mark.parametrize("hz", [100, 200, 320])
def test_a_voice_goes_on_at_its_pitch_then_fades_to_nothing(hz: int) -> None:
    x = tone(hz, 3200)
    out = run(x, set(range(10, 16)))
    gap = out[1600:2560]
    assert np.allclose(gap[:80], x[1600:1680], atol=0.05)
    assert not gap[GONE_VOICED:].any()
    blocks = np.sqrt(np.mean(gap[:400].reshape(-1, 80) ** 2, axis=1))
    assert (np.diff(blocks) < 0.02).all()
    assert np.array_equal(out[2560 + JOIN :], x[2560 + JOIN :])


def test_no_click_on_either_side() -> None:
    x = tone(130, 4800) + tone(260, 4800) * np.float32(0.5)
    steepest = float(np.abs(np.diff(x)).max())
    out = run(x, {10, 17, 18, 23, 24, 25, 26})
    assert float(np.abs(np.diff(out)).max()) < 1.6 * steepest


def test_hiss_fades_at_once_and_does_not_become_a_tone() -> None:
    x = (0.1 * np.random.default_rng(1).standard_normal(3200)).astype(np.float32)
    gap = run(x, {10, 11, 12})[1600:2080]
    assert not gap[GONE_UNVOICED:].any()
    assert float(np.sum(gap**2)) < 0.5 * float(np.sum(x[1600 : 1600 + GONE_UNVOICED] ** 2))


def test_a_lost_packet_of_speech_sounds_much_like_what_was_lost() -> None:
    x, _ = soundfile.read(DATA / "speech_male.8000.flac", dtype="float32")
    frames = x[: len(x) // 160 * 160].reshape(-1, 160)
    taper = np.hanning(160)
    errors = []
    for number in range(3, len(frames)):
        lost = frames[number]
        if float(lost @ lost) < 0.1:
            continue
        concealer = Concealer()
        for frame in frames[number - 3 : number]:
            concealer.good(frame)
        real, made = (np.abs(np.fft.rfft(y * taper)) for y in (lost, concealer.lost(160)))
        errors.append(float(np.linalg.norm(made - real) / np.linalg.norm(real)))
    # Of magnitude spectra; silence in its place would be 1.
    assert len(errors) > 200
    assert np.median(errors) < 0.55


@given(st.sets(st.integers(1, 19), max_size=8), st.sampled_from([1, 7, 32, 53]))
def test_cuts_do_not_matter(lost: set[int], cut: int) -> None:
    x = tone(150, 3200)
    assert np.array_equal(run(x, lost), run(x, lost, cut))


def test_shape_is_checked() -> None:
    with pytest.raises(ShapeError):
        Concealer().good(np.zeros((1, 160), np.float32))
