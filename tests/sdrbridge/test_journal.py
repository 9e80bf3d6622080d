"""The journal: entries in a chain, heads that are signed, files that survive a stop and a full disk."""

import json
import os
import stat
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest

from sdrbridge.chain import read_line
from sdrbridge.errors import JournalError
from sdrbridge.journal import Journal, read_entries, segments
from sdrbridge.seal import Head, PublicKey, Seal
from sdrbridge.verify import verify

NOON = datetime(2026, 7, 1, 12, tzinfo=UTC)


def keep(folder: Path, events: int, *, sign_every: int = 10, rotate: int = 1 << 20, close: bool = True) -> list[Head]:
    """A journal with so many events, one a second; returns the heads it exported."""
    heads: list[Head] = []
    journal = Journal(
        folder,
        site="test",
        wall=NOON,
        seal=Seal.open(folder / "key.pem"),
        sign_every=sign_every,
        rotate=rotate,
        on_head=heads.append,
    )
    for n in range(events):
        event = {"t_s": float(n), "event": "floor.granted", "port": "VTAC11", "patch": "command", "reason": "free"}
        journal.append(event, NOON + timedelta(seconds=n))
    if close:
        journal.close(NOON + timedelta(seconds=events))
    else:
        os.close(journal._file)
        os.close(journal._lock)
    return heads


def test_entries_are_chained_numbered_and_stamped(tmp_path: Path) -> None:
    keep(tmp_path, 25)
    entries = list(read_entries(tmp_path))
    assert [e.n for e in entries] == list(range(1, len(entries) + 1))
    assert all(b.prev == a.hash for a, b in pairwise(entries))
    assert entries[0].event == "journal.opened" and entries[-1].data["closing"] is True
    said = [e for e in entries if e.event == "floor.granted"]
    assert len(said) == 25
    assert said[3].wall == "2026-07-01T12:00:03.000Z" and said[3].data["t_s"] == 3.0
    report = verify(tmp_path)
    assert report.ok, report.findings
    assert report.signed == len(entries) - 1 and report.heads == 4


def test_a_line_can_be_checked_with_any_sha_256_program(tmp_path: Path) -> None:
    keep(tmp_path, 1)
    line = segments(tmp_path)[0].read_text().splitlines()[2]
    body, digest = line[: -len(',"hash":""}') - 64] + "}", json.loads(line)["hash"]
    result = subprocess.run(["sha256sum"], input=body.encode(), capture_output=True, check=True)
    assert result.stdout.split()[0].decode() == digest


def test_the_key_is_made_once_for_the_owner_alone_and_shown_as_openssh_does(tmp_path: Path) -> None:
    first, again = Seal.open(tmp_path / "key.pem"), Seal.open(tmp_path / "key.pem")
    assert first.public == again.public
    assert stat.S_IMODE((tmp_path / "key.pem").stat().st_mode) == 0o600
    assert PublicKey.parse((tmp_path / "key.pub").read_text()) == first.public
    from cryptography.hazmat.primitives.serialization import load_ssh_public_key

    assert load_ssh_public_key(first.public.line.encode())
    (tmp_path / "key.pem").chmod(0o644)
    with pytest.raises(JournalError, match="0644 lets others read"):
        Seal.open(tmp_path / "key.pem")


@pytest.mark.parametrize(
    "content", [b"", b"nonsense", b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"]
)
def test_a_key_that_cannot_be_read_is_said(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "key.pem"
    path.write_bytes(content)
    path.chmod(0o600)
    with pytest.raises(JournalError, match="no key that can be read"):
        Seal.open(path)
    assert path.read_bytes() == content


def test_a_head_reads_back_through_whatever_pasting_does_to_its_spaces(tmp_path: Path) -> None:
    head = keep(tmp_path, 3)[-1]
    assert Head.parse(str(head)) == head
    assert Head.parse("  " + str(head).replace(" ", "\n  ") + "\n") == head
    with pytest.raises(ValueError, match="is no head"):
        Head.parse(str(head)[:-1])


def test_a_second_run_continues_the_chain(tmp_path: Path) -> None:
    keep(tmp_path, 5)
    keep(tmp_path, 5)
    opened = [e for e in read_entries(tmp_path) if e.event == "journal.opened"]
    assert [e.data["clean"] for e in opened] == [True, True]
    assert verify(tmp_path).ok


def test_segments_are_rotated_by_size_and_read_as_one(tmp_path: Path) -> None:
    keep(tmp_path, 200, rotate=8000)
    keep(tmp_path, 200, rotate=8000)
    found = segments(tmp_path)
    assert len(found) > 8
    assert all(path.stat().st_size <= 8000 for path in found)
    assert all(read_line(p.read_bytes().splitlines()[0])[0].n == int(p.stem[8:]) for p in found)
    report = verify(tmp_path)
    assert report.ok and report.segments == len(found), report.findings


def test_one_folder_serves_one_bridge(tmp_path: Path) -> None:
    journal = Journal(tmp_path, site="a", wall=NOON, seal=None)
    with pytest.raises(JournalError, match="another sdrbridge"):
        Journal(tmp_path, site="b", wall=NOON, seal=None)
    journal.close(NOON)
    Journal(tmp_path, site="b", wall=NOON, seal=None).close(NOON)


@pytest.mark.parametrize("left", [1, 40, -1])
def test_a_torn_last_line_is_set_aside_and_said(tmp_path: Path, left: int) -> None:
    keep(tmp_path, 7, close=False)
    path = segments(tmp_path)[0]
    data = path.read_bytes()
    start = data.rfind(b"\n", 0, -1) + 1
    torn = data[start:-1] if left < 0 else data[start : start + left]
    path.write_bytes(data[:start] + torn)
    broken = verify(tmp_path)
    assert [f.kind for f in broken.findings] == ["truncated"]
    assert (broken.findings[0].file, broken.findings[0].line) == (path.name, data[:start].count(b"\n") + 1)
    keep(tmp_path, 2)
    recovered = next(e for e in read_entries(tmp_path) if e.event == "journal.recovered")
    assert recovered.data["bytes"] == len(torn)
    assert (tmp_path / str(recovered.data["kept"])).read_bytes() == torn
    report = verify(tmp_path)
    assert report.ok and any("set aside" in note for note in report.notes)


def test_what_a_power_cut_leaves_behind_the_last_entry_is_set_aside(tmp_path: Path) -> None:
    keep(tmp_path, 30, rotate=2000, close=False)
    found = segments(tmp_path)
    garbage = b"\0" * 512 + b"\n\0\0"
    found[-1].write_bytes(garbage)  # a segment that never reached the disk
    with found[-2].open("ab") as stream:
        stream.write(b'{"half":')
    keep(tmp_path, 2)
    recovered = next(e for e in read_entries(tmp_path) if e.event == "journal.recovered")
    assert (tmp_path / str(recovered.data["kept"])).read_bytes() == b'{"half":' + garbage
    assert verify(tmp_path).ok


def test_values_json_does_not_know_become_ones_it_does(tmp_path: Path) -> None:
    journal = Journal(tmp_path, site="test", wall=NOON, seal=None)
    journal.append({"event": "x", "n": 7, "snr_db": float("nan"), "path": Path("/a"), "name": "Z\ud800ü"}, NOON)
    journal.append({"event": "y", "list": ["Z\ud800", [float("inf"), 1]]}, NOON)
    journal.append({"event": "y", "list": ["ü", [(1, 2), Path("/a")]]}, NOON)
    journal.close(NOON)
    x, *y = [dict(e.data) for e in read_entries(tmp_path) if e.event in ("x", "y")]
    assert x == {"event": "x", "n_": 7, "snr_db": None, "path": "/a", "name": "Z?ü"}
    assert [entry["list"] for entry in y] == [["Z?", [None, 1]], ["ü", [[1, 2], "/a"]]]
    assert verify(tmp_path).ok


def test_a_write_that_fails_leaves_the_journal_whole_and_may_be_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = Journal(tmp_path, site="test", wall=NOON, seal=None)
    real = os.write

    def short(file: int, data: bytes) -> int:
        monkeypatch.setattr(os, "write", full)
        return real(file, data[:20])

    def full(file: int, data: bytes) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "write", short)
    for _ in range(2):
        with pytest.raises(JournalError, match="No space left"):
            journal.append({"event": "x"}, NOON)
    monkeypatch.setattr(os, "write", real)
    assert journal.append({"event": "x"}, NOON).n == 2
    journal.close(NOON)
    assert verify(tmp_path).ok


def test_a_real_full_disk_is_survived(tmp_path: Path) -> None:
    program = (
        "import resource, signal, sys\nfrom datetime import UTC, datetime\nfrom pathlib import Path\n"
        "from sdrbridge.errors import JournalError\nfrom sdrbridge.journal import Journal\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\nnow = datetime.now(UTC)\n"
        "journal = Journal(Path(sys.argv[1]), site='s', wall=now, seal=None)\n"
        "hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (3000, hard))\nfailed = 0\n"
        "for n in range(50):\n    try:\n        journal.append({'event': 'x', 'i': n}, now)\n"
        "    except JournalError:\n        failed += 1\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))\njournal.append({'event': 'again'}, now)\n"
        "journal.close(now)\nprint(failed)\n"
    )
    result = subprocess.run([sys.executable, "-c", program, str(tmp_path)], capture_output=True, text=True, check=True)
    assert int(result.stdout) > 30
    assert verify(tmp_path).ok
    assert [e.event for e in read_entries(tmp_path)][-2:] == ["again", "journal.closed"]


def test_a_journal_killed_with_minus_nine_keeps_every_entry(tmp_path: Path) -> None:
    program = (
        "import sys\nfrom datetime import UTC, datetime\nfrom pathlib import Path\n"
        "from sdrbridge.journal import Journal\nfrom sdrbridge.seal import Seal\n"
        "folder = Path(sys.argv[1])\nnow = datetime.now(UTC)\n"
        "journal = Journal(folder, site='s', wall=now, seal=Seal.open(folder / 'key.pem'), sign_every=50)\n"
        "n = 0\nwhile True:\n    journal.append({'event': 'x', 'i': n}, now)\n    print(n, flush=True)\n    n += 1\n"
    )
    process = subprocess.Popen([sys.executable, "-c", program, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    said = -1
    for line in process.stdout:
        said = int(line)
        if said >= 300:
            process.kill()
            break
    process.stdout.close()
    process.wait(30)
    keep(tmp_path, 1)
    assert [e.data["i"] for e in read_entries(tmp_path) if e.event == "x"][: said + 1] == list(range(said + 1))
    assert verify(tmp_path).ok
    assert [e.data["clean"] for e in read_entries(tmp_path) if e.event == "journal.opened"] == [True, False]


def test_without_a_key_the_chain_still_holds_and_the_report_says_what_it_is_worth(tmp_path: Path) -> None:
    journal = Journal(tmp_path, site="test", wall=NOON, seal=None)
    assert journal.sign(NOON) is None
    journal.close(NOON)
    report = verify(tmp_path)
    assert report.ok and any("without a key" in note for note in report.notes)


def test_no_journal_is_an_error_with_the_folder_in_it(tmp_path: Path) -> None:
    asks: list[Callable[[], object]] = [lambda: verify(tmp_path), lambda: list(read_entries(tmp_path))]
    for ask in asks:
        with pytest.raises(JournalError, match="no journal here"):
            ask()
