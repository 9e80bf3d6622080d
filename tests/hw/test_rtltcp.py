"""The rtl_tcp client: what it asks, what it gives, and every way a server can fail it."""

import contextlib
import socket
from collections.abc import Iterator
from pathlib import Path
from threading import Event
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hw.base import Tuner
from hw.clock import ManualClock
from hw.errors import DeviceBusy, DeviceError, DeviceLost, DeviceNotFound, SourceError, Unsupported
from hw.registry import probe
from hw.rtltcp import RtlTcpSource
from hw.rtltcp_protocol import Command, CommandCode, Header
from tests.hw.rtltcp_peers import BOUND_S, R820T, Act, commands, hold, send, server, unread

RATE, CENTER = 1_024_000, 155_400_000


@contextlib.contextmanager
def client(
    port: int, clock: ManualClock | None = None, host: str = "127.0.0.1", **options: Any
) -> Iterator[RtlTcpSource]:
    clock = clock or ManualClock(automatic=True)
    source = RtlTcpSource(host, port, rate=RATE, center_hz=CENTER, clock=clock, **options)
    try:
        yield source
    finally:
        source.close()


def take(source: RtlTcpSource, n: int) -> tuple[np.ndarray[Any, Any], list[int]]:
    """`n` samples in one piece, and the index of each block's first."""
    pieces, starts, got = [], [], 0
    while got < n:
        block = source.read(n - got)
        assert block is not None
        assert block.rate == RATE
        pieces.append(block.samples.copy())
        starts.append(block.index)
        got += len(block.samples)
    return np.concatenate(pieces), starts


def samples_of(raw: bytes) -> np.ndarray[Any, Any]:
    return ((np.frombuffer(raw, np.uint8).astype(np.float32) - 127.5) / 128).view(np.complex64)


def some_bytes(n: int, seed: int = 3) -> bytes:
    return np.random.default_rng(seed).integers(0, 256, n, np.uint8).tobytes()


@pytest.mark.parametrize("cut", [1, 2, 3, 1000, 65537])
def test_samples_arrive_unchanged_however_the_network_cuts_them(cut: int) -> None:
    raw, done = some_bytes(200_000 if cut > 3 else 3000), Event()
    acts = [send(raw[i : i + cut]) for i in range(0, len(raw), cut)]
    with server([send(R820T), *acts, hold(done)]) as port, client(port) as source:
        got, starts = take(source, len(raw) // 2)
        done.set()
    assert isinstance(source, Tuner)
    assert np.array_equal(got, samples_of(raw))
    assert starts[0] == 0
    assert source.statistics().lost == 0
    assert source.statistics().samples == len(raw) // 2
    assert (source.info.rate, source.info.center_hz, source.info.sample_type) == (RATE, CENTER, "cu8")
    assert source.info.hardware == "rtl_tcp, tuner R820T"


def test_settings_are_sent_and_rounded() -> None:
    seen: list[Command] = []
    first, second, done = Event(), Event(), Event()
    script = [send(R820T), commands(seen, 4, first), commands(seen, 5, second), hold(done)]
    with server(script) as port, client(port, ppm=-3.4) as source:
        assert first.wait(BOUND_S)
        assert source.tune(162_550_000) == 162_550_000
        assert source.set_gain(30.0) == 29.7
        assert source.set_gain(None) is None
        assert source.set_ppm(12.0) == 12.0
        assert second.wait(BOUND_S)
        assert source.info.center_hz == 162_550_000
        with pytest.raises(Unsupported, match="limit is ±1000"):
            source.set_ppm(5000.0)
        with pytest.raises(Unsupported, match="gain = 999"):
            source.set_gain(999.0)
        with pytest.raises(Unsupported, match="4294967295"):
            source.tune(5_000_000_000)
        done.set()
    code = CommandCode
    assert [(c.code, c.signed) for c in seen] == [
        (code.SAMPLE_RATE, RATE),
        (code.PPM, -3),
        (code.FREQUENCY, CENTER),
        (code.GAIN_MODE, 0),
        (code.FREQUENCY, 162_550_000),
        (code.GAIN_MODE, 1),
        (code.GAIN, 297),
        (code.GAIN_MODE, 0),
        (code.PPM, 12),
    ]


def test_time_away_is_a_gap_of_that_length_and_settings_are_sent_again() -> None:
    clock, ready, done = ManualClock(), Event(), Event()
    raw = some_bytes(4000)
    settings_before: list[Command] = []
    seen: list[Command] = []
    with (
        server(
            [send(R820T), commands(settings_before, 4, Event()), send(raw[:2001]), unread],
            [send(R820T), commands(seen, 5, ready), send(raw[2002:]), hold(done)],
        ) as port,
        client(port, clock) as source,
    ):
        before, _ = take(source, 1000)
        source.set_gain(20.7)
        # The server is gone: the client waits before it tries again. 7 s pass, then it is served once more.
        assert clock.until_waiting(1, BOUND_S)
        clock.advance(7.0)
        after, starts = take(source, 999)
        assert ready.wait(BOUND_S)
        statistics = source.statistics()
        assert source.reconnections == 1
        done.set()
    assert np.array_equal(before, samples_of(raw[:2000]))  # the odd byte belongs to no sample
    assert np.array_equal(after, samples_of(raw[2002:]))
    # The gap ends at the first sample of the first piece after it, which is as old as the piece is long.
    assert 7 * RATE - 999 <= statistics.lost <= 7 * RATE
    assert starts[0] == 1000 + statistics.lost
    assert statistics.gaps == 1
    assert (CommandCode.GAIN_MODE, 1) in [(c.code, c.value) for c in seen]
    assert (CommandCode.GAIN, 207) in [(c.code, c.value) for c in seen]


def test_server_that_stalls_is_left_and_tried_again() -> None:
    clock, done = ManualClock(), Event()
    raw = some_bytes(2000)
    with (
        server([send(R820T), send(raw[:1000]), hold(done)], [send(R820T), send(raw[1000:]), hold(done)]) as port,
        client(port, clock, stall_s=3.0) as source,
    ):
        take(source, 500)
        clock.advance(2.9)
        assert not clock.until_waiting(1, 0.3)
        clock.advance(0.2)
        done.set()  # the script goes on to the next connection
        assert clock.until_waiting(1, BOUND_S)
        done.clear()
        clock.advance(0.5)
        got, _ = take(source, 500)
        lost = source.statistics().lost
        done.set()
    assert np.array_equal(got, samples_of(raw[1000:]))
    assert 3.6 * RATE - 500 <= lost <= 3.6 * RATE


def test_server_gone_for_good_is_a_lost_device_after_what_it_sent() -> None:
    with server([send(R820T), send(some_bytes(2000)), unread]) as port, client(port, give_up_s=60.0) as source:
        take(source, 1000)
        for _ in range(2):
            with pytest.raises(DeviceLost, match=r"no sample came for \d+ s \(the limit is 60 s\).*refused"):
                source.read(1000)
    assert source.read(1000) is None


def test_server_that_greets_but_never_sends_is_given_up() -> None:
    script: list[Act] = [send(R820T), unread]
    lost = pytest.raises(DeviceLost, match=r"limit is 10 s.*closed the connection")
    with server(*[script] * 40) as port, client(port, give_up_s=10.0) as source, lost:
        source.read(1)


@pytest.mark.parametrize(
    ("acts", "error", "message"),
    [
        ([send(b"HTTP/1.1 400 Bad Request\r\n"), unread], SourceError, "HTTP/1.1 400.*another service"),
        ([send(bytes(range(200, 212))), unread], SourceError, r"xc8.*instead of the rtl_tcp header"),
        ([send(b"RTL0" + b"\xff" * 8), unread], SourceError, "claims 4294967295 gains"),
        ([send(b"RTL0\0\0"), unread], SourceError, r"sent b'RTL0.* closed the connection"),
        ([unread], SourceError, "sent nothing and closed"),
    ],
)
def test_what_is_no_rtl_tcp_is_said(acts: list[Act], error: type[Exception], message: str) -> None:
    with server(acts) as port, pytest.raises(error, match=message), client(port):
        pass


@pytest.mark.parametrize(
    ("acts", "error", "message"),
    [
        ([], DeviceBusy, "one client at a time"),
        ([send(b"RTL")], SourceError, r"sent b'RTL' and stopped"),
    ],
)
def test_server_that_keeps_silent_is_left(acts: list[Act], error: type[Exception], message: str) -> None:
    done = Event()
    with server([*acts, hold(done)]) as port:
        with pytest.raises(error, match=message), client(port, timeout_s=0.2, clock=Ticking()):
            pass
        done.set()


class Ticking(ManualClock):
    """Moves on by 60 ms whenever it is asked."""

    def monotonic(self) -> float:
        self.advance(0.06)
        return super().monotonic()


def test_nobody_there() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(DeviceNotFound, match=f"127.0.0.1:{port}: nobody listens.*is rtl_tcp running"), client(port):
        pass
    with pytest.raises(DeviceNotFound, match="cannot be reached"), client(port, host="a" * 80 + ".invalid"):
        pass


def test_ipv6() -> None:
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        pytest.skip("this machine has no IPv6")
    done = Event()
    with server([send(R820T), send(b"\x80" * 20), hold(done)], family=socket.AF_INET6) as port:
        with client(port, host="::1") as source:
            take(source, 10)
            assert source.info.description == f"rtltcp:[::1]:{port}"
        done.set()


def test_reader_too_slow_loses_the_oldest_and_sees_it() -> None:
    raw, done, sent = some_bytes(100_000), Event(), Event()
    script = [send(R820T), send(raw), lambda _: sent.set(), hold(done)]
    with server(script) as port, client(port, buffer_s=0.01) as source:
        assert sent.wait(BOUND_S)
        blocks = [source.read(50_000)]
        while blocks[-1] is not None and blocks[-1].end < 50_000:
            blocks.append(source.read(50_000))
        last = blocks[-1]
        assert last is not None
        assert np.array_equal(last.samples, samples_of(raw)[last.index : last.end])
        statistics, ring = source.statistics(), source.ring_statistics()
        done.set()
    assert ring.peak <= ring.capacity == round(0.01 * RATE)
    assert statistics.samples + statistics.lost == 50_000
    assert statistics.lost == ring.dropped > 0


def test_close_releases_a_waiting_reader() -> None:
    done = Event()
    with server([send(R820T), hold(done)]) as port, client(port) as source:
        source.close()
        source.close()
        assert source.read(100) is None
        done.set()


@settings(max_examples=30, deadline=None)
@given(raw=st.binary(max_size=300), headed=st.booleans())
def test_random_bytes_do_no_harm(raw: bytes, headed: bool) -> None:
    with server([send(R820T if headed else b""), send(raw), unread]) as port:
        try:
            with client(port, give_up_s=0.0) as source:
                while source.read(1000) is not None:
                    pass
        except DeviceError as e:
            assert f"127.0.0.1:{port}" in str(e)
        else:
            pytest.fail("a connection that ended went unnoticed")


@given(
    tuner=st.integers(0, 2**32 - 1),
    gains=st.integers(0, 1000),
    code=st.integers(0, 255),
    value=st.integers(0, 2**32 - 1),
)
def test_protocol_units_round_trip(tuner: int, gains: int, code: int, value: int) -> None:
    assert Header.parse(Header(tuner, gains).encode()) == Header(tuner, gains)
    assert Command.parse(Command(code, value).encode()) == Command(code, value)
    assert Command(code, Command(code, value).signed).encode() == Command(code, value).encode()


@pytest.mark.parametrize("text", ["192.0.2.7:1234", "//192.0.2.7:1234", "192.0.2.7"])
def test_source_string(text: str, tmp_path: Path) -> None:
    info = probe(f"rtltcp:{text}", base=tmp_path, rate=RATE, center_hz=CENTER)
    assert (info.description, info.rate, info.center_hz) == ("rtltcp:192.0.2.7:1234", RATE, CENTER)
    assert probe("rtltcp:[2001:db8::1]", base=tmp_path, rate=500_000, center_hz=1).notes


@pytest.mark.parametrize("text", ["host:0", "host:65536", "host:x", ":1234", "[::1]1234", "[::1", "h:1:2", "h?x=1"])
def test_wrong_source_string(text: str, tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"such as rtltcp:|option"):
        probe(f"rtltcp:{text}", base=tmp_path, rate=RATE, center_hz=CENTER)


def test_rate_and_centre_must_be_stated(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="rate must be stated"):
        probe("rtltcp:host", base=tmp_path, center_hz=1)
    with pytest.raises(SourceError, match="center must be stated"):
        probe("rtltcp:host", base=tmp_path, rate=RATE)
