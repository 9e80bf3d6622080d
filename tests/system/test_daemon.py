"""The daemon with real processes: started, asked, killed, reloaded, and what of it survives."""

import json
import os
import signal
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from sdrbridge.control.identity import of_this_process
from sdrbridge.verify import verify
from tests.support.running import Running, amiss, share_of_core
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
name = "out"
kind = "file"
[[port]]
name = "other"
kind = "file"
[[patch]]
name = "p"
ports = ["A", "out"]
"""

Start = Callable[..., Running]


def write_iq(folder: Path, seconds: float = 120.0) -> None:
    """A carrier that stays, but for a short while at the beginning."""
    over = carrier(8.0)[RATE:]
    on = over[RATE : 5 * RATE]
    middle = np.concatenate([on] * int(seconds / 4))
    (folder / "iq.cu8").write_bytes(to_cu8(np.concatenate([over[:RATE], middle, over[5 * RATE :]])))


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    running: list[Running] = []

    def begin(site: str = SITE, ready: bool = True, seconds: float = 120.0, **environment: str) -> Running:
        write_iq(tmp_path, seconds)
        (tmp_path / "site.toml").write_text(site)
        running.append(Running(tmp_path / "site.toml", tmp_path, **environment).start(ready))
        return running[-1]

    yield begin
    for it in running:
        it.close()


def keyed(status: dict[str, object]) -> list[str]:
    ports = status["ports"]
    assert isinstance(ports, list)
    return [port["name"] for port in ports if port["keyed"]]


def test_speech_passes_and_sigterm_ends_it_in_order(start: Start) -> None:
    it = start()
    status = it.until(lambda s: keyed(s) == ["out"])
    assert status["tuners"][0]["state"] == "up" and not amiss(status)
    text = it.ask("/metrics")
    assert 'sdrbridge_port_keyed{port="out"} 1.0' in text and 'sdrbridge_tuner_up{tuner="t"} 1.0' in text
    it.send(signal.SIGTERM)
    assert it.wait() == 0
    it.until_told("STOPPING=1")
    assert not it.socket.exists()
    assert (it.state / "ports" / "out.wav").stat().st_size > 1000
    # Who was talking when it ended is in the record like anybody else.
    assert [e["heard_by"] for e in it.events() if e.get("event") == "over.done"][-1] == ["out"]
    assert verify(it.state / "journal").ok
    assert [json.loads(line)["level"] for line in it.log().splitlines()].count("error") == 0


def test_kill_9_in_an_over_and_up_again_with_the_same_patches(start: Start) -> None:
    it = start()
    it.until(lambda s: keyed(s) == ["out"])
    it.ask("/v1/patch/make", {"name": "more", "ports": ["A", "other"], "note": "IC request"})
    it.ask("/v1/port/mute", {"port": "other", "direction": "tx"})
    workers = it.children("sdrbridge.worker")
    assert len(workers) == 1
    it.until(lambda s: not s["counters"]["unsaved_changes"])
    assert it.process is not None
    it.process.kill()
    it.wait()
    killed = time.monotonic()
    it.start()
    status = it.until(lambda s: keyed(s) == ["out"])
    took = time.monotonic() - killed
    assert {patch["name"] for patch in status["patches"]} == {"p", "more"}
    assert [port["muted"] for port in status["ports"] if port["name"] == "other"] == ["tx"]
    # The recording begins anew with a second of silence; that is no part of the start.
    assert took < (3.0 + 1.0) / share_of_core()
    assert verify(it.state / "journal").ok
    # The worker of the one that was killed has ended by itself.
    assert not any(Path(f"/proc/{pid}/cmdline").exists() and alive(pid) for pid in workers)


def alive(pid: int) -> bool:
    try:
        return "sdrbridge.worker" in Path(f"/proc/{pid}/cmdline").read_text()
    except OSError:
        return False


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGSTOP])
def test_a_worker_that_dies_or_hangs_is_started_again(start: Start, how: signal.Signals) -> None:
    it = start()
    it.until(lambda s: keyed(s) == ["out"])
    (worker,) = it.children("sdrbridge.worker")
    os.kill(worker, how)
    status = it.until(lambda s: s["tuners"][0]["restarts"] == 1 and s["tuners"][0]["state"] == "up")
    status = it.until(lambda s: keyed(s) == ["out"] and not amiss(s))
    assert it.children("sdrbridge.worker") != [worker]
    reasons = [e["reason"] for e in it.events() if e["event"] == "degraded"]
    assert any(("SIGKILL" if how is signal.SIGKILL else "hangs") in reason for reason in reasons)
    # The over that was cut has its end, with the reason.
    cut = [str(e["reason"]) for e in it.events() if e["event"] == "over.close"]
    assert any(("SIGKILL" if how is signal.SIGKILL else "hangs") in reason for reason in cut)
    assert status["counters"]["skipped_s"] == 0.0


def test_a_source_that_is_not_there_is_tried_again(start: Start, tmp_path: Path) -> None:
    it = start()
    it.until(lambda s: s["tuners"][0]["state"] == "up")
    (tmp_path / "iq.cu8").rename(tmp_path / "gone.cu8")
    os.kill(it.children("sdrbridge.worker")[0], signal.SIGKILL)
    status = it.until(lambda s: s["tuners"][0]["restarts"] >= 2)
    assert "iq.cu8" in str(it.until(lambda s: "tuner t" in s["degraded"])["degraded"]) and status["t_s"] > 0
    (tmp_path / "gone.cu8").rename(tmp_path / "iq.cu8")
    it.until(lambda s: s["tuners"][0]["state"] == "up" and not amiss(s))


def test_a_recording_that_ends_is_not_started_again(start: Start) -> None:
    it = start(seconds=4.0)
    status = it.until(lambda s: "end" in s["tuners"][0]["reason"])
    assert status["tuners"][0]["restarts"] == 0 and not it.children("sdrbridge.worker")


def test_reload_changes_what_changed_and_disturbs_nothing_else(start: Start, tmp_path: Path) -> None:
    it = start()
    it.until(lambda s: keyed(s) == ["out"])
    (worker,) = it.children("sdrbridge.worker")
    site = SITE.replace('ports = ["A", "out"]', 'ports = ["A", "out", "third"]').replace(
        '[[port]]\nname = "other"', '[[port]]\nname = "third"'
    )
    (tmp_path / "site.toml").write_text(site)
    it.send(signal.SIGHUP)
    it.until_told("READY=1")
    status = it.until(lambda s: sorted(keyed(s)) == ["out", "third"])
    assert [port["name"] for port in status["ports"]] == ["A", "out", "third"]
    assert it.children("sdrbridge.worker") == [worker]
    events = it.events()
    (reloaded,) = [e for e in events if e["event"] == "config.reloaded"]
    assert reloaded["did"] and (reloaded["who"], reloaded["via"]) == ("signal", "signal")
    # The over went on, and the transmitter that had it stayed keyed.
    assert not [e for e in events if e["event"] == "over.close"]
    assert [e["port"] for e in events if e["event"] == "port.keyed"] == ["out", "third"]


def test_a_site_file_with_errors_is_refused_and_the_old_one_stays(start: Start, tmp_path: Path) -> None:
    it = start()
    (tmp_path / "site.toml").write_text(SITE.replace("48k", "48 apples"))
    it.send(signal.SIGHUP)
    it.until_told("READY=1")
    it.until(lambda s: keyed(s) == ["out"])
    refused = [e for e in it.events() if e["event"] == "config.refused"]
    assert refused and "48 apples" in str(refused[0]["problems"])
    assert "48 apples" in it.log()


def test_who_had_the_site_file_read_again_is_written_down(start: Start, tmp_path: Path) -> None:
    it = start()
    it.ask("/v1/reload", {})
    (tmp_path / "site.toml").write_text(SITE.replace("48k", "48 apples"))
    with pytest.raises(AssertionError, match="48 apples"):
        it.ask("/v1/reload", {})
    it.until(lambda s: len([e for e in it.events() if e["event"].startswith("config.")]) == 2)
    me = of_this_process()
    for event in [e for e in it.events() if e["event"].startswith("config.")]:
        assert (event["who"], event["uid"], event["pid"], event["via"]) == (me.user, me.uid, os.getpid(), "socket")


def test_one_daemon_for_a_state_folder(start: Start) -> None:
    it = start()
    second = Running.__new__(Running)
    second.__dict__ |= {**it.__dict__, "process": None}
    second.start(ready=False)
    assert second.wait() == 75
    assert f"process id {it.process.pid if it.process else 0}" in it.log()


def test_a_bad_site_file_is_exit_code_78(start: Start) -> None:
    it = start(SITE.replace('mode = "nfm"', 'mode = "nfn"'), ready=False)
    assert it.wait() == 78
    assert "nfn" in it.log() and "Traceback" not in it.log()


def test_the_watchdog_is_fed_by_the_ticks(start: Start) -> None:
    it = start(WATCHDOG_USEC="300000")
    it.until_told("WATCHDOG=1")
    it.until_told("WATCHDOG=1")


def test_a_control_client_that_stalls_holds_up_nothing(start: Start) -> None:
    it = start()
    stalled = []
    for _ in range(20):
        client = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        client.connect(str(it.socket))
        client.sendall(b"POST /v1/patch/make HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{")
        stalled.append(client)
    before = it.until(lambda s: keyed(s) == ["out"])
    after = it.until(lambda s: s["t_s"] > before["t_s"] + 1.0)
    assert after["counters"]["skipped_s"] == 0.0
    for client in stalled:
        client.close()


def test_the_unit_says_what_the_daemon_does() -> None:
    unit = (Path(__file__).parents[2] / "configs" / "system" / "sdrbridge@.service").read_text()
    for line in ("Type=notify", "WatchdogSec=3", "RestartPreventExitStatus=78", "KillMode=mixed", "User=sdrbridge"):
        assert line in unit.splitlines()
