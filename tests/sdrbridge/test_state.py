"""The state file: what is put is there after a restart; a broken one is kept aside, and the bridge starts anyway."""

import sqlite3
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sdrbridge.errors import SdrBridgeError
from sdrbridge.patch import Member, Patch, Rules
from sdrbridge.state import Level, Saved, State, merge, patch_from_dict, patch_to_dict
from sdrbridge.transmitters import PortMute


def patch(name: str, *ports: str) -> Patch:
    return Patch(name, MappingProxyType({port: Member() for port in ports}))


RICH = replace(
    patch("p", "a", "b", "c").mute("a").set_gain("b", "c", -6.0).mute_leg("c", "b"),
    rules=Rules(hang=123, preempt=False),
)


def test_a_patch_is_the_same_after_being_written() -> None:
    assert patch_from_dict("p", patch_to_dict(RICH)) == RICH


def test_what_is_put_is_there_after_a_restart(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    state = State.open(path)
    assert state.saved is None and state.remark == ""
    state.put(Saved({"old": patch("old", "a", "b")}))
    last = Saved(
        {"p": RICH}, {"p": patch("p", "a", "b", "c")}, {"a": PortMute(rx=True)}, {"b": Level((3.0, -2.5), (0.0, 0.0))}
    )
    state.put(last)
    state.close()
    again = State.open(path)
    again.close()
    assert again.saved == last


def test_a_file_of_another_kind_is_kept_aside(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    for number in (1, 2):
        path.write_text("this is no database, but long enough to be looked at as if it were one" * 20)
        state = State.open(path)
        state.put(Saved({"p": RICH}))
        state.close()
        assert state.saved is None
        assert f"kept as state.db.broken-{number}" in state.remark
        assert (tmp_path / f"state.db.broken-{number}").read_text().startswith("this is no")
    again = State.open(path)
    again.close()
    assert again.saved is not None and again.saved.patches == {"p": RICH}


@pytest.mark.parametrize(
    "text",
    [
        "[]",
        "{",
        '{"patches": 3}',
        '{"patches": {"p": 3}}',
        '{"patches": {"p": {"members": {"a": {"talks": "yes"}}}}}',
        '{"patches": {"p": {"legs": [["a", "b", {"gain_db": 0}]]}}}',
        '{"patches": {"p": {"members": {"a": {}, "b": {}}, "legs": [["a", "b", {"gain_db": 1e9}]]}}}',
        '{"patches": {"p": {"rules": {"hang": "long"}}}}',
        '{"mutes": {"a": 1}}',
        "[" * 100_000,
    ],
)
def test_contents_that_make_no_sense_are_kept_aside(tmp_path: Path, text: str) -> None:
    path = tmp_path / "state.db"
    State.open(path).close()
    with sqlite3.connect(path) as db:
        db.execute("INSERT OR REPLACE INTO state VALUES (1, 1, ?)", (text,))
    db.close()
    state = State.open(path)
    state.close()
    assert state.saved is None and "cannot be read" in state.remark


def test_a_version_that_is_not_known_is_kept_aside(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    State.open(path).close()
    with sqlite3.connect(path) as db:
        db.execute("INSERT OR REPLACE INTO state VALUES (1, 99, '{}')")
    db.close()
    state = State.open(path)
    state.close()
    assert "version 99" in state.remark


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.integers(0, 8191), st.integers(0, 255)), min_size=1, max_size=60), st.integers(0, 8192))
def test_a_damaged_file_never_stops_the_bridge(tmp_path: Path, damage: list[tuple[int, int]], length: int) -> None:
    path = tmp_path / "state.db"
    path.unlink(missing_ok=True)
    state = State.open(path)
    state.put(Saved({"p": RICH}))
    state.close()
    data = bytearray(path.read_bytes())
    for at, value in damage:
        data[at % len(data)] = value
    path.write_bytes(data[: max(length, 1)])
    state = State.open(path)
    state.put(Saved({"q": patch("q", "a", "b")}))
    state.close()
    if state.saved is not None and state.saved != Saved({"p": RICH}):
        # Damage that SQLite cannot see: what is read is still patches.
        assert all(isinstance(p, Patch) for p in state.saved.patches.values())
    for kept in tmp_path.glob("*.broken-*"):
        kept.unlink()


def test_a_folder_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    with pytest.raises(SdrBridgeError, match="choose another state folder"):
        State.open(tmp_path / "missing" / "state.db")


def test_a_disk_that_is_full_is_a_problem_and_is_tried_again(tmp_path: Path) -> None:
    path = tmp_path / "s" / "state.db"
    path.parent.mkdir()
    state = State.open(path)
    for end in ("", "-wal", "-shm"):
        path.with_name("state.db" + end).unlink(missing_ok=True)
    path.parent.rmdir()
    state.put(Saved({"p": RICH}))
    state.close()
    assert "cannot be written" in state.problem and state.writes == 0 and state.pending


def test_a_change_is_pending_until_it_is_in_the_file(tmp_path: Path) -> None:
    path = tmp_path / "s" / "state.db"
    path.parent.mkdir()
    state = State.open(path, threaded=False)
    assert not state.pending
    state.put(Saved({"p": RICH}))
    assert state.pending
    path.parent.rename(tmp_path / "away")
    state.work()
    assert state.pending and state.problem
    (tmp_path / "away").rename(path.parent)
    state.work()
    assert not state.pending and not state.problem
    state.close()


SITE = {"p": patch("p", "a", "b"), "q": patch("q", "c", "d")}


def test_changes_of_technicians_survive_and_changes_of_the_site_file_win() -> None:
    left = {"p": patch("p", "a", "b", "c").mute("a"), "own": patch("own", "c", "d")}
    saved = Saved(left, SITE)
    patches, remarks = merge(saved, SITE, "abcd")
    # q was broken up by hand, and stays so.
    assert patches == left and remarks == []
    changed = {"p": patch("p", "a", "d"), "r": patch("r", "b", "c")}
    patches, remarks = merge(saved, changed, "abcd")
    assert patches == {"p": changed["p"], "r": changed["r"], "own": left["own"]}
    assert remarks == ['patch "p" was changed in the site file and is taken from there']


def test_ports_that_are_gone_leave_their_patches() -> None:
    patches, remarks = merge(Saved({"own": patch("own", "a", "x")}, {}), {}, ["a"])
    assert list(patches["own"].members) == ["a"]
    assert remarks == ['patch "own": there is no port "x" any more; it is left out']
