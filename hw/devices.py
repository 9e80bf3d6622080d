"""What is attached to this machine: radios, sound cards, serial ports. Works with nothing installed.

Each kind is looked for by its own driver, if that is there; what could not be looked for is said in the notes.
"""

import contextlib
import importlib
import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hw import rtlsdr, soapydevice
from hw.errors import DeviceError
from hw.serialports import SerialPort, serial_ports

RTL2832_USB_IDS = (("0bda", "2832"), ("0bda", "2838"))
"""Vendor and product of RTL2832U dongles, as in rtl-sdr's udev rules (nearly all that are sold)."""


@dataclass(frozen=True, slots=True)
class UsbDevice:
    """A USB device as the kernel shows it. node: its file under /dev/bus/usb."""

    vendor: str
    product: str
    name: str
    serial: str
    node: Path

    @property
    def is_rtl2832(self) -> bool:
        """Whether it is an RTL-SDR dongle."""
        return (self.vendor, self.product) in RTL2832_USB_IDS


@dataclass(frozen=True, slots=True)
class Radio:
    """A receiver. source: how to name it in a site file. description: for people. note: what to beware of."""

    source: str
    description: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class SoundCard:
    """A sound device of PortAudio. inputs, outputs: channels. rate: its usual samples per second."""

    index: int
    name: str
    host_api: str
    inputs: int
    outputs: int
    rate: int


@dataclass(frozen=True, slots=True)
class Devices:
    """Everything found, and in `notes` what could not be looked for, and why."""

    radios: tuple[Radio, ...]
    sound_cards: tuple[SoundCard, ...]
    serial_ports: tuple[SerialPort, ...]
    notes: tuple[str, ...]


def find_devices(*, root: Path = Path("/"), load: Callable[[str], Any] = importlib.import_module) -> Devices:
    """Look for everything. root: where /dev and /sys are. load: imports an optional driver by its name."""
    notes: list[str] = []
    radios = [*_rtlsdrs(root, load, notes), *_soapy(load, notes)]
    return Devices(tuple(radios), tuple(_sound_cards(load, notes)), tuple(serial_ports(root)), tuple(notes))


def usb_devices(root: Path = Path("/")) -> list[UsbDevice]:
    """USB devices from sysfs; none where there is no sysfs."""
    found = []
    for folder in sorted((root / "sys/bus/usb/devices").glob("*")):
        vendor, product = _line(folder / "idVendor"), _line(folder / "idProduct")
        bus, number = _line(folder / "busnum"), _line(folder / "devnum")
        if vendor and product and bus.isdigit() and number.isdigit():
            node = root / f"dev/bus/usb/{int(bus):03}/{int(number):03}"
            found.append(UsbDevice(vendor, product, _line(folder / "product"), _line(folder / "serial"), node))
    return found


@contextlib.contextmanager
def silenced_stderr() -> Iterator[None]:
    """Send the process's standard error to nowhere for a moment: ALSA and JACK write dozens of lines from C."""
    sys.stderr.flush()
    saved = os.dup(2)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(saved, 2)
        os.close(saved)
        os.close(nowhere)


def _rtlsdrs(root: Path, load: Callable[[str], Any], notes: list[str]) -> list[Radio]:
    seen = [d for d in usb_devices(root) if d.is_rtl2832]
    try:
        found = rtlsdr.serials(rtlsdr.driver(load))
    except DeviceError as e:
        notes.append(str(e))
        # Without the driver the kernel still shows them.
        return [
            Radio(f"rtlsdr:serial={d.serial}" if d.serial else f"rtlsdr:{i}", d.name or "RTL2832U", "not usable yet")
            for i, d in enumerate(seen)
        ]
    if len(seen) > len(found):
        notes.append(f"rtlsdr: {len(seen)} dongles are plugged in, the driver shows {len(found)}; see sdrbridge doctor")
    radios = []
    for i, serial in enumerate(found):
        alone = bool(serial) and found.count(serial) == 1
        note = "" if alone or not serial else "another has the same serial number; change one with rtl_eeprom -s"
        radios.append(Radio(f"rtlsdr:serial={serial}" if alone else f"rtlsdr:{i}", f"RTL-SDR, serial {serial}", note))
    return radios


def _soapy(load: Callable[[str], Any], notes: list[str]) -> list[Radio]:
    try:
        found = [dict(d) for d in soapydevice.driver(load).Device.enumerate()]
    except DeviceError as e:
        notes.append(str(e))
        return []
    except Exception as e:
        notes.append(f"soapy: devices cannot be listed: {e}")
        return []
    radios = []
    for keys in found:
        # Only what identifies the device: other keys (labels with commas, addresses) do not survive being written down.
        named = ",".join(f"{k}={keys[k]}" for k in ("driver", "serial") if keys.get(k))
        # A sound card is no receiver; SoapySDR's audio module offers each of them.
        if named and keys.get("driver") != "audio":
            radios.append(Radio(f"soapy:{named}", keys.get("label", named)))
    return radios


def _sound_cards(load: Callable[[str], Any], notes: list[str]) -> list[SoundCard]:
    try:
        return sound_cards(load)
    except Exception as e:
        notes.append(f"sound cards: PyAudio cannot be used ({type(e).__name__}: {e}); {PYAUDIO_REMEDY}")
        return []


def sound_cards(load: Callable[[str], Any]) -> list[SoundCard]:
    """The sound cards that PortAudio sees. Raises what PyAudio raises, also when it is not there."""
    cards = []
    pyaudio = load("pyaudio")
    with silenced_stderr():
        audio = pyaudio.PyAudio()
    try:
        for i in range(audio.get_device_count()):
            info = audio.get_device_info_by_index(i)
            api = audio.get_host_api_info_by_index(info["hostApi"])["name"]
            inputs, outputs = int(info["maxInputChannels"]), int(info["maxOutputChannels"])
            cards.append(SoundCard(i, str(info["name"]), str(api), inputs, outputs, round(info["defaultSampleRate"])))
    finally:
        audio.terminate()
    return cards


PYAUDIO_REMEDY = "on Debian: apt install libportaudio2 portaudio19-dev gcc python3-dev, then pip install pyaudio"


def _line(path: Path) -> str:
    try:
        return path.read_text(errors="replace").strip()
    except OSError:
        return ""
