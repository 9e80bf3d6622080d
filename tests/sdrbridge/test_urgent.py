"""Real-time priority: taken where it may be, done without where not, and never passed on."""

import os
import threading

import pytest

from sdrbridge import urgent


def test_only_the_thread_that_asks_gets_it() -> None:
    seen: list[int] = []

    def run() -> None:
        urgent.urgent(urgent.SPEECH)
        seen.append(os.sched_getscheduler(0) & ~os.SCHED_RESET_ON_FORK)
        child = threading.Thread(target=lambda: seen.append(os.sched_getscheduler(0)))
        child.start()
        child.join()

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    assert seen[0] in (os.SCHED_RR, os.SCHED_OTHER) and seen[1] == os.SCHED_OTHER
    assert os.sched_getscheduler(0) == os.SCHED_OTHER


def test_where_it_is_refused_all_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError

    monkeypatch.setattr(os, "sched_setscheduler", refuse)
    urgent.urgent(urgent.GUARD)


def test_the_guard_goes_before_what_it_guards() -> None:
    assert urgent.GUARD > urgent.SPEECH
