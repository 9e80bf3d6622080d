"""Clocks: what time it is, and how long to wait. Handed in, so that a test or a simulation sets the pace.

`monotonic` measures intervals and never steps; `now` is the time of day and may. Nothing that decides about speech
reads either: there, time is a sample index. Drivers need a clock to tell how long a device was away.
"""

import time
from datetime import UTC, datetime, timedelta
from threading import Condition, Event
from typing import Protocol, runtime_checkable


@runtime_checkable
class Clock(Protocol):
    """Tells the time, and waits."""

    def monotonic(self) -> float:
        """Seconds since some fixed moment; never steps back."""
        ...

    def now(self) -> datetime:
        """The time of day, in UTC."""
        ...

    def wait(self, stop: Event, seconds: float) -> bool:
        """Wait that long, or until `stop` is set. Returns whether it is set."""
        ...


class SystemClock:
    """The machine's own clock."""

    def monotonic(self) -> float:
        return time.monotonic()

    def now(self) -> datetime:
        return datetime.now(UTC)

    def wait(self, stop: Event, seconds: float) -> bool:
        return stop.wait(max(0.0, seconds))


class ManualClock:
    """Stands still until somebody moves it.

    start: the time of day at `monotonic() == 0`. automatic: a wait moves the clock on by itself and returns at once, so
    that paced work runs as fast as it can, in the right order, with the right times.
    """

    # How often a waiting thread looks at `stop`, which cannot wake it; real seconds, no decision depends on them.
    _LOOK_S = 0.005

    def __init__(self, start: datetime = datetime(2026, 1, 1, tzinfo=UTC), *, automatic: bool = False) -> None:
        self._start = start
        self._automatic = automatic
        self._elapsed = 0.0
        self._waiting = 0
        self._changed = Condition()

    def monotonic(self) -> float:
        with self._changed:
            return self._elapsed

    def now(self) -> datetime:
        return self._start + timedelta(seconds=self.monotonic())

    def advance(self, seconds: float) -> None:
        """Move the clock on and wake whose time has come. Raises `ValueError` for less than nothing."""
        if seconds < 0:
            raise ValueError(f"advance({seconds}): a clock does not run backwards")
        with self._changed:
            self._elapsed += seconds
            self._changed.notify_all()

    def wait(self, stop: Event, seconds: float) -> bool:
        with self._changed:
            until = self._elapsed + max(0.0, seconds)
            if self._automatic:
                self._elapsed = until
                return stop.is_set()
            self._waiting += 1
            self._changed.notify_all()
            while self._elapsed < until and not stop.is_set():
                self._changed.wait(self._LOOK_S)
            self._waiting -= 1
        return stop.is_set()

    def until_waiting(self, threads: int = 1, bound_s: float = 10.0) -> bool:
        """Whether that many threads came to wait on this clock within `bound_s` real seconds."""
        with self._changed:
            return self._changed.wait_for(lambda: self._waiting >= threads, bound_s)
