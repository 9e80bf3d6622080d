"""Every recording that ships is heard as expected, and as the truth beside it says."""

import json
from pathlib import Path
from typing import Any

import pytest

from sdrbridge.cli import run

ROOT = Path(__file__).resolve().parents[2]
RECORDINGS = ROOT / "recordings"
SITES = {"demo_incident": ROOT / "configs" / "demo.toml"} | {
    path.name.removesuffix(".site.toml"): path for path in sorted(RECORDINGS.glob("*.site.toml"))
}

# A signal that begins or ends in the middle of a fade, or in a gap, is not there to be heard: (carrier, over).
HIDDEN_EDGES = {("scene_fading", "WALK"), ("scene_gaps", "TONE"), ("scene_gaps", "TALK")}
SIDEBANDS = ("usb", "lsb")
P25_FACTS = ("talkgroup", "source_id", "emergency")


def test_every_recording_has_a_site_and_an_expectation() -> None:
    names = {path.name.removesuffix(".sigmf-meta") for path in RECORDINGS.glob("*.sigmf-meta")}
    assert set(SITES) == {name for name in names if name.startswith(("demo_", "scene_"))}
    assert all((RECORDINGS / f"{name}.expect.toml").exists() for name in SITES)


@pytest.mark.parametrize("name", SITES)
def test_it_is_heard_as_expected(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    expected = RECORDINGS / f"{name}.expect.toml"
    code = run(["replay", str(SITES[name]), "--out", str(tmp_path), "--no-report", "--expect", str(expected)])
    assert code == 0, capsys.readouterr().err


@pytest.mark.parametrize("name", SITES)
def test_it_is_heard_as_the_truth_says(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["replay", str(SITES[name]), "--out", str(tmp_path), "--no-report", "--json"]) == 0
    heard = json.loads(capsys.readouterr().out)["channels"]
    truth: dict[str, Any] = json.loads((RECORDINGS / f"{name}.truth.json").read_text())
    for carrier in truth["channels"]:
        overs = heard[carrier["name"]]["transmissions"]
        if carrier["name"] == "FIRE-2":
            assert overs == [], "a channel with the wrong tone was heard"
            continue
        if (name, carrier["name"]) in HIDDEN_EDGES:
            assert overs
            continue
        assert len(overs) == len(carrier["overs"]), carrier["name"]
        for over, said in zip(overs, carrier["overs"], strict=True):
            if carrier["mode"] in SIDEBANDS:  # nothing is on the air before the speech
                assert -0.06 <= over["start_s"] - said["speech_start_s"] <= 0.02
                continue
            if carrier["mode"] == "p25":  # its speech lies between the header and the terminator
                assert over["start_s"] == pytest.approx(said["voice_start_s"], abs=0.02)
                assert over["end_s"] == pytest.approx(said["voice_end_s"], abs=0.02)
                assert over["nac"] == carrier["nac"]
                assert {key: over[key] for key in P25_FACTS} == {key: said[key] for key in P25_FACTS}
                continue
            assert over["start_s"] == pytest.approx(said["start_s"], abs=0.02)
            assert over["end_s"] == pytest.approx(said["unkey_s"], abs=0.02)
            assert over.get("ctcss_hz") == carrier.get("ctcss_hz")
            assert over.get("dcs") == carrier.get("dcs")
