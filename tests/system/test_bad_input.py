"""A technician's mistakes and broken recordings: a clear message and the right exit code, never a traceback."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from sdrbridge.cli import run
from tests.support.site import carrier, to_cu8, write_site

BAD_CONFIGURATION = 78


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    path = tmp_path / "iq.cu8"
    path.write_bytes(to_cu8(carrier(1.0)))
    return path


def replay(site: Path, *more: str) -> int:
    return run(["replay", str(site), "--out", str(site.parent / "out"), "--no-report", "--json", *more])


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ({"channel": 'offset = "30k"'}, ["A", "30k", "18.5k"]),
        ({"channel": 'freq = "160.0M"'}, ["A", "160", "155"]),
        ({"channel": 'mode = "nfn"'}, ["nfn", "nfm"]),
        ({"channel": 'mode = "dmr"'}, ["dmr", "not"]),
        ({"channel": 'bandwith = "12.5k"'}, ["bandwith", "bandwidth"]),
        ({"channel": "squelch = { ctcss_hz = 101.0 }"}, ["101", "100.0", "103.5"]),
        ({"channel": 'squelch = { dcs = "024N" }'}, ["024", "023"]),
        ({"channel": 'bandwidth = "11k"'}, ["11", "12.5"]),
        ({"source": "file:missing.cu8"}, ["missing.cu8"]),
        ({"source": "tape:iq.cu8"}, ["tape", "file"]),
        ({"tuner": 'rate = "0"'}, ["rate"]),
        ({"tuner": "gian = 3"}, ["gian", "gain"]),
        ({"more": '[[patch]]\nname = "q"\nports = ["A", "outt"]'}, ["outt", "out"]),
        ({"more": '[[patch]]\nname = "q"\nports = ["A"]'}, ["q"]),
        ({"more": '[[channel]]\nname = "A"\ntuner = "t"\noffset = "1k"\nmode = "nfm"'}, ["A"]),
        ({"more": '[[port]]\nname = "x"\nkind = "fax"'}, ["fax"]),
        ({"more": "[[ports]]"}, ["ports", "port"]),
    ],
    ids=lambda value: str(next(iter(value.values()))).replace("\n", " ") if isinstance(value, dict) else "",
)
def test_bad_configuration(
    recording: Path, capsys: pytest.CaptureFixture[str], keys: dict[str, str], words: list[str]
) -> None:
    site = write_site(recording.parent, **keys)
    for verb in (["check", str(site)], ["replay", str(site), "--out", str(site.parent / "out")]):
        assert run(verb) == BAD_CONFIGURATION
        said = capsys.readouterr().err
        assert all(word in said for word in ["site.toml", *words]), said
        assert "Traceback" not in said
    assert not (site.parent / "out").exists()


def test_all_problems_are_told_at_once(recording: Path, capsys: pytest.CaptureFixture[str]) -> None:
    site = write_site(recording.parent, channel='mode = "nfn"\ncolour = 3', tuner="gian = 3")
    assert run(["check", str(site)]) == BAD_CONFIGURATION
    said = capsys.readouterr().err
    assert all(word in said for word in ("nfn", "colour", "gian"))


@pytest.mark.parametrize("text", ["", "not toml at all", "[bridge", "\x00", "[bridge]\nname = 3"])
def test_a_site_file_that_is_none(tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str) -> None:
    site = tmp_path / "site.toml"
    site.write_text(text)
    assert run(["check", str(site)]) == BAD_CONFIGURATION
    assert "site.toml" in capsys.readouterr().err


def test_a_missing_site_file_names_its_neighbours(recording: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_site(recording.parent)
    assert run(["check", str(recording.parent / "sit.toml")]) == BAD_CONFIGURATION
    said = capsys.readouterr().err
    assert "sit.toml" in said and "site.toml" in said


def test_an_odd_byte_is_left_out_and_told(recording: Path, capsys: pytest.CaptureFixture[str]) -> None:
    whole = recording.read_bytes()
    recording.write_bytes(whole[:-1])
    assert replay(write_site(recording.parent)) == 0
    captured = capsys.readouterr()
    assert len(json.loads(captured.out)["channels"]["A"]["transmissions"]) == 1
    assert "byte" in captured.err


def test_an_empty_recording(recording: Path, capsys: pytest.CaptureFixture[str]) -> None:
    recording.write_bytes(b"")
    assert replay(write_site(recording.parent)) != 0
    said = capsys.readouterr().err
    assert "iq.cu8" in said and "Traceback" not in said


def test_nan_in_a_float_recording_is_silence_and_counted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    samples = carrier(1.0)
    samples[20_000:20_010] = complex(np.nan, np.inf)
    (tmp_path / "iq.cf32").write_bytes(samples.tobytes())
    assert replay(write_site(tmp_path, source="file:iq.cf32")) == 0
    summary = json.loads(capsys.readouterr().out)
    audio, _ = soundfile.read(tmp_path / "out" / summary["channels"]["A"]["transmissions"][0]["audio"])
    assert np.isfinite(audio).all()
    assert summary["tuners"]["t"]["invalid_samples"] == 10


def test_speech_is_not_taken_for_iq(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    soundfile.write(tmp_path / "iq.wav", np.zeros(8000), 48_000)
    assert run(["check", str(write_site(tmp_path, source="file:iq.wav"))]) == BAD_CONFIGURATION
    assert "discriminator:" in capsys.readouterr().err


def test_a_header_that_lies_about_its_rate(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "iq.sigmf-data").write_bytes(to_cu8(carrier(1.0)))
    meta = {"global": {"core:datatype": "cu8", "core:version": "1.0.0", "core:sample_rate": 96_000}, "captures": []}
    (tmp_path / "iq.sigmf-meta").write_text(json.dumps(meta))
    site = write_site(tmp_path, source="file:iq.sigmf-meta")
    assert run(["check", str(site)]) == BAD_CONFIGURATION
    said = capsys.readouterr().err
    assert "96000" in said.replace(" ", "") and "48000" in said.replace(" ", "")


@pytest.mark.skipif(os.geteuid() == 0 and not hasattr(os, "setresuid"), reason="needs a user that is not root")
def test_an_output_folder_that_cannot_be_written(recording: Path, capsys: pytest.CaptureFixture[str]) -> None:
    site = write_site(recording.parent)
    blocked = recording.parent / "file-in-the-way"
    blocked.write_text("")
    assert run(["replay", str(site), "--out", str(blocked / "out")]) == 1
    said = capsys.readouterr().err
    assert "file-in-the-way" in said and "Traceback" not in said


def test_a_full_disk_keeps_what_was_heard(recording: Path) -> None:
    site = write_site(recording.parent)
    # A limit on the size of files stands for the full disk: the write fails in the middle of the over.
    program = (
        "import resource, signal, sys; signal.signal(signal.SIGXFSZ, signal.SIG_IGN); "
        "resource.setrlimit(resource.RLIMIT_FSIZE, (4000, 4000)); "
        "from sdrbridge.cli import run; sys.exit(run(sys.argv[1:]))"
    )
    command = [
        sys.executable,
        "-c",
        program,
        "replay",
        str(site),
        "--out",
        str(recording.parent / "out"),
        "--no-report",
    ]
    result = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert result.returncode == 1
    assert "Traceback" not in result.stderr
    assert "out" in result.stderr
    kept = sorted((recording.parent / "out").rglob("*.wav"))
    assert kept
    for path in kept:
        assert soundfile.info(path).samplerate == 8000


def test_usage_errors_exit_with_2() -> None:
    for arguments in (["replay"], ["frobnicate"], ["replay", "x", "--jobs", "0"], []):
        with pytest.raises(SystemExit) as caught:
            run(arguments)
        assert caught.value.code == 2
