"""Recordings of the daemon: what was heard, to the sample; what a full disk and a killed process leave of it."""

import hashlib
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from dsp.blocks import TICK_SAMPLES
from hw.clock import ManualClock, SystemClock
from sdrbridge.matrix import Matrix
from sdrbridge.patch import Patch
from sdrbridge.port import Loopback, Port
from sdrbridge.recorder import Recorder, Tap
from sdrbridge.recording import audio_hash, recover
from sdrbridge.recordingdesk import LOOK_S, RecordingDesk
from sdrbridge.recordingroom import Room
from sdrbridge.wav import WavWriter

Event = dict[str, object]


def speech(n: int, seed: int = 1) -> NDArray[np.float32]:
    return (np.random.default_rng(seed).standard_normal(n) * 0.1).astype(np.float32)


def pcm(samples: NDArray[np.float32]) -> NDArray[np.int16]:
    return np.clip(np.rint(samples * 32768), -32768, 32767).astype(np.int16)


class Scene:
    """Two ports and a listener in a patch, all recorded; the clock follows the ticks."""

    def __init__(self, folder: Path, room: Room | None = None, flac: bool = True) -> None:
        self.folder = folder
        self.clock = ManualClock()
        self.events: list[Event] = []
        self.a, self.b, desk_port = Loopback("A", latency=240), Loopback("B", latency=240), Loopback("desk")
        self.desk = RecordingDesk(
            room or Room(folder, None, True, free=None), self.clock, self.events.append, flac=flac
        )
        taps = [Tap("A", self.a), Tap("B", self.b)]
        ports = [Port("A", taps[0], self.a), Port("B", taps[1], self.b), Port("desk", tx=desk_port)]
        patch = Patch("command").add("A").add("B").add("desk")
        self.matrix = Matrix(ports, [patch], self.tell)
        self.recorder = Recorder(folder, taps, self.desk)
        self.now = 0

    def tell(self, event: Event) -> None:
        self.desk(event)

    def run(self, until: int) -> None:
        while self.now < until:
            self.matrix.tick(self.now)
            self.recorder.tick(self.now)
            self.desk.work()
            self.now += TICK_SAMPLES
            self.clock.advance(0.02)

    def close(self) -> None:
        self.recorder.close()
        self.desk.close()

    def kill(self) -> None:
        """Leave everything as a killed process does."""
        for recording in self.desk._open.values():
            recording.abandon()

    def told(self, event: str) -> list[Event]:
        return [e for e in self.events if e["event"] == event]


def side(folder: Path, name: str) -> dict[str, Any]:
    (path,) = folder.glob(f"*/*{name}.json")
    about: dict[str, Any] = json.loads(path.read_text())
    return about


def test_an_over_is_kept_to_the_sample_with_what_is_known_of_it(tmp_path: Path) -> None:
    scene = Scene(tmp_path)
    said = speech(12_345)
    scene.a.say(1003, said)
    scene.run(40_000)
    (path,) = tmp_path.glob("*/*.flac")
    assert path.name == "000000Z_A-0001.flac" and path.parent.name == "2026-01-01"
    got, rate = soundfile.read(path, dtype="int16")
    assert rate == 8000
    np.testing.assert_array_equal(got, pcm(said))
    about = side(tmp_path, "A-0001")
    assert about["state"] == "closed" and about["audio"] == path.name
    assert (about["port"], about["patches"], about["heard_by"]) == ("A", ["command"], ["B", "desk"])
    assert (about["start_s"], about["end_s"], about["samples"]) == (1003 / 8000, 13348 / 8000, 12_345)
    assert about["audio_sha256"] == hashlib.sha256(pcm(said).tobytes()).hexdigest() == audio_hash(path)
    assert about["wall"] == "2026-01-01T00:00:00.125Z"
    (closed,) = scene.told("recording.closed")
    assert closed["file"] == "2026-01-01/000000Z_A-0001.flac" and closed["audio_sha256"] == about["audio_sha256"]
    assert not list(tmp_path.glob("*/*.wav")) and not list(tmp_path.glob("*/*.part"))


def test_wav_is_kept_where_flac_is_not_asked_for(tmp_path: Path) -> None:
    scene = Scene(tmp_path, flac=False)
    scene.a.say(0, speech(5000))
    scene.run(30_000)
    assert side(tmp_path, "A-0001")["audio"] == "000000Z_A-0001.wav"
    assert len(soundfile.read(next(tmp_path.glob("*/*.wav")))[0]) == 5000


def test_a_wav_is_readable_while_it_grows_and_at_most_half_a_second_behind(tmp_path: Path) -> None:
    scene = Scene(tmp_path)
    scene.a.say(0, speech(40_000))
    scene.run(20_000)
    (path,) = tmp_path.glob("*/*.wav")
    assert side(tmp_path, "A-0001")["state"] == "open"
    got = soundfile.read(path, dtype="int16")[0]
    assert 20_000 - 4000 <= len(got) <= 20_000
    np.testing.assert_array_equal(got, pcm(speech(40_000))[: len(got)])
    scene.close()


def test_overs_of_several_ports_that_follow_at_once_are_all_kept(tmp_path: Path) -> None:
    scene = Scene(tmp_path)
    for n in range(4):
        scene.a.say(n * 3000, speech(3000, n))
        scene.b.say(500 + n * 3000, speech(2000, 10 + n))
    scene.run(60_000)
    for n in range(4):
        for port, seed, length in (("A", n, 3000), ("B", 10 + n, 2000)):
            (path,) = tmp_path.glob(f"*/*{port}-{n + 1:04d}.flac")
            np.testing.assert_array_equal(soundfile.read(path, dtype="int16")[0], pcm(speech(length, seed)))


def test_overs_that_begin_while_it_is_paused_are_left_out(tmp_path: Path) -> None:
    scene = Scene(tmp_path)
    scene.a.say(0, speech(8000))
    scene.run(1600)
    scene.recorder.paused = True
    scene.b.say(3200, speech(8000))
    scene.run(6400)
    scene.recorder.paused = False
    scene.run(60_000)
    assert [p.name for p in tmp_path.glob("*/*.flac")] == ["000000Z_A-0001.flac"]
    assert len(soundfile.read(next(tmp_path.glob("*/*.flac")))[0]) == 8000


def test_closing_finishes_what_runs(tmp_path: Path) -> None:
    scene = Scene(tmp_path)
    scene.a.say(0, speech(80_000))
    scene.run(16_000)
    scene.close()
    assert side(tmp_path, "A-0001")["state"] == "closed"
    assert len(soundfile.read(next(tmp_path.glob("*/*.flac")))[0]) > 15_000


@pytest.mark.parametrize("flac", [True, False])
@pytest.mark.parametrize("cut", [0, 20, 80, 81, 1001])
def test_what_was_left_open_is_finished_at_the_next_start(tmp_path: Path, cut: int, flac: bool) -> None:
    scene = Scene(tmp_path)
    scene.a.say(0, speech(40_000))
    scene.run(20_000)
    (path,) = tmp_path.glob("*/*.wav")
    scene.kill()
    # A process killed between samples and header: more samples than the header says, or fewer.
    path.write_bytes(path.read_bytes()[:cut])
    samples = max(0, cut - 80) // 2
    (found,) = recover(tmp_path, flac, scene.events.append)
    assert found.path.suffix == (".flac" if flac and samples else ".wav")
    assert len(soundfile.read(found.path)[0]) == samples
    about = side(tmp_path, "A-0001")
    assert about["state"] == "closed" and about["interrupted"] is True and about["samples"] == samples
    assert about["audio_sha256"] == audio_hash(found.path)
    (told,) = scene.told("recording.recovered")
    assert told["audio_sha256"] == about["audio_sha256"]
    assert recover(tmp_path, flac) == []


def test_recovery_needs_no_description_and_leaves_other_files_alone(tmp_path: Path) -> None:
    scene = Scene(tmp_path)
    scene.a.say(0, speech(40_000))
    scene.run(20_000)
    (path,) = tmp_path.glob("*/*.wav")
    scene.kill()
    path.with_suffix(".json").write_text("{ broken")
    music = path.with_name("music.wav")
    soundfile.write(music, np.zeros((100, 2)), 44_100)
    before = music.read_bytes()
    (found,) = recover(tmp_path)
    assert side(tmp_path, "A-0001")["port"] == "A" and found.path.exists()
    assert music.read_bytes() == before


def test_a_stop_between_flac_and_the_end_of_its_wav_keeps_one_of_them(tmp_path: Path) -> None:
    scene = Scene(tmp_path)
    scene.a.say(0, speech(4000))
    scene.run(30_000)
    (flac,) = tmp_path.glob("*/*.flac")
    soundfile.write(flac.with_suffix(".wav"), pcm(speech(4000)), 8000, "PCM_16")
    flac.with_suffix(".part").write_bytes(b"half")
    assert recover(tmp_path) == []
    assert sorted(p.suffix for p in flac.parent.iterdir()) == [".flac", ".json"]


def test_the_oldest_go_when_the_room_is_used_up(tmp_path: Path) -> None:
    scene = Scene(tmp_path, Room(tmp_path, 40_000, True, free=None), flac=False)
    for n in range(6):
        scene.a.say(n * 16_000, speech(6000, n))
    scene.run(110_000)
    left = sorted(p.name[-10:] for p in tmp_path.glob("*/*.wav"))
    assert left == ["A-0004.wav", "A-0005.wav", "A-0006.wav"]
    assert [str(e["file"])[-10:] for e in scene.told("recording.removed")] == ["A-0001.wav", "A-0002.wav", "A-0003.wav"]
    assert len(list(tmp_path.glob("*/*.json"))) == 3
    assert scene.desk.health().state == "up"


def test_or_recording_stops_and_says_so_and_goes_on_when_somebody_tidies_up(tmp_path: Path) -> None:
    scene = Scene(tmp_path, Room(tmp_path, 20_000, False, free=None), flac=False)
    for n in range(6):
        scene.a.say(n * 16_000, speech(6000, n))
    scene.run(45_000)
    health = scene.desk.health()
    assert health.state == "degraded" and "of the 20.0 kB they may" in health.reason
    assert len(list(tmp_path.glob("*/*.wav"))) == 2 and health.counters["left_out"] == 1
    for path in tmp_path.glob("*/*"):
        path.unlink()
    scene.run(110_000)
    assert [p.name[-10:] for p in tmp_path.glob("*/*.wav")]
    assert not scene.told("recording.removed")


def test_the_last_quarter_of_a_gigabyte_is_left_to_the_journal(tmp_path: Path) -> None:
    free = [10**9]
    scene = Scene(tmp_path, Room(tmp_path, None, False, free=lambda folder: free[0]))
    scene.a.say(0, speech(2000))
    scene.a.say(16_000, speech(2000))
    scene.run(8000)
    free[0] = 10**8
    scene.run(40_000)
    assert len(list(tmp_path.glob("*/*.flac"))) == 1
    assert "the disk has 100.0 MB left, of which 268.4 MB stay free" in scene.desk.health().reason


def test_a_full_disk_loses_audio_and_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scene = Scene(tmp_path)
    said = speech(40_000)
    scene.a.say(0, said)
    scene.run(8000)
    real = WavWriter.flush

    def full(self: WavWriter) -> None:
        self._fill = 0
        raise OSError(28, "No space left on device", str(self.path))

    monkeypatch.setattr(WavWriter, "flush", full)
    scene.run(16_000)
    assert scene.desk.health().state == "degraded" and "No space left" in scene.desk.health().reason
    monkeypatch.setattr(WavWriter, "flush", real)
    scene.run(70_000)
    # One write that finds room is no sign that there is enough; that is seen at the next look.
    assert scene.desk.health().state == "degraded"
    scene.run(70_000 + round(LOOK_S * 8000))
    assert scene.desk.health().state == "up"
    (path,) = tmp_path.glob("*/*.flac")
    got = soundfile.read(path, dtype="int16")[0]
    assert len(got) == len(said)
    same = got == pcm(said)
    lost = side(tmp_path, "A-0001")["lost_s"]
    assert 0.9 <= lost <= 1.3
    silent = np.flatnonzero(~same)
    assert silent[-1] - silent[0] < lost * 8000 and not got[silent].any()


def test_an_over_that_ends_on_a_full_disk_is_finished_when_there_is_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = WavWriter._put
    full = False

    def put(wav: WavWriter, at: int, data: bytes) -> None:
        if full:
            raise OSError(28, "No space left on device", str(wav.path))
        real(wav, at, data)

    def no_json(path: Path, about: object) -> None:
        raise OSError(28, "No space left on device", str(path))

    monkeypatch.setattr(WavWriter, "_put", put)
    monkeypatch.setattr(Room, "probe", lambda room: no_json(room.folder, None) if full else None)
    scene = Scene(tmp_path)
    said = speech(40_000)
    scene.a.say(0, said)
    scene.run(16_000)
    full = True
    scene.run(130_000)
    assert scene.desk.health().state == "degraded" and not scene.told("recording.closed")
    full = False
    scene.run(320_000)
    assert scene.desk.health().state == "up" and scene.desk.health().counters["recorded"] == 1
    (closed,) = scene.told("recording.closed")
    got = soundfile.read(tmp_path / str(closed["file"]), dtype="int16")[0]
    assert len(got) == len(said)
    lost = round(8000 * float(str(closed["lost_s"])))
    np.testing.assert_array_equal(got[: len(said) - lost], pcm(said)[: len(said) - lost])
    assert lost and not got[len(said) - lost :].any()
    assert closed["audio_sha256"] == audio_hash(tmp_path / str(closed["file"]))


def test_a_folder_that_cannot_be_made_is_a_state(tmp_path: Path) -> None:
    (tmp_path / "r").write_text("in the way")
    scene = Scene(tmp_path / "r")
    scene.a.say(0, speech(2000))
    scene.run(10_000)
    assert scene.desk.health().state == "degraded" and scene.desk.health().counters["left_out"] == 1


def test_its_thread_keeps_up_and_ends(tmp_path: Path) -> None:
    events: list[Event] = []
    desk = RecordingDesk(Room(tmp_path, None, True, free=None), SystemClock(), events.append)
    desk.start()
    loop = Loopback("A")
    tap = Tap("A", loop)
    recorder = Recorder(tmp_path, [tap], desk)
    matrix = Matrix([Port("A", tap)], [], desk)
    loop.say(0, speech(8000))
    for tick in range(100):
        matrix.tick(tick * TICK_SAMPLES)
        recorder.tick()
    recorder.close()
    desk.close(60)
    assert [e["event"] for e in events] == ["recording.closed"]
    np.testing.assert_array_equal(soundfile.read(next(tmp_path.glob("*/*.flac")), dtype="int16")[0], pcm(speech(8000)))


KILLED = """
import sys
from pathlib import Path
import numpy as np
from hw.clock import SystemClock
from sdrbridge.port import Loopback
from sdrbridge.recorder import Recorder, Tap
from sdrbridge.recordingdesk import LOOK_S, RecordingDesk
from sdrbridge.recordingroom import Room

folder = Path(sys.argv[1])
clock = SystemClock()
desk = RecordingDesk(Room(folder, None, True, free=None), clock, lambda event: None)
desk.start()
loop = Loopback("A")
tap = Tap("A", loop)
recorder = Recorder(folder, [tap], desk)
loop.say(0, (np.arange(800_000) % 1000 / 2000).astype(np.float32))
import threading
never, began = threading.Event(), clock.monotonic()
for tick in range(100_000):
    tap.advance(tick * 160)
    tap.begun()
    recorder.tick()
    print(tap.available(), flush=True)
    clock.wait(never, began + (tick + 1) / 200 - clock.monotonic())
"""


def test_a_process_killed_with_minus_nine_loses_at_most_a_second(tmp_path: Path) -> None:
    process = subprocess.Popen([sys.executable, "-c", KILLED, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    played = 0
    for line in process.stdout:
        played = int(line)
        if played > 40_000:
            process.kill()
            break
    process.stdout.close()
    process.wait(30)
    (found,) = recover(tmp_path)
    got = soundfile.read(found.path, dtype="int16")[0]
    assert len(got) >= played - 8000
    np.testing.assert_array_equal(got, pcm((np.arange(len(got)) % 1000 / 2000).astype(np.float32)))
