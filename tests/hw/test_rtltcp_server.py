"""The rtl_tcp server: bit for bit to our own client, in time, unharmed by any client, heard by other programs."""

import contextlib
import shutil
import socket
import subprocess
import wave
from collections.abc import Iterator
from pathlib import Path
from threading import Event, Thread
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dsp.blocks import IqBlock
from hw.base import SourceInfo, SourceStatistics
from hw.clock import ManualClock
from hw.errors import DeviceBusy, DeviceLost, DeviceNotFound, Unsupported
from hw.rtltcp import RtlTcpSource
from hw.rtltcp_protocol import Command, CommandCode, Header
from hw.rtltcp_server import Pace, RtlTcpServer, ServerStatistics, serve_recording
from tests.hw.rtltcp_peers import BOUND_S

RATE, CENTER = 250_000, 433_920_000


@contextlib.contextmanager
def serving(
    path: Path, *, pace: Pace = Pace.MAX, loop: bool = False, clock: ManualClock | None = None, **options: Any
) -> Iterator[tuple[RtlTcpServer, list[ServerStatistics]]]:
    """Serve `path`; gives the server and, once the block is left, its statistics."""
    stop, ready = Event(), Event()
    servers: list[RtlTcpServer] = []
    result: list[ServerStatistics] = []

    def listening(server: RtlTcpServer) -> None:
        servers.append(server)
        ready.set()

    def run() -> None:
        result.append(
            serve_recording(
                f"file:{path.name}",
                base=path.parent,
                rate=RATE,
                center_hz=CENTER,
                port=0,
                pace=pace,
                loop=loop,
                stop=stop,
                listening=listening,
                clock=clock or ManualClock(automatic=True),
                **options,
            )
        )

    thread = Thread(target=run, daemon=True)
    thread.start()
    assert ready.wait(BOUND_S)
    try:
        yield servers[0], result
    finally:
        stop.set()
        thread.join(BOUND_S)
        assert not thread.is_alive()


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    path = tmp_path / "noise.cu8"
    path.write_bytes(np.random.default_rng(8).integers(0, 256, 300_000, np.uint8).tobytes())
    return path


def receive(port: int, count: int) -> bytes:
    """The first `count` bytes after the header."""
    with socket.create_connection(("127.0.0.1", port), BOUND_S) as client:
        raw = b""
        while len(raw) < 12 + count and (piece := client.recv(1 << 16)):
            raw += piece
    assert Header.parse(raw[:12]) == Header(5, 29)
    return raw[12 : 12 + count]


@pytest.mark.parametrize("pace", Pace)
def test_our_client_gets_the_recording_bit_for_bit(recording: Path, pace: Pace) -> None:
    raw = recording.read_bytes()
    with serving(recording, pace=pace) as (server, result):
        host, port = server.address
        assert host == "127.0.0.1"
        clock = ManualClock(automatic=True)
        source = RtlTcpSource(host, port, rate=RATE, center_hz=CENTER, clock=clock, give_up_s=0.0, buffer_s=1.0)
        got, end = b"", 0
        with contextlib.closing(source), contextlib.suppress(DeviceLost):
            while end < len(raw) // 2 and (block := source.read(10_000)) is not None:
                assert block.index == end
                end = block.end
                got += np.round(block.samples.view(np.float32) * 128 + 127.5).astype(np.uint8).tobytes()
    assert got == raw
    assert result[0].clients >= 1
    assert result[0].refused == 0


def test_pace_is_that_of_the_recording(recording: Path) -> None:
    clock = ManualClock(automatic=True)
    with serving(recording, pace=Pace.REAL, clock=clock) as (server, _):
        receive(server.address[1], 300_000)
        assert clock.monotonic() == pytest.approx(150_000 / RATE, abs=1e-6)


def test_each_client_hears_it_from_the_beginning_and_again(recording: Path) -> None:
    raw = recording.read_bytes()
    with serving(recording, loop=True) as (server, result):
        assert receive(server.address[1], 700_000) == (raw * 3)[:700_000]
        assert receive(server.address[1], 1000) == raw[:1000]
    assert result[0].clients == 2
    assert result[0].samples >= 350_500


def test_commands_a_recording_cannot_fulfil_are_counted(recording: Path) -> None:
    code = CommandCode
    sent = [
        Command(code.SAMPLE_RATE, RATE),
        Command(code.SAMPLE_RATE, 2_400_000),
        Command(code.FREQUENCY, CENTER),
        Command(code.FREQUENCY, CENTER + 1),
        Command(code.GAIN, 297),
        Command(0x7F, 1),
    ]
    with serving(recording, loop=True) as (server, result), socket.create_connection(server.address, BOUND_S) as client:
        for byte in b"".join(c.encode() for c in sent):
            client.sendall(bytes([byte]))
        seen = 0
        while server.statistics().commands < len(sent) and seen < 200_000_000:
            seen += len(client.recv(1 << 16))
    assert (result[0].commands, result[0].refused, result[0].unknown) == (6, 2, 1)


@settings(max_examples=10, deadline=None)
@given(rubbish=st.lists(st.binary(max_size=2000), min_size=1, max_size=5))
def test_rubbish_from_clients_does_no_harm(tmp_path_factory: pytest.TempPathFactory, rubbish: list[bytes]) -> None:
    path = tmp_path_factory.mktemp("r") / "x.cu8"
    path.write_bytes(bytes(range(256)) * 40)
    with serving(path, loop=True) as (server, _):
        for raw in rubbish:
            with socket.create_connection(server.address, BOUND_S) as client, contextlib.suppress(OSError):
                client.sendall(raw)
        assert receive(server.address[1], 1000) == path.read_bytes()[:1000]


class Gapped:
    """Samples 0–99, nothing until 1000, samples 1000–1099."""

    def __init__(self) -> None:
        self.info = SourceInfo("gapped", "iq", RATE, None, 1100, None, "cu8")
        self._left = [0, 1000]

    def read(self, n: int) -> IqBlock | None:
        if not self._left:
            return None
        return IqBlock(np.full(100, 0.5 / 128 + 0.5j / 128, np.complex64), RATE, self._left.pop(0))

    def statistics(self) -> SourceStatistics:
        return SourceStatistics()

    def close(self) -> None:
        pass


def test_gap_is_played_as_silence_of_its_length() -> None:
    stop = Event()
    server = RtlTcpServer(Gapped, port=0, pace=Pace.MAX, loop=False, clock=ManualClock())
    thread = Thread(target=server.serve, args=(stop,), daemon=True)
    thread.start()
    raw = np.frombuffer(receive(server.address[1], 5000), np.uint8)
    stop.set()
    thread.join(BOUND_S)
    assert len(raw) == 2200
    assert np.all(np.abs(raw.astype(int) - 127.5) == 0.5)


def test_client_that_takes_nothing_does_not_hold_the_server(recording: Path) -> None:
    with serving(recording, loop=True) as (server, _), socket.create_connection(server.address, BOUND_S):
        pass  # leaving the block fails if `stop` does not end it


def test_what_cannot_be_served_is_said(tmp_path: Path, recording: Path) -> None:
    stop = Event()
    stop.set()
    with pytest.raises(DeviceNotFound, match=r"nois\.cu8 is not there.*noise\.cu8"):
        serve_recording("file:nois.cu8", base=tmp_path, rate=RATE, port=0, stop=stop)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(DeviceBusy, match=f"port {port} on 127.0.0.1 is in use.*--port"):
            serve_recording("file:noise.cu8", base=tmp_path, rate=RATE, port=port, stop=stop)
    with wave.open(str(tmp_path / "jack.wav"), "wb") as jack:
        jack.setparams((1, 2, 48000, 0, "NONE", ""))
        jack.writeframes(bytes(2000))
    with pytest.raises(Unsupported, match="is discriminator audio of one channel; rtl_tcp carries IQ"):
        serve_recording("discriminator:jack.wav", base=tmp_path, port=0, stop=stop)
    with pytest.raises(Unsupported, match=r"cannot listen on 192\.0\.2\.1"):
        serve_recording("file:noise.cu8", base=tmp_path, rate=RATE, host="192.0.2.1", port=0, stop=stop)


def on_off_keyed(path: Path) -> None:
    """A generic fixed-code remote at 433.92 MHz: short pulses 400 µs, long 1200 µs, six repetitions."""
    unit = RATE * 400 // 1_000_000
    bits = "".join("1110" if bit == "1" else "1000" for bit in f"{0xA5C3F:024b}")
    word = np.repeat([float(level) for level in bits + "1" + "0" * 31], unit)
    envelope = np.concatenate([np.zeros(RATE // 10), np.tile(word, 6), np.zeros(RATE // 5)])
    carrier = 0.6 * envelope * np.exp(2j * np.pi * 20_000 * np.arange(len(envelope)) / RATE)
    noise = np.random.default_rng(4).normal(0, 0.01, (2, len(envelope)))
    samples = (carrier + noise[0] + 1j * noise[1]).astype(np.complex64).view(np.float32)
    path.write_bytes(np.clip(np.round(samples * 128 + 127.5), 0, 255).astype(np.uint8).tobytes())


@pytest.mark.skipif(shutil.which("rtl_433") is None, reason="rtl_433 is not installed")
def test_rtl_433_hears_a_remote_control(tmp_path: Path) -> None:
    path = tmp_path / "remote.cu8"
    on_off_keyed(path)
    # Many samples, so that the server is still sending when the commands come, whatever the sockets hold.
    with serving(path, loop=True) as (server, result):
        port = server.address[1]
        done = subprocess.run(
            f"rtl_433 -d rtl_tcp:127.0.0.1:{port} -s {RATE} -f {CENTER} -n {24 * RATE} -F json -R 0 "
            "-X n=remote,m=OOK_PWM,s=400,l=1200,r=10000,bits>=24".split(),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    assert '"model" : "remote"' in done.stdout, done.stdout + done.stderr
    assert "R820T" in done.stderr
    assert result[0].commands > 0
    assert (result[0].refused, result[0].unknown) == (0, 0)


OSMOSDR_CLIENT = """
import sys
try:
    import osmosdr
    from gnuradio import blocks, gr
except ImportError:
    sys.exit(77)
flowgraph = gr.top_block()
source = osmosdr.source(args="rtl_tcp=127.0.0.1:" + sys.argv[1])
source.set_sample_rate(float(sys.argv[2]))
source.set_center_freq(float(sys.argv[3]))
source.set_gain(30)
head = blocks.head(gr.sizeof_gr_complex, int(sys.argv[4]))
flowgraph.connect(source, head, blocks.file_sink(gr.sizeof_gr_complex, sys.argv[5]))
flowgraph.run()
"""


def test_gnu_radio_gets_the_recording_bit_for_bit(tmp_path: Path, recording: Path) -> None:
    """gr-osmosdr is built for the distribution's Python, so that one runs it."""
    python, out = Path("/usr/bin/python3"), tmp_path / "out.cf32"
    if not python.exists():
        pytest.skip("the distribution has no python3")
    count = 100_000
    with serving(recording, loop=True) as (server, result):
        arguments = [str(server.address[1]), str(RATE), str(CENTER), str(count), str(out)]
        done = subprocess.run(
            [python, "-I", "-c", OSMOSDR_CLIENT, *arguments], capture_output=True, text=True, timeout=60, check=False
        )
    if done.returncode == 77:
        pytest.skip("gr-osmosdr is not installed")
    assert done.returncode == 0, done.stderr
    assert "R820T tuner with 29 RF" in done.stdout + done.stderr
    # gr-osmosdr's zero is 127.4, its full scale 128.
    got = np.round(np.fromfile(out, np.float32) * 128 + 127.4).astype(np.uint8).tobytes()
    assert got == recording.read_bytes()[: 2 * count]
    assert (result[0].refused, result[0].unknown) == (0, 0)
