"""No transmitter stays on the air: real processes are killed and stopped, and the moment of unkeying is measured."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from hw.clock import SystemClock
from hw.errors import DeviceLost
from hw.rigctld import RigctldKeyer
from sdrbridge.guard import PROOF_S, SILENCE_S, Guard, LineState
from sdrbridge.guardclient import SPARE_BEATS, GuardClient, start_guard
from tests.support import standin_keyer
from tests.support.rigctld import SlowRig, rigctld

LIMIT_S = 0.5
BOUND_S = 20.0


@dataclass
class Radio:
    """The test's end of a stand-in transmitter."""

    listening: socket.socket
    spec: str

    def until(self, keyed: bool) -> dict[str, Any]:
        """The next word of it that says so."""
        return self.until_said(lambda said: said.get("keyed") is keyed)

    def until_said(self, good: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """The next word of it, or of what holds it, that is as wanted."""
        while True:
            said: dict[str, Any] = json.loads(self.listening.recv(1000))
            if good(said):
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
    spare = radio.until_said(lambda said: bool(said.get("spare")))["spare"]
    died = time.monotonic()
    os.kill(guard, how)
    unkeyed = radio.until(False)
    # How soon a stopped guard is found out is counted in beats below, and measured by tests/bench/bench_guard.py: here
    # the program that counts them is one of many that want to run.
    assert unkeyed["at"] - died < LIMIT_S + (1.5 if how is signal.SIGSTOP else 0.0)
    again = radio.until(True)
    assert again["guard"] == spare
    assert radio.until_said(lambda said: bool(said.get("spare")))["spare"] not in (guard, spare)


class Played:
    """A guard without a process. stopped: does not answer. dying: looks at it until it is gone, once killed."""

    def __init__(self, connection: socket.socket) -> None:
        self.connection = connection.dup()
        self.connection.setblocking(False)
        self.stopped = False
        self.killed = False
        self.dying = 0
        self.lines: dict[str, str] = {}
        self.messages = 0

    def poll(self) -> int | None:
        if self.killed and self.dying:
            self.dying -= 1
            return None
        return -9 if self.killed else None

    def kill(self) -> None:
        self.killed = True
        self.connection.close()

    def wait(self, timeout: float | None = None) -> int:
        return -9

    def answer(self) -> None:
        """Once a tick: read what there is and say how the lines are."""
        if self.stopped or self.killed:
            return
        message: dict[str, Any] = {}
        with contextlib.suppress(BlockingIOError):
            while data := self.connection.recv(1 << 16):
                message = json.loads(data)
                self.messages += 1
                self.lines = message.get("lines", self.lines)
        if message:
            lines = {name: {"keyed": name in message["keyed"], "problem": ""} for name in self.lines}
            self.connection.send(json.dumps({"n": message["n"], "lines": lines}).encode())


class House:
    """A client of guards that are played, a beat at a time."""

    def __init__(self) -> None:
        self.guards: list[Played] = []
        self.client = GuardClient(self._start)
        self.handle = self.client.attach("radio", "none:")
        self.handle.set(True)

    def _start(self, connection: socket.socket) -> Played:
        self.guards.append(Played(connection))
        return self.guards[-1]

    def beat(self, times: int = 1) -> None:
        for _ in range(times):
            self.client.beat()
            for guard in self.guards:
                guard.answer()

    def close(self) -> None:
        self.client.close()
        for guard in self.guards:
            guard.connection.close()


@pytest.fixture
def house() -> Iterator[House]:
    house = House()
    yield house
    house.close()


def test_the_spare_has_the_lines_of_a_stopped_guard_in_time(house: House) -> None:
    house.beat(3 * SPARE_BEATS)
    first, spare = house.guards
    assert first.lines and not spare.lines
    first.stopped = True
    beats = 0
    while not spare.lines:
        house.beat()
        beats += 1
        assert beats < 100
    # 20 ms each: what remains to the 500 ms is for opening the line.
    assert beats <= 18 and first.killed
    assert spare.messages and house.client.states()["radio"] == LineState(None, _RESTARTED)
    house.beat(2)
    assert house.client.states()["radio"] == LineState(True)
    house.beat(3 * SPARE_BEATS)
    assert len(house.guards) == 3 and not house.guards[2].lines


@pytest.mark.parametrize(("dying", "beats"), [(0, 1), (1, 1), (2, 2), (1000, 3)])
def test_nobody_waits_for_a_killed_guard_to_be_gone_and_lines_do_not_wait_for_ever(
    house: House, monkeypatch: pytest.MonkeyPatch, dying: int, beats: int
) -> None:
    house.beat(3 * SPARE_BEATS)
    first, spare = house.guards
    first.stopped, first.dying = True, dying
    monkeypatch.setattr(first, "wait", lambda timeout=None: pytest.fail("the tick waits"))
    while not first.killed:
        house.beat()
    assert not spare.lines
    house.beat(beats - 1)
    assert not spare.lines
    house.beat()
    assert spare.lines
    monkeypatch.undo()


_RESTARTED = "the keyer guard does not answer, and is started again"


@pytest.mark.parametrize("dead", [True, False])
def test_a_spare_that_dies_or_hangs_is_replaced(house: House, dead: bool) -> None:
    house.beat(3 * SPARE_BEATS)
    spare = house.guards[1]
    if dead:
        spare.connection.close()
        spare.killed = True
    spare.stopped = True
    house.beat(3 * SPARE_BEATS)
    assert spare.killed and len(house.guards) == 3 and house.guards[0].lines
    house.beat(10 * SPARE_BEATS)
    assert len(house.guards) == 3


def test_guard_and_spare_stopped_at_once_are_both_replaced(house: House) -> None:
    house.beat(3 * SPARE_BEATS)
    for guard in house.guards:
        guard.stopped = True
    house.beat(50)
    assert [guard.killed for guard in house.guards] == [True, True, False]
    assert house.guards[2].lines and house.client.states()["radio"] == LineState(True)


def test_no_spare_where_it_cannot_be_started_and_none_is_left_behind(house: House) -> None:
    house.beat(2)

    def refuse(connection: socket.socket) -> Played:
        raise OSError(11, "Resource temporarily unavailable")

    house.client._start = refuse
    house.beat(3 * SPARE_BEATS)
    assert len(house.guards) == 1 and house.client.spare is None
    assert house.client.states()["radio"] == LineState(True)
    house.client._start = house._start
    house.beat(2 * SPARE_BEATS)
    assert len(house.guards) == 2
    house.client.close()
    assert house.guards[1].killed


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


@pytest.mark.parametrize(("dies", "delay_s"), [(True, 0.1), (False, 0.08)])
@pytest.mark.parametrize("asked", ["T 1", "t"])
def test_a_slow_rig_is_unkeyed_in_time_whatever_it_is_asked(dies: bool, delay_s: float, asked: str) -> None:
    """The daemon dies, or falls silent 0.2 s before, just when the rig was asked for something else."""
    with rigctld("-P", "RIG") as port, contextlib.closing(SlowRig(port, delay_s)) as slow:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with ours, theirs:
            process = start_guard(theirs)
            theirs.close()
            clock, never = SystemClock(), threading.Event()
            beat = json.dumps({"n": 1, "lines": {"a": f"rigctld:127.0.0.1:{slow.port}"}, "keyed": ["a"]})
            until = time.monotonic() + BOUND_S
            # Proofs come a second apart, so the one to meet is known before; keying comes when it comes.
            commands, stop_at = 0, until
            while time.monotonic() < stop_at:
                ours.send(beat.encode())
                clock.wait(never, 0.01)
                came = slow.came[:]
                if len(came) == commands or "T 1" not in came:
                    continue
                commands = len(came)
                if came[-1] == asked == "T 1":
                    stop_at = 0.0
                elif came[-1] == asked and came[-2] != "T 1":
                    stop_at = 0.0 if dies else time.monotonic() + PROOF_S + delay_s - SILENCE_S - 0.02
            assert stop_at < until
            silent = time.monotonic()
            if dies:
                ours.close()
            while not any(at > silent and command == "T 0" for at, command in slow.passed):
                assert time.monotonic() - silent < BOUND_S, slow.passed
            at = next(at for at, command in slow.passed if at > silent and command == "T 0")
            ours.close()
            process.wait(BOUND_S)
            assert at - silent < LIMIT_S, slow.passed
        other = RigctldKeyer("127.0.0.1", port)
        assert not other.is_keyed()
        other.close()


class Deaf:
    """A transmitter that is keyed, and does not say so; it works again when it is opened anew."""

    keyed = False

    def __init__(self, spec: str) -> None:
        self.unkey()

    def key(self) -> None:
        Deaf.keyed = True
        raise DeviceLost("no answer")

    def unkey(self) -> None:
        Deaf.keyed = False

    def is_keyed(self) -> bool:
        return Deaf.keyed

    def close(self) -> None:
        """It cannot be reached this way any more."""


def test_a_line_that_failed_while_it_was_keyed_is_unkeyed_at_the_end() -> None:
    news = threading.Event()
    guard = Guard(Deaf, news.set)
    guard.hear({"n": 1, "lines": {"radio": "deaf:"}, "keyed": ["radio"]}, 0.0)
    assert news.wait(BOUND_S)
    while "no answer" not in guard.lines["radio"].state.problem:
        news.wait(0.01)
    assert Deaf.keyed
    guard.close()
    assert not Deaf.keyed


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
