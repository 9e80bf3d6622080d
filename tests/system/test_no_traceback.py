"""No traceback for a user's mistake anywhere: every verb with what people give it by mistake, and with what ends it."""

import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from sdrbridge.cli import run
from sdrbridge.journal import KEY_NAME, Journal
from sdrbridge.seal import Seal
from tests.support.control import Incident, serving
from tests.support.site import carrier, to_cu8, write_site

OK, FAILED, USAGE, UNREACHABLE, BAD_CONFIGURATION, INTERRUPTED = 0, 1, 2, 3, 78, 130

BOUND_S = 60

WRONG_FILES: dict[str, Callable[[Path], object]] = {
    "missing": lambda path: None,
    "directory": Path.mkdir,
    "empty": lambda path: path.write_bytes(b""),
    "binary": lambda path: path.write_bytes(np.random.default_rng(1).bytes(4096)),
    "latin-1": lambda path: path.write_bytes('[bridge]\nname = "Münster"\n'.encode("latin-1")),
    "utf-16": lambda path: path.write_bytes('[bridge]\nname = "x"\n'.encode("utf-16")),
    "zeros": lambda path: path.write_bytes(bytes(4096)),
    "deep": lambda path: path.write_text("x = " + "[" * 100_000),
    "deep tables": lambda path: path.write_text("x = " + "{a=" * 20_000),
    "long number": lambda path: path.write_text("x = " + "9" * 10_000),
    "not TOML": lambda path: path.write_text("this is no site file\n"),
    "JSON": lambda path: path.write_text('{"a": [1, 2]}\n' * 3),
    "dangling": lambda path: path.symlink_to("nowhere"),
    "loop": lambda path: path.symlink_to(path),
}
"""What a file may be instead of what it should."""


class Answer:
    """What a command said, in this process: its exit code and stderr."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys

    def __call__(self, *arguments: str | Path) -> tuple[int, str]:
        try:
            code = run([str(argument) for argument in arguments])
        except SystemExit as problem:
            code = int(problem.code or 0)
        err = self._capsys.readouterr().err
        assert "Traceback" not in err
        assert code == OK or err.strip(), "it failed and said nothing"
        return code, err


@pytest.fixture
def answer(capsys: pytest.CaptureFixture[str]) -> Answer:
    return Answer(capsys)


@pytest.fixture(params=WRONG_FILES)
def wrong(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    path = tmp_path / "given"
    WRONG_FILES[request.param](path)
    return path


@pytest.fixture
def site(tmp_path: Path) -> Path:
    (tmp_path / "iq.cu8").write_bytes(to_cu8(carrier(1.0)))
    return write_site(tmp_path)


@pytest.mark.parametrize("verb", ["check", "replay"])
def test_a_site_file_that_is_none(answer: Answer, wrong: Path, verb: str, tmp_path: Path) -> None:
    more = ["--out", str(tmp_path / "out")] if verb == "replay" else []
    code, said = answer(verb, wrong, *more)
    assert code == BAD_CONFIGURATION and "given" in said


def test_a_daemon_with_a_site_file_that_is_none(wrong: Path, tmp_path: Path) -> None:
    done = sdrbridge("run", wrong, "--state", tmp_path / "state", "--socket", tmp_path / "c")
    assert done.returncode == BAD_CONFIGURATION and "given" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "codes"),
    [
        (["siggen", "{}", "--out", "{out}"], (FAILED, BAD_CONFIGURATION)),
        (["record", "file:{}", "--out", "{out}", "--seconds", "1"], (FAILED,)),
        (["serve-rtltcp", "{}", "--port", "0"], (FAILED,)),
        (["simulate", "--hours", "0.01", "--script", "{}"], (FAILED, OK)),
        (["replay", "{site}", "--out", "{out}", "--expect", "{}"], (FAILED, BAD_CONFIGURATION)),
        (["journal", "show", "{}"], (FAILED,)),
        (["journal", "export", "{}"], (FAILED,)),
        (["journal", "verify", "{}"], (FAILED,)),
        (["journal", "head", "{}"], (FAILED,)),
        (["journal", "key", "{}"], (FAILED,)),
        (["report", "{}"], (FAILED,)),
        (["status", "--socket", "{}"], (UNREACHABLE,)),
    ],
    ids=lambda value: " ".join(value[:2]) if isinstance(value, list) else "",
)
def test_a_file_that_is_something_else(
    answer: Answer, wrong: Path, site: Path, tmp_path: Path, arguments: list[str], codes: tuple[int, ...]
) -> None:
    code, said = answer(*(a.format(wrong, site=site, out=tmp_path / "out") for a in arguments))
    assert code in codes
    # Nobody may be expected to be heard: then the replay differs, and that is said on stdout.
    assert code == OK or "given" in said or ("--expect" in arguments and wrong.read_bytes() == b"")


@pytest.fixture(scope="module")
def journal(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder, wall = tmp_path_factory.mktemp("journal"), datetime(2026, 7, 1, tzinfo=UTC)
    book = Journal(folder, site="post", wall=wall, seal=Seal.open(folder / KEY_NAME))
    for n in range(3000):
        book.append({"t_s": float(n), "event": "port.keyed", "port": "VTAC11"}, wall)
    book.close(wall)
    return folder


@pytest.mark.parametrize("option", ["--key", "--heads", "--recordings"])
def test_proofs_that_are_something_else(answer: Answer, wrong: Path, journal: Path, option: str) -> None:
    code, _ = answer("journal", "verify", journal, option, wrong)
    # No heads in a file, or a folder of recordings that none are missing from, are no mistake.
    assert code in ((FAILED,) if option == "--key" else (FAILED, OK))


@pytest.mark.parametrize("damage", ["binary", "empty", "zeros", "latin-1"])
@pytest.mark.parametrize("what", ["show", "export", "verify", "head"])
def test_a_journal_that_is_damaged(answer: Answer, tmp_path: Path, what: str, damage: str) -> None:
    (tmp_path / "j").mkdir()
    WRONG_FILES[damage](tmp_path / "j" / "journal-0000000001.jsonl")
    code, _ = answer("journal", what, tmp_path / "j")
    assert code in ((FAILED,) if what in ("verify", "head") else (OK, FAILED))


ASKING = {
    "status": [],
    "top": ["-n", "1"],
    "patch ls": [],
    "patch make": ["p", "a", "b"],
    "patch break": ["p"],
    "patch add": ["p", "a"],
    "patch drop": ["p", "a"],
    "patch mute": ["p", "a"],
    "patch unmute": ["p", "a"],
    "patch gain": ["p", "a", "b", "3"],
    "port ls": [],
    "port show": ["a"],
    "port key": ["a", "--yes"],
    "port unkey": ["a"],
    "port mute": ["a"],
    "port unmute": ["a"],
    "port level": ["a", "--rx", "3"],
    "port align": ["a", "--yes"],
    "port restore": ["a"],
    "why": ["silent", "a"],
    "delay": ["a", "b"],
    "events": [],
    "events -f": [],
    "reload": [],
}
"""The verbs that ask a bridge, with arguments that are right in form."""


def _closed(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as end:
        end.bind(str(path))


WRONG_SOCKETS: dict[str, Callable[[Path], object]] = {
    "missing": lambda path: None,
    "directory": Path.mkdir,
    "file": lambda path: path.write_text("no socket"),
    "closed": _closed,
}


@pytest.mark.parametrize("kind", WRONG_SOCKETS)
@pytest.mark.parametrize("verb", ASKING)
def test_a_socket_where_nobody_answers(answer: Answer, tmp_path: Path, verb: str, kind: str) -> None:
    path = tmp_path / "s"
    WRONG_SOCKETS[kind](path)
    code, said = answer(*verb.split(), *ASKING[verb], "--socket", path)
    assert code == UNREACHABLE and str(path) in said


def test_a_socket_whose_name_is_too_long(answer: Answer, tmp_path: Path) -> None:
    code, _ = answer("status", "--socket", tmp_path / ("x" * 200))
    assert code == UNREACHABLE


@pytest.fixture(params=["hangs up", "nonsense", "not HTTP", "JSON of another kind", "half an answer"])
def impostor(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Path]:
    """Something else that listens on the socket."""
    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: "
    says = {
        "hangs up": b"",
        "nonsense": np.random.default_rng(2).bytes(500),
        "not HTTP": b"220 mail ready\r\n",
        "JSON of another kind": head + b"9\r\n\r\n[1, 2, 3]",
        "half an answer": head + b"500\r\n\r\n{",
    }[request.param]
    path = tmp_path / "s"
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
        server.listen()

        def serve() -> None:
            while True:
                try:
                    end, _ = server.accept()
                except OSError:
                    return
                with end:
                    end.recv(10_000)
                    end.sendall(says)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield path
        server.shutdown(socket.SHUT_RDWR)
        thread.join(BOUND_S)


@pytest.mark.parametrize("verb", ["status", "top", "patch make", "port ls", "why", "events", "events -f", "reload"])
def test_a_socket_where_somebody_else_answers(answer: Answer, impostor: Path, verb: str) -> None:
    code, _ = answer(*verb.split(), *ASKING[verb], "--socket", impostor)
    assert code in (FAILED, UNREACHABLE)


WRONG_NAMES = ("nobody", "", "command-post/nobody", "other-post/VTAC11", "a/b/c", "..", "\u2603", "x" * 5000, "VTAC1")


@pytest.mark.parametrize("name", WRONG_NAMES, ids=lambda name: name[:20])
def test_names_that_are_wrong(answer: Answer, tmp_path: Path, name: str) -> None:
    path = tmp_path / "c"
    with serving(Incident(tmp_path), path):
        for verb, arguments in ASKING.items():
            if arguments and verb not in ("top", "patch make"):
                given = [name if word in ("a", "b", "p") else word for word in arguments]
                code, _ = answer(*verb.split(), "--socket", path, *given)
                assert code == FAILED, verb
        code, _ = answer("patch", "make", "--socket", path, "fresh", name, name)
        assert code == FAILED


@pytest.mark.parametrize("number", ["-1", "-1e400", "nan", "inf", "1e999", "many", "", "0x10", "9" * 5000, "٣x"])
@pytest.mark.parametrize(
    "arguments",
    [
        ["replay", "s.toml", "--jobs"],
        ["replay", "s.toml", "--threads"],
        ["replay", "s.toml", "--block"],
        ["simulate", "--hours"],
        ["simulate", "--ports"],
        ["record", "file:x.cu8", "--center"],
        ["record", "file:x.cu8", "--rate"],
        ["record", "file:x.cu8", "--seconds"],
        ["serve-rtltcp", "x.cu8", "--port"],
        ["serve-rtltcp", "x.cu8", "--rate"],
        ["patch", "make", "p", "a", "b", "--hang"],
        ["patch", "make", "p", "a", "b", "--timeout"],
        ["patch", "make", "p", "a", "b", "--lockout"],
        ["patch", "make", "p", "a", "b", "--min-key"],
        ["patch", "make", "p", "a", "b", "--kerchunk"],
        ["port", "key", "a", "--seconds"],
        ["port", "align", "a", "--seconds"],
        ["events", "--last"],
        ["journal", "show", "--last"],
        ["top", "--interval"],
        ["top", "--times"],
        ["status", "--wait"],
    ],
    ids=" ".join,
)
def test_numbers_that_are_wrong(answer: Answer, arguments: list[str], number: str) -> None:
    code, said = answer(*arguments[:-1], f"{arguments[-1]}={number}")
    assert code == USAGE and arguments[-1] in said


@pytest.mark.parametrize(
    "arguments",
    [
        ["record", "file:{iq}", "--rate", "48k", "--out", "{out}", "--gain", "loud"],
        ["record", "file:{iq}", "--rate", "48k", "--out", "{out}", "--ppm", "nan"],
        ["record", "file:{iq}", "--out", "{out}"],
        ["record", "tape:x", "--out", "{out}"],
        ["record", "rtltcp:127.0.0.1:1", "--out", "{out}"],
        ["record", "file:{iq}", "--rate", "48k", "--out", "{iq}/x"],
        ["simulate", "--ports", "1"],
        ["simulate", "--ports", "100000000"],
        ["serve-rtltcp", "{iq}", "--rate", "48k", "--host", "no.such.host.invalid"],
        ["serve-rtltcp", "{iq}", "--rate", "48k", "--port", "65535", "--host", "203.0.113.1"],
        ["serve-rtltcp", "{iq}"],
        ["siggen", "{iq}", "--out", "{iq}"],
        ["replay", "{site}", "--out", "{iq}"],
        ["replay", "{site}", "--out", "{out}", "--save-expect", "{folder}"],
        ["journal", "show", "{folder}", "--since", "yesterday"],
        ["journal", "export", "{journal}", "--out", "{folder}"],
        ["journal", "verify", "{journal}", "--head", "no head"],
        ["report", "{journal}", "--until", "25:99"],
    ],
    ids=lambda value: " ".join(value[:1] + value[-2:]),
)
def test_arguments_that_make_no_sense(
    answer: Answer, site: Path, journal: Path, tmp_path: Path, arguments: list[str]
) -> None:
    places = {"iq": tmp_path / "iq.cu8", "out": tmp_path / "out", "site": site, "folder": tmp_path, "journal": journal}
    code, _ = answer(*(argument.format(**places) for argument in arguments))
    assert code in (FAILED, BAD_CONFIGURATION, USAGE)


WRONG_VALUES = (
    '"\\u0000"',
    "-1",
    "0",
    "nan",
    "inf",
    "1e308",
    "9223372036854775807",
    '""',
    "[]",
    "{}",
    "true",
    "1979-05-27",
)


@pytest.mark.parametrize("value", WRONG_VALUES)
def test_values_in_a_site_file_that_make_no_sense(answer: Answer, tmp_path: Path, value: str) -> None:
    keys = {
        "[bridge]": ("name", "extra_ctcss_hz", "vocoder", "loop_guard"),
        "[recorder]": ("folder", "keep", "full", "record"),
        "[journal]": ("folder", "heads", "sign_every", "rotate"),
        "[[tuner]]": ("name", "source", "center", "rate", "format", "gain", "ppm"),
        "[[channel]]": ("name", "tuner", "freq", "mode", "bandwidth", "squelch", "priority"),
        "[[port]]": ("name", "kind", "access_ms", "priority", "path", "ident_file", "break_in"),
        "[[patch]]": ("name", "ports", "hang_s", "timeout_s", "mix", "legs"),
    }
    for table, names in keys.items():
        for name in names:
            text = "".join(f"{head}\n{name} = {value}\n" if head == table else "" for head in keys)
            (tmp_path / "site.toml").write_text(text)
            code, _ = answer("check", tmp_path / "site.toml")
            assert code in (BAD_CONFIGURATION, OK), f"{table} {name}"
            (tmp_path / "site.toml").write_text(f"{name} = {value}\n{table.strip('[]')} = {value}\n")
            assert answer("check", tmp_path / "site.toml")[0] == BAD_CONFIGURATION


# What is seen from outside only: pipes, signals, what the interpreter says when it ends.

PROGRAM = [sys.executable, "-m", "sdrbridge"]


def sdrbridge(*arguments: str | Path, **more: object) -> "subprocess.CompletedProcess[str]":
    """Run it as people do; never a traceback."""
    command = [*PROGRAM, *map(str, arguments)]
    given = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **more}
    done = subprocess.run(command, text=True, errors="replace", timeout=BOUND_S, check=False, **given)  # type: ignore[call-overload]
    assert "Traceback" not in (done.stderr or "") and "Exception ignored" not in (done.stderr or ""), done.stderr
    assert isinstance(done, subprocess.CompletedProcess)
    return done


PRINTING = [
    ["--help"],
    ["--version"],
    ["patch", "make", "--help"],
    ["completion", "bash"],
    ["doctor"],
    ["check", "{site}"],
    ["check", "{site}", "--json"],
    ["journal", "show", "{journal}"],
    ["journal", "export", "{journal}"],
    ["journal", "export", "{journal}", "--format", "csv"],
    ["journal", "verify", "{journal}"],
    ["report", "{journal}"],
]


@pytest.mark.parametrize("arguments", PRINTING, ids=" ".join)
def test_whoever_reads_goes_away(site: Path, journal: Path, arguments: list[str]) -> None:
    read, write = os.pipe()
    os.close(read)
    try:
        done = sdrbridge(*(a.format(site=site, journal=journal) for a in arguments), stdout=write)
    finally:
        os.close(write)
    # The doctor says by his code what he found.
    assert done.returncode == OK or arguments == ["doctor"]
    assert done.stderr == "" or arguments[0] in ("doctor", "journal", "check")


def test_a_long_answer_through_head(journal: Path) -> None:
    command = f"{' '.join(PROGRAM)} journal show {journal} | head -n 1"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, timeout=BOUND_S, check=False)
    assert done.stderr == "" and len(done.stdout.splitlines()) == 1


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full")
@pytest.mark.parametrize("arguments", PRINTING[:2] + PRINTING[5:], ids=" ".join)
def test_what_it_writes_to_is_full(site: Path, journal: Path, arguments: list[str]) -> None:
    with Path("/dev/full").open("w") as full:
        done = sdrbridge(*(a.format(site=site, journal=journal) for a in arguments), stdout=full)
    assert done.returncode == FAILED and "No space left on device" in done.stderr


@pytest.mark.parametrize("arguments", PRINTING, ids=" ".join)
def test_there_is_nothing_to_write_to(site: Path, journal: Path, tmp_path: Path, arguments: list[str]) -> None:
    given = " ".join(a.format(site=site, journal=journal) for a in arguments)
    command = f"exec {' '.join(PROGRAM)} {given} >&- 2>{tmp_path}/stderr <&-"
    done = subprocess.run(["bash", "-c", command], timeout=BOUND_S, check=False)
    assert done.returncode == OK or arguments == ["doctor"]
    assert "Traceback" not in (tmp_path / "stderr").read_text()


def test_letters_that_the_terminal_does_not_have(site: Path, tmp_path: Path) -> None:
    site.write_text(site.read_text().replace('name = "A"', 'name = "Ä☃"').replace('["A", "out"]', '["Ä☃", "out"]'))
    for encoding in ("ascii", "latin-1"):
        environment = {**os.environ, "PYTHONIOENCODING": encoding}
        assert sdrbridge("check", site, env=environment).returncode == OK
        assert sdrbridge("check", tmp_path / "Ä☃.toml", env=environment).returncode == BAD_CONFIGURATION


def test_a_name_that_is_no_text(tmp_path: Path) -> None:
    done = sdrbridge("check", os.fsdecode(os.fsencode(tmp_path) + b"/\xff\xfe.toml"))
    assert done.returncode == BAD_CONFIGURATION


def interrupted(arguments: Sequence[str], ready: Callable[[int], bool], bound_s: float = BOUND_S) -> tuple[int, str]:
    """Start a command, and when it is at work press Ctrl-C as a terminal does, for the whole group; code and stderr."""
    process = subprocess.Popen(
        [*PROGRAM, *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    pause = threading.Event()
    for _ in range(int(bound_s / 0.05)):
        if ready(process.pid) or process.poll() is not None:
            break
        pause.wait(0.05)
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGINT)
    _, said = process.communicate(timeout=bound_s)
    assert "Traceback" not in said and "Exception ignored" not in said, said
    return process.returncode, said


@pytest.mark.parametrize("more", [[], ["--jobs", "2"], ["--threads", "2"]], ids=" ".join)
def test_ctrl_c_in_a_replay(site: Path, tmp_path: Path, more: list[str]) -> None:
    (tmp_path / "iq.cu8").write_bytes(to_cu8(carrier(1.0)) * 600)
    sites = [str(site)]
    if "--jobs" in more:
        (tmp_path / "other.toml").write_text(site.read_text())
        sites.append(str(tmp_path / "other.toml"))
    out = tmp_path / "out"
    code, said = interrupted(
        ["replay", *sites, "--out", str(out), "--no-report", *more], lambda pid: any(out.rglob("events.jsonl"))
    )
    assert code == INTERRUPTED and "interrupted" in said


def test_ctrl_c_in_a_simulation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "t").mkdir()
    monkeypatch.setenv("TMPDIR", str(tmp_path / "t"))
    code, said = interrupted(["simulate", "--hours", "1000"], lambda pid: any((tmp_path / "t").rglob("*.jsonl")))
    assert code == INTERRUPTED and "interrupted" in said
    assert not any((tmp_path / "t").iterdir())


@pytest.mark.parametrize("arguments", [["top", "-n", "1000", "--json"], ["events", "-f"]], ids=" ".join)
def test_ctrl_c_while_a_bridge_is_watched(tmp_path: Path, arguments: list[str]) -> None:
    path = tmp_path / "c"
    incident = Incident(tmp_path)
    with serving(incident, path):
        code, said = interrupted([*arguments, "--socket", str(path)], lambda pid: bool(incident.told("control.asked")))
    assert code == OK and said == ""


def test_ctrl_c_while_it_waits_for_a_daemon(tmp_path: Path) -> None:
    seen: list[str] = []

    def waits(pid: int) -> bool:
        """Whether it has used no CPU for half a second, after it has used some."""
        used = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:13]
        seen.append(" ".join(used))
        return len(seen) > 20 and len(set(seen[-10:])) == 1 and used != ["0", "0"]

    code, said = interrupted(["status", "--wait", "600", "--socket", str(tmp_path / "c")], waits)
    assert code == INTERRUPTED and "interrupted" in said
