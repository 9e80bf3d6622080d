"""A serial port used for its modem lines alone: RTS and DTR out, CTS, DSR, DCD and RI in.

Opening a tty raises RTS and DTR in the kernel, before anybody can ask it not to; pyserial sets them right at once. A
line is read back from the driver (TIOCMGET), not from what was last written.

What becomes of RTS and DTR at the last close, also when the process dies, says HUPCL (termios(3)): with it the kernel
lets both go, without it they stay as they are. It stays set on the port, so whoever drives a line says which.
"""

import array
import contextlib
import fcntl
import importlib
import termios
from collections.abc import Callable
from typing import Any

from hw.errors import DeviceBusy, DeviceError, DeviceLost, DeviceNotFound, Unsupported
from hw.serialports import serial_ports

BITS = {
    "rts": termios.TIOCM_RTS,
    "dtr": termios.TIOCM_DTR,
    "cts": termios.TIOCM_CTS,
    "dsr": termios.TIOCM_DSR,
    "dcd": termios.TIOCM_CAR,
    "ri": termios.TIOCM_RI,
}


def driver(load: Callable[[str], Any] = importlib.import_module) -> Any:
    """pyserial. Raises `DeviceError` with what to do where it is not there."""
    try:
        return load("serial")
    except Exception as problem:
        raise DeviceError(f"serial: pyserial cannot be used ({problem}); pip install 'sdrbridge[hw]'") from problem


class SerialLines:
    """The modem lines of one serial port, open. high: outputs that are to be high at once; the others go low.

    exclusive: nobody else may open it for the same. let_go: whether the kernel lets the outputs go at the last close;
    None leaves that as it is. Raises `DeviceNotFound`, `DeviceBusy` or `DeviceError`.
    """

    def __init__(
        self,
        path: str,
        high: frozenset[str] = frozenset(),
        exclusive: bool = True,
        let_go: bool | None = None,
        load: Callable[[str], Any] = importlib.import_module,
    ) -> None:
        self.path = path
        serial = driver(load)
        port = serial.Serial()
        port.rts, port.dtr = "rts" in high, "dtr" in high
        port.port = path
        # A lock of None is none at all; pyserial takes False for "unlock".
        port.exclusive = True if exclusive else None
        try:
            port.open()
        except Exception as problem:
            raise _opening(path, problem) from problem
        self._port: Any = port
        try:
            self._read()
        except DeviceError:
            self.close()
            raise Unsupported(f"serial: {path} has no modem lines (is it a pseudo-terminal?)") from None
        if let_go is not None:
            try:
                set_hupcl(port.fileno(), let_go)
            except (OSError, termios.error) as problem:
                self.close()
                raise DeviceError(f"serial: {path}: HUPCL cannot be set: {problem}") from problem

    def set(self, line: str, high: bool) -> None:
        """Drive "rts" or "dtr". Raises `DeviceLost`."""
        try:
            setattr(self._held(), line, high)
        except Exception as problem:
            raise DeviceLost(f"serial: {self.path}: {line.upper()} cannot be set: {_said(problem)}") from problem

    def get(self, line: str) -> bool:
        """Whether a line is high, asked from the driver. Raises `DeviceLost`."""
        return bool(self._read() & BITS[line])

    def close(self) -> None:
        """Let both outputs go and close. May be called twice; never raises."""
        port, self._port = self._port, None
        if port is None:
            return
        with contextlib.suppress(Exception):  # it went away; the kernel lets the lines go by itself
            port.close()

    def _held(self) -> Any:
        if self._port is None:
            raise DeviceLost(f"serial: {self.path} is closed")
        return self._port

    def _read(self) -> int:
        port = self._held()
        bits = array.array("i", [0])
        try:
            fcntl.ioctl(port.fileno(), termios.TIOCMGET, bits, True)
        except Exception as problem:
            raise DeviceLost(f"serial: {self.path}: lines cannot be read: {_said(problem)}") from problem
        return bits[0]


def set_hupcl(fd: int, on: bool) -> None:
    """Say what becomes of RTS and DTR at the last close of a tty. Raises OSError or `termios.error`."""
    attributes = termios.tcgetattr(fd)
    flags = attributes[2]
    attributes[2] = flags | termios.HUPCL if on else flags & ~termios.HUPCL
    if attributes[2] != flags:
        termios.tcsetattr(fd, termios.TCSANOW, attributes)


def _said(problem: Exception) -> str:
    return getattr(problem, "strerror", None) or str(problem) or type(problem).__name__


def _opening(path: str, problem: Exception) -> DeviceError:
    number = getattr(problem, "errno", None)
    if number in (2, 6, 19):  # ENOENT, ENXIO, ENODEV
        names = ", ".join(str(port.path) for port in serial_ports()) or "none"
        return DeviceNotFound(f"serial: there is no {path}; serial ports are: {names}")
    if number in (11, 16):  # EAGAIN from the lock, EBUSY
        return DeviceBusy(f"serial: {path} is held by another program")
    if number == 13:
        return DeviceError(f"serial: {path} may not be opened by this user; join the group dialout")
    return DeviceError(f"serial: {path} cannot be opened: {_said(problem)}")
