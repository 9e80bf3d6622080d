"""The journal of a running bridge: nobody waits, a full disk is survived, heads are kept in a second place."""

import os
import threading
from datetime import timedelta
from pathlib import Path

import pytest

from hw.clock import ManualClock, SystemClock
from sdrbridge.backlog import Backlog
from sdrbridge.journal import read_entries
from sdrbridge.journalwriter import JournalWriter
from sdrbridge.seal import Head, PublicKey
from sdrbridge.verify import verify


def events(folder: Path) -> list[str]:
    return [entry.event for entry in read_entries(folder)]


def test_events_get_the_time_at_which_they_were_told(tmp_path: Path) -> None:
    clock = ManualClock()
    writer = JournalWriter(tmp_path, "test", clock)
    clock.advance(1.5)
    writer({"t_s": 1.5, "event": "x", "who": "anna", "reason": "IC request"})
    clock.advance(60)
    writer.work()
    writer.close()
    entry = next(e for e in read_entries(tmp_path) if e.event == "x")
    assert entry.wall == "2026-01-01T00:00:01.500Z"
    assert entry.data == {"t_s": 1.5, "event": "x", "who": "anna", "reason": "IC request"}
    assert verify(tmp_path).ok


def test_a_minute_after_an_entry_a_head_is_signed_and_kept_in_a_second_place(tmp_path: Path) -> None:
    clock = ManualClock()
    stick = tmp_path / "stick.txt"
    writer = JournalWriter(tmp_path / "j", "test", clock, heads=stick)
    writer.work()
    writer({"event": "x"})
    writer.work()
    for _ in range(59):
        clock.advance(1)
        writer.work()
    assert len(stick.read_text().splitlines()) == 2  # the key, and the head of opening
    clock.advance(1)
    writer.work()
    key, *lines = stick.read_text().splitlines()
    heads = [Head.parse(line) for line in lines]
    assert [head.n for head in heads] == [1, 3]
    assert writer.head == heads[-1]
    for _ in range(120):
        clock.advance(1)
        writer.work()
    assert writer.head == heads[-1], "nothing new, nothing to sign"
    writer.close()
    report = verify(tmp_path / "j", PublicKey.parse(key), [Head.parse(x) for x in stick.read_text().splitlines()[1:]])
    assert report.ok and report.exported == 3 and report.pinned


def test_a_second_place_that_is_gone_is_said_and_served_when_it_is_back(tmp_path: Path) -> None:
    clock = ManualClock()
    stick = tmp_path / "stick" / "heads.txt"
    writer = JournalWriter(tmp_path / "j", "test", clock, heads=stick)
    writer.work()
    assert (writer.health().state, writer.health().counters["lost"]) == ("degraded", 0)
    assert "heads.txt: heads cannot be kept there: No such file" in writer.health().reason
    stick.parent.mkdir()
    writer.work()
    assert writer.health().state == "up"
    assert len(stick.read_text().splitlines()) == 2
    writer.close()


def test_a_full_disk_makes_events_wait_then_counts_them_and_resumes_by_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = ManualClock()
    writer = JournalWriter(tmp_path, "test", clock, bound=10)
    writer.work()
    real = os.write

    def full(file: int, data: bytes) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "write", full)
    for n in range(25):
        clock.advance(1)
        writer({"event": "x", "i": n})
        writer.work()
    health = writer.health()
    assert health.state == "degraded" and "No space left on device" in health.reason
    assert health.counters["waiting"] == 10 and health.counters["lost"] == 15
    monkeypatch.setattr(os, "write", real)
    writer.work()
    assert writer.health().state == "up"
    writer({"event": "y"})
    writer.close()
    said = [e for e in read_entries(tmp_path) if not e.event.startswith("journal.") or e.event == "journal.lost"]
    assert [e.data.get("i") for e in said[:10]] == list(range(10))
    assert [e.event for e in said[10:]] == ["journal.lost", "y"]
    assert said[10].data["lost"] == 15
    assert verify(tmp_path).ok


def test_a_writer_that_ends_on_a_full_disk_leaves_the_journal_to_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(file: int, data: bytes) -> int:
        raise OSError(28, "No space left on device")

    writer = JournalWriter(tmp_path, "test", ManualClock())
    writer.work()
    with monkeypatch.context() as patched:
        patched.setattr(os, "write", full)
        writer({"event": "x"})
        writer.close()
    assert "No space left on device" in writer.health().reason and writer.health().counters["waiting"] == 1
    following = JournalWriter(tmp_path, "test", ManualClock())
    following({"event": "y"})
    following.close()
    assert events(tmp_path) == [*["journal.opened", "journal.head"] * 2, "y", "journal.closed", "journal.head"]
    assert [e.data["clean"] for e in read_entries(tmp_path) if e.event == "journal.opened"] == [True, False]
    assert verify(tmp_path).ok


def test_a_journal_that_cannot_be_opened_is_opened_later(tmp_path: Path) -> None:
    folder = tmp_path / "j"
    folder.write_text("in the way")
    clock = ManualClock()
    writer = JournalWriter(folder, "test", clock)
    writer({"event": "x"})
    writer.work()
    assert writer.health().state == "degraded" and "j" in writer.health().reason
    folder.unlink()
    clock.advance(1)
    writer.work()
    assert writer.health().state == "up"
    writer.close()
    assert "x" in events(folder)


def test_a_key_that_cannot_be_read_leaves_the_journal_unsigned_and_says_so(tmp_path: Path) -> None:
    (tmp_path / "key.pem").write_text("broken")
    (tmp_path / "key.pem").chmod(0o600)
    writer = JournalWriter(tmp_path, "test", ManualClock())
    writer({"event": "x"})
    writer.work()
    assert "no key that can be read" in writer.health().reason
    writer.close()
    assert "x" in events(tmp_path)


def test_its_thread_writes_what_many_threads_tell_and_keeps_the_order_of_each(tmp_path: Path) -> None:
    writer = JournalWriter(tmp_path, "test", SystemClock(), sign_every=100)
    writer.start()

    def tell(who: int) -> None:
        for n in range(200):
            writer({"event": "x", "who": who, "i": n})

    threads = [threading.Thread(target=tell, args=(who,)) for who in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    writer.close()
    for who in range(4):
        said = [e.data["i"] for e in read_entries(tmp_path) if e.data.get("who") == who]
        assert said == list(range(200))
    assert verify(tmp_path).ok
    assert writer.health().counters == {"written": 800, "waiting": 0, "lost": 0}


def test_the_clock_of_the_machine_may_step_back(tmp_path: Path) -> None:
    clock = ManualClock()
    writer = JournalWriter(tmp_path, "test", clock)
    writer({"event": "x"})
    clock._start -= timedelta(hours=1)
    writer({"event": "y"})
    writer.close()
    report = verify(tmp_path)
    assert report.ok and any("set back by 3600.0 s" in note for note in report.notes)


def test_an_item_that_cannot_be_worked_on_does_not_stop_the_others(caplog: pytest.LogCaptureFixture) -> None:
    done: list[int] = []

    def work(item: int) -> bool:
        if item == 1:
            raise RuntimeError("broken item")
        done.append(item)
        return True

    backlog: Backlog[int] = Backlog("test", work, ManualClock(), bound=3)
    assert [backlog.put(n) for n in range(5)] == [True, True, True, False, False]
    backlog.drain()
    assert done == [0, 2] and backlog.refused == 2
    assert "an item was given up" in caplog.text
    assert backlog.close() and not backlog.put(7)
