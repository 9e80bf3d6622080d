"""Start, hang, leak, exit, back-off: what the supervisor orders, on a clock that only the test moves."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sdrbridge.supervisor import Limits, Order, State, Supervisor

LIMITS = Limits(start_s=10, hang_s=2, first_s=0.25, most_s=2, good_s=60, rss_bytes=1 << 30)


def up() -> Supervisor:
    it = Supervisor(LIMITS)
    assert it.start(0.0) is Order.START
    assert it.beat(1.0) is None
    assert it.state is State.UP
    return it


def test_a_process_that_beats_is_left_alone() -> None:
    it = up()
    assert it.start(1.0) is None
    for tenth in range(10, 2000):
        assert it.beat(tenth / 10, 1 << 29) is None
        assert it.tick(tenth / 10 + 0.05) is None
    assert it.restarts == 0 and it.reason == ""


def test_a_hang_is_ended_and_started_again() -> None:
    it = up()
    assert it.tick(3.0) is None
    assert it.tick(3.1) is Order.KILL
    assert "nothing came for 2 s" in it.reason
    it.exited(3.1, "killed")
    assert it.tick(3.2) is None
    assert it.tick(3.4) is Order.START
    assert it.restarts == 1


def test_silence_is_told_of_long_before_it_is_a_hang() -> None:
    it = up()
    assert it.silent_s(1.4) == 0.0 and it.silent_s(1.5) == pytest.approx(0.5)
    it.beat(1.5)
    assert it.silent_s(1.6) == 0.0
    assert it.tick(3.6) is Order.KILL
    assert it.silent_s(3.6) == 0.0


def test_a_start_without_a_beat_is_a_failure() -> None:
    it = Supervisor(LIMITS)
    it.start(0.0)
    assert it.tick(9.9) is None
    assert it.tick(10.1) is Order.KILL
    assert "did not start" in it.reason


def test_a_leak_is_ended() -> None:
    it = up()
    assert it.beat(2.0, (1 << 30) + 1) is Order.KILL
    assert "1024 MiB" in it.reason


def test_the_back_off_doubles_to_its_limit_and_begins_anew_after_a_good_time() -> None:
    it = up()
    waits = []
    now = 1.0
    for _ in range(5):
        it.exited(now, "the dongle is gone")
        failed = now
        while it.tick(now) is not Order.START:
            now = round(now + 0.05, 2)
        waits.append(round(now - failed, 2))
        it.beat(now)
    assert waits == [0.25, 0.5, 1.0, 2.0, 2.0]
    it.beat(now + 61)
    it.exited(now + 61, "the dongle is gone")
    assert it.tick(now + 61.2) is None
    assert it.tick(now + 61.3) is Order.START


def test_work_that_is_done_is_not_started_again() -> None:
    it = up()
    it.exited(2.0, "the recording has come to its end", done=True)
    assert it.tick(100.0) is None
    assert it.state is State.DONE
    assert it.start(101.0) is Order.START


def test_stop_kills_once_and_a_late_exit_starts_nothing() -> None:
    it = up()
    assert it.stop() is Order.KILL
    assert it.stop() is None
    it.exited(2.0, "killed")
    assert it.tick(100.0) is None


@given(
    st.lists(st.tuples(st.sampled_from(["beat", "leak", "exit", "done", "stop", "start", "wait"]), st.floats(0, 40)))
)
def test_it_is_never_started_while_it_runs_nor_killed_while_it_does_not(steps: list[tuple[str, float]]) -> None:
    it, now, running = Supervisor(LIMITS), 0.0, False

    def obey(order: Order | None) -> None:
        nonlocal running
        if order is Order.START:
            assert not running
            running = True
        elif order is Order.KILL:
            assert running
            running = False

    for what, wait in steps:
        now += wait
        obey(it.tick(now))
        if what in ("beat", "leak") and running:
            obey(it.beat(now, 1 << (29 if what == "beat" else 31)))
        elif what in ("exit", "done") and running:
            running = False
            it.exited(now, what, what == "done")
        elif what == "stop":
            obey(it.stop())
        elif what == "start":
            obey(it.start(now))
    assert it.starts >= it.restarts


@pytest.mark.parametrize("state", ["idle", "waiting", "done"])
def test_a_beat_from_the_dead_is_ignored(state: str) -> None:
    it = up()
    if state == "idle":
        it.stop()
    else:
        it.exited(2.0, "x", done=state == "done")
    before = it.state
    assert it.beat(2.1, 1 << 40) is None
    assert it.state is before
