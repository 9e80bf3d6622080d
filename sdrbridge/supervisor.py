"""When a process is started, given up and started again. Pure: times and what was seen in, orders out.

    IDLE ──start──▶ STARTING ──first beat──▶ UP ──stop──▶ IDLE
                       │ no beat in time, exit │ no beats, too much memory, exit
                       └──────────▶ WAITING ◀──┘
                                       │ back-off over
                                       └──▶ STARTING

The back-off doubles from `first_s` to `most_s` and begins anew after the process has been up for `good_s`. A process
that says its work is done (a recording came to its end) goes to DONE and is not started again.
"""

from dataclasses import dataclass
from enum import Enum

STOPPED = "stopped"


class State(Enum):
    """See above."""

    IDLE = "idle"
    STARTING = "starting"
    UP = "up"
    WAITING = "waiting"
    DONE = "done"


class Order(Enum):
    """What is to be done now."""

    START = "start"
    KILL = "kill"


@dataclass(frozen=True, slots=True)
class Limits:
    """start_s: until the first beat. quiet_s, hang_s: between beats, after which it is said, and given up.

    first_s, most_s, good_s: of the back-off, see above. Who plugs a receiver in again waits `most_s` at most.

    rss_bytes: memory a process may take; the driver leaks if it takes more.
    """

    start_s: float = 20.0
    quiet_s: float = 0.4
    hang_s: float = 2.0
    first_s: float = 0.25
    most_s: float = 10.0
    good_s: float = 60.0
    rss_bytes: int = 2 << 30


class Supervisor:
    """Looks after one process. All times are seconds of a clock that never steps."""

    def __init__(self, limits: Limits = Limits()) -> None:
        self.limits = limits
        self.state = State.IDLE
        self.reason = "not started"
        """Why it is not up."""
        self.starts = 0
        self._backoff_s = limits.first_s
        self._since = 0.0
        self._beat = 0.0
        self._wanted = False

    @property
    def failed(self) -> bool:
        """Whether it was up or starting before and is to come back; `reason` says what happened."""
        return self.starts > 1 and self.reason != STOPPED

    @property
    def restarts(self) -> int:
        """How often it was started again."""
        return max(0, self.starts - 1)

    def start(self, now: float) -> Order | None:
        """It shall run."""
        self._wanted = True
        if self.state in (State.STARTING, State.UP):
            return None
        return self._start(now)

    def stop(self) -> Order | None:
        """It shall not run."""
        running = self.state in (State.STARTING, State.UP)
        self._wanted = False
        self.state, self.reason = State.IDLE, STOPPED
        self._backoff_s = self.limits.first_s
        return Order.KILL if running else None

    def beat(self, now: float, rss_bytes: int = 0) -> Order | None:
        """It lives, and takes that much memory."""
        if self.state not in (State.STARTING, State.UP):
            return None
        self._beat = now
        if self.state is State.STARTING:
            self.state, self.reason, self._since = State.UP, "", now
        if now - self._since >= self.limits.good_s:
            self._backoff_s = self.limits.first_s
        if rss_bytes > self.limits.rss_bytes:
            return self._fail(now, f"takes {rss_bytes >> 20} MiB of memory, {self.limits.rss_bytes >> 20} at most")
        return None

    def exited(self, now: float, reason: str, done: bool = False) -> None:
        """It has ended by itself. done: its work is, and it is not to be started again."""
        if self.state not in (State.STARTING, State.UP):
            return
        if done:
            self.state, self.reason = State.DONE, reason
        else:
            self._fail(now, reason)

    def tick(self, now: float) -> Order | None:
        """Look at the clock."""
        if self.state is State.WAITING and now >= self._since:
            return self._start(now)
        if self.state is State.STARTING and now - self._beat > self.limits.start_s:
            return self._fail(now, f"did not start within {self.limits.start_s:g} s")
        if self.state is State.UP and now - self._beat > self.limits.hang_s:
            return self._fail(now, f"hangs: nothing came for {self.limits.hang_s:g} s")
        return None

    def silent_s(self, now: float) -> float:
        """Since when nothing has come from it, where it is up and that is longer than it should be; 0 otherwise."""
        silent = now - self._beat
        return silent if self.state is State.UP and silent > self.limits.quiet_s else 0.0

    def _start(self, now: float) -> Order:
        self.starts += 1
        self.state, self._beat = State.STARTING, now
        return Order.START

    def _fail(self, now: float, reason: str) -> Order:
        self.state, self.reason = State.WAITING, reason
        self._since = now + self._backoff_s
        self._backoff_s = min(2 * self._backoff_s, self.limits.most_s)
        return Order.KILL
