"""A donor radio's data jack through the whole replay."""

import json
from pathlib import Path

import pytest
import soundfile

from sdrbridge.cli import run
from tests.support.discriminator import jack

CONFIGS = Path(__file__).resolve().parents[2] / "configs"


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_the_example_hears_the_right_tone(tmp_path: Path, capsys: pytest.CaptureFixture[str], sign: float) -> None:
    audio = sign * jack(3.0, (0.8, 2.2), 18.0, tone_hz=156.7)
    soundfile.write(tmp_path / "donor.wav", audio, 48_000)
    site = tmp_path / "discriminator.toml"
    site.write_text((CONFIGS / "discriminator.toml").read_text())
    assert run(["replay", str(site), "--out", str(tmp_path / "out"), "--json"]) == 0
    summary = json.loads(capsys.readouterr().out)
    (over,) = summary["channels"]["SHERIFF"]["transmissions"]
    assert over["start_s"] == pytest.approx(0.8, abs=0.02)
    assert over["end_s"] == pytest.approx(2.2, abs=0.02)
    assert over["ctcss_hz"] == 156.7
    assert over["heard_by"] == ["recorder"]


def test_another_tone_stays_silent(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    soundfile.write(tmp_path / "donor.wav", jack(2.0, (0.5, 1.5), 18.0, tone_hz=151.4), 48_000)
    site = tmp_path / "discriminator.toml"
    site.write_text((CONFIGS / "discriminator.toml").read_text())
    assert run(["replay", str(site), "--out", str(tmp_path / "out"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["channels"]["SHERIFF"]["transmissions"] == []
