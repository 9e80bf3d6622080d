"""Asks a running bridge: HTTP+JSON over its control socket, with the standard library only.

Client(socket).get("port ls", name="VTAC11")      the words of the command line; the answer as plain values
Client(socket).post("patch break", {"name": "command"})
"""

import http.client
import json
import socket
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from sdrbridge.control.address import VERSION, to_ask
from sdrbridge.errors import DaemonUnreachable, SdrBridgeError

ANSWER_S = 15.0
"""Seconds an answer is waited for: longer than the daemon waits for a tick, and than a reload takes."""

AGAIN_S = 0.1
"""Seconds between two tries to reach a daemon that is about to start."""


class Rejected(SdrBridgeError):
    """The bridge answered, and did not do what was asked. problem: what it says (RFC 9457)."""

    def __init__(self, problem: Mapping[str, Any]) -> None:
        super().__init__("\n".join(problem.get("problems") or [str(problem.get("detail", problem))]))
        self.problem = problem
        if self.kind == "bad_configuration":
            self.exit_code = 78

    @property
    def kind(self) -> str:
        """What sort of problem: not_found, refused, needs_confirmation …"""
        return str(self.problem.get("kind", "failed"))


class _UnixConnection(http.client.HTTPConnection):
    """HTTP on a Unix socket."""

    def __init__(self, path: Path, timeout_s: float | None) -> None:
        super().__init__("localhost")
        self._path = path
        self._timeout_s = timeout_s

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self._timeout_s)
        self.sock.connect(str(self._path))


class Client:
    """One bridge. path: of its control socket; None for the usual places. wait_s: how long to wait for it to come up.

    Every call raises `DaemonUnreachable` where nobody answers, and `Rejected` where the answer is no.
    """

    def __init__(self, path: Path | None = None, wait_s: float = 0.0) -> None:
        self.path = to_ask(path)
        self._given = path
        self._wait_s = wait_s

    def get(self, words: str, **query: object) -> dict[str, Any]:
        """Ask a question."""
        given = {key: value for key, value in query.items() if value is not None}
        return self._answer("GET", _url(words, given), None)

    def post(self, words: str, body: Mapping[str, object], wait: bool = False) -> dict[str, Any]:
        """Have something changed; with `wait`, the answer comes when it is in force."""
        return self._answer("POST", _url(words, {"wait": "true"} if wait else {}), json.dumps(body))

    def events(self, last: int) -> Iterator[dict[str, Any]]:
        """The last events, then those that come, until the bridge ends the stream."""
        connection, response = self._ask("GET", _url("events stream", {"last": last}), None, None)
        try:
            if response.status != 200:
                raise _rejected(response)
            while line := response.readline():
                event = json.loads(line)
                if not isinstance(event, dict):
                    raise DaemonUnreachable(f"{self.path}: what answers there is no sdrbridge: {line[:40]!r}")
                yield event
        except (OSError, http.client.HTTPException, ValueError):
            return  # the connection was cut, in the middle of a line perhaps
        finally:
            connection.close()

    def _answer(self, method: str, url: str, body: str | None) -> dict[str, Any]:
        connection, response = self._ask(method, url, body, ANSWER_S)
        try:
            if response.status != 200:
                raise _rejected(response)
            answer = json.loads(response.read())
        except (OSError, http.client.HTTPException, ValueError) as problem:
            raise DaemonUnreachable(f"{self.path}: the answer is no good: {problem}") from problem
        finally:
            connection.close()
        if not isinstance(answer, dict):
            raise DaemonUnreachable(f"{self.path}: what answers there is no sdrbridge")
        return answer

    def _ask(
        self, method: str, url: str, body: str | None, timeout_s: float | None
    ) -> tuple[_UnixConnection, http.client.HTTPResponse]:
        deadline = time.monotonic() + self._wait_s
        pause = threading.Event()
        while True:
            connection = _UnixConnection(self.path, timeout_s)
            try:
                connection.connect()
                break
            except OSError as problem:
                connection.close()
                if time.monotonic() >= deadline:
                    raise self._unreachable(problem) from problem
            pause.wait(AGAIN_S)
            self.path = to_ask(self._given)
        try:
            connection.request(method, url, body, {"content-type": "application/json"} if body is not None else {})
            return connection, connection.getresponse()
        except TimeoutError as problem:
            connection.close()
            raise DaemonUnreachable(f"{self.path}: the daemon did not answer within {timeout_s:g} s") from problem
        except (OSError, http.client.HTTPException) as problem:
            connection.close()
            raise DaemonUnreachable(f"{self.path}: the daemon hung up: {problem}") from problem

    def _unreachable(self, problem: OSError) -> DaemonUnreachable:
        if isinstance(problem, PermissionError):
            return DaemonUnreachable(
                f"{self.path}: this user may not ask the daemon; he has to be in the group the socket belongs to"
            )
        if isinstance(problem, FileNotFoundError | ConnectionRefusedError):
            hint = "start it with `sdrbridge run SITE`, or say where it is with --socket or SDRBRIDGE_SOCKET"
            return DaemonUnreachable(f"{self.path}: no daemon listens there; {hint}")
        return DaemonUnreachable(f"{self.path}: the daemon cannot be reached: {problem.strerror or problem}")


def _url(words: str, query: Mapping[str, object]) -> str:
    path = f"/{VERSION}/{words.replace(' ', '/')}"
    return f"{path}?{urlencode(query, errors='replace')}" if query else path


def _rejected(response: http.client.HTTPResponse) -> Rejected:
    body = response.read()
    try:
        problem = json.loads(body)
    except ValueError:
        problem = None
    if not isinstance(problem, dict):
        problem = {"detail": f"the daemon answered {response.status} {response.reason}", "kind": "failed"}
    return Rejected(problem)
