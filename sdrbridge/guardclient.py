"""The daemon's side of the keyer guard: says who shall be keyed, a message each tick, and keeps the guard alive.

    guard: holds the lines ◀─a message each tick─ GuardClient ─a message each second─▶ spare: has started, holds nothing

A guard that died or does not answer is killed, and the spare is given the lines; it finds every line unkeyed or makes
it so. A process of Python may take longer to start than a transmitter may stay keyed, so there is one that has started.
Nothing here waits: the matrix thread calls `beat` every 20 ms.
"""

import contextlib
import json
import socket
import subprocess
import sys
from collections.abc import Callable
from typing import Protocol

from sdrbridge.guard import LineState

DEAF_BEATS = 15
"""Messages without an answer after which a guard is taken for hung: 300 ms."""

START_BEATS = 500
"""The same while it starts: 10 s."""

SPARE_BEATS = 50
"""Ticks between two messages to the spare, and before the first one is started: a second."""

RESTART_BEATS = 1
"""Where there is no spare, ticks between the death of a guard and the next start; doubled each time, up to
`MOST_RESTART`."""

MOST_RESTART = 250

DYING_BEATS = 2
"""Ticks that a guard that was killed is given to be gone, for two must not hold a line at once."""


class GuardProcess(Protocol):
    """What is asked of the process."""

    def poll(self) -> int | None: ...
    def kill(self) -> None: ...
    def wait(self, timeout: float | None = None) -> int: ...


def start_guard(connection: socket.socket) -> GuardProcess:
    """Start the guard on its end of the connection."""
    command = [sys.executable, "-m", "sdrbridge.guard", str(connection.fileno())]
    return subprocess.Popen(command, pass_fds=[connection.fileno()], stdin=subprocess.DEVNULL, start_new_session=True)


class _Spare:
    """A guard that holds no lines and waits to be given some. Raises OSError where it cannot be started."""

    def __init__(self, start: Callable[[socket.socket], GuardProcess]) -> None:
        self.ready = False
        """Whether it has started, and answered the last message but one."""
        self._unanswered = 0
        self.connection, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.connection.setblocking(False)
        try:
            self.process = start(theirs)
        except OSError:
            self.connection.close()
            raise
        finally:
            theirs.close()

    def look(self) -> bool:
        """Once a second: take its answer and ask again. False when it is dead or hangs."""
        try:
            while self.connection.recv(1 << 16):
                self.ready, self._unanswered = True, 0
            return False
        except BlockingIOError:
            pass
        except OSError:
            return False
        if self._unanswered * SPARE_BEATS >= (SPARE_BEATS if self.ready else START_BEATS):
            return False
        self._unanswered += 1
        try:
            self.connection.send(b'{"n": 0, "keyed": []}')
        except OSError:
            return False
        return True

    def end(self) -> None:
        """Kill it."""
        self.connection.close()
        with contextlib.suppress(OSError):
            self.process.kill()


class Handle:
    """A transmitter's PTT as its port sees it (`sdrbridge.ports.live.KeyerHandle`)."""

    def __init__(self, client: "GuardClient", name: str) -> None:
        self._client, self._name = client, name

    def set(self, keyed: bool) -> None:
        """Key or unkey, at the next beat."""
        self._client.set(self._name, keyed)

    @property
    def problem(self) -> str:
        """What keeps the line from being keyed as asked."""
        return self._client.states().get(self._name, LineState()).problem


class GuardClient:
    """Holds the guard, and a spare. start: starts a process. The first is started with the first line, never before."""

    def __init__(self, start: Callable[[socket.socket], GuardProcess] = start_guard) -> None:
        self._start = start
        self._process: GuardProcess | None = None
        self._spare: _Spare | None = None
        self._ending: list[GuardProcess] = []
        self._look_in = SPARE_BEATS
        self._connection: socket.socket | None = None
        self._specs: dict[str, str] = {}
        self._keyed: set[str] = set()
        self._states: dict[str, LineState] = {}
        self._unsent = True
        self._number = self._answered = 0
        self._heard = False
        self._wait = self._patience = 0
        self._backoff = RESTART_BEATS
        self.starts = 0

    @property
    def pid(self) -> int | None:
        """Of the guard's process, where there is one."""
        return getattr(self._process, "pid", None)

    @property
    def spare(self) -> int | None:
        """Of the spare's process, where there is one that has started."""
        return getattr(self._spare.process, "pid", None) if self._spare is not None and self._spare.ready else None

    def attach(self, name: str, spec: str) -> Handle:
        """Have the guard hold a line. An empty spec, or `none:`, needs no guard."""
        self._specs[name] = spec
        self._states[name] = LineState(None, "is being opened")
        self._unsent = True
        return Handle(self, name)

    def detach(self, name: str) -> None:
        """Let a line go, unkeyed."""
        self._specs.pop(name, None)
        self._states.pop(name, None)
        self._keyed.discard(name)
        self._unsent = True

    def set(self, name: str, keyed: bool) -> None:
        """Key or unkey; sent with the next beat."""
        if keyed:
            self._keyed.add(name)
        else:
            self._keyed.discard(name)

    def states(self) -> dict[str, LineState]:
        """How the lines are, as last heard."""
        return dict(self._states)

    def beat(self) -> None:
        """Once a tick: send what is wanted, take in what is said, start the guard again where needed."""
        if self._process is None:
            if not self._specs:
                return
            if self._wait > 0:
                self._wait -= 1
                return
            if self._still_dying() or not self._begin():
                return
        self._send()
        self._receive()
        deaf = self._number - self._answered
        if self._process is not None and deaf > (DEAF_BEATS if self._heard else START_BEATS):
            self._lost("does not answer")
        self._look_after_spare()

    def unkey_all(self) -> None:
        """Ask for it now."""
        self._keyed.clear()
        if self._process is not None:
            self._send()

    def close(self, timeout_s: float = 1.0) -> None:
        """Unkey everything and end the guard."""
        self.unkey_all()
        process, self._process = self._process, None
        if self._connection is not None:
            self._connection.close()
            self._connection = None
        self._specs.clear()
        if self._spare is not None:
            self._dismiss()
        for ended in self._ending:
            with contextlib.suppress(subprocess.TimeoutExpired):
                ended.wait(timeout_s)
        self._ending.clear()
        if process is None:
            return
        try:
            process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(timeout_s)

    def _begin(self) -> bool:
        """Give the lines to the spare, or to a guard that has yet to start."""
        fresh, self._spare = self._spare, None
        if fresh is None:
            try:
                fresh = self._launch()
            except OSError as problem:
                self._fail(f"the keyer guard cannot be started: {problem.strerror or problem}")
                return False
        self._process, self._connection = fresh.process, fresh.connection
        self._unsent = True
        self._heard = fresh.ready
        self._answered = self._number
        self._look_in = SPARE_BEATS
        return True

    def _launch(self) -> _Spare:
        self.starts += 1
        return _Spare(self._start)

    def _still_dying(self) -> bool:
        """Whether a guard that was killed may still hold the lines; one that the system cannot end is given up."""
        self._reap()
        if not self._ending or self._patience == 0:
            return False
        self._patience -= 1
        return True

    def _reap(self) -> None:
        if self._ending:
            self._ending = [process for process in self._ending if process.poll() is None]

    def _look_after_spare(self) -> None:
        self._reap()
        self._look_in -= 1
        if self._look_in > 0 or not self._heard:
            return
        self._look_in = SPARE_BEATS
        if self._spare is not None and not self._spare.look():
            self._dismiss()
        if self._spare is None:
            # Where it cannot be started there is none, and a lost guard is started again as it can be.
            with contextlib.suppress(OSError):
                self._spare = self._launch()
                self._spare.look()

    def _dismiss(self) -> None:
        assert self._spare is not None
        self._spare.end()
        self._ending.append(self._spare.process)
        self._spare = None

    def _send(self) -> None:
        assert self._connection is not None
        self._number += 1
        message: dict[str, object] = {"n": self._number, "keyed": sorted(self._keyed)}
        if self._unsent:
            message["lines"] = self._specs
        try:
            self._connection.send(json.dumps(message).encode())
            self._unsent = False
        except BlockingIOError:
            pass  # it does not read; if that goes on it is killed
        except OSError:
            self._lost("has died")

    def _receive(self) -> None:
        while self._connection is not None:
            try:
                data = self._connection.recv(1 << 16)
            except BlockingIOError:
                return
            except OSError:
                data = b""
            if not data:
                self._lost("has died")
                return
            said = json.loads(data)
            # What it says belongs to all messages up to this one.
            self._heard, self._answered = True, self._number
            self._backoff = RESTART_BEATS
            for name, state in said["lines"].items():
                if name in self._specs:
                    self._states[name] = LineState(state["keyed"], state["problem"])

    def _lost(self, why: str) -> None:
        process, self._process = self._process, None
        if self._connection is not None:
            self._connection.close()
            self._connection = None
        if process is not None:
            with contextlib.suppress(OSError):
                process.kill()
            self._ending.append(process)
            self._patience = DYING_BEATS
        self._fail(f"the keyer guard {why}, and is started again")
        if self._spare is not None and self._spare.ready:
            self._wait = 0

    def _fail(self, problem: str) -> None:
        self._wait, self._backoff = self._backoff, min(2 * self._backoff, MOST_RESTART)
        for name in self._specs:
            self._states[name] = LineState(None, problem)
