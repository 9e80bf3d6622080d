"""The analog recordings of the corpus, through the whole replay: carriers, tones, codes and keyed times."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from dsp.tones.codes import equivalent_codes
from sdrbridge.cli import run

KEYED_WITHIN_S = 0.04

Corpus = dict[str, dict[str, Any]]


def replay(entry: dict[str, Any], folder: Path, capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    """Replay an entry with a carrier-squelch channel on each of its carriers; returns the channels in that order."""
    mode = "am" if entry["type"] == "am" else "nfm"
    channels = "".join(
        f'[[channel]]\nname = "C{i}"\ntuner = "t"\noffset = "{c["offset_hz"]}"\nmode = "{mode}"\n'
        for i, c in enumerate(entry["channels"])
    )
    site = folder / "site.toml"
    site.write_text(
        f'[bridge]\nname = "corpus"\n[[tuner]]\nname = "t"\nsource = "file:{entry["path"]}"\n'
        f'center = "0"\nrate = "{entry["sample_rate_hz"]}"\n{channels}'
    )
    assert run(["replay", str(site), "--out", str(folder / "out"), "--no-report", "--json"]) == 0
    summary = json.loads(capsys.readouterr().out)
    return [summary["channels"][f"C{i}"] for i in range(len(entry["channels"]))]


@pytest.mark.parametrize("name", ["nfm_scene_a", "nfm_dcs_a", "am_airband_a", "eas_nfm_iq_b"])
def test_carriers_tones_codes_and_keyed_times(
    corpus: Corpus, name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    entry = corpus[name]
    for truth, channel in zip(entry["channels"], replay(entry, tmp_path, capsys), strict=True):
        overs = channel["transmissions"]
        keyed = truth.get("keyed_seconds", [[0.0, entry["duration_s"]]])
        assert len(overs) == len(keyed), truth
        for over, (start, end) in zip(overs, keyed, strict=True):
            assert over["start_s"] == pytest.approx(start, abs=KEYED_WITHIN_S), truth
            assert over["end_s"] == pytest.approx(end, abs=KEYED_WITHIN_S), truth
            assert over.get("ctcss_hz") == truth.get("ctcss_hz"), truth
            assert ("dcs" in over) == ("dcs" in truth), truth
            if "dcs" in truth:
                assert over["dcs"] in equivalent_codes(truth["dcs"]), truth
            audio, rate = soundfile.read(tmp_path / "out" / over["audio"])
            assert audio.size / rate == pytest.approx(end - start, abs=2 * KEYED_WITHIN_S)
            assert np.abs(audio).max() < 1.0


def test_each_step_of_tone_is_found(corpus: Corpus, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    entry = corpus["nfm_ctcss_steps_a"]
    replay(entry, tmp_path, capsys)
    events = [json.loads(line) for line in (tmp_path / "out" / "events.jsonl").read_text().splitlines()]
    found = [(e["at_s"], e["ctcss_hz"]) for e in events if e["event"] == "tone.found"]
    steps = entry["channels"][0]["ctcss_sequence_start_stop_hz"]
    assert [hz for _, hz in found] == [hz for _, _, hz in steps]
    for (at, _), (start, _, _) in zip(found, steps, strict=True):
        assert at == pytest.approx(start, abs=KEYED_WITHIN_S)
