"""The file port: exact in time, honest when the disk is full."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from sdrbridge.errors import PortError
from sdrbridge.port import FilePort, Keyed, Loopback, Port
from sdrbridge.transmission import Facts, Transmission
from sdrbridge.wav import WavWriter


def test_sample_n_of_the_file_is_bridge_time_n(tmp_path: Path) -> None:
    port = FilePort("x", tmp_path / "out" / "x.wav")
    ramp = np.arange(1, 161).astype(np.float32) / np.float32(32768)
    for tick in range(100):
        keyed = 40 <= tick < 60
        port.write(ramp * np.float32(keyed), tick * 160, keyed)
    port.close(16_001)
    port.close()
    samples, rate = soundfile.read(tmp_path / "out" / "x.wav", dtype="int16")
    assert rate == 8000
    assert len(samples) == 16_001
    np.testing.assert_array_equal(samples[6400:6560], np.arange(160) + 1)
    assert not samples[:6400].any()
    assert not samples[9600:].any()
    assert port.keyed.intervals == [(6400, 9600)]
    assert port.keyed.total_s == 0.4


def test_frames_left_out_are_silence(tmp_path: Path) -> None:
    port = FilePort("x", tmp_path / "x.wav")
    port.write(np.full(160, 0.5, np.float32), 20_000, True)
    with pytest.raises(PortError, match="comes after 20160"):
        port.write(np.zeros(160, np.float32), 20_000, False)
    port.close()
    samples, _ = soundfile.read(tmp_path / "x.wav")
    assert len(samples) == 20_160
    assert np.flatnonzero(samples)[0] == 20_000


def test_full_scale_is_limited_not_wrapped(tmp_path: Path) -> None:
    wav = WavWriter(tmp_path / "x.wav")
    wav.write(np.array([2.0, 1.0, -1.0, -2.0, 0.5], np.float32))
    wav.close()
    samples, _ = soundfile.read(tmp_path / "x.wav", dtype="int16")
    assert samples.tolist() == [32767, 32767, -32768, -32768, 16384]


def test_a_file_that_is_never_closed_is_readable_up_to_the_last_second(tmp_path: Path) -> None:
    wav = WavWriter(tmp_path / "x.wav")
    wav.write(np.full(20_000, 0.25, np.float32))
    samples, _ = soundfile.read(tmp_path / "x.wav")
    assert len(samples) == 16_000
    wav.close()


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("a file, not a folder")
    with pytest.raises(PortError, match=r'port "x": cannot write .*taken/x\.wav: '):
        FilePort("x", tmp_path / "taken" / "x.wav")


def test_a_full_disk_keeps_what_was_written(tmp_path: Path) -> None:
    code = """
import resource, signal, sys
import numpy as np
from pathlib import Path
from sdrbridge.errors import PortError
from sdrbridge.port import FilePort
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
port = FilePort("x", Path(sys.argv[1]))
try:
    for tick in range(1000):
        port.write(np.full(160, 0.5, np.float32), 160 * tick, True)
except PortError as problem:
    print(problem)
port.close()
"""
    path = tmp_path / "x.wav"
    done = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=True)
    assert "File too large; the first 6.0 s are kept" in done.stdout
    samples, _ = soundfile.read(path)
    assert len(samples) >= 48_000
    assert (samples[:48_000] == 0.5).all()


def test_keyed_intervals() -> None:
    keyed = Keyed()
    for index, on in [(0, True), (160, True), (320, False), (480, True)]:
        keyed.note(index, 160, on)
    assert keyed.intervals == [(0, 320), (480, 640)]


def test_loopback_keeps_the_last_of_what_it_was_sent() -> None:
    loop = Loopback("x", keep=320)
    for tick in range(5):
        loop.write(np.full(160, tick, np.float32), tick * 160, tick > 2)
    assert loop.end == 800
    assert loop.sent().tolist() == [3.0] * 160 + [4.0] * 160
    with pytest.raises(PortError, match="before the last one ends"):
        loop.say(0, np.zeros(10, np.float32))
        loop.say(9, np.zeros(10, np.float32))


def test_loopback_tells_of_an_over_when_it_is_known() -> None:
    loop = Loopback("x", latency=100, decision=50)
    over = loop.say(1000, np.ones(200, np.float32), Facts(emergency=True))
    loop.advance(1149)
    assert loop.begun() == []
    loop.advance(1150)
    assert loop.begun() == [over]
    assert loop.available() == 1050
    assert loop.read(990, 20).tolist() == [0.0] * 10 + [1.0] * 10
    loop.advance(1299)
    assert over.end is None
    loop.advance(1300)
    assert over.end == 1200


def test_access_time_has_a_limit() -> None:
    with pytest.raises(PortError, match="access_ms = 5001 must lie between 0 and 5000"):
        Port("x", access_ms=5001)


def test_a_transmission_as_json() -> None:
    over = Transmission.begin("VTAC11", 3, 8000)
    over.heard("dispatch")
    over.heard("dispatch")
    assert over.to_dict() == {"id": "VTAC11-0003", "start_s": 1.0, "heard_by": ["dispatch"]}
    over.end, over.on_air_end = 16_000, 15_992
    over.facts.ctcss_hz, over.facts.emergency = 156.7, False
    assert over.to_dict() == {
        "id": "VTAC11-0003", "start_s": 1.0, "end_s": 1.999, "ctcss_hz": 156.7, "emergency": False,
        "heard_by": ["dispatch"],
    }  # fmt: skip
