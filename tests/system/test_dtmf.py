"""Digits over the whole line, from the antenna to a port's file: told in any case, heard only where they may pass."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray
from scipy.signal import resample_poly

from dsp.tones.dtmf import HIGH_HZ, LOW_HZ
from sdrbridge.cli import run
from tests.dsp.tones.test_dtmf import dial
from tests.support.onair import fm
from tests.support.site import RATE, to_cu8, write_site
from tests.support.speech import speech_like

KEYED_S, SPEECH_S, DIGITS = 0.5, 1.5, "147*2580369#"


def on_the_air() -> NDArray[np.complex64]:
    """Speech, digits and speech again with 2 kHz of deviation at most, and no carrier around them."""
    dialled = dial(DIGITS, 560, 560, 0.5)
    said = np.concatenate([speech_like(SPEECH_S, 1), dialled, speech_like(SPEECH_S, 2)])
    wave = resample_poly(said.astype(np.float64), RATE // 8000, 1)
    carrier = 0.5 * fm(2000 * np.clip(wave, -1, 1), RATE)
    quiet = np.zeros(round(KEYED_S * RATE))
    rng = np.random.default_rng(3)
    samples = np.concatenate([quiet, carrier, quiet])
    hiss = rng.standard_normal(2 * len(samples)).view(np.complex128)
    return (samples + 0.005 * hiss).astype(np.complex64)


def replayed(folder: Path, word: str, capsys: pytest.CaptureFixture[str]) -> tuple[NDArray[Any], list[dict[str, Any]]]:
    """What the port was sent, and the events that tell of digits."""
    folder.mkdir()
    (folder / "iq.cu8").write_bytes(to_cu8(on_the_air()))
    site = write_site(folder, channel=f'dtmf = "{word}"' if word else "")
    assert run(["replay", str(site), "--out", str(folder / "out"), "--json", "--no-report"]) == 0
    summary = json.loads(capsys.readouterr().out)
    (over,) = summary["channels"]["A"]["transmissions"]
    assert over.get("dtmf") == (DIGITS if word else None)
    audio, _ = soundfile.read(folder / "out" / summary["ports"]["out"]["audio"])
    events = [json.loads(line) for line in (folder / "out" / "events.jsonl").read_text().splitlines()]
    return audio, [event for event in events if event["event"] == "dtmf.digits"]


def powers(audio: NDArray[Any]) -> tuple[float, float]:
    """Of the eight tones, and of all that is heard, while the digits were on the air."""
    begin = round((KEYED_S + SPEECH_S + 0.2) * 8000)
    part = audio[begin : begin + len(DIGITS) * 1120]
    spectrum = np.abs(np.fft.rfft(part * np.hanning(len(part)))) ** 2
    hertz = np.fft.rfftfreq(len(part), 1 / 8000)
    tones = sum(float(spectrum[np.abs(hertz - tone) < 15].sum()) for tone in (*LOW_HZ, *HIGH_HZ))
    return tones, float(spectrum.sum())


def test_digits_are_told_and_cross_only_where_they_may(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    passed, told_passed = replayed(tmp_path / "pass", "pass", capsys)
    muted, told_muted = replayed(tmp_path / "mute", "mute", capsys)
    usual, told_usual = replayed(tmp_path / "usual", "", capsys)
    for told, kept in ((told_passed, False), (told_muted, True)):
        (event,) = told
        assert (event["port"], event["digits"], event["muted"]) == ("A", DIGITS, kept)
        assert event["start_s"] == pytest.approx(KEYED_S + SPEECH_S + 0.07, abs=0.02)
        assert event["end_s"] == pytest.approx(KEYED_S + SPEECH_S + len(DIGITS) * 0.14, abs=0.02)
    assert told_usual == []
    # Who only listens to digits changes no sample of what is heard.
    assert np.array_equal(passed, usual)
    tones, everything = powers(passed)
    assert tones > 0.9 * everything
    left, _ = powers(muted)
    assert left < 1e-5 * tones
    # The speech around them is there in both.
    for seconds in (KEYED_S + 0.2, KEYED_S + SPEECH_S + len(DIGITS) * 0.14 + 0.4):
        at = round(seconds * 8000)
        loud = [float(np.mean(audio[at : at + 6000] ** 2)) for audio in (passed, muted)]
        assert loud[1] == pytest.approx(loud[0], rel=0.2) and loud[0] > 1e-4
