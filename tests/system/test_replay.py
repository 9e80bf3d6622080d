"""A replay from end to end: what was keyed is heard, by whom it should be, and nothing else; always the same bytes."""

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from sdrbridge.cli import run
from tests.support.site import carrier, to_cu8

RATE = 240_000
SECONDS = 3.0

SITE = """
[bridge]
name = "two-systems"

[[tuner]]
name = "t"
source = "file:iq.cu8"
center = "155.0M"
rate = "240k"

[[tuner]]
name = "u"
source = "file:late.cu8"
center = "121.5M"
rate = "48k"

[[channel]]
name = "LOW"
tuner = "t"
offset = "-50k"
mode = "nfm"

[[channel]]
name = "HIGH"
tuner = "t"
offset = "60.03k"
mode = "nfm"

[[channel]]
name = "EMPTY"
tuner = "t"
offset = "0k"
mode = "nfm"

[[channel]]
name = "TONED"
tuner = "t"
offset = "60.03k"
mode = "nfm"
squelch = { ctcss_hz = 100.0 }

[[channel]]
name = "OTHER"
tuner = "u"
offset = "3k"
mode = "nfm"

[[port]]
name = "desk"
kind = "file"

[[port]]
name = "side"
kind = "file"

[[port]]
name = "alone"
kind = "file"

[[patch]]
name = "one"
ports = ["LOW", "HIGH", "TONED", "desk"]
hang_s = 0.4

[[patch]]
name = "two"
ports = ["OTHER", "LOW", "side"]
"""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """LOW keyed 0.75–2.25 s with 1 kHz, HIGH 1.25–2.75 s with 700 Hz, OTHER 0.75–2.25 s on its own tuner."""
    folder = tmp_path_factory.mktemp("site")
    low = carrier(SECONDS, -50_000, 1000, RATE)
    high = carrier(SECONDS, 60_000, 700, RATE)
    shifted = np.concatenate([high[-RATE // 2 :], high[: -RATE // 2]])
    (folder / "iq.cu8").write_bytes(to_cu8((0.5 * (low + shifted)).astype(np.complex64)))
    (folder / "late.cu8").write_bytes(to_cu8(carrier(SECONDS, 3_000, 500, 48_000)))
    path = folder / "site.toml"
    path.write_text(SITE)
    return path


def replay(site: Path, out: Path, capsys: pytest.CaptureFixture[str], *more: str) -> dict[str, Any]:
    assert run(["replay", str(site), "--out", str(out), "--json", *more]) == 0
    summary = json.loads(capsys.readouterr().out)
    assert isinstance(summary, dict)
    return summary


def digests(out: Path) -> Iterator[tuple[str, str]]:
    for path in sorted(out.rglob("*")):
        if path.suffix in (".wav", ".jsonl", ".flac"):
            yield str(path.relative_to(out)), hashlib.sha256(path.read_bytes()).hexdigest()


def strength(audio: np.ndarray[Any, Any], hz: float) -> float:
    spectrum = np.abs(np.fft.rfft(audio * np.hanning(audio.size)))
    frequencies = np.fft.rfftfreq(audio.size, 1 / 8000)
    near = np.abs(frequencies - hz) < 20
    return float(10 * np.log10((spectrum[near] ** 2).sum() / (spectrum**2).sum()))


def test_what_was_keyed_is_heard(site: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    summary = replay(site, tmp_path, capsys)
    assert summary["site"] == "two-systems"
    assert summary["duration_s"] == pytest.approx(SECONDS, abs=0.001)
    assert summary["dropped_samples"] == 0
    heard = {name: channel["transmissions"] for name, channel in summary["channels"].items()}
    assert {name: len(overs) for name, overs in heard.items()} == {
        "LOW": 1,
        "HIGH": 1,
        "EMPTY": 0,
        "TONED": 0,
        "OTHER": 1,
    }
    for name, start, end in (("LOW", 0.75, 2.25), ("HIGH", 1.25, 2.75), ("OTHER", 0.75, 2.25)):
        over = heard[name][0]
        assert over["start_s"] == pytest.approx(start, abs=0.005), name
        assert over["end_s"] == pytest.approx(end, abs=0.005), name
        assert over["snr_db"] > 15
        assert "ctcss_hz" not in over and "encrypted" not in over
        audio, rate = soundfile.read(tmp_path / over["audio"])
        assert rate == 8000
        assert audio.size / rate == pytest.approx(end - start, abs=0.02)
    audio, _ = soundfile.read(tmp_path / heard["LOW"][0]["audio"])
    assert strength(audio[800:-800], 1000) > -0.5


def test_each_is_heard_by_whom_it_should_be(site: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    summary = replay(site, tmp_path, capsys)
    channels = summary["channels"]
    assert sorted(channels["LOW"]["transmissions"][0]["heard_by"]) == ["desk", "side"]
    # LOW has the floor of patch one when HIGH begins; HIGH gets it when LOW has gone.
    assert channels["HIGH"]["transmissions"][0]["heard_by"] == ["desk"]
    assert summary["patches"]["one"]["refused"] == 1
    assert summary["patches"]["one"]["blocked_s"]["HIGH"] == pytest.approx(1.0, abs=0.1)
    desk = summary["ports"]["desk"]
    assert "alone" in summary["ports"] and summary["ports"]["alone"]["keyed_s"] == 0
    audio, _ = soundfile.read(tmp_path / desk["audio"])
    # HIGH and the hang time after it outlast the recording.
    assert audio.size >= int(SECONDS * 8000)
    assert strength(audio[int(1.2 * 8000) : int(2.0 * 8000)], 1000) > -1.0
    silent, _ = soundfile.read(tmp_path / summary["ports"]["alone"]["audio"])
    assert silent.size == audio.size and not silent.any()


def test_the_same_bytes_whatever_the_block_size_and_threads(
    site: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    reference = replay(site, tmp_path / "reference", capsys, "--no-report")
    wanted = dict(digests(tmp_path / "reference"))
    assert len(wanted) >= 6
    for number, options in enumerate(
        (["--block", "1000"], ["--block", "77777"], ["--threads", "2", "--block", "4801"])
    ):
        out = tmp_path / str(number)
        summary = replay(site, out, capsys, "--no-report", *options)
        assert dict(digests(out)) == wanted, options
        own = ("realtime_factor", "out")
        assert {k: v for k, v in summary.items() if k not in own} == {
            k: v for k, v in reference.items() if k not in own
        }


def test_every_decision_is_written_with_its_reason(
    site: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    replay(site, tmp_path, capsys, "--no-report")
    events = [json.loads(line) for line in (tmp_path / "events.jsonl").read_text().splitlines()]
    times = [event["t_s"] for event in events]
    assert times == sorted(times)
    kinds = {event["event"] for event in events}
    assert {"carrier.open", "carrier.close", "over.open", "over.close"} <= kinds
    assert all(event.get("reason") for event in events if event["event"] in ("over.close", "floor.refused"))


def test_what_a_replay_saves_it_meets_and_what_differs_is_told(
    site: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    saved = tmp_path / "expect.toml"
    replay(site, tmp_path / "a", capsys, "--no-report", "--save-expect", str(saved))
    replay(site, tmp_path / "b", capsys, "--no-report", "--expect", str(saved))
    saved.write_text(saved.read_text().replace("start_s = 0.7", "start_s = 0.5"))
    assert run(["replay", str(site), "--out", str(tmp_path / "c"), "--no-report", "--expect", str(saved)]) == 1
    assert "late" in capsys.readouterr().err


def test_a_missing_stretch_keeps_the_length(site: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Two captures with 0.5 s lost between them: everything after the gap stays at its time."""
    whole = to_cu8(carrier(SECONDS, 3_000, 500, 48_000))
    first, second = whole[: 2 * 48_000], whole[2 * 72_000 :]
    (tmp_path / "late.sigmf-data").write_bytes(first + second)
    captures = [
        {"core:sample_start": 0, "core:global_index": 0},
        {"core:sample_start": 48_000, "core:global_index": 72_000},
    ]
    meta = {
        "global": {"core:datatype": "cu8", "core:version": "1.0.0", "core:sample_rate": 48_000},
        "captures": captures,
    }
    (tmp_path / "late.sigmf-meta").write_text(json.dumps(meta))
    (tmp_path / "site.toml").write_text(
        '[bridge]\nname = "gap"\n[[tuner]]\nname = "u"\nsource = "file:late.sigmf-meta"\ncenter = "121.5M"\n'
        '[[channel]]\nname = "OTHER"\ntuner = "u"\noffset = "3k"\nmode = "nfm"\n'
        '[[port]]\nname = "desk"\nkind = "file"\n[[patch]]\nname = "p"\nports = ["OTHER", "desk"]\n'
    )
    summary = replay(tmp_path / "site.toml", tmp_path / "out", capsys, "--no-report")
    assert summary["dropped_samples"] == 24_000
    assert summary["duration_s"] == pytest.approx(SECONDS, abs=0.001)
    overs = summary["channels"]["OTHER"]["transmissions"]
    assert overs[0]["start_s"] == pytest.approx(0.75, abs=0.005)
    assert overs[-1]["end_s"] == pytest.approx(2.25, abs=0.005)
    audio, _ = soundfile.read(tmp_path / "out" / summary["ports"]["desk"]["audio"])
    assert audio.size == int(SECONDS * 8000)


@pytest.mark.parametrize("mode", ["nfm", "usb"])
def test_a_recording_that_ends_in_the_middle_of_an_over_ends_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], mode: str
) -> None:
    whole = carrier(2.0, 1_200, 800, 48_000)
    (tmp_path / "iq.cu8").write_bytes(to_cu8(whole[: 48_000 * 5 // 4]))
    (tmp_path / "site.toml").write_text(
        f'[bridge]\nname = "cut"\n[[tuner]]\nname = "t"\nsource = "file:iq.cu8"\ncenter = "0"\nrate = "48k"\n'
        f'[[channel]]\nname = "A"\ntuner = "t"\noffset = "0"\nmode = "{mode}"\n'
        '[[port]]\nname = "desk"\nkind = "file"\n[[patch]]\nname = "p"\nports = ["A", "desk"]\n'
    )
    summary = replay(tmp_path / "site.toml", tmp_path / "out", capsys)
    overs = summary["channels"]["A"]["transmissions"]
    assert len(overs) == 1
    assert overs[0]["end_s"] == pytest.approx(1.25, abs=0.02)
    assert summary["ports"]["desk"]["keyed"][-1]["end_s"] < 4.0
