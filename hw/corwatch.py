"""Watching a COR line from a thread of its own: asking a USB serial port takes milliseconds, or seconds when it hangs.

    CorWatch: every 5 ms the line is read; `edges()` gives what changed, with the time, to somebody who must not wait

A line that cannot be read counts as closed. It is opened again every second until it answers.
"""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from threading import Event, Thread
from typing import Protocol

from hw.clock import Clock
from hw.errors import DeviceError

EVERY_S = 0.005
AGAIN_S = 1.0
MOST_EDGES = 256
"""Changes kept for who asks; more is a line that flutters, and the oldest are dropped."""


class Line(Protocol):
    """A squelch line, open."""

    def is_open(self) -> bool: ...
    def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Edge:
    """The line changed. at_s: when, by the clock. is_open: to what."""

    at_s: float
    is_open: bool


class CorWatch:
    """open_line: opens the line, raises `DeviceError`."""

    def __init__(self, open_line: Callable[[], Line], clock: Clock) -> None:
        self._open_line = open_line
        self._clock = clock
        self._line: Line | None = None
        self._stop = Event()
        self._thread: Thread | None = None
        self._edges: deque[Edge] = deque(maxlen=MOST_EDGES)
        self._is_open = False
        self.problem = "is not open yet"
        """What keeps it from being read; "" for nothing."""

    def start(self) -> None:
        """Open the line and watch it."""
        if self._thread is None:
            self.look()
            self._thread = Thread(target=self._watch, name="cor line", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """Let the line go. May be called twice."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(5.0)
        self._let_go()

    def edges(self) -> list[Edge]:
        """What has changed since the last call, oldest first."""
        found = []
        while self._edges:
            found.append(self._edges.popleft())
        return found

    def look(self) -> bool:
        """Read the line once; returns whether that worked."""
        try:
            if self._line is None:
                self._line = self._open_line()
            state = self._line.is_open()
        except DeviceError as problem:
            self.problem = str(problem)
            self._let_go()
            state = False
        else:
            self.problem = ""
        if state != self._is_open:
            self._is_open = state
            self._edges.append(Edge(self._clock.monotonic(), state))
        return not self.problem

    def _watch(self) -> None:
        pause = EVERY_S
        while not self._clock.wait(self._stop, pause):
            pause = EVERY_S if self.look() else AGAIN_S

    def _let_go(self) -> None:
        line, self._line = self._line, None
        if line is not None:
            line.close()
