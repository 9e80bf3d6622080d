"""RTP over loopback with real sockets: between two bridges, and with ffmpeg as sender and as receiver."""

import shutil
import signal
import socket
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from tests.support.running import BOUND_S, Running
from tests.support.site import RATE, carrier, to_cu8

SENDER = """
[bridge]
name = "sender"
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
codec = "{codec}"
[[patch]]
name = "p"
ports = ["A", "link"]
"""

RECEIVER = """
[bridge]
name = "receiver"
[[port]]
name = "link"
kind = "rtp"
listen = "127.0.0.1:{ours}"
peers = ["127.0.0.1{theirs}"]
codec = "{codec}"
[[port]]
name = "out"
kind = "file"
[[patch]]
name = "p"
ports = ["link", "out"]
hang_s = 0.1
"""

needs_ffmpeg = pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="ffmpeg is not installed")

Start = Callable[..., Running]

TONE_HZ = 1000
"""Of the carrier."""


def free_port() -> int:
    """An even UDP port that is free, and the one after it too."""
    while True:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
            one.bind(("127.0.0.1", 0))
            port = int(one.getsockname()[1])
            if port % 2:
                continue
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
                try:
                    other.bind(("127.0.0.1", port + 1))
                except OSError:
                    continue
                return port


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    running: list[Running] = []

    def begin(name: str, site: str) -> Running:
        folder = tmp_path / name
        folder.mkdir()
        over = carrier(8.0)
        tone = over[2 * RATE : 6 * RATE]
        (folder / "iq.cu8").write_bytes(to_cu8(np.concatenate([over[: 2 * RATE], *[tone] * 30])))
        (folder / "site.toml").write_text(site)
        running.append(Running(folder / "site.toml", folder).start())
        return running[-1]

    yield begin
    for it in running:
        it.close()


def port(status: dict[str, Any], name: str) -> dict[str, Any]:
    return next(port for port in status["ports"] if port["name"] == name)


def counters(it: Running) -> dict[str, float]:
    answer: dict[str, float] = port(it.ask("/v1/status"), "link")["counters"]
    return answer


def loudest_hz(sound: NDArray[np.float32], rate: int) -> float:
    """Frequency of the strongest component from 200 Hz on."""
    spectrum = np.abs(np.fft.rfft(sound * np.hanning(len(sound))))
    hz = np.fft.rfftfreq(len(sound), 1 / rate)
    spectrum[hz < 200] = 0
    return float(hz[int(np.argmax(spectrum))])


def loud_part(path: Path) -> tuple[NDArray[np.float32], int]:
    sound, rate = soundfile.read(path, dtype="float32")
    found = np.flatnonzero(np.abs(sound) > 0.02)
    return sound[found[0] : found[-1] + 1], rate


@pytest.mark.parametrize("codec", ["pcmu", "l16"])
def test_two_bridges(start: Start, codec: str) -> None:
    one, two = free_port(), free_port()
    receiver = start("receiver", RECEIVER.format(ours=two, theirs=f":{one}", codec=codec))
    sender = start("sender", SENDER.format(ours=one, theirs=two, codec=codec))
    receiver.until(lambda s: port(s, "out")["keyed"] and port(s, "link")["counters"]["rx_packets"] > 100)
    seen = counters(receiver)
    assert seen["rx_lost"] == seen["rx_unlisted"] == seen["rx_malformed"] == 0
    text = receiver.ask("/metrics")
    assert 'sdrbridge_port_count{port="link",what="rx_packets"}' in text
    # Both report, so the sender comes to know how well it is heard.
    sender.until(lambda s: "far_lost_percent" in port(s, "link")["counters"])
    assert counters(sender)["far_lost_percent"] == 0
    sender.send(signal.SIGTERM)
    assert sender.wait() == 0
    receiver.until(lambda s: not port(s, "out")["keyed"])
    receiver.send(signal.SIGTERM)
    assert receiver.wait() == 0
    # One over, or several where the machine was too busy to send for a while.
    heard = [event["heard_by"] for event in receiver.events() if event["event"] == "over.done"]
    assert heard and all(names == ["out"] for names in heard)
    sound, rate = loud_part(receiver.state / "ports" / "out.wav")
    assert len(sound) > 1.5 * rate
    assert loudest_hz(sound[-rate:], rate) == pytest.approx(TONE_HZ, abs=3)


@needs_ffmpeg
@pytest.mark.parametrize("packing", ["asetnsamples=n=160", "anull"], ids=["20 ms", "as ffmpeg likes it"])
def test_ffmpeg_is_heard(start: Start, packing: str) -> None:
    listen = free_port()
    receiver = start("receiver", RECEIVER.format(ours=listen, theirs="", codec="pcmu"))
    tone = ["-f", "lavfi", "-i", "sine=frequency=440:sample_rate=8000:duration=3"]
    coded = ["-af", f"volume=8dB,{packing}", "-c:a", "pcm_mulaw", "-f", "rtp", f"rtp://127.0.0.1:{listen}"]
    subprocess.run(
        ["ffmpeg", "-v", "error", "-nostdin", "-re", *tone, *coded],
        check=True,
        timeout=BOUND_S,
        capture_output=True,
    )
    receiver.until(lambda s: port(s, "link")["counters"]["rx_overs"] >= 1 and not port(s, "out")["keyed"])
    seen = counters(receiver)
    assert seen["rx_unlisted"] == seen["rx_malformed"] == seen["rx_other"] == seen["rx_lost"] == 0
    receiver.send(signal.SIGTERM)
    assert receiver.wait() == 0
    sound, rate = loud_part(receiver.state / "ports" / "out.wav")
    assert 2.0 * rate < len(sound) < 3.5 * rate
    assert loudest_hz(sound[rate // 2 : 2 * rate], rate) == pytest.approx(440, abs=3)


@needs_ffmpeg
@pytest.mark.parametrize(("codec", "line"), [("pcmu", "0"), ("l16", "96\na=rtpmap:96 L16/8000/1")])
def test_ffmpeg_hears(start: Start, tmp_path: Path, codec: str, line: str) -> None:
    one, two = free_port(), free_port()
    sdp = tmp_path / "link.sdp"
    sdp.write_text(f"v=0\no=- 0 0 IN IP4 127.0.0.1\ns=-\nc=IN IP4 127.0.0.1\nt=0 0\nm=audio {two} RTP/AVP {line}\n")
    heard = tmp_path / "heard.wav"
    session = ["-protocol_whitelist", "file,udp,rtp", "-i", str(sdp)]
    listener = subprocess.Popen(
        ["ffmpeg", "-v", "error", "-nostdin", *session, "-t", "2", str(heard)], stderr=subprocess.PIPE
    )
    try:
        sender = start("sender", SENDER.format(ours=one, theirs=two, codec=codec))
        _, said = listener.communicate(timeout=BOUND_S)
    finally:
        listener.kill()
    assert listener.returncode == 0, said
    assert counters(sender)["tx_failed"] == 0
    sound, rate = loud_part(heard)
    assert rate == 8000 and len(sound) > 1.5 * rate
    assert loudest_hz(sound[-rate:], rate) == pytest.approx(TONE_HZ, abs=3)
