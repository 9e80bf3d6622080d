"""The serial ports of this machine, by names that stay when a plug is pulled."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class SerialPort:
    """A serial port. path: stable across replugging where there is such a name. device: what it is now."""

    path: Path
    device: Path


def serial_ports(root: Path = Path("/")) -> list[SerialPort]:
    """Serial ports: USB ones by their stable name where udev made one, and built-in ones that have a UART."""
    ports = {}
    for link in sorted((root / "dev/serial/by-id").glob("*")):
        ports[link.resolve()] = link
    for pattern in ("ttyUSB*", "ttyACM*", "ttyAMA*"):
        for device in sorted((root / "dev").glob(pattern)):
            ports.setdefault(device.resolve(), device)
    for device in sorted((root / "dev").glob("ttyS*")):
        # The kernel makes 32 of them whether there is a UART or not; type 0 is "none".
        if _line(root / "sys/class/tty" / device.name / "type") not in ("", "0"):
            ports.setdefault(device.resolve(), device)
    return [SerialPort(path, device) for device, path in sorted(ports.items(), key=lambda item: item[1])]


def _line(path: Path) -> str:
    try:
        return path.read_text(errors="replace").strip()
    except OSError:
        return ""
