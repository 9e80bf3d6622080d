"""A daemon in a process of its own, for a test: started, waited for by what it says, asked over its socket."""

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

BOUND_S = 30.0
"""How long anything may take on a machine that is busy with other things; nothing is measured by it."""


def share_of_core() -> float:
    """What a process gets of a core just now, 1.0 on a machine that does nothing else: for limits in seconds."""
    wall, cpu = time.monotonic(), time.process_time()
    while time.process_time() - cpu < 0.3:
        pass
    return min(1.0, (time.process_time() - cpu) / (time.monotonic() - wall))


def amiss(status: dict[str, Any]) -> set[str]:
    """What is degraded, but for the load of a machine that is busy with other things."""
    return set(status["degraded"]) - {"load"}


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: Path) -> None:
        super().__init__("sdrbridge", timeout=BOUND_S)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(BOUND_S)
        self.sock.connect(str(self._path))


class Running:
    """`sdrbridge run SITE`; `folder` takes state, sockets and log."""

    def __init__(self, site: Path, folder: Path, **environment: str) -> None:
        self.site, self.folder = site, folder
        self.state = folder / "state"
        self.socket = folder / "c"
        self._notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._notify.settimeout(BOUND_S)
        self._notify.bind(str(folder / "n"))
        self._environment = {**os.environ, "NOTIFY_SOCKET": str(folder / "n"), **environment}
        self.process: subprocess.Popen[bytes] | None = None

    def start(self, ready: bool = True) -> "Running":
        """Start it, and wait until it says that it is ready."""
        command = [sys.executable, "-m", "sdrbridge", "run", str(self.site), "--state", str(self.state)]
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [*command, "--socket", str(self.socket)], env=self._environment, stderr=log, stdin=subprocess.DEVNULL
            )
        if ready:
            self.until_told("READY=1")
        return self

    def until_told(self, word: str) -> str:
        """Wait for a message to systemd that has this line, and give it."""
        while True:
            said = self._notify.recv(4096).decode()
            if word in said.splitlines():
                return said

    def ask(self, path: str, body: object = None, method: str | None = None) -> Any:
        """Ask over the control socket."""
        connection = _UnixConnection(self.socket)
        try:
            data = None if body is None else json.dumps(body)
            connection.request(
                method or ("GET" if body is None else "POST"), path, data, {"Content-Type": "application/json"}
            )
            answer = connection.getresponse()
            text = answer.read()
            assert answer.status < 400, text
            return json.loads(text) if "json" in (answer.getheader("Content-Type") or "") else text.decode()
        finally:
            connection.close()

    def until(self, good: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """Ask for the status until it is as wanted; each answer waits for a tick."""
        until = time.monotonic() + BOUND_S
        status: dict[str, Any] = {}
        while time.monotonic() < until:
            try:
                status = self.ask("/v1/status")
            except (OSError, http.client.HTTPException):
                assert self.process is not None and self.process.poll() is None, self.log()
                continue
            if good(status):
                return status
        raise AssertionError(f"it did not come to that: {status}")

    def send(self, number: signal.Signals) -> None:
        """Send it a signal."""
        assert self.process is not None
        self.process.send_signal(number)

    def wait(self) -> int:
        """Wait for its end; gives the exit code."""
        assert self.process is not None
        return self.process.wait(BOUND_S)

    def log(self) -> str:
        """What it has logged."""
        return (self.folder / "log").read_text()

    def events(self) -> list[dict[str, Any]]:
        """What the journal has, oldest first."""
        found: list[dict[str, Any]] = []
        for path in sorted((self.state / "journal").glob("*.jsonl")):
            for line in path.read_text().splitlines():
                entry = json.loads(line)
                found.append(entry.get("event", entry) if isinstance(entry.get("event"), dict) else entry)
        return found

    def children(self, word: str) -> list[int]:
        """Process ids of its children that run a module with this word in its name."""
        assert self.process is not None
        found = []
        for stat in Path("/proc").glob("[0-9]*/stat"):
            try:
                parent = int(stat.read_text().rpartition(")")[2].split()[1])
                command = (stat.parent / "cmdline").read_bytes().decode(errors="replace")
            except (OSError, ValueError, IndexError):
                continue
            if parent == self.process.pid and word in command:
                found.append(int(stat.parent.name))
        return found

    def close(self) -> None:
        """End it, whatever it does."""
        self._notify.close()
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait(BOUND_S)
