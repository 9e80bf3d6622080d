"""The whole daemon on a full disk: speech passes, what is degraded is said, and all is whole when there is room."""

import json
import os
import signal
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile

from sdrbridge.audit import audit
from sdrbridge.journal import read_entries
from sdrbridge.state import State
from sdrbridge.verify import verify
from tests.support.fulldisk import Limit, SmallDisk
from tests.support.running import Running, amiss
from tests.support.site import RATE, carrier, to_cu8

SITE = """
[bridge]
name = "post"
[[tuner]]
name = "t"
source = "file:iq.cu8"
center = "155.0M"
rate = "48k"
[[channel]]
name = "A"
tuner = "t"
offset = "0k"
mode = "nfm"
[[port]]
name = "link"
kind = "rtp"
listen = "127.0.0.1:{ours}"
peers = ["127.0.0.1:{theirs}"]
send = "always"
rtcp = false
[[port]]
name = "out"
kind = "file"
[[port]]
name = "air"
kind = "modulator"
mode = "nfm"
freq = "155.34M"
[[port]]
name = "other"
kind = "loopback"
[[patch]]
name = "p"
ports = ["A", "link", "out", "air"]
timeout_s = 3600
"""

FULL = {"journal", "recordings", "state", "port out", "port air"}
"""What cannot write."""

QUIET = frozenset((0xFF, 0x7F))
"""Silence in PCMU (G.711)."""


class Ear:
    """The peer. heard, missing: packets by their numbers. sound: those with more than silence in them."""

    def __init__(self) -> None:
        self.heard = self.missing = self.sound = 0
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self.port = int(self._socket.getsockname()[1])
        self._last: int | None = None
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()

    def _listen(self) -> None:
        while packet := self._socket.recv(2000):
            number = int.from_bytes(packet[2:4], "big")
            if self._last is not None:
                self.missing += (number - self._last - 1) & 0xFFFF
            self._last = number
            self.heard += 1
            self.sound += not set(packet[12:]) <= QUIET

    def close(self) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as end:
            end.sendto(b"", ("127.0.0.1", self.port))
        self._thread.join(10)
        self._socket.close()


@pytest.fixture
def ear() -> Iterator[Ear]:
    ear = Ear()
    yield ear
    ear.close()


@pytest.fixture(params=[SmallDisk, Limit])
def disk(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[SmallDisk | Limit]:
    try:
        disk: SmallDisk | Limit = request.param(tmp_path / "disk")
    except OSError as problem:
        pytest.skip(f"no file system can be mounted here: {problem}")
    yield disk
    disk.close()


@pytest.fixture
def bridge(tmp_path: Path, ear: Ear, disk: SmallDisk | Limit) -> Iterator[Running]:
    over = carrier(8.0)
    quiet, on = over[:RATE], over[2 * RATE : 6 * RATE]
    (tmp_path / "iq.cu8").write_bytes(to_cu8(np.concatenate([quiet, *[on] * 20])))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
        one.bind(("127.0.0.1", 0))
        ours = int(one.getsockname()[1]) & ~1
    (tmp_path / "site.toml").write_text(SITE.format(ours=ours, theirs=ear.port))
    bridge = Running(tmp_path / "site.toml", tmp_path)
    bridge.state = disk.folder / "state"
    yield bridge
    bridge.close()


def keyed(status: dict[str, object]) -> set[str]:
    ports = status["ports"]
    assert isinstance(ports, list)
    return {port["name"] for port in ports if port["keyed"]}


def pid(bridge: Running) -> int:
    assert bridge.process is not None
    return bridge.process.pid


def say_something(bridge: Running, times: int = 40) -> int:
    """Have the journal and the state file written, so many times."""
    for n in range(times):
        bridge.ask("/v1/port/mute", {"port": "other", "direction": "tx", "muted": n % 2 == 0})
    return times


def test_a_disk_that_is_full_for_a_while(bridge: Running, ear: Ear, disk: SmallDisk | Limit) -> None:
    bridge.start()
    bridge.until(lambda s: keyed(s) >= {"link", "out"} and not amiss(s))
    disk.fill(pid(bridge))
    bridge.until(lambda s: ear.sound > 0)
    before = ear.heard, ear.sound
    asked = 0
    while not bridge.ask("/v1/status")["degraded"].keys() >= FULL:
        asked += say_something(bridge)
        disk.stay_full()
    # It goes on bridging, and does what it is told.
    bridge.ask("/v1/patch/make", {"name": "late", "ports": ["A", "other"], "note": "while it was full"})
    status = bridge.until(lambda s: keyed(s) >= {"link", "out", "other"})
    then = bridge.until(lambda s: s["t_s"] > status["t_s"] + 2.0)
    assert then["degraded"].keys() >= FULL
    heard, sound = ear.heard - before[0], ear.sound - before[1]
    # A machine that is busy with other things may be late with some of it.
    assert heard >= 80 and sound >= 0.9 * heard
    disk.free(pid(bridge))
    bridge.until(lambda s: not amiss(s))
    bridge.send(signal.SIGTERM)
    assert bridge.wait() == 0
    assert ear.missing == 0
    journal = bridge.state / "journal"
    assert verify(journal).ok
    events = bridge.events()
    degraded = {e["what"]: e["reason"] for e in events if e["event"] == "degraded"}
    assert degraded.keys() >= FULL
    assert {e["what"] for e in events if e["event"] == "restored"} >= FULL
    word = "No space left on device" if isinstance(disk, SmallDisk) else "File too large"
    assert word in degraded["journal"] and word in degraded["port out"]
    # Everything that was told meanwhile has been written, in its place.
    assert not [e for e in events if e["event"] == "journal.lost"]
    assert [e["note"] for e in events if e["event"] == "patch.made"] == ["while it was full"]
    times = [e["t_s"] for e in events if e["event"] == "port.muted"]
    assert len(times) == asked and times == sorted(times)
    saved = State.open(bridge.state / "state.db", threaded=False).saved
    assert saved is not None and saved.patches.keys() == {"p", "late"}
    # The port's file has its whole length; the recording is closed, and what was lost of it is said.
    out = soundfile.info(bridge.state / "ports" / "out.wav")
    assert out.duration == pytest.approx(max(e.get("t_s", 0.0) for e in events), abs=1.0)
    # The transmitter's IQ goes on behind a gap, in its place on the air.
    air = json.loads((bridge.state / "ports" / "air.sigmf-meta").read_text())
    gaps = [e for e in events if e["event"] == "port.gap"]
    assert {e["port"] for e in gaps} == {"air"} and len(air["captures"]) == 1 + len(gaps)
    rate, last = air["global"]["core:sample_rate"], air["captures"][-1]
    samples = (bridge.state / "ports" / "air.sigmf-data").stat().st_size // 4
    whole_s = (last["core:global_index"] + samples - last["core:sample_start"]) / rate
    assert whole_s == pytest.approx(out.duration, abs=1.0)
    closed = [e for e in events if e["event"] == "recording.closed" and e["port"] == "A"]
    assert closed and not audit(read_entries(journal), bridge.state / "recordings")
    if isinstance(disk, SmallDisk):
        assert '"what": "journal"' in bridge.log() and "No space left on device" in bridge.log()
    assert "Traceback" not in bridge.log()


def test_killed_and_started_again_on_a_full_disk(bridge: Running, ear: Ear, disk: SmallDisk | Limit) -> None:
    bridge.start()
    bridge.until(lambda s: keyed(s) >= {"link", "out"} and not amiss(s))
    bridge.ask("/v1/patch/make", {"name": "more", "ports": ["A", "other"]})
    bridge.until(lambda s: "other" in keyed(s))
    bridge.ask("/v1/port/mute", {"port": "out", "direction": "tx"}, None)
    bridge.until(lambda s: "out" not in keyed(s))
    disk.fill(pid(bridge))
    os.kill(pid(bridge), signal.SIGKILL)
    bridge.wait()
    disk.stay_full()
    if isinstance(disk, Limit):
        disk.fill(0)
    try:
        bridge.start()
    finally:
        if isinstance(disk, Limit):
            disk.free(0)
    status = bridge.until(lambda s: keyed(s) == {"link", "other", "air"})
    assert {patch["name"] for patch in status["patches"]} == {"p", "more"}
    while not bridge.ask("/v1/status")["degraded"].keys() >= FULL:
        say_something(bridge)
        disk.stay_full()
    status = bridge.until(lambda s: ear.sound > 0)
    before = ear.heard, ear.sound
    bridge.until(lambda s: s["t_s"] > status["t_s"] + 1.0)
    assert ear.sound - before[1] >= 0.9 * (ear.heard - before[0]) > 30
    disk.free(pid(bridge))
    bridge.until(lambda s: not amiss(s))
    bridge.send(signal.SIGTERM)
    assert bridge.wait() == 0
    assert verify(bridge.state / "journal").ok
    assert "Traceback" not in bridge.log()
