"""The daemon's side of the keyer guard: says who shall be keyed, a message each tick, and keeps the guard alive.

A guard that died or does not answer is killed and started again; it finds every line unkeyed or makes it so. Nothing
here waits: the matrix thread calls `beat` every 20 ms.
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

RESTART_BEATS = 1
"""Ticks between the death of a guard and the next start: at once at first, doubled each time, up to `MOST_RESTART`."""

MOST_RESTART = 250


class GuardProcess(Protocol):
    """What is asked of the process."""

    def poll(self) -> int | None: ...
    def kill(self) -> None: ...
    def wait(self, timeout: float | None = None) -> int: ...


def start_guard(connection: socket.socket) -> GuardProcess:
    """Start the guard on its end of the connection."""
    command = [sys.executable, "-m", "sdrbridge.guard", str(connection.fileno())]
    return subprocess.Popen(command, pass_fds=[connection.fileno()], stdin=subprocess.DEVNULL, start_new_session=True)


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
    """Holds the guard. start: starts its process. It is started with the first line, never before."""

    def __init__(self, start: Callable[[socket.socket], GuardProcess] = start_guard) -> None:
        self._start = start
        self._process: GuardProcess | None = None
        self._connection: socket.socket | None = None
        self._specs: dict[str, str] = {}
        self._keyed: set[str] = set()
        self._states: dict[str, LineState] = {}
        self._unsent = True
        self._number = self._answered = 0
        self._heard = False
        self._wait = 0
        self._backoff = RESTART_BEATS
        self.starts = 0

    @property
    def pid(self) -> int | None:
        """Of the guard's process, where there is one."""
        return getattr(self._process, "pid", None)

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
            if not self._begin():
                return
        self._send()
        self._receive()
        deaf = self._number - self._answered
        if self._process is not None and deaf > (DEAF_BEATS if self._heard else START_BEATS):
            self._lost("does not answer")

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
        if process is None:
            return
        try:
            process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(timeout_s)

    def _begin(self) -> bool:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        ours.setblocking(False)
        self.starts += 1
        try:
            self._process = self._start(theirs)
        except OSError as problem:
            ours.close()
            self._fail(f"the keyer guard cannot be started: {problem.strerror or problem}")
            return False
        finally:
            theirs.close()
        self._connection = ours
        self._unsent = True
        self._heard = False
        self._answered = self._number
        return True

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
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(0.02)
        self._fail(f"the keyer guard {why}, and is started again")

    def _fail(self, problem: str) -> None:
        self._wait, self._backoff = self._backoff, min(2 * self._backoff, MOST_RESTART)
        for name in self._specs:
            self._states[name] = LineState(None, problem)
