"""The list of devices, on machines made up in a folder and with stand-ins for the drivers."""

import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from hw.devices import Radio, SoundCard, find_devices, silenced_stderr, usb_devices
from hw.serialports import SerialPort, serial_ports
from tests.hw import fake_rtlsdr
from tests.hw.fake_rtlsdr import Dongle


def nothing(name: str) -> Any:
    raise ModuleNotFoundError(f"No module named {name!r}")


def plug_in(root: Path, port: str, serial: str = "00000001", product: str = "2838") -> Path:
    folder = root / "sys/bus/usb/devices" / port
    folder.mkdir(parents=True)
    number = len(list(folder.parent.iterdir()))
    for name, text in [
        ("idVendor", "0bda"),
        ("idProduct", product),
        ("busnum", "1"),
        ("devnum", str(number)),
        ("product", "Blog V3"),
        ("serial", serial),
    ]:
        (folder / name).write_text(text + "\n")
    node = root / f"dev/bus/usb/001/{number:03}"
    node.parent.mkdir(parents=True, exist_ok=True)
    node.touch()
    return node


class FakeAudio:
    terminated = 0

    def __init__(self) -> None:
        os.write(2, b"ALSA lib noise\n")

    def get_device_count(self) -> int:
        return 1

    def get_device_info_by_index(self, i: int) -> dict[str, Any]:
        return {
            "name": "USB Audio",
            "hostApi": 0,
            "maxInputChannels": 1,
            "maxOutputChannels": 2,
            "defaultSampleRate": 44100.0,
        }

    def get_host_api_info_by_index(self, i: int) -> dict[str, Any]:
        return {"name": "ALSA"}

    def terminate(self) -> None:
        FakeAudio.terminated += 1


def test_nothing_installed_and_nothing_there(tmp_path: Path) -> None:
    found = find_devices(root=tmp_path, load=nothing)
    assert (found.radios, found.sound_cards, found.serial_ports) == ((), (), ())
    text = "\n".join(found.notes)
    assert "pyrtlsdr[lib]" in text and "python3-soapysdr" in text and "libportaudio2" in text


def test_everything_there(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    soapy = SimpleNamespace(
        Device=SimpleNamespace(
            enumerate=lambda: (
                {"driver": "airspy", "serial": "AB", "label": "AirSpy One [AB]"},
                {"driver": "audio", "label": "sound"},
            )
        )
    )
    modules = {
        "rtlsdr": fake_rtlsdr.module(Dongle("00000001"), Dongle("77"), Dongle("00000001")),
        "SoapySDR": soapy,
        "pyaudio": SimpleNamespace(PyAudio=FakeAudio),
    }
    before = FakeAudio.terminated
    found = find_devices(root=tmp_path, load=modules.__getitem__)
    same = "another has the same serial number; change one with rtl_eeprom -s"
    assert found.radios == (
        Radio("rtlsdr:0", "RTL-SDR, serial 00000001", same),
        Radio("rtlsdr:serial=77", "RTL-SDR, serial 77"),
        Radio("rtlsdr:2", "RTL-SDR, serial 00000001", same),
        Radio("soapy:driver=airspy,serial=AB", "AirSpy One [AB]"),
    )
    assert found.sound_cards == (SoundCard(0, "USB Audio", "ALSA", 1, 2, 44100),)
    assert found.notes == ()
    assert FakeAudio.terminated == before + 1
    assert capfd.readouterr().err == ""


def test_dongle_without_its_driver_is_still_shown(tmp_path: Path) -> None:
    plug_in(tmp_path, "1-1", serial="42")
    plug_in(tmp_path, "1-2", product="8153")
    (tmp_path / "sys/bus/usb/devices/1-0:1.0").mkdir()
    assert [d.is_rtl2832 for d in usb_devices(tmp_path)] == [True, False]
    assert find_devices(root=tmp_path, load=nothing).radios == (Radio("rtlsdr:serial=42", "Blog V3", "not usable yet"),)
    modules = {"rtlsdr": fake_rtlsdr.module()}
    notes = find_devices(root=tmp_path, load=modules.__getitem__).notes
    assert any("1 dongles are plugged in, the driver shows 0" in n for n in notes)


def test_serial_ports(tmp_path: Path) -> None:
    dev = tmp_path / "dev"
    (dev / "serial/by-id").mkdir(parents=True)
    for name in ("ttyUSB0", "ttyUSB1", "ttyACM0", "ttyS0", "ttyS1"):
        (dev / name).touch()
    (dev / "serial/by-id/usb-FTDI-if00").symlink_to(dev / "ttyUSB0")
    for name, kind in (("ttyS0", "4"), ("ttyS1", "0")):
        (tmp_path / "sys/class/tty" / name).mkdir(parents=True)
        (tmp_path / "sys/class/tty" / name / "type").write_text(kind + "\n")
    assert serial_ports(tmp_path) == [
        SerialPort(dev / "serial/by-id/usb-FTDI-if00", dev / "ttyUSB0"),
        SerialPort(dev / "ttyACM0", dev / "ttyACM0"),
        SerialPort(dev / "ttyS0", dev / "ttyS0"),
        SerialPort(dev / "ttyUSB1", dev / "ttyUSB1"),
    ]


def test_stderr_comes_back(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(KeyError), silenced_stderr():
        os.write(2, b"noise\n")
        raise KeyError
    os.write(2, b"speech\n")
    assert capfd.readouterr().err == "speech\n"


def test_this_machine() -> None:
    find_devices()
