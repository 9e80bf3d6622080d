"""PTT by a modem line of a serial port, and the COR line the other way.

    SerialKeyer   drives RTS or DTR; the kernel lets both go when the process dies, but with active=low
    CorLine       reads CTS, DSR, DCD or RI: whether the donor radio's squelch is open

Both may use the same port: the keyer locks it, the COR line does not ask for the lock. Open the COR line first.
"""

import contextlib
import importlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from hw.errors import DeviceLost, Unsupported
from hw.keyer import parse_serial
from hw.serialline import SerialLines

COR_LINES = ("cts", "dsr", "dcd", "ri")


class SerialKeyer:
    """A transmitter keyed by `line` of the serial port at `path`. The other output stays low.

    With `active_high` the line is let go, and so unkeyed, whenever nobody holds the port any more. Otherwise that would
    key it, so the line stays as it was left: idle, unless the process died while it was keyed.
    """

    def __init__(
        self, path: str, line: str, active_high: bool, load: Callable[[str], Any] = importlib.import_module
    ) -> None:
        self._line = line
        self._active_high = active_high
        idle = frozenset() if active_high else frozenset({line})
        self._lines = SerialLines(path, idle, exclusive=True, let_go=active_high, load=load)

    def key(self) -> None:
        """Drive the line. Raises `DeviceLost`."""
        self._lines.set(self._line, self._active_high)

    def unkey(self) -> None:
        """Let the line go. Raises `DeviceLost`."""
        self._lines.set(self._line, not self._active_high)

    def is_keyed(self) -> bool:
        """What the driver says of the line. Raises `DeviceLost`."""
        return self._lines.get(self._line) == self._active_high

    def close(self) -> None:
        """Unkey and close; never raises."""
        with contextlib.suppress(DeviceLost):  # the line went with the device
            self.unkey()
        self._lines.close()


@dataclass(frozen=True, slots=True)
class CorSpec:
    """Where a COR line is: serial port, line, polarity."""

    path: str
    line: str
    active_high: bool


def parse_cor(spec: str) -> CorSpec:
    """Read `serial:PATH[,line=cts|dsr|dcd|ri][,active=high|low]`. Raises `Unsupported`."""
    kind, colon, rest = spec.partition(":")
    if kind != "serial" or not colon:
        raise Unsupported(f'COR line "{spec}" must be serial:PATH,line=cts,active=high')
    path, options = parse_serial(spec, rest, "COR line", COR_LINES)
    return CorSpec(path, options["line"], options["active"] == "high")


class CorLine:
    """A donor radio's squelch, as its COR line tells. Raises `DeviceError` where the port cannot be opened."""

    def __init__(self, spec: CorSpec, load: Callable[[str], Any] = importlib.import_module) -> None:
        self._spec = spec
        self._lines = SerialLines(spec.path, exclusive=False, load=load)

    def is_open(self) -> bool:
        """Whether the squelch is open now. Raises `DeviceLost`."""
        return self._lines.get(self._spec.line) == self._spec.active_high

    def close(self) -> None:
        """Let go of the port; never raises."""
        self._lines.close()
