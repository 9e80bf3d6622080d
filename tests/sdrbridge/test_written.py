"""The file port of the daemon: nobody waits for its disk, and the file keeps its length whatever the disk does."""

import asyncio
import errno
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile

from dsp.blocks import TICK_SAMPLES
from hw.clock import ManualClock, SystemClock
from sdrbridge.port import Audio
from sdrbridge.ports.written import BATCH, WrittenPort
from sdrbridge.wav import WavWriter


class Disk:
    """Stands between a WAV file and the system: full, or not even there, when it is told to be."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.full = False
        real = WavWriter._put

        def put(wav: WavWriter, at: int, data: bytes) -> None:
            if self.full:
                real(wav, at, data[: len(data) // 2])
                raise OSError(errno.ENOSPC, "No space left on device", str(wav.path))
            real(wav, at, data)

        monkeypatch.setattr(WavWriter, "_put", put)


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Disk:
    return Disk(monkeypatch)


def said(n: int) -> Audio:
    return (np.arange(1, n + 1) % 1024 / 2048).astype(np.float32)


class Bench:
    """A port without a thread: its work is done after each second of ticks."""

    def __init__(self, path: Path, bound: int = 240) -> None:
        self.port = WrittenPort("x", path, ManualClock(), bound)
        self.port._wanted = True
        self.now = 800
        self.sent = said(1_000_000)

    def run(self, seconds: float) -> None:
        for tick in range(round(seconds * 50)):
            at = self.now - 800
            self.port.tx.write(self.sent[at : at + TICK_SAMPLES], self.now, True)
            self.now += TICK_SAMPLES
            if tick % 50 == 49:
                self.port._backlog.drain()

    def read(self) -> Audio:
        asyncio.run(self.port.stop())
        got: Audio = soundfile.read(self.port.path, dtype="float32")[0]
        return got


def test_what_is_sent_is_in_the_file(tmp_path: Path) -> None:
    bench = Bench(tmp_path / "f" / "x.wav")
    bench.run(3.3)
    assert bench.port.health().state == "up"
    np.testing.assert_array_equal(bench.read(), bench.sent[:26_400])
    assert bench.port.health().reason == "stopped"


def test_a_disk_that_is_full_for_a_while_loses_nothing(tmp_path: Path, disk: Disk) -> None:
    bench = Bench(tmp_path / "x.wav")
    bench.run(2)
    disk.full = True
    bench.run(5)
    health = bench.port.health()
    assert health.state == "down" and "No space left" in health.reason and health.counters["tx_waiting"] > 15
    disk.full = False
    bench.run(2)
    assert bench.port.health().state == "up"
    np.testing.assert_array_equal(bench.read(), bench.sent[:72_000])


def test_what_finds_no_place_is_counted_and_silence_stands_for_it(tmp_path: Path, disk: Disk) -> None:
    bench = Bench(tmp_path / "x.wav", bound=8)
    bench.run(2)
    disk.full = True
    bench.run(6)
    disk.full = False
    bench.run(2)
    lost = int(bench.port.health().counters["tx_lost_samples"])
    assert lost > 3 * 8000
    got = bench.read()
    assert len(got) == 80_000
    differs = np.flatnonzero(got != bench.sent[:80_000])
    assert 0.99 * lost < len(differs) <= lost and not got[differs].any()


def test_a_file_that_cannot_be_begun_is_tried_again(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("a file, not a folder")
    bench = Bench(tmp_path / "taken" / "x.wav")
    bench.run(2)
    assert bench.port.health().state == "down" and "taken/x.wav" in bench.port.health().reason
    (tmp_path / "taken").unlink()
    bench.run(1)
    assert bench.port.health().state == "up"
    np.testing.assert_array_equal(bench.read(), bench.sent[:24_000])


def test_frames_that_are_left_out_are_silence(tmp_path: Path) -> None:
    bench = Bench(tmp_path / "x.wav")
    bench.run(0.1)
    bench.now += 8000
    bench.run(0.1)
    got = bench.read()
    assert len(got) == 9600 and not got[800:8800].any() and got[8800:].any()


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Callable[[], WrittenPort]]:
    ports: list[WrittenPort] = []

    def begin() -> WrittenPort:
        ports.append(WrittenPort("x", tmp_path / "x.wav", SystemClock()))
        asyncio.run(ports[-1].start())
        return ports[-1]

    yield begin
    for port in ports:
        asyncio.run(port.stop())


def test_its_thread_writes_and_a_stopped_port_has_the_whole_file(running: Callable[[], WrittenPort]) -> None:
    port = running()
    sent = said(50 * TICK_SAMPLES)
    for tick in range(50):
        port.tx.write(sent[tick * TICK_SAMPLES : (tick + 1) * TICK_SAMPLES], tick * TICK_SAMPLES, True)
    assert 50 * TICK_SAMPLES == 4 * BATCH
    asyncio.run(port.stop())
    asyncio.run(port.stop())
    np.testing.assert_array_equal(soundfile.read(port.path, dtype="float32")[0], sent)


def test_stopped_before_it_was_started_it_makes_no_file(tmp_path: Path) -> None:
    port = WrittenPort("x", tmp_path / "x.wav", ManualClock())
    asyncio.run(port.stop())
    assert not port.path.exists()
