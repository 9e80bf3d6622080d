"""The control server: HTTP+JSON on a Unix socket, for as long as the daemon's event loop runs.

    connection ─identity─▶ app: route of a verb ─request struct─▶ Engine.perform ─▶ answer struct

Everything a client can do to it has a bound: the length of a request and the time it may take, how many connections and
streams there are, how long an answer is waited for. Nothing a client does or fails to do holds up a tick.
"""

import asyncio
import logging
import os
import socket
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

from uvicorn import Config
from uvicorn.server import ServerState

from sdrbridge.control.address import LONGEST_PATH
from sdrbridge.control.app import Application, Reload
from sdrbridge.control.connection import HttpConnection, WebSocketConnection
from sdrbridge.control.stream import EventHub
from sdrbridge.errors import ControlError
from sdrbridge.operations import Operations

MODE = 0o660
"""Of the socket: its owner and group may ask, nobody else."""

MOST_CONNECTIONS = 64

LONGEST_HEAD = 16 * 1024
"""Bytes of a request line and its headers."""

GRACE_S = 2.0
"""Seconds that answers in progress have when the server stops."""

RETRY_S = 1.0
"""Seconds until connections are taken again after the machine had no room for one."""

log = logging.getLogger(__name__)


class ControlServer:
    """Serves the verbs.

    operations: what is asked. path: of the socket. reload: reads the site file again. metrics: makes the text of
    /metrics.
    """

    def __init__(
        self,
        operations: Operations,
        path: Path,
        reload: Reload | None = None,
        metrics: Callable[[], bytes] | None = None,
        hub: EventHub | None = None,
    ) -> None:
        self.path = path
        self.hub = EventHub(operations.clock) if hub is None else hub
        self.app = Application(operations, self.hub, reload, metrics)
        self._config = Config(
            self.app,
            http=HttpConnection,
            ws=WebSocketConnection,
            lifespan="off",
            log_config=None,
            access_log=False,
            limit_concurrency=MOST_CONNECTIONS,
            h11_max_incomplete_event_size=LONGEST_HEAD,
            ws_max_size=LONGEST_HEAD,
            timeout_keep_alive=10,
        )
        self._state = ServerState()
        self._acceptor: Acceptor | None = None
        self._engine = operations.engine

    async def start(self) -> None:
        """Listen. Raises `ControlError` where the socket cannot be made."""
        self._config.load()
        loop = asyncio.get_running_loop()
        listening = _bind(self.path)
        self.hub.attach(loop)
        self._engine.add_sink(self.hub)
        self._acceptor = Acceptor(
            listening, lambda: HttpConnection(config=self._config, server_state=self._state, app_state={})
        )

    async def stop(self) -> None:
        """Answer what has been asked, end the streams, and take the socket away. May be called twice."""
        if self._acceptor is None:
            return
        acceptor, self._acceptor = self._acceptor, None
        self.path.unlink(missing_ok=True)
        await acceptor.close()
        self._engine.remove_sink(self.hub)
        self.hub.close()
        for connection in list(self._state.connections):
            connection.shutdown()
        tasks = list(self._state.tasks)
        if tasks:
            _, late = await asyncio.wait(tasks, timeout=GRACE_S)
            for task in late:
                task.cancel()
        for connection in list(self._state.connections):
            connection.transport.abort()
        await asyncio.sleep(0)

    @property
    def connections(self) -> int:
        """Connections that are open."""
        return len(self._state.connections)


class Acceptor:
    """Takes connections from a listening socket, and loses none that it took.

    asyncio's own server, when it is closed between taking a connection and making its transport, leaves that one open
    for ever. Listens at once; in the running event loop only.
    """

    def __init__(self, listening: socket.socket, protocol: Callable[[], asyncio.BaseProtocol]) -> None:
        self._loop = asyncio.get_running_loop()
        self._listening = listening
        self._protocol = protocol
        self._connecting: set[asyncio.Task[Any]] = set()
        self._retry: asyncio.TimerHandle | None = None
        listening.listen(MOST_CONNECTIONS)
        self._watch()

    async def close(self) -> None:
        """Take no more; return when each one taken is known to its protocol."""
        if self._retry is not None:
            self._retry.cancel()
        self._loop.remove_reader(self._listening)
        self._listening.close()
        await asyncio.gather(*self._connecting, return_exceptions=True)

    def _watch(self) -> None:
        self._retry = None
        self._loop.add_reader(self._listening, self._take)

    def _take(self) -> None:
        try:
            connected, _ = self._listening.accept()
        except (BlockingIOError, InterruptedError, ConnectionAbortedError):
            return
        except OSError as problem:
            log.warning("control socket: a connection cannot be taken: %s", problem.strerror or problem)
            self._loop.remove_reader(self._listening)
            self._retry = self._loop.call_later(RETRY_S, self._watch)
            return
        connected.setblocking(False)
        task = self._loop.create_task(self._loop.connect_accepted_socket(self._protocol, connected))
        self._connecting.add(task)
        task.add_done_callback(self._connecting.discard)


def _bind(path: Path) -> socket.socket:
    """A socket that does not listen yet, with its mode set: nobody gets in before that."""
    if len(os.fsencode(path)) > LONGEST_PATH:
        raise ControlError(
            f"control socket {path}: the path has {len(os.fsencode(path))} bytes; at most {LONGEST_PATH}"
        )
    bound = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o755)
        _clear(path)
        bound.bind(str(path))
        path.chmod(MODE)
    except OSError as problem:
        bound.close()
        raise ControlError(f"control socket {path}: {problem.strerror or problem}") from problem
    except ControlError:
        bound.close()
        raise
    bound.setblocking(False)
    return bound


def _clear(path: Path) -> None:
    """Take away the socket of a daemon that is gone."""
    try:
        found = path.lstat()
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(found.st_mode):
        raise ControlError(f"control socket {path}: there is something else of that name")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(1.0)
        try:
            probe.connect(str(path))
        except (ConnectionRefusedError, FileNotFoundError):
            path.unlink(missing_ok=True)
            return
    raise ControlError(f"control socket {path}: another daemon listens there; give this one another with --socket")


__all__ = ["ControlServer", "Reload"]
