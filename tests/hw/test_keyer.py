"""PTT lines: specs, serial lines with a stand-in for the kernel, and Debian's rigctld with its dummy rig."""

import os
import socket
import subprocess
import sys
import termios
from collections.abc import Callable
from threading import Thread

import pytest

from hw.errors import DeviceBusy, DeviceError, DeviceLost, DeviceNotFound, Unsupported
from hw.keyer import KeyerSpec, open_keyer, parse_keyer, prepare
from hw.rigctld import RigctldKeyer
from hw.serialkeyer import CorLine, CorSpec, SerialKeyer, parse_cor
from hw.serialline import set_hupcl
from tests.hw.fake_serial import FakeSerial, Wire
from tests.support.rigctld import free_port, rigctld

SERIAL = "serial:/dev/ttyUSB0"


def test_what_opening_takes_can_be_loaded_before_and_what_is_missing_is_left_for_later() -> None:
    asked = []

    def load(name: str) -> None:
        asked.append(name)
        if name == "serial":
            raise OSError("broken")

    prepare(load)
    assert asked == ["serial", "hw.serialkeyer", "hw.rigctld"]


@pytest.mark.parametrize(
    ("spec", "read"),
    [
        (SERIAL, KeyerSpec("serial", "/dev/ttyUSB0", 0, "rts", True)),
        (f"{SERIAL},line=DTR,active=low", KeyerSpec("serial", "/dev/ttyUSB0", 0, "dtr", False)),
        ("rigctld:127.0.0.1:4532", KeyerSpec("rigctld", "127.0.0.1", 4532)),
        ("rigctld:[::1]:4532", KeyerSpec("rigctld", "::1", 4532)),
        ("none:", KeyerSpec("none")),
    ],
)
def test_specs(spec: str, read: KeyerSpec) -> None:
    assert parse_keyer(spec) == read


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ("seriel:/dev/ttyUSB0", 'did you mean "serial:…"'),
        ("/dev/ttyUSB0", "must be serial:PATH"),
        ("serial:", "names no serial port"),
        (f"{SERIAL},line=cts", "line = cts; it is one of rts, dtr"),
        (f"{SERIAL},activ=low", 'did you mean "active"'),
        (f"{SERIAL},active=", "active = nothing; it is one of high, low"),
        ("rigctld:4532", "must name host and port"),
        ("rigctld:host:99999", "must name host and port"),
        ("none:x", "takes nothing"),
    ],
)
def test_wrong_specs_name_the_right_one(spec: str, said: str) -> None:
    with pytest.raises(Unsupported) as e:
        parse_keyer(spec)
    assert said in str(e.value)
    assert spec in str(e.value)


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> FakeSerial:
    fake = FakeSerial(ttyUSB0=Wire())
    fake.install(monkeypatch)
    return fake


@pytest.mark.parametrize("line", ["rts", "dtr"])
@pytest.mark.parametrize("active", ["high", "low"])
def test_serial_line_is_driven_and_read_back(fake: FakeSerial, line: str, active: str) -> None:
    wire = fake.wires["/dev/ttyUSB0"]
    keyer = open_keyer(f"{SERIAL},line={line},active={active}", fake.load)
    assert not keyer.is_keyed()
    assert wire.lines[line] is (active == "low")
    keyer.key()
    assert keyer.is_keyed()
    assert wire.lines[line] is (active == "high")
    assert not wire.lines["rts" if line == "dtr" else "dtr"]
    keyer.unkey()
    assert not keyer.is_keyed()
    keyer.key()
    keyer.close()
    keyer.close()
    # Unkeyed before it was closed, and when nobody holds it any more.
    assert wire.lines[line] is (active == "low")


@pytest.mark.parametrize("active", ["high", "low"])
def test_a_line_stays_idle_when_its_holder_dies(fake: FakeSerial, active: str) -> None:
    """Whatever was set on the port before, and also where a COR line on the same port is closed last."""
    wire = fake.wires["/dev/ttyUSB0"]
    for before in (True, False):
        wire.hupcl = before
        cor = CorLine(CorSpec("/dev/ttyUSB0", "cts", True), fake.load)
        keyer = open_keyer(f"{SERIAL},line=rts,active={active}", fake.load)
        assert isinstance(keyer, SerialKeyer)
        keyer._lines.close()  # what the kernel does with the files of a dead process
        cor.close()
        assert not wire.opened
        assert wire.lines["rts"] is (active == "low")


def test_hupcl_of_a_terminal() -> None:
    master, slave = os.openpty()
    try:
        before = termios.tcgetattr(slave)
        for on in (False, True, True, False):
            set_hupcl(slave, on)
            now = termios.tcgetattr(slave)
            assert bool(now[2] & termios.HUPCL) is on
            assert [*now[:2], now[2] & ~termios.HUPCL, *now[3:]] == [
                *before[:2],
                before[2] & ~termios.HUPCL,
                *before[3:],
            ]
    finally:
        os.close(master)
        os.close(slave)


def test_line_that_stays_keyed_is_not_opened(fake: FakeSerial) -> None:
    wire = fake.wires["/dev/ttyUSB0"]
    wire.stuck.add("rts")
    wire.lines["rts"] = True
    with pytest.raises(DeviceError, match="stays keyed"):
        open_keyer(SERIAL, fake.load)
    assert not wire.opened


def test_device_that_goes_away_is_said_so(fake: FakeSerial) -> None:
    keyer = open_keyer(SERIAL, fake.load)
    fake.wires["/dev/ttyUSB0"].gone = True
    for call in (keyer.key, keyer.unkey, keyer.is_keyed):
        with pytest.raises(DeviceLost, match="/dev/ttyUSB0"):
            call()
    keyer.close()
    with pytest.raises(DeviceNotFound, match="there is no /dev/ttyUSB0; serial ports are"):
        open_keyer(SERIAL, fake.load)


def test_one_keyer_a_port_and_a_cor_line_beside_it(fake: FakeSerial) -> None:
    wire = fake.wires["/dev/ttyUSB0"]
    cor = CorLine(CorSpec("/dev/ttyUSB0", "cts", True), fake.load)
    keyer = open_keyer(SERIAL, fake.load)
    with pytest.raises(DeviceBusy, match="another program"):
        open_keyer(SERIAL, fake.load)
    assert not cor.is_open()
    wire.lines["cts"] = True
    assert cor.is_open()
    cor.close()
    keyer.key()
    assert keyer.is_keyed()


def test_cor_polarity_and_lines(fake: FakeSerial) -> None:
    assert parse_cor("serial:/dev/ttyS0,line=dcd,active=low") == CorSpec("/dev/ttyS0", "dcd", False)
    cor = CorLine(CorSpec("/dev/ttyUSB0", "dsr", False), fake.load)
    assert cor.is_open()
    fake.wires["/dev/ttyUSB0"].lines["dsr"] = True
    assert not cor.is_open()
    with pytest.raises(Unsupported, match="line = rts; it is one of cts, dsr, dcd, ri"):
        parse_cor("serial:/dev/ttyS0,line=rts")
    with pytest.raises(Unsupported, match="must be serial:PATH"):
        parse_cor("gpio:4")


def test_pseudo_terminal_has_no_lines_and_says_so() -> None:
    pytest.importorskip("serial")
    ours, theirs = os.openpty()
    try:
        with pytest.raises(Unsupported, match="no modem lines"):
            open_keyer(f"serial:{os.ttyname(theirs)}")
    finally:
        os.close(ours)
        os.close(theirs)


def test_missing_port_and_missing_pyserial() -> None:
    pytest.importorskip("serial")
    with pytest.raises(DeviceNotFound, match="/dev/nothing-here"):
        open_keyer("serial:/dev/nothing-here")

    def absent(name: str) -> object:
        raise ModuleNotFoundError(f"No module named {name!r}")

    with pytest.raises(DeviceError, match=r"pip install 'sdrbridge\[hw\]'"):
        open_keyer(SERIAL, absent)


def test_rigctld_keys_the_dummy_rig() -> None:
    with rigctld("-P", "RIG") as port:
        keyer = open_keyer(f"rigctld:127.0.0.1:{port}")
        assert not keyer.is_keyed()
        keyer.key()
        assert keyer.is_keyed()
        other = RigctldKeyer("127.0.0.1", port)
        assert other.is_keyed()
        keyer.close()
        keyer.close()
        assert not other.is_keyed()
        # Found keyed: opening makes it unkeyed.
        other.key()
        again = open_keyer(f"rigctld:127.0.0.1:{port}")
        assert not other.is_keyed()
        again.close()
        other.close()


def test_rigctld_without_ptt_says_how_to_start_it() -> None:
    with rigctld() as port, pytest.raises(Unsupported, match="start rigctld with -P RIG"):
        open_keyer(f"rigctld:127.0.0.1:{port}")


def test_rigctld_that_was_started_again_is_unkeyed_all_the_same() -> None:
    port = free_port()
    with rigctld("-P", "RIG", port=port):
        keyer = open_keyer(f"rigctld:127.0.0.1:{port}")
        keyer.key()
    with pytest.raises(DeviceNotFound, match="start it"):
        keyer.unkey()
    with rigctld("-P", "RIG", port=port):
        keyer.unkey()
        assert not keyer.is_keyed()
        keyer.close()


def _peer(talk: Callable[[socket.socket], None]) -> int:
    """A server that answers each connection by `talk`."""
    listener = socket.create_server(("127.0.0.1", 0))
    port = int(listener.getsockname()[1])

    def serve() -> None:
        with listener:
            for _ in range(2):
                connection, _ = listener.accept()
                with connection:
                    talk(connection)

    Thread(target=serve, daemon=True).start()
    return port


def test_rigctld_that_talks_nonsense_or_hangs_up() -> None:
    def nonsense(connection: socket.socket) -> None:
        connection.recv(64)
        connection.sendall(b"hello\n")
        connection.recv(64)

    with pytest.raises(DeviceLost, match='answers "hello" to T 0'):
        open_keyer(f"rigctld:127.0.0.1:{_peer(nonsense)}")
    with pytest.raises(DeviceLost, match="no answer to T 0"):
        open_keyer(f"rigctld:127.0.0.1:{_peer(lambda connection: None)}")

    def endless(connection: socket.socket) -> None:
        try:
            while True:
                connection.sendall(b"x" * 4096)
        except OSError:
            return

    with pytest.raises(DeviceLost, match="no answer to T 0"):
        open_keyer(f"rigctld:127.0.0.1:{_peer(endless)}")


def test_rigctld_that_never_answers_is_given_up_in_time() -> None:
    def mute(connection: socket.socket) -> None:
        while connection.recv(64):
            pass

    with pytest.raises(DeviceLost, match="timed out"):
        open_keyer(f"rigctld:127.0.0.1:{_peer(mute)}")


def test_keyers_need_no_numpy() -> None:
    code = "import sys, hw.keyer, hw.serialkeyer, hw.rigctld; sys.exit('numpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False, timeout=60).returncode == 0
