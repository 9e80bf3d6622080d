"""Work handed from a thread that must not wait to one that may: a queue with a bound, and a thread of its own.

    tick ─put─▶ [ at most `bound` items ] ─▶ work(item), one at a time, in order

`put` never waits: what finds no room is refused, and whoever puts it counts it. `work` returns False for an item that
cannot be done now (the disk is full); it stays at the front and is tried again a second later. Without `start` there is
no thread, and `drain` does the work wherever it is called: a replay and a simulation do that.
"""

import logging
import threading
from collections import deque
from collections.abc import Callable
from typing import Generic, TypeVar

from hw.clock import Clock

PERIOD_S = 1.0
"""How long until something is tried again, and between two calls of `idle`."""

T = TypeVar("T")
log = logging.getLogger(__name__)


class Backlog(Generic[T]):
    """A bounded queue and, once started, its thread. idle: called once a second and after every burst of work."""

    def __init__(
        self,
        name: str,
        work: Callable[[T], bool],
        clock: Clock,
        *,
        bound: int,
        idle: Callable[[], None] = lambda: None,
    ) -> None:
        self.name = name
        self.bound = bound
        self.refused = 0
        """Items that found no room."""
        self._work = work
        self._idle = idle
        self._clock = clock
        self._items: deque[T] = deque()
        self._wake = threading.Event()
        self._closing = False
        self._thread: threading.Thread | None = None

    def __len__(self) -> int:
        return len(self._items)

    @property
    def running(self) -> bool:
        """Whether there is a thread."""
        return self._thread is not None

    def put(self, item: T) -> bool:
        """Hand over an item; False if there is no room. From any thread."""
        if len(self._items) >= self.bound or self._closing:
            self.refused += 1
            return False
        self._items.append(item)
        if not self._wake.is_set():
            self._wake.set()
        return True

    def start(self) -> None:
        """Begin to work in a thread."""
        self._thread = threading.Thread(target=self._run, name=self.name, daemon=True)
        self._thread.start()

    def drain(self) -> None:
        """Do what there is to do, until it is done or has to be tried again later."""
        while self._items:
            try:
                if not self._work(self._items[0]):
                    break
            except Exception:
                # One item that cannot be worked on must not stop all that come after it.
                log.exception("%s: an item was given up", self.name)
            self._items.popleft()
        self._idle()

    def close(self, bound_s: float = 10.0) -> bool:
        """Take nothing more, do what is left if it can be done, and end the thread. Returns whether all was done."""
        self._closing = True
        self._wake.set()
        if self._thread is None:
            self.drain()
        else:
            self._thread.join(bound_s)
            if self._thread.is_alive():
                return False
            self._thread = None
        return not self._items

    def _run(self) -> None:
        while True:
            closing = self._closing
            self._wake.clear()
            self.drain()
            if closing:
                return
            if not self._closing:
                self._clock.wait(self._wake, PERIOD_S)
