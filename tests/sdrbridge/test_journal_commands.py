"""`sdrbridge journal …` and `report`: an incident that was recorded, read back, handed over and proved."""

import contextlib
import csv
import io
import json
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hw.clock import ManualClock
from sdrbridge import ics309
from sdrbridge.cli import run
from sdrbridge.incident import summarise
from sdrbridge.journal import Journal, read_entries, segments
from sdrbridge.journalfilter import Filter
from sdrbridge.journalwriter import JournalWriter
from sdrbridge.matrix import Event
from sdrbridge.transmission import Facts
from tests.sdrbridge.test_cli import HEAVY
from tests.sdrbridge.test_recording import Scene, speech


class Bridge(Scene):
    """Two talkers, a listener, a recorder and a journal."""

    def __init__(self, state: Path) -> None:
        self.writer = JournalWriter(state / "journal", "command-post", ManualClock(), heads=state / "stick.txt")
        super().__init__(state / "recordings")
        self.writer._clock = self.clock
        self.events = []
        self.desk._told = self.writer

    def tell(self, event: Event) -> None:
        super().tell(event)
        writer = getattr(self, "writer", None)
        if writer is not None:
            writer(event)


@pytest.fixture
def state(tmp_path: Path) -> Path:
    bridge = Bridge(tmp_path)
    bridge.writer.work()
    made = {"event": "patch.made", "patch": "command", "ports": ["A", "B", "desk"]}
    bridge.tell({"t_s": 0.0, **made, "who": "anna", "note": '=IC request, "14:20"'})
    bridge.a.say(8000, speech(16_000), Facts(ctcss_hz=156.7, snr_db=20.4))
    bridge.b.say(12_000, speech(20_000), Facts(source_id=1234, emergency=False))
    bridge.run(80_000)
    bridge.tell({"t_s": 10.0, "event": "degraded", "what": "tuner vhf", "reason": "unplugged"})
    bridge.close()
    bridge.writer.close()
    return tmp_path


def said(capsys: pytest.CaptureFixture[str], *arguments: str, code: int = 0) -> str:
    assert run(arguments) == code
    return capsys.readouterr().out


def test_show_says_it_in_plain_words_and_takes_filters(state: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines = said(capsys, "journal", "show", str(state)).splitlines()
    assert len(lines) == len(list(read_entries(state / "journal")))
    assert "2026-01-01 00:00:00.000" in lines[0] and "command-post was started" in lines[0]
    assert any('patch command was made of A, B and desk by anna: "=IC request' in line for line in lines)
    assert any("A: over A-0001 of 2.0 s was heard by B and desk" in line for line in lines)
    only = said(capsys, "journal", "show", str(state / "journal"), "--event", "floor.*", "--port", "B").splitlines()
    assert only and all("B" in line for line in only) and len(only) < len(lines)
    assert len(said(capsys, "journal", "show", str(state), "--last", "3").splitlines()) == 3
    assert len(said(capsys, "journal", "show", str(state), "--who", "anna").splitlines()) == 1
    late = said(capsys, "journal", "show", str(state), "--since", "2026-01-01T00:00:09", "--until", "2026-01-02T00:00")
    assert all("00:00:0" not in line or "00:00:09" in line for line in late.splitlines())
    shown = json.loads(said(capsys, "journal", "show", str(state), "--json", "--event", "patch.made"))
    assert [entry["who"] for entry in shown["entries"]] == ["anna"]


def test_a_time_that_is_none_is_said(state: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["journal", "show", str(state), "--since", "yesterday"]) == 1
    assert '"yesterday" is no time; write "2026-07-01T14:20"' in capsys.readouterr().err


def test_export_gives_json_lines_and_the_log_of_ics_309(state: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines = said(capsys, "journal", "export", str(state)).splitlines()
    assert [json.loads(line)["n"] for line in lines] == list(range(1, len(lines) + 1))
    out = state / "log.csv"
    said(capsys, "journal", "export", str(state), "--format", "csv", "--out", str(out))
    rows = list(csv.DictReader(out.read_text().splitlines()))
    assert set(rows[0]) == {"date", "time", "from", "from_msg", "to", "to_msg", "message"}
    overs = [row for row in rows if "of speech" in row["message"]]
    assert [(r["date"], r["time"], r["from"], r["to"]) for r in overs] == [
        ("2026-01-01", "00:00:01", "A", "B, desk"),
        ("2026-01-01", "00:00:01", "B 1234", "A, desk"),
    ]
    assert overs[0]["message"] == "2.0 s of speech, CTCSS 156.7 Hz"
    (made,) = [row for row in rows if row["from"] == "anna"]
    assert made["to"] == "command" and '"=IC request, "14:20""' in made["message"]


def test_a_note_never_becomes_a_formula(state: Path) -> None:
    from sdrbridge.ics309 import _harmless

    assert _harmless("=1+1") == "'=1+1" and _harmless("@x") == "'@x" and _harmless("plain") == "plain"


def test_verify_holds_journal_heads_key_and_recordings_together(
    state: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    everything = ["journal", "verify", str(state), "--heads", str(state / "stick.txt")]
    everything += ["--recordings", str(state / "recordings")]
    out = said(capsys, *everything)
    assert "whole: nothing was changed" in out and "exported heads fit" in out
    recording = next((state / "recordings").glob("*/*A-0001.flac"))
    other = next((state / "recordings").glob("*/*B-0001.flac"))
    kept = recording.read_bytes()
    recording.write_bytes(other.read_bytes())
    assert f"{recording}: changed: it is not the audio that entry" in said(capsys, *everything, code=1)
    recording.unlink()
    assert f"{recording}: missing: entry" in said(capsys, *everything, code=1)
    recording.write_bytes(kept)
    path = segments(state / "journal")[0]
    path.write_bytes(path.read_bytes().replace(b"anna", b"otto"))
    out = said(capsys, *everything, code=1)
    assert f"{path.name}:3: edited: entry 3" in out and "NOT WHOLE: 1 findings" in out
    assert json.loads(said(capsys, *everything, "--json", code=1))["findings"][0]["kind"] == "edited"


def test_head_and_key_are_a_line_each_and_prove_a_copy(state: Path, capsys: pytest.CaptureFixture[str]) -> None:
    head, key = (said(capsys, "journal", what, str(state)).rstrip("\n") for what in ("head", "key"))
    assert head.startswith("sdrbridge-head-1 ") and "\n" not in head and len(head) < 300
    assert key.startswith("ssh-ed25519 ")
    said(capsys, "journal", "verify", str(state), "--head", head, "--key", key)
    path = segments(state / "journal")[0]
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:-3]))
    out = said(capsys, "journal", "verify", str(state), "--head", head, "--key", key, code=1)
    assert "missing at the end: a head over" in out
    assert run(["journal", "verify", str(state), "--head", "sdrbridge-head-1 nonsense"]) == 1
    assert run(["journal", "verify", str(state), "--key", str(state / "nowhere")]) == 1


def test_the_report_tells_who_spoke_and_who_waited(state: Path, capsys: pytest.CaptureFixture[str]) -> None:
    told = json.loads(said(capsys, "report", str(state), "--json"))
    assert (told["site"], told["runs"], told["unclean"]) == ("command-post", 1, 0)
    assert [(o["over"], o["duration_s"], o["heard_by"]) for o in told["overs"]] == [
        ("A-0001", 2.0, ["B", "desk"]),
        ("B-0001", 2.5, ["A", "desk"]),
    ]
    assert told["overs"][0]["audio"].endswith("A-0001.flac") and len(told["overs"][0]["audio_sha256"]) == 64
    assert told["ports"]["B"]["blocked_s"] == pytest.approx(1.5, abs=0.1)
    assert told["patches"]["command"]["changes"][0] | {"wall": ""} == {
        "wall": "",
        "what": "made",
        "who": "anna",
        "note": '=IC request, "14:20"',
        "ports": "A, B, desk",
    }
    assert told["trouble"][0]["reason"] == "unplugged"
    out = said(capsys, "report", str(state))
    assert "who spoke when" in out and "2 overs, 4.5 s of speech" in out


def test_a_journal_nobody_has_is_said_in_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for arguments in (["journal", "show"], ["journal", "verify"], ["report"]):
        assert run([*arguments, str(tmp_path)]) == 1
        assert "there is no journal here" in capsys.readouterr().err


def test_random_bytes_are_shown_as_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "journal-0000000001.jsonl").write_bytes(b"\xff\xfe{}\n[1]\n" + bytes(range(256)))
    assert said(capsys, "journal", "show", str(tmp_path)) == ""
    assert "0 overs" in said(capsys, "report", str(tmp_path))
    said(capsys, "journal", "verify", str(tmp_path), code=1)


def test_showing_and_verifying_answer_at_once(state: Path) -> None:
    for what in ("show", "verify", "head", "key"):
        program = (
            "import sys, json\nfrom sdrbridge.cli import run\n"
            f"run(['journal', {what!r}, {str(state)!r}])\n"
            f"print(json.dumps([m for m in {HEAVY!r} if m in sys.modules]), file=sys.stderr)\n"
        )
        result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
        assert json.loads(result.stderr.splitlines()[-1]) == []


WORDS = st.sampled_from(
    [
        "over.done",
        "patch.made",
        "floor.granted",
        "port.unkeyed",
        "recording.closed",
        "recording.recovered",
        "degraded",
        "journal.opened",
        "journal.lost",
        "journal.recovered",
        "journal.head",
        "port.muted",
        "control.refused",
    ]
)
FIELDS = st.sampled_from(
    [
        "t_s",
        "port",
        "patch",
        "over",
        "start_s",
        "end_s",
        "heard_by",
        "ports",
        "who",
        "note",
        "keyed_s",
        "blocked_s",
        "file",
        "audio_sha256",
        "duration_s",
        "begun",
        "snr_db",
        "ctcss_hz",
        "clean",
        "what",
        "reason",
        "head",
        "key",
    ]
)
SCALARS = st.none() | st.booleans() | st.integers(-(10**20), 10**20) | st.floats() | st.text(max_size=5)
VALUES = SCALARS | st.lists(SCALARS, max_size=3) | st.dictionaries(st.text(max_size=3), SCALARS, max_size=2)


SOUND: dict[str, object] = {"t_s": 5.0, "port": "A", "patch": "p", "over": "A-0001", "start_s": 1.0, "end_s": 2.0}
SOUND |= {"heard_by": ["B"], "file": "x", "audio_sha256": "y", "duration_s": 1.0, "begun": "z", "keyed_s": 1.0}


def strange(folder: Path, events: list[tuple[str, dict[str, object]]]) -> Path:
    """A whole journal in which events have fields of any kind."""
    journal = Journal(folder, site="s", wall=datetime(2026, 7, 1, tzinfo=UTC), seal=None)
    for event, fields in events:
        journal.append({**SOUND, **fields, "event": event}, datetime(2026, 7, 1, tzinfo=UTC))
    journal.close(datetime(2026, 7, 1, tzinfo=UTC))
    return folder


STRANGE = st.lists(st.tuples(WORDS, st.dictionaries(FIELDS, VALUES, max_size=4)), max_size=6)


@settings(max_examples=100, deadline=None)
@given(STRANGE)
def test_entries_of_another_version_are_read_as_far_as_they_make_sense(
    tmp_path_factory: pytest.TempPathFactory, events: list[tuple[str, dict[str, object]]]
) -> None:
    entries = list(read_entries(strange(tmp_path_factory.mktemp("strange"), events)))
    assert len(list(ics309.rows(entries))) <= len(entries)
    assert json.dumps(summarise(entries).to_dict())
    assert list(Filter(ports=("A",), patches=("p",)).choose(entries)) is not None


@settings(max_examples=15, deadline=None)
@given(STRANGE)
def test_no_journal_makes_a_command_fall_over(
    tmp_path_factory: pytest.TempPathFactory, events: list[tuple[str, dict[str, object]]]
) -> None:
    folder = strange(tmp_path_factory.mktemp("strange"), events)
    with contextlib.redirect_stdout(io.StringIO()):
        for arguments in (["journal", "show"], ["journal", "export", "--format", "csv"], ["report"]):
            assert run([*arguments, str(folder)]) == 0
        assert run(["journal", "verify", str(folder), "--recordings", str(folder)]) in (0, 1)
        assert run(["journal", "head", str(folder)]) in (0, 1)
