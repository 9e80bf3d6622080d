"""PTT: the line that puts a transmitter on the air.

    keyer = open_keyer("serial:/dev/ttyUSB0,line=rts,active=high")

    serial:PATH[,line=rts|dtr][,active=high|low]   a modem line of a serial port
    rigctld:HOST:PORT                              Hamlib's rigctld, which must run with -P RIG (or another PTT type)
    none:                                          nothing to key: the radio hears by itself, or there is none

A transmitter is found unkeyed when the line is opened, or it is made so and read back; if that fails, opening fails.
Only the standard library is imported here; pyserial when a serial line is opened.

With `active=low` a line that nobody drives keys the transmitter: before the bridge first opened it, with the cable
pulled, and while the machine starts. What the bridge opened once stays idle when it is closed or its holder dies, but
stays keyed when the holder dies while keyed, until a keyer guard is there again. `check` warns of it; where the
interface allows, wire it for `active=high`.
"""

import contextlib
import importlib
from collections.abc import Callable
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, Protocol

from hw.errors import DeviceError, Unsupported

KINDS = ("serial", "rigctld", "none")

KEY_LINES = ("rts", "dtr")

ACTIVE = ("high", "low")


class Keyer(Protocol):
    """One transmitter's PTT line. Calls take milliseconds at most and raise `DeviceError` if the line does not obey."""

    def key(self) -> None:
        """Put the transmitter on the air."""
        ...

    def unkey(self) -> None:
        """Take it off the air."""
        ...

    def is_keyed(self) -> bool:
        """What the line says when it is read back; what it was last told where it cannot be read."""
        ...

    def close(self) -> None:
        """Unkey and let go of the line. May be called twice; never raises."""
        ...


@dataclass(frozen=True, slots=True)
class KeyerSpec:
    """A keyer's spec, read. kind: of `KINDS`. address: path of the serial port, or host of rigctld."""

    kind: str
    address: str = ""
    port: int = 0
    line: str = "rts"
    active_high: bool = True


def parse_keyer(spec: str) -> KeyerSpec:
    """Read a spec without opening anything. Raises `Unsupported`, which names what is wrong and what is right."""
    kind, colon, rest = spec.partition(":")
    if not colon or kind not in KINDS:
        close = get_close_matches(kind, KINDS, 1)
        hint = f'; did you mean "{close[0]}:…"?' if close and colon else ""
        raise Unsupported(f'keyer "{spec}" must be serial:PATH,line=rts,active=high, rigctld:HOST:PORT or none:{hint}')
    if kind == "none":
        if rest:
            raise Unsupported(f'keyer "{spec}": none: takes nothing after the colon')
        return KeyerSpec(kind)
    if kind == "rigctld":
        host, _, port = rest.rpartition(":")
        if not host or not port.isdigit() or not 1 <= int(port) <= 65535:
            raise Unsupported(f'keyer "{spec}" must name host and port, e.g. rigctld:127.0.0.1:4532')
        return KeyerSpec(kind, host.strip("[]"), int(port))
    path, options = parse_serial(spec, rest, "keyer", KEY_LINES)
    return KeyerSpec(kind, path, 0, options["line"], options["active"] == "high")


def parse_serial(spec: str, rest: str, what: str, lines: tuple[str, ...]) -> tuple[str, dict[str, str]]:
    """Path and options of `PATH,line=…,active=…`. Raises `Unsupported`."""
    path, *words = rest.split(",")
    options = {"line": lines[0], "active": "high"}
    allowed = {"line": lines, "active": ACTIVE}
    for word in words:
        key, _, value = (part.strip() for part in word.partition("="))
        if key not in allowed:
            close = get_close_matches(key, allowed, 1)
            hint = f'; did you mean "{close[0]}"?' if close else ""
            raise Unsupported(f'{what} "{spec}": {key} is no option; they are line and active{hint}')
        if value.lower() not in allowed[key]:
            raise Unsupported(f'{what} "{spec}": {key} = {value or "nothing"}; it is one of {", ".join(allowed[key])}')
        options[key] = value.lower()
    if not path:
        raise Unsupported(f'{what} "{spec}" names no serial port; write e.g. serial:/dev/ttyUSB0,line={lines[0]}')
    return path, options


def open_keyer(spec: str, load: Callable[[str], Any] = importlib.import_module) -> Keyer:
    """Open the line of a spec and see to it that the transmitter is off the air.

    load: imports pyserial by its name. Raises `Unsupported` for a spec that cannot be read, `DeviceError` otherwise.
    """
    read = parse_keyer(spec)
    if read.kind == "serial":
        from hw.serialkeyer import SerialKeyer

        keyer: Keyer = SerialKeyer(read.address, read.line, read.active_high, load)
    elif read.kind == "rigctld":
        from hw.rigctld import RigctldKeyer

        keyer = RigctldKeyer(read.address, read.port)
    else:
        keyer = NoKeyer()
    try:
        keyer.unkey()
        if keyer.is_keyed():
            raise DeviceError(
                f'keyer "{spec}" stays keyed although it was unkeyed; check polarity (active=) and wiring'
            )
    except DeviceError:
        keyer.close()
        raise
    return keyer


def prepare(load: Callable[[str], Any] = importlib.import_module) -> None:
    """Import what opening a line takes, so that it is open at once when it has to be."""
    for name in ("serial", "hw.serialkeyer", "hw.rigctld"):
        # What is wrong with it is said when a line that needs it is opened.
        with contextlib.suppress(Exception):
            load(name)


class NoKeyer:
    """Nothing to key; remembers what it was told."""

    def __init__(self) -> None:
        self._keyed = False

    def key(self) -> None:
        self._keyed = True

    def unkey(self) -> None:
        self._keyed = False

    def is_keyed(self) -> bool:
        return self._keyed

    def close(self) -> None:
        self._keyed = False
