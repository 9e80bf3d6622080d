"""A stand-in for pyserial and the kernel below it: serial ports with modem lines that somebody can watch and move."""

import array
import errno
import termios
from typing import Any

import pytest

from hw.serialline import BITS


class Wire:
    """One serial port: its lines, who holds it, and every state its outputs went through."""

    def __init__(self) -> None:
        self.lines = dict.fromkeys(BITS, False)
        self.history: list[tuple[bool, bool]] = []
        self.stuck: set[str] = set()
        self.hupcl = True
        self.locked = False
        self.gone = False
        self.opened = 0

    def drive(self, line: str, high: bool) -> None:
        if line not in self.stuck:
            self.lines[line] = high
        self.history.append((self.lines["rts"], self.lines["dtr"]))


class FakeSerial:
    """The module `serial`, as far as it is used."""

    def __init__(self, **wires: Wire) -> None:
        self.wires = {f"/dev/{name}": wire for name, wire in wires.items()}
        self._handles: dict[int, Wire] = {}

    def load(self, name: str) -> Any:
        assert name == "serial"
        return self

    def Serial(self) -> "Handle":
        return Handle(self)

    def ioctl(self, fd: int, request: int, bits: "array.array[int]", mutate: bool) -> int:
        wire = self._handles[fd]
        if wire.gone:
            raise OSError(errno.EIO, "Input/output error")
        bits[0] = sum(BITS[name] for name, high in wire.lines.items() if high)
        return 0

    def install(self, patch: pytest.MonkeyPatch) -> None:
        """Answer the line module's ioctls."""
        patch.setattr("hw.serialline.fcntl.ioctl", self.ioctl)
        patch.setattr("hw.serialline.termios.tcgetattr", self.tcgetattr)
        patch.setattr("hw.serialline.termios.tcsetattr", self.tcsetattr)

    def tcgetattr(self, fd: int) -> list[Any]:
        flags = termios.CS8 | termios.CREAD | (termios.HUPCL if self._handles[fd].hupcl else 0)
        return [0, 0, flags, 0, 0, 0, []]

    def tcsetattr(self, fd: int, when: int, attributes: list[Any]) -> None:
        self._handles[fd].hupcl = bool(attributes[2] & termios.HUPCL)


class Handle:
    """A `serial.Serial`."""

    def __init__(self, module: FakeSerial) -> None:
        self._module = module
        self._wire: Wire | None = None
        self._rts = self._dtr = True
        self.port = ""
        self.exclusive: bool | None = None

    def open(self) -> None:
        wire = self._module.wires.get(self.port)
        if wire is None or wire.gone:
            raise OSError(errno.ENOENT, "could not open port")
        if self.exclusive and wire.locked:
            raise OSError(errno.EAGAIN, "Could not exclusively lock port")
        self._wire = wire
        wire.opened += 1
        wire.locked = wire.locked or bool(self.exclusive)
        self._module._handles[id(self)] = wire
        # The kernel raises both when a tty is opened, whoever holds it already.
        wire.drive("rts", True)
        wire.drive("dtr", True)
        wire.drive("dtr", self._dtr)
        wire.drive("rts", self._rts)

    def fileno(self) -> int:
        return id(self)

    def close(self) -> None:
        if self._wire is not None:
            self._wire.opened -= 1
            self._wire.locked = self._wire.locked and not self.exclusive
            if not self._wire.opened and self._wire.hupcl:
                self._wire.drive("rts", False)
                self._wire.drive("dtr", False)
            self._wire = None

    @property
    def rts(self) -> bool:
        return self._rts

    @rts.setter
    def rts(self, high: bool) -> None:
        self._rts = high
        self._drive("rts", high)

    @property
    def dtr(self) -> bool:
        return self._dtr

    @dtr.setter
    def dtr(self, high: bool) -> None:
        self._dtr = high
        self._drive("dtr", high)

    def _drive(self, line: str, high: bool) -> None:
        if self._wire is not None:
            if self._wire.gone:
                raise OSError(errno.EIO, "Input/output error")
            self._wire.drive(line, high)
