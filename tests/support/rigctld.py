"""Debian's rigctld with its dummy rig, run for a test."""

import shutil
import socket
import subprocess
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
