"""No transmitter stays on the air: real processes are killed and stopped, and the moment of unkeying is measured."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from hw.clock import SystemClock
from hw.rigctld import RigctldKeyer
from sdrbridge.guard import Guard, LineState
from sdrbridge.guardclient import GuardClient, start_guard
from tests.support import standin_keyer
from tests.support.rigctld import rigctld

LIMIT_S = 0.5
BOUND_S = 20.0


@dataclass
class Radio:
    """The test's end of a stand-in transmitter."""

    listening: socket.socket
    spec: str

    def until(self, keyed: bool) -> dict[str, Any]:
        """The next word of it that says so."""
        while True:
            said: dict[str, Any] = json.loads(self.listening.recv(1000))
            if said["keyed"] is keyed:
                return said


@pytest.fixture
def radio(tmp_path: Path) -> Iterator[Radio]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(str(tmp_path / "s"))
        listening.settimeout(BOUND_S)
        yield Radio(listening, f"tell:{tmp_path / 's'},{tmp_path / 'state'}")


@pytest.fixture
def daemon(radio: Radio) -> Iterator["subprocess.Popen[bytes]"]:
    process = subprocess.Popen([sys.executable, "-m", "tests.support.standin_keyer", "daemon", radio.spec])
    yield process
    process.kill()
    process.wait(BOUND_S)


def test_kill_9_of_the_daemon(radio: Radio, daemon: "subprocess.Popen[bytes]") -> None:
    radio.until(True)
    killed = time.monotonic()
    daemon.kill()
    assert radio.until(False)["at"] - killed < LIMIT_S


def test_a_stopped_daemon_and_on_the_air_again_when_it_goes_on(radio: Radio, daemon: "subprocess.Popen[bytes]") -> None:
    radio.until(True)
    stopped = time.monotonic()
    daemon.send_signal(signal.SIGSTOP)
    assert radio.until(False)["at"] - stopped < LIMIT_S
    daemon.send_signal(signal.SIGCONT)
    radio.until(True)


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGSTOP, signal.SIGTERM])
def test_the_death_of_the_guard_itself(radio: Radio, daemon: "subprocess.Popen[bytes]", how: signal.Signals) -> None:
    guard = radio.until(True)["guard"]
    died = time.monotonic()
    os.kill(guard, how)
    unkeyed = radio.until(False)
    # A stopped guard is found out after 300 ms; then the next one has to start, on a machine that may be busy.
    assert unkeyed["at"] - died < LIMIT_S + (0.5 if how is signal.SIGSTOP else 0.0)
    again = radio.until(True)
    assert again["guard"] != guard


def beat_until(client: GuardClient, wanted: LineState, name: str = "radio") -> None:
    clock, never = SystemClock(), threading.Event()
    for _ in range(int(BOUND_S / 0.02)):
        client.beat()
        if client.states()[name] == wanted:
            return
        clock.wait(never, 0.02)
    pytest.fail(f"the line is {client.states()[name]}, not {wanted}")


def test_through_rigctld_with_the_real_guard() -> None:
    with rigctld("-P", "RIG") as port:
        client = GuardClient()
        handle = client.attach("radio", f"rigctld:127.0.0.1:{port}")
        other = RigctldKeyer("127.0.0.1", port)
        handle.set(True)
        beat_until(client, LineState(True))
        assert other.is_keyed() and handle.problem == ""
        # No more beats: the daemon hangs.
        silent = time.monotonic()
        while other.is_keyed():
            assert time.monotonic() - silent < LIMIT_S
        handle.set(True)
        beat_until(client, LineState(True))
        client.close()
        assert not other.is_keyed()
        other.close()


def test_a_line_that_cannot_be_opened_is_a_problem_with_a_name() -> None:
    client = GuardClient()
    try:
        handle = client.attach("radio", "serial:/dev/ttyNOWHERE,line=rts")
        clock, never = SystemClock(), threading.Event()
        for _ in range(int(BOUND_S / 0.02)):
            client.beat()
            if "NOWHERE" in handle.problem:
                break
            clock.wait(never, 0.02)
        assert "NOWHERE" in handle.problem
        assert client.states()["radio"].keyed is None
    finally:
        client.close()


def test_a_guard_that_cannot_be_started_is_a_problem_and_tried_again() -> None:
    tries = []

    def start(connection: socket.socket) -> "subprocess.Popen[bytes]":
        tries.append(connection)
        raise OSError(11, "Resource temporarily unavailable")

    client = GuardClient(start)
    handle = client.attach("radio", "none:")
    for _ in range(60):
        client.beat()
    assert 2 <= len(tries) <= 7
    assert "cannot be started: Resource temporarily unavailable" in handle.problem


def test_the_rules_of_silence(radio: Radio) -> None:
    guard = Guard(standin_keyer.TellingKeyer)
    guard.hear({"n": 1, "lines": {"radio": radio.spec}, "keyed": ["radio"]}, 0.0)
    radio.until(True)
    assert not guard.tick(0.2)
    assert guard.tick(0.21)
    radio.until(False)
    guard.hear({"n": 2, "keyed": ["radio"]}, 5.0)
    radio.until(True)
    guard.hear({"n": 3, "lines": {}, "keyed": ["radio"]}, 5.02)
    radio.until(False)
    assert guard.report() == {"n": 3, "lines": {}}
    for wrong in ({"keyed": 7}, {"lines": [1]}, {"n": "x"}):
        with pytest.raises(ValueError, match="needs n"):
            guard.hear(wrong, 6.0)
    guard.close()


def test_the_real_guard_is_small_and_starts_at_once() -> None:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with ours, theirs:
        ours.settimeout(BOUND_S)
        process = start_guard(theirs)
        theirs.close()
        ours.send(b'{"n": 1, "lines": {"a": "none:"}, "keyed": ["a"]}')
        while json.loads(ours.recv(1000))["lines"].get("a", {}).get("keyed") is not True:
            ours.send(b'{"n": 1, "keyed": ["a"]}')
        loaded = (Path("/proc") / str(getattr(process, "pid", 0)) / "maps").read_text()
        assert "numpy" not in loaded
    process.wait(BOUND_S)
