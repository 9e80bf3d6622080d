"""Scenes made: the truth beside a recording is what is in it. Measured from the files, with plain NumPy."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray
from scipy import fft

from dsp.blocks import BasebandBlock
from dsp.mod import dcs_word
from dsp.p25.receiver import P25Receiver
from dsp.tones.codes import code_word
from dsp.tones.tables import DCS_CODES
from hw.base import Source
from hw.registry import open_source
from sdrbridge.clips import SPEECH_DBFS, clip_of, levelled, to_speech_rate
from sdrbridge.errors import ConfigError, SdrBridgeError
from sdrbridge.scene import OverPlan
from sdrbridge.siggen import MadeScene, make_scene
from tests.support.speech import speech_like

ROOT = Path(__file__).parents[2]
RECORDINGS = sorted((ROOT / "recordings").glob("*.truth.json"))
DATA = ROOT / "tests" / "data"

SCENE = """
[scene]
rate = "120k"
center = "155M"
seconds = 1.5
seed = 3
format = "cf32_le"
noise_dbfs = -75

[[carrier]]
name = "FM"
offset = "-30k"
mode = "nfm"
bandwidth = "12.5k"
level_dbfs = -10
ctcss_hz = 100.0
burst_deg = 180
burst_s = 0.15

[[carrier.over]]
start_s = 0.2
tone_hz = 1000
seconds = 0.3
lead_s = 0.1

[[carrier.over]]
start_s = 1.0
speech = "talk.wav"
lead_s = 0.05
hold_s = 0.0

[[carrier]]
name = "AM"
offset = "25k"
mode = "am"
level_dbfs = -16
error_hz = 150

[[carrier.over]]
start_s = 0.3
tone_hz = 700
seconds = 0.6
"""


def make(folder: Path, text: str = SCENE, **options: Any) -> MadeScene:
    folder.mkdir(exist_ok=True)
    soundfile.write(folder / "talk.wav", speech_like(0.2, 1, 16_000), 16_000)
    (folder / "scene.toml").write_text(text)
    return make_scene(folder / "scene.toml", folder / "out", **options)


def samples_of(recording: Path) -> tuple[NDArray[np.complex64], int, int]:
    """The whole recording with zeros where samples are lost, its rate, and how many are lost."""
    source = open_source(f"file:{recording}", base=recording.parent)
    assert isinstance(source, Source)
    parts = []
    while (block := source.read(1 << 16)) is not None:
        parts.append((block.index, block.samples.copy()))
    out = np.zeros(max(i + len(x) for i, x in parts), np.complex64)
    for index, x in parts:
        out[index : index + len(x)] = x
    lost = source.statistics().lost
    source.close()
    return out, source.info.rate, lost


def channel(x: NDArray[np.complex64], rate: int, hz: float, half_width: float = 7_000.0) -> NDArray[np.complex128]:
    """One channel at the full rate: everything farther than `half_width` from `hz` removed, moved to 0 Hz."""
    spectrum = fft.fft(x.astype(np.complex128))
    spectrum[np.abs(fft.fftfreq(len(x), 1 / rate) - hz) > half_width] = 0
    return np.asarray(fft.ifft(spectrum) * np.exp(-2j * np.pi * hz * np.arange(len(x)) / rate))


def keyed(x: NDArray[np.complex128], rate: int, level: float, join_s: float = 0.05) -> list[tuple[float, float]]:
    """When the magnitude is above `level`, in seconds; interruptions up to `join_s` do not count."""
    above = np.flatnonzero(np.abs(x) > level)
    if not len(above):
        return []
    breaks = np.flatnonzero(np.diff(above) > join_s * rate)
    starts, ends = above[np.r_[0, breaks + 1]], above[np.r_[breaks, len(above) - 1]]
    return [(float(a) / rate, float(b + 1) / rate) for a, b in zip(starts, ends, strict=True)]


def test_truth_is_what_is_on_the_air_within_a_millisecond(tmp_path: Path) -> None:
    made = make(tmp_path)
    truth = json.loads(made.truth.read_text())
    x, rate, _ = samples_of(made.recording)
    assert len(x) == round(truth["seconds"] * rate) and rate == truth["rate"]
    for c in truth["channels"]:
        amplitude = 10 ** (c["level_dbfs"] / 20)
        # A tenth of the carrier: the 2 ms edges pass it 0.4 ms inside.
        found = keyed(channel(x, rate, c["offset_hz"] + c["error_hz"]), rate, 0.1 * amplitude)
        np.testing.assert_allclose(found, [(o["start_s"], o["end_s"]) for o in c["overs"]], atol=1e-3)
    fm, am = truth["channels"]
    assert fm["overs"][0] == {
        "start_s": 0.2, "end_s": 0.85, "unkey_s": 0.7, "speech_start_s": 0.3, "speech_end_s": 0.6, "level_db": 0.0,
        "tone_hz": 1000.0,
    }  # fmt: skip
    assert fm["tone_deviation_hz"] == 375.0
    assert am["cn_db"] == pytest.approx(-16 + 75 - 10 * np.log10(25 / 120), abs=0.01)


def test_tone_speech_and_burst_are_where_the_truth_has_them(tmp_path: Path) -> None:
    x, rate, _ = samples_of(make(tmp_path).recording)
    z = channel(x, rate, -30_000)
    deviation = np.angle(z[1:] * z[:-1].conj()) * rate / (2 * np.pi)

    def line(hz: float, start_s: float, end_s: float) -> complex:
        n = np.arange(round(start_s * rate), round(end_s * rate))
        return complex(2 * np.mean(deviation[n] * np.exp(-2j * np.pi * hz * n / rate)))

    assert abs(line(1_000, 0.35, 0.55)) == pytest.approx(0.6 * 2_500, rel=0.02)
    assert abs(line(1_000, 0.61, 0.69)) < 30 > abs(line(1_000, 0.21, 0.29))
    before, burst = line(100, 0.22, 0.28), line(100, 0.72, 0.82)
    assert abs(before) == pytest.approx(375, rel=0.02) and abs(burst) == pytest.approx(375, rel=0.02)
    assert np.degrees(np.angle(-burst / before)) == pytest.approx(0, abs=3)


def test_levels_and_noise_are_as_asked(tmp_path: Path) -> None:
    made = make(tmp_path, SCENE.replace("noise_dbfs = -75", "noise_dbfs = -30"))
    x, rate, _ = samples_of(made.recording)
    silence = x[: round(0.19 * rate)].astype(np.complex128)
    assert 10 * np.log10(np.mean(np.abs(silence) ** 2)) == pytest.approx(-30, abs=0.2)
    on = channel(x, rate, -30_000)[round(0.35 * rate) : round(0.55 * rate)]
    assert 10 * np.log10(np.mean(np.abs(on) ** 2)) == pytest.approx(-10, abs=0.1)


def test_the_same_file_gives_the_same_samples_and_another_seed_others(tmp_path: Path) -> None:
    one, two = make(tmp_path / "1"), make(tmp_path / "2")
    other = make(tmp_path / "3", SCENE.replace("seed = 3", "seed = 4"))
    data = [m.recording.with_suffix(".sigmf-data").read_bytes() for m in (one, two, other)]
    assert data[0] == data[1] != data[2]
    assert one.truth.read_text() == two.truth.read_text()


def test_a_carrier_more_does_not_change_the_others(tmp_path: Path) -> None:
    first = SCENE[: SCENE.index('[[carrier]]\nname = "AM"')]
    a, rate, _ = samples_of(make(tmp_path / "1", first).recording)
    b, _, _ = samples_of(make(tmp_path / "2").recording)
    quiet = slice(0, round(0.28 * rate))
    np.testing.assert_allclose(a[quiet], b[quiet], atol=1e-6)


def test_gaps_are_lost_and_the_rest_stays_in_place(tmp_path: Path) -> None:
    whole, rate, _ = samples_of(make(tmp_path / "1").recording)
    made = make(tmp_path / "2", SCENE.replace("seed = 3", "seed = 3\ngaps = [[0.25, 0.02], [1.1, 0.1]]"))
    holed, _, lost = samples_of(made.recording)
    assert lost == made.lost == round(0.12 * rate)
    there = np.ones(len(whole), bool)
    for a, n in ((0.25, 0.02), (1.1, 0.1)):
        there[round(a * rate) : round((a + n) * rate)] = False
    np.testing.assert_array_equal(holed[there], whole[there])
    assert not holed[~there].any()


def test_fading_and_second_ray_change_the_carrier_not_its_times(tmp_path: Path) -> None:
    text = SCENE.replace("burst_s = 0.15", "burst_s = 0.15\nsecond_ray = { delay_us = 60, level_db = -3 }")
    made = make(tmp_path / "1", text)
    x, rate, _ = samples_of(made.recording)
    z = np.abs(channel(x, rate, -30_000))
    on = z[round(0.35 * rate) : round(0.55 * rate)]
    assert on.std() / on.mean() > 0.01
    first = keyed(channel(x, rate, -30_000), rate, 0.1 * z.max())[0]
    np.testing.assert_allclose(first, (0.2, 0.85), atol=1e-3)
    faded = make(tmp_path / "2", SCENE.replace("error_hz = 150", "error_hz = 150\nfading = { doppler_hz = 50 }"))
    y = np.abs(channel(samples_of(faded.recording)[0], rate, 25_150))[round(0.35 * rate) : round(0.9 * rate)]
    assert y.max() / y.min() > 5


def test_annotations_mark_every_over(tmp_path: Path) -> None:
    meta = json.loads(make(tmp_path).recording.read_text())
    marks = [
        (a["core:label"], a["core:sample_start"], a["core:sample_count"], a["core:freq_lower_edge"])
        for a in meta["annotations"]
    ]
    assert marks[:2] == [("FM", 24_000, 78_000, 154_963_750), ("AM", 36_000, 114_000, 155_012_500)]
    assert len(marks) == 3


def test_progress_and_clips(tmp_path: Path) -> None:
    seen: list[float] = []
    made = make(tmp_path, progress=seen.append, clips=True)
    assert seen == sorted(seen) and seen[-1] == 1.0 and len(seen) == 15
    assert [p.name for p in made.clips] == ["scene.FM.1.wav", "scene.FM.2.wav", "scene.AM.1.wav"]
    assert soundfile.info(made.clips[1]).samplerate == 8_000


P25 = """
[[carrier]]
name = "EAST"
offset = "0"
mode = "p25"
cn_db = 30
error_hz = -120
nac = "$293"
talkgroup = 1001
source_id = 9000

[[carrier.over]]
start_s = 0.1
speech = "talk.wav"

[[carrier.over]]
start_s = 1.0
tone_hz = 700
seconds = 0.05
lead_s = 0.0
hold_s = 0.0
source_id = 77
emergency = true
"""


def test_p25_carrier_is_read_as_its_truth_says(tmp_path: Path) -> None:
    made = make(tmp_path, SCENE + P25)
    assert (
        samples_of(make(tmp_path / "again", SCENE + P25).recording)[0].tobytes()
        == samples_of(made.recording)[0].tobytes()
    )
    truth = json.loads(made.truth.read_text())["channels"][-1]
    assert (truth["nac"], truth["mode"]) == ("$293", "p25")
    x, rate, _ = samples_of(made.recording)
    z = channel(x, rate, 0).astype(np.complex64)[:: rate // 24_000]
    receiver = P25Receiver(1, 24_000, [0x293])
    frames = [r.frame for r in receiver.process(BasebandBlock(np.ascontiguousarray(z[None]), 24_000, 0))]
    frames += [r.frame for r in receiver.flush()]
    # At 30 dB and 120 Hz off, long runs of one symbol in header and terminator cost the receiver a few bits.
    assert all(f.valid and f.errors <= (12 if f.name in ("HDU", "TDULC") else 0) for f in frames)
    ends = [f for f in frames if f.name == "TDULC"]
    starts = [f for f in frames if f.name == "HDU"]
    for over, first, last in zip(truth["overs"], starts, ends, strict=True):
        # Ten symbols of carrier before the header and behind the terminator.
        assert first.index / 24_000 == pytest.approx(over["start_s"] + 10 / 4_800, abs=2e-4)
        assert last.index / 24_000 + 226 / 4_800 == pytest.approx(over["end_s"], abs=3e-4)
        voice = [f.index / 24_000 for f in frames if f.name in ("LDU1", "LDU2", "TDULC") and f.index > first.index]
        assert voice[0] == pytest.approx(over["voice_start_s"], abs=2e-4)
        assert last.index / 24_000 == pytest.approx(over["voice_end_s"], abs=3e-4)
        said = last.fields()
        assert (said["talkgroup"], said["source"], said["emergency"]) == (
            over["talkgroup"], over["source_id"], over["emergency"],
        )  # fmt: skip
    assert [(o["source_id"], o["emergency"]) for o in truth["overs"]] == [(9000, False), (77, True)]
    assert truth["overs"][0]["speech_start_s"] == pytest.approx(0.35)


def test_p25_overs_that_meet_in_their_terminators_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r'"EAST": over at 0\.6 s: the one before it ends at 0\.95 s only'):
        make(tmp_path, SCENE + P25.replace("start_s = 1.0", "start_s = 0.6"))


def test_overs_that_meet_or_do_not_fit_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"over at 0.8 s: the one before it ends at 0.85 s only"):
        make(tmp_path, SCENE.replace("start_s = 1.0", "start_s = 0.8"))
    with pytest.raises(ConfigError, match=r"ends at .* s, but the scene has 1.5 s"):
        make(tmp_path, SCENE.replace("start_s = 1.0", "start_s = 1.4"))


def test_a_folder_that_cannot_be_made_is_an_error_with_its_name(tmp_path: Path) -> None:
    (tmp_path / "scene.toml").write_text(SCENE.replace('speech = "talk.wav"', "seconds = 0.1"))
    (tmp_path / "file").write_text("")
    with pytest.raises(SdrBridgeError, match="file"):
        make_scene(tmp_path / "scene.toml", tmp_path / "file" / "out")


def test_text_without_the_synthesiser_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ConfigError, match="apt install espeak-ng"):
        clip_of(OverPlan(0, text="hello"))


def test_a_file_that_is_no_sound_is_refused(tmp_path: Path) -> None:
    (tmp_path / "bad.wav").write_bytes(b"RIFF nothing of the kind")
    with pytest.raises(ConfigError, match="cannot be read as sound"):
        clip_of(OverPlan(0, speech=tmp_path / "bad.wav"))


@pytest.mark.parametrize("rate", [11_025, 16_000, 22_050, 48_000, 7_350])
def test_resampling_keeps_frequency_level_and_time(rate: int) -> None:
    t = np.arange(rate) / rate
    out = to_speech_rate(np.sin(2 * np.pi * 1_000 * t), rate)
    assert len(out) == 8_000
    np.testing.assert_allclose(out[400:-400], np.sin(2 * np.pi * np.arange(400, 7_600) / 8), atol=2e-3)


def test_clips_are_trimmed_and_at_one_level() -> None:
    talk = speech_like(2.0, 5).astype(np.float64)
    padded = np.concatenate([np.zeros(4_000), talk, np.zeros(3_000)])
    for gain in (0.01, 1.0):
        out = levelled(gain * padded)
        assert 1.6 * 8_000 < len(out) <= 2.02 * 8_000
        frames = np.sqrt(np.mean(out[: len(out) // 80 * 80].reshape(-1, 80) ** 2, axis=1))
        active = frames[frames > frames.max() * 10 ** (-25 / 20)]
        assert 20 * np.log10(np.sqrt(np.mean(active**2))) == pytest.approx(SPEECH_DBFS, abs=0.2)
    assert not len(levelled(np.zeros(1_000))) and not len(levelled(np.zeros(0)))


def test_the_two_writings_of_the_golay_code_agree() -> None:
    # One divides in the order of sending, the other with the reciprocal polynomial.
    assert [dcs_word(c) for c in DCS_CODES] == [code_word(f"{c}N") for c in DCS_CODES]


@pytest.mark.parametrize("path", RECORDINGS, ids=[p.name.removesuffix(".truth.json") for p in RECORDINGS])
def test_shipped_recordings_hold_what_their_truth_says(path: Path) -> None:
    truth = json.loads(path.read_text())
    x, rate, _ = samples_of(path.parent / truth["recording"])
    assert len(x) == round(truth["seconds"] * rate)
    assert 2 * len(x) <= 6e6
    spectrum = fft.fft(x)
    checked = 0
    for c in truth["channels"]:
        if c["cn_db"] < 20 or c["mode"] not in ("nfm", "am") or "fading_doppler_hz" in c or truth["gaps"]:
            continue
        amplitude = 10 ** (c["level_dbfs"] / 20)
        # The channel alone, at an eighth of the rate. Five milliseconds of average against the noise; 0.6 of the
        # carrier is passed near the middle of an edge.
        middle = round((c["offset_hz"] + c["error_hz"]) * truth["seconds"])
        bins = fft.fftfreq(len(x) // 8, 1 / (len(x) // 8))
        inside = np.abs(bins) <= c["bandwidth_hz"] / 2 * truth["seconds"]
        z = fft.ifft(np.where(inside, spectrum[(np.round(bins).astype(int) + middle) % len(x)], 0)) / 8
        window = np.ones(rate // 8 // 200) / (rate // 8 // 200)
        smooth = np.convolve(np.abs(z) ** 2, window, "same") ** 0.5
        found = keyed(smooth.astype(np.complex128), rate // 8, 0.6 * amplitude)
        expected = [(o["start_s"], o["end_s"]) for o in c["overs"]]
        assert len(found) == len(expected), c["name"]
        np.testing.assert_allclose(found, expected, atol=5e-3)
        checked += len(found)
    assert checked or truth["gaps"] or "fading" in path.name
    assert len(RECORDINGS) >= 5


@pytest.mark.parametrize("name", ["speech_male", "speech_female"])
def test_shipped_clips_are_speech_at_one_level(name: str) -> None:
    samples, rate = soundfile.read(DATA / f"{name}.8000.flac")
    assert rate == 8_000 and 5 < len(samples) / rate < 10
    assert 0.3 < np.abs(samples).max() < 0.99
    # Six decibels under the normal talker, nothing to trim.
    np.testing.assert_allclose(levelled(samples) / samples.std(), samples * 2 / samples.std(), rtol=0, atol=0.1)
