"""Debian's rigctld with its dummy rig, run for a test."""

import contextlib
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def rigctld(*options: str, port: int | None = None) -> Iterator[int]:
    """Run it and give its TCP port; the test is skipped where it is not installed."""
    program = shutil.which("rigctld")
    if program is None:
        pytest.skip("rigctld is not installed (Debian: libhamlib-utils)")
    port = port or free_port()
    process = subprocess.Popen(
        [program, "-m", "1", "-T", "127.0.0.1", "-t", str(port), *options],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        _listening(port, process)
        yield port
    finally:
        process.kill()
        process.wait(10)


class SlowRig:
    """Between somebody and rigctld at `behind`: passes each command on `delay_s` later, as a rig that takes its time.

    passed: (seconds of the steady clock, command) of each.
    """

    def __init__(self, behind: int, delay_s: float) -> None:
        self.passed: list[tuple[float, str]] = []
        self.came: list[str] = []
        """Commands as they came in."""
        self._behind, self._delay_s = behind, delay_s
        self._never = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        threading.Thread(target=self._serve, daemon=True).start()

    def close(self) -> None:
        self._listener.close()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                threading.Thread(target=self._talk, args=[connection], daemon=True).start()

    def _talk(self, connection: socket.socket) -> None:
        with contextlib.suppress(OSError), connection, socket.create_connection(("127.0.0.1", self._behind)) as rig:
            answers = rig.makefile("rb")
            for command in connection.makefile("rb"):
                self.came.append(command.decode().strip())
                self._never.wait(self._delay_s)
                self.passed.append((time.monotonic(), command.decode().strip()))
                rig.sendall(command)
                answer = answers.readline()
                # Who has hung up gets no answer; what he said is done all the same.
                with contextlib.suppress(OSError):
                    connection.sendall(answer)


def _listening(port: int, process: "subprocess.Popen[bytes]") -> None:
    """Connect until somebody answers; each refused try gives the other process the CPU."""
    for _ in range(20_000):
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except ConnectionRefusedError:
            if process.poll() is not None:
                pytest.fail(f"rigctld ended with {process.returncode}")
            try:
                process.wait(0.01)
            except subprocess.TimeoutExpired:
                continue
    pytest.fail("rigctld does not listen")
