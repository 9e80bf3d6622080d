"""A tuner of the daemon: its worker process, the connection to it, and the supervisor that looks after it.

`pump` is called by the matrix thread before each tick and never waits: it takes in what the worker has sent and carries
out what the supervisor orders. What the worker says goes to the `RemoteTuner`.
"""

import contextlib
import logging
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from sdrbridge.engine import TunerState
from sdrbridge.remoteport import RemoteTuner
from sdrbridge.supervisor import Limits, Order, State, Supervisor
from sdrbridge.wire import Beat, Bye, Hello, Setup, Unpacker, WireError, pack

log = logging.getLogger(__name__)

MOST_READ = 1 << 20
"""Bytes taken in at one tick, at most; the rest waits for the next."""

_PIECE = 1 << 16
"""Bytes asked for at once; where fewer come, no more are there."""

_BUFFER = 1 << 18
"""Bytes the kernel keeps on the way: two seconds of a busy tuner."""


class WorkerProcess(Protocol):
    """What is asked of the process."""

    @property
    def pid(self) -> int: ...
    def poll(self) -> int | None: ...
    def kill(self) -> None: ...
    def wait(self, timeout: float | None = None) -> int: ...


def start_worker(connection: socket.socket) -> WorkerProcess:
    """Start a worker on its end of the connection."""
    command = [sys.executable, "-m", "sdrbridge.worker", str(connection.fileno())]
    return subprocess.Popen(command, pass_fds=[connection.fileno()], stdin=subprocess.DEVNULL, start_new_session=True)


@dataclass(slots=True)
class _Running:
    """A worker that runs: its process, our end of the connection, and what it said last."""

    process: WorkerProcess
    connection: socket.socket
    unpacker: Unpacker
    bye: Bye | None = None


class TunerLink:
    """One tuner. setup: what its worker is to receive. start: starts the process."""

    def __init__(
        self,
        setup: Setup,
        remote: RemoteTuner,
        start: Callable[[socket.socket], WorkerProcess] = start_worker,
        limits: Limits | None = None,
    ) -> None:
        self.setup = setup
        self.remote = remote
        self.supervisor = Supervisor(limits or Limits())
        self._start = start
        self._running: _Running | None = None
        self._ending: list[WorkerProcess] = []
        self._seen: Beat | None = None
        self.description = ""
        self.silent_s = 0.0
        """Since when nothing has come from the worker, at the last `pump`; 0 while it comes as it should."""

    @property
    def pid(self) -> int | None:
        """Of the worker, where there is one."""
        return self._running.process.pid if self._running else None

    def start(self, monotonic: float) -> None:
        """The tuner shall be received."""
        self._obey(self.supervisor.start(monotonic), 0, monotonic)

    def stop(self, now: int) -> None:
        """The tuner shall not be received."""
        self._obey(self.supervisor.stop(), now, 0.0)

    def reap(self, timeout_s: float = 1.0) -> None:
        """Wait for the processes that were killed; after `stop`, where nothing pumps any more."""
        for process in self._ending:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(timeout_s)
        self._ending = []

    def pump(self, now: int, monotonic: float) -> None:
        """Before the tick of bridge time `now`."""
        running = self._running
        if running is not None and self._read(running, now, monotonic):
            self.silent_s = 0.0
        else:
            self._obey(self.supervisor.tick(monotonic), now, monotonic)
            self.silent_s = self.supervisor.silent_s(monotonic)
        if self._ending:
            self._ending = [process for process in self._ending if process.poll() is None]

    @property
    def starting(self) -> bool:
        """Whether a worker has been started and not been heard of yet."""
        return self.supervisor.state is State.STARTING

    @property
    def last_beat_s(self) -> float | None:
        """When the worker that is up last finished a block, by the steady clock."""
        return self._seen.sent_s if self._seen is not None and self.supervisor.state is State.UP else None

    def state(self) -> TunerState:
        """How it is."""
        beat, hello = self._seen or Beat(0), self.remote.hello
        state, reason = "down", self.supervisor.reason
        if self.starting:
            reason = f"is starting again; {reason}" if self.supervisor.failed else "is starting"
        elif self.supervisor.state is State.UP:
            state = "up"
            if self.silent_s:
                state, reason = "degraded", f"nothing received for {1000 * self.silent_s:.0f} ms"
        return TunerState(
            self.setup.tuner.name,
            state,
            reason,
            self.description,
            hello.rate if hello else 0,
            hello.center_hz if hello else None,
            beat.lost,
            beat.clipped,
            self.supervisor.restarts,
            beat.dropped,
            beat.rss_bytes,
        )

    def _read(self, running: _Running, now: int, monotonic: float) -> bool:
        """Take in what its worker has sent; returns whether a beat was with it."""
        beats = False
        taken = 0
        gone = ""
        while taken < MOST_READ:
            try:
                data = running.connection.recv(_PIECE)
            except BlockingIOError:
                break
            except OSError as problem:
                gone = problem.strerror or str(problem)
                break
            if not data:
                gone = "the worker has died"
                break
            taken += len(data)
            try:
                messages = running.unpacker.feed(data)
            except WireError as problem:
                self._obey(self._failed(monotonic, str(problem)), now, monotonic)
                return beats
            self.remote.take(messages, now, monotonic)
            for message in messages:
                if isinstance(message, Beat):
                    self._seen, beats = message, True
                    order = self.supervisor.beat(monotonic, message.rss_bytes)
                    if order is not None:
                        self._obey(order, now, monotonic)
                        return beats
                elif isinstance(message, Hello):
                    self.description = message.description
                elif isinstance(message, Bye):
                    running.bye = message
            if len(data) < _PIECE and running.bye is None:
                break
        if gone:
            self._gone(running, gone, now, monotonic)
        return beats

    def _gone(self, running: _Running, why: str, now: int, monotonic: float) -> None:
        bye = running.bye
        if bye is not None:
            why = bye.reason
        else:
            code = running.process.poll()
            if code is not None and code < 0:
                why = f"the worker was ended by {signal.Signals(-code).name}"
        self._end(now, why)
        self.supervisor.exited(monotonic, why, done=bye is not None and bye.ended)

    def _failed(self, monotonic: float, reason: str) -> Order | None:
        self.supervisor.exited(monotonic, reason)
        return Order.KILL

    def _obey(self, order: Order | None, now: int, monotonic: float) -> None:
        if order is Order.KILL:
            self._end(now, self.supervisor.reason)
        elif order is Order.START:
            self._begin(monotonic)

    def _begin(self, monotonic: float) -> None:
        ours, theirs = socket.socketpair()
        ours.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER)
        theirs.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _BUFFER)
        try:
            ours.sendall(pack([self.setup]))
            process = self._start(theirs)
        except OSError as problem:
            ours.close()
            self.supervisor.exited(monotonic, f"the worker cannot be started: {problem.strerror or problem}")
            return
        finally:
            theirs.close()
        ours.setblocking(False)
        self._running = _Running(process, ours, Unpacker())
        log.info("worker started", extra={"tuner": self.setup.tuner.name, "worker": process.pid})

    def _end(self, now: int, reason: str) -> None:
        running, self._running = self._running, None
        if running is None:
            return
        running.connection.close()
        with contextlib.suppress(OSError):
            running.process.kill()
        self._ending.append(running.process)
        self.remote.lost(now, reason)
        log.info("worker ended", extra={"tuner": self.setup.tuner.name, "reason": reason})
