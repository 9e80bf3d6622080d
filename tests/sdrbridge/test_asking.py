"""The verbs that ask a running bridge, from the command line to the matrix and back, over a real socket."""

import io
import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sdrbridge.cli import run
from sdrbridge.commands import top
from sdrbridge.control.server import ControlServer
from sdrbridge.errors import ConfigError
from tests.support.control import BOUND_S, Incident, serving
from tests.support.elsewhere import talker

UNREACHABLE = 3

HEAVY = ("numpy", "scipy", "soundfile", "msgspec", "pydantic", "rich", "asyncio", "starlette", "uvicorn", "dsp", "hw")


@pytest.fixture
def incident(tmp_path: Path) -> Incident:
    return Incident(tmp_path)


@pytest.fixture
def server(incident: Incident, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ControlServer]:
    monkeypatch.setenv("SDRBRIDGE_SOCKET", str(tmp_path / "control.sock"))
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("TZ", "UTC")
    with serving(incident, tmp_path / "control.sock") as server:
        yield server


class Answer:
    """What a command printed."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys

    def __call__(self, *arguments: str, code: int = 0) -> str:
        """Run a command; its stdout, or its stderr where it fails."""
        try:
            got = run(arguments)
        except SystemExit as problem:
            got = int(problem.code or 0)
        out, err = self._capsys.readouterr()
        assert got == code, err
        assert "Traceback" not in err
        return out if code == 0 else err

    def json(self, *arguments: str) -> Any:
        """The JSON it printed."""
        return json.loads(self(*arguments, "--json"))


@pytest.fixture
def sdrbridge(server: ControlServer, capsys: pytest.CaptureFixture[str]) -> Answer:
    return Answer(capsys)


def test_a_patch_is_made_as_a_technician_writes_it(incident: Incident, sdrbridge: Answer) -> None:
    sdrbridge("patch", "break", "command")
    said = sdrbridge(
        "patch", "make", "command", "VTAC11", "UTAC41", "dispatch", "--timeout", "120", "--note", "IC request 14:20"
    )
    assert said.splitlines()[0] == 'made patch "command" of VTAC11, UTAC41 and dispatch'
    assert incident.told("patch.made")[-1]["note"] == "IC request 14:20"
    assert set(incident.engine.matrix.patches["command"].members) == {"VTAC11", "UTAC41", "dispatch"}
    assert "VTAC11 · UTAC41 · dispatch" in sdrbridge("patch", "ls")


def test_every_change_to_a_patch(incident: Incident, sdrbridge: Answer) -> None:
    assert "it only hears" in sdrbridge("patch", "add", "command", "truck", "--hear-only", "--wait")
    sdrbridge("patch", "gain", "command", "VTAC11", "truck", "-6.5")
    sdrbridge("patch", "mute", "command", "VTAC11", "--to", "dispatch")
    assert "VTAC11 to truck: -6.5 dB" in sdrbridge("patch", "ls", "command")
    assert "VTAC11 to dispatch: muted" in sdrbridge("patch", "ls", "command")
    sdrbridge("patch", "unmute", "command", "VTAC11", "--to", "dispatch")
    sdrbridge("patch", "mute", "command", "dispatch")
    assert "dispatch (muted)" in sdrbridge("patch", "ls", "command")
    sdrbridge("patch", "drop", "command", "truck")
    answer = sdrbridge.json("patch", "ls", "command-post/command")
    assert [m["port"] for m in answer["patches"][0]["members"]] == ["VTAC11", "dispatch"]


def test_a_dangerous_verb_needs_yes_where_nobody_can_be_asked(incident: Incident, sdrbridge: Answer) -> None:
    incident.say("VTAC11", 5.0)
    incident.run(0.2)
    said = sdrbridge("patch", "break", "command", code=1)
    assert "VTAC11 is heard by dispatch" in said and "--yes" in said
    assert "command" in incident.engine.matrix.patches
    sdrbridge("patch", "break", "command", "--yes")
    assert "--yes" in sdrbridge("port", "key", "truck", code=1)
    assert not incident.engine.matrix.keyed("truck")


@pytest.mark.parametrize(("typed", "code"), [("y\n", 0), ("yes\n", 0), ("\n", 1), ("n\n", 1), ("", 1)])
def test_a_dangerous_verb_asks_at_a_terminal(
    incident: Incident, sdrbridge: Answer, monkeypatch: pytest.MonkeyPatch, typed: str, code: int
) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setattr(sys, "stdin", Terminal(typed))
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    sdrbridge("port", "key", "truck", "--seconds", "2", code=code)
    incident.run(0.06)
    assert incident.engine.matrix.keyed("truck") == (code == 0)


def test_ports_are_shown_keyed_and_cut_off(incident: Incident, sdrbridge: Answer) -> None:
    assert "dispatch" in sdrbridge("port", "ls")
    assert "300 ms" in sdrbridge("port", "show", "truck")
    assert "by hand for 2.0 s" in sdrbridge("port", "key", "truck", "--seconds", "2", "--yes")
    incident.run(0.06)
    assert sdrbridge.json("port", "show", "truck")["keyed"]
    sdrbridge("port", "unkey", "truck")
    sdrbridge("port", "mute", "truck", "--tx")
    assert "muted tx" in sdrbridge("port", "ls")
    sdrbridge("port", "unmute", "truck")
    assert sdrbridge.json("port", "show", "truck")["muted"] == ""


def test_levels_and_what_is_lost_on_the_way(incident: Incident, sdrbridge: Answer) -> None:
    assert "what comes in at -3.0 dB, what goes out at +0.0 dB" in sdrbridge("port", "level", "truck", "--rx", "-3")
    assert incident.told("port.level")[-1]["rx_gain_db"] == -3.0
    assert "-3 dB in" in sdrbridge("port", "show", "truck")
    assert "rx or tx" in sdrbridge("port", "level", "truck", code=1)
    assert "no transmitter" in sdrbridge("port", "level", "VTAC11", "--tx", "3", code=1)
    said = sdrbridge("patch", "make", "x", "UTAC41", "printer", "--mix", "--kerchunk", "300")
    assert "printer will not get the signal of UTAC41" in said
    assert "kerchunk 300 ms" in sdrbridge("patch", "ls", "x")


def test_status_and_top_show_who_talks(incident: Incident, sdrbridge: Answer) -> None:
    incident.say("VTAC11", 5.0)
    incident.engine.degrade("disk", "full; nothing is recorded")
    incident.run(0.3)
    said = sdrbridge("status")
    assert "command-post: up" in said and "degraded: disk: full" in said and "VTAC11-0001" in said
    assert sdrbridge.json("status")["site"] == "command-post"
    assert "ON AIR" in sdrbridge("top", "-n", "2", "--interval", "0.1")
    lines = sdrbridge("top", "-n", "2", "--interval", "0.1", "--json").splitlines()
    assert [json.loads(line)["site"] for line in lines] == ["command-post"] * 2
    assert "top -n N" in sdrbridge("top", code=1)


def test_the_level_bar() -> None:
    assert top.bar(None) == ""
    assert top.bar(-60.0) == "·" * 20 + " -60" and top.bar(0.0) == "█" * 20 + " 0"
    assert top.bar(-30.0).count("█") == 10 and top.bar(-90.0).count("█") == 0 and top.bar(6.0).count("█") == 20


def test_why_and_delay(incident: Incident, sdrbridge: Answer) -> None:
    incident.hear_carrier("VTAC11", 156.7)
    incident.say("VTAC11", 5.0)
    incident.run(0.3)
    said = sdrbridge("why", "keyed", "dispatch").splitlines()
    assert said[0] == "dispatch is keyed: VTAC11 talks in command"
    assert said[1].endswith("VTAC11: a carrier came up, 21 dB over the noise")
    assert sdrbridge.json("why", "refused", "dispatch")["chain"] == []
    ledger = sdrbridge("delay", "VTAC11", "dispatch")
    assert "declared in all" in ledger and "measured now" in ledger
    assert "access time" in sdrbridge("delay", "VTAC11", "truck")
    assert sdrbridge.json("delay", "VTAC11", "truck")["measured_ms"] is None


def test_events_past_and_to_come(
    incident: Incident, server: ControlServer, sdrbridge: Answer, capsys: pytest.CaptureFixture[str]
) -> None:
    sdrbridge("patch", "add", "command", "truck")
    sdrbridge("patch", "drop", "command", "truck")
    assert "truck was taken out by" in sdrbridge("events", "--last", "1")
    assert [json.loads(x)["event"] for x in sdrbridge("events", "--json").splitlines()] == [
        "patch.added",
        "patch.dropped",
    ]
    assert sdrbridge("events", "--about", "UTAC41") == ""


def test_following_events_ends_with_the_bridge_and_says_so(
    incident: Incident, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "control.sock"
    codes: list[int] = []
    with serving(incident, path) as server:
        follower = threading.Thread(
            target=lambda: codes.append(run(["events", "-f", "--json", "--last", "0", "--socket", str(path)]))
        )
        listening = threading.Event()
        attach = server.hub.listen

        def listen(last: int, abort: Callable[[], None]) -> Any:
            found = attach(last, abort)
            listening.set()
            return found

        server.hub.listen = listen  # type: ignore[method-assign]
        follower.start()
        assert listening.wait(BOUND_S)
        incident.engine.tell({"event": "test", "number": 1})
    follower.join(BOUND_S)
    out, err = capsys.readouterr()
    assert codes == [1] and "ended the stream" in err
    assert [json.loads(line)["number"] for line in out.splitlines()] == [1]


def test_a_reload_says_what_changed_or_what_is_wrong(
    incident: Incident, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "control.sock"
    wrong = False

    async def reload(who: object) -> list[str]:
        if wrong:
            raise ConfigError(["site.toml: one", "site.toml: two"])
        return ['patch "command": time-out is 60 s']

    with serving(incident, path, reload=reload):
        assert run(["reload", "--socket", str(path)]) == 0
        assert "time-out is 60 s" in capsys.readouterr().out
        wrong = True
        assert run(["reload", "--socket", str(path)]) == 78
        assert capsys.readouterr().err == "sdrbridge: site.toml: one\nsdrbridge: site.toml: two\n"


MISTAKES = [
    (["patch", "break", "comand"], 1, 'did you mean "command"'),
    (["patch", "make", "x", "VTAC11", "UTAC4"], 1, 'did you mean "UTAC41"'),
    (["patch", "make", "x", "VTAC11"], 1, "at least two ports"),
    (["patch", "make", "x"], 2, "PORT"),
    (["patch", "make", "command", "UTAC41", "truck"], 1, "already"),
    (["patch", "make", "x", "UTAC41", "truck", "--timeout", "0"], 2, "between 1 and 3600"),
    (["patch", "make", "x", "UTAC41", "truck", "--hang", "long"], 2, "between 0 and 30"),
    (["patch", "make", "x", "UTAC41", "truck", "--lockout", "1.5"], 2, "whole number"),
    (["patch", "make", "x" * 200, "UTAC41", "truck"], 1, "name"),
    (["patch", "make", "", "UTAC41", "truck"], 1, "name"),
    (["patch", "make", "x", "UTAC41", "truck", "--note", "n" * 501], 1, "note"),
    (["patch", "make", "x", "\udcff", "truck"], 1, "JSON"),
    (["patch", "maek"], 2, "did you mean make?"),
    (["patch"], 2, "ACT"),
    (["patch", "gain", "command", "VTAC11", "dispatch", "21"], 2, "between -60 and 20"),
    (["patch", "gain", "command", "VTAC11", "dispatch", "nan"], 2, "between -60 and 20"),
    (["patch", "gain", "command", "VTAC11", "VTAC11", "0"], 1, "never hears itself"),
    (["patch", "add", "command", "truck", "--hear-only", "--talk-only"], 2, "not allowed"),
    (["patch", "mute", "command", "truck"], 1, "no member"),
    (["port", "key", "VTAC11", "--yes"], 1, "no transmitter"),
    (["port", "key", "truck", "--seconds", "61", "--yes"], 2, "between 0.02 and 60"),
    (["port", "show", "DISPATCH"], 1, 'did you mean "dispatch"'),
    (["port", "show", "hospital/dispatch"], 1, "command-post"),
    (["port", "mute", "truck", "--rx", "--tx"], 2, "not allowed"),
    (["why", "quiet", "truck"], 2, "choose from"),
    (["why", "silent", "tuck"], 1, 'did you mean "truck"'),
    (["delay", "VTAC11", "UTAC41"], 1, "transmits"),
    (["events", "--last", "1001"], 2, "between 0 and 1000"),
    (["reload"], 1, "site file"),
    (["statsu"], 2, "did you mean status?"),
    (["status", "--wait", "-1"], 2, "between 0 and 3600"),
    (["status", "--socket", "/nowhere/control.sock"], UNREACHABLE, "no daemon listens there"),
    (["status", "--socket", "/"], UNREACHABLE, "no daemon listens there"),
    (["status", "--socket", "x" * 200], UNREACHABLE, "cannot be reached"),
]


@pytest.mark.parametrize(
    ("arguments", "code", "words"), MISTAKES, ids=[ascii(" ".join(mistake[0]))[:60] for mistake in MISTAKES]
)
def test_a_mistake_is_told_in_words(
    incident: Incident, sdrbridge: Answer, arguments: list[str], code: int, words: str
) -> None:
    assert words in sdrbridge(*arguments, code=code)
    assert list(incident.engine.matrix.patches) == ["command"]


class Peer:
    """Something else at the other end of the socket: it reads a little, says what it is told, and hangs up."""

    def __init__(self, path: Path, says: bytes) -> None:
        self.says = says
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.socket.bind(str(path))
        self.socket.listen(1)
        self.thread = threading.Thread(target=self._serve)
        self.thread.start()

    def _serve(self) -> None:
        connection, _ = self.socket.accept()
        with connection:
            connection.settimeout(BOUND_S)
            connection.recv(65536)
            connection.sendall(self.says)
        self.socket.close()


HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n"


@pytest.mark.parametrize(
    "says",
    [
        b"",
        b"SSH-2.0-OpenSSH_9.2\r\n",
        HEAD + b"content-length: 100\r\n\r\n{",
        HEAD + b"content-length: 1\r\n\r\n{",
        HEAD + b"content-length: 2\r\n\r\n\xff\xff",
        HEAD + b"transfer-encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 500 Oh\r\ncontent-length: 2\r\n\r\nno",
        b"HTTP/1.1 404 Oh\r\ncontent-length: 4\r\n\r\nnull",
    ],
)
def test_a_peer_that_is_no_bridge_is_told_in_words(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], says: bytes
) -> None:
    peer = Peer(tmp_path / "s", says)
    assert run(["port", "ls", "--socket", str(tmp_path / "s")]) in (1, UNREACHABLE)
    peer.thread.join(BOUND_S)
    err = capsys.readouterr().err
    assert err.startswith("sdrbridge: ") and "Traceback" not in err


def test_waiting_for_a_daemon_that_comes_up(
    incident: Incident, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "control.sock"
    code: list[int] = []
    asking = threading.Thread(
        target=lambda: code.append(run(["patch", "add", "command", "truck", "--wait", "20", "--socket", str(path)]))
    )
    asking.start()
    with serving(incident, path):
        asking.join(BOUND_S)
    assert code == [0] and "truck" in incident.engine.matrix.patches["command"].members


def test_nothing_heavy_is_imported_to_ask_a_bridge(incident: Incident, server: ControlServer) -> None:
    verbs = [
        ["status"],
        ["patch", "ls"],
        ["patch", "add", "command", "truck", "--note", "x"],
        ["port", "show", "truck"],
        ["why", "silent", "VTAC11"],
        ["delay", "VTAC11", "dispatch"],
        ["events"],
        ["completion", "ports"],
    ]
    program = (
        "import sys, json\nfrom sdrbridge.cli import run\n"
        f"codes = [run(verb) for verb in {verbs!r}]\n"
        f"print(json.dumps([codes, [m for m in {HEAVY!r} if m in sys.modules]]), file=sys.stderr)\n"
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, env=os.environ)
    assert json.loads(result.stderr.splitlines()[-1]) == [[0] * len(verbs), []]


def test_names_are_completed_from_the_bridge_that_runs(
    sdrbridge: Answer, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert sdrbridge("completion", "ports").split() == ["VTAC11", "UTAC41", "dispatch", "truck", "printer"]
    assert sdrbridge.json("completion", "patches") == {"patches": ["command"]}
    monkeypatch.setenv("SDRBRIDGE_SOCKET", str(tmp_path / "gone.sock"))
    assert sdrbridge("completion", "ports") == ""


def test_an_alignment_tone_is_asked_for_sent_and_ended(incident: Incident, sdrbridge: Answer) -> None:
    assert "--yes" in sdrbridge("port", "align", "truck", code=1)
    answer = sdrbridge.json("port", "align", "truck", "--level", "-12", "--seconds", "5", "--yes")
    assert answer["did"] == ["truck sends 1 kHz at -12 dBFS for 5.0 s"]
    incident.run(1.0)
    sent = incident.loops["truck"].sent()[-1600:]
    # The level of a tone is that of a full-scale sine less 12 dB: peak 0.251.
    assert np.max(np.abs(sent)) == pytest.approx(10 ** (-12 / 20), rel=0.02)
    assert sdrbridge("port", "align", "truck", "--stop") == "ended the tone at truck\n"
    incident.run(0.1)
    assert not incident.engine.matrix.keyed("truck")
    assert sdrbridge("port", "align", "truck", "--stop") == "truck had no tone to end\n"
    assert [e.get("level_dbfs") for e in incident.told("port.align")] == [-12.0, None, None]
    assert "no transmitter" in sdrbridge("port", "align", "VTAC11", "--yes", code=1)
    assert "between -60 and 0" in sdrbridge("port", "align", "truck", "--level", "3", code=2)


def test_a_port_cut_off_for_a_loop_is_shown_and_restored(incident: Incident, sdrbridge: Answer) -> None:
    assert "not cut off for a loop" in sdrbridge("port", "restore", "VTAC11", code=1)
    sdrbridge("patch", "add", "command", "UTAC41")
    said = np.concatenate([talker("male"), talker("female")])
    incident.loops["VTAC11"].say(800, said)
    incident.loops["UTAC41"].say(800 + 4800, (0.5 * said).astype(np.float32))
    incident.run(10)
    shown = sdrbridge.json("port", "show", "UTAC41")
    assert 'what "VTAC11" said in "command" came back here' in shown["loop"]
    assert "loop" in sdrbridge("port", "ls") and "cut off" in sdrbridge("port", "show", "UTAC41")
    assert "cut off: loop: what" in sdrbridge("why", "silent", "UTAC41")
    assert "UTAC41 is let through again" in sdrbridge("port", "restore", "UTAC41", "--note", "checked")
    assert incident.told("loop.restored")[-1]["note"] == "checked"
    assert sdrbridge.json("port", "show", "UTAC41")["loop"] == ""
