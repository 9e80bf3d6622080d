"""The doctor on sound and on sick machines."""

import importlib.metadata
import socket
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from hw.doctor import examine
from hw.machine import Machine, Status
from tests.hw import fake_rtlsdr
from tests.hw.fake_rtlsdr import Dongle
from tests.hw.test_devices import FakeAudio, nothing, plug_in

V3 = "fpu avx avx2 bmi1 bmi2 f16c fma abm movbe xsave"
V4 = V3 + " avx512f avx512bw avx512cd avx512dq avx512vl"
VERSIONS = {"numpy": "2.4.6", "scipy": "1.17.1", "soundfile": "0.14.0"}


@pytest.fixture
def healthy(tmp_path: Path) -> Machine:
    root, site = tmp_path / "root", tmp_path / "site"
    for folder in ("proc", "etc/udev/rules.d", "lib/udev/rules.d"):
        (root / folder).mkdir(parents=True)
    (root / "proc/modules").write_text("snd 16384 0 - Live 0x0\n")
    (root / "proc/cpuinfo").write_text(f"processor : 0\nflags\t\t: {V3}\n")
    rule = 'ATTRS{idVendor}=="0bda", ATTRS{idProduct}=="2838", MODE="0660", GROUP="plugdev"\n'
    (root / "lib/udev/rules.d/60-librtlsdr0.rules").write_text(rule)
    (site / "dsp/fec").mkdir(parents=True)
    (site / "dsp/_fm.pyi").touch()
    (site / "dsp/fec/_golay.pyi").touch()
    modules = {
        "dsp._fm": SimpleNamespace(),
        "dsp.fec._golay": SimpleNamespace(),
        "rtlsdr": fake_rtlsdr.module(Dongle()),
        "SoapySDR": SimpleNamespace(getAPIVersion=lambda: "0.8.0"),
        "pyaudio": SimpleNamespace(get_portaudio_version_text=lambda: "PortAudio V19.6.0", PyAudio=FakeAudio),
        "serial": SimpleNamespace(VERSION="3.5"),
        "soundfile": SimpleNamespace(__libsndfile_version__="1.2.2"),
    }
    plug_in(root, "1-1")
    return Machine(
        root=root,
        python=(3, 11, 2),
        architecture="x86_64",
        libc="glibc",
        load=modules.__getitem__,
        version=VERSIONS.__getitem__,
        providers=dict,
        folder_of=lambda package: site / package,
        user_id=1000,
        groups=["me", "plugdev", "dialout", "audio"],
        known_groups=["root", "plugdev", "dialout", "audio"],
        may_use=lambda path: True,
        environment={},
        answers=lambda path: True,
        storage=tmp_path,
        free=lambda path: 10**12,
    )


def unwell(machine: Machine) -> list[tuple[str, Status, str, str]]:
    return [(c.name, c.status, c.finding, c.remedy) for c in examine(machine) if c.status is not Status.OK]


def test_sound_machine(healthy: Machine) -> None:
    assert unwell(healthy) == []
    findings = {c.name: c.finding for c in examine(healthy)}
    assert findings["cpu"] == "x86-64-v3, AVX2"
    assert findings["kernels"] == "2 compiled kernels load"
    assert findings["sound"] == "PortAudio V19.6.0: 1 to hear with, 1 to speak with"
    assert findings["sound server"] == "none runs here; cards are used directly, by their ALSA names"
    assert findings["serial"] == "pyserial 3.5: no serial port is there"
    assert findings["rtl-sdr"] == "pyrtlsdr and librtlsdr load; 1 dongle"
    assert all(c.remedy == "" for c in examine(healthy))


def one(machine: Machine, **changes: Any) -> tuple[str, Status, str, str]:
    """The one thing that is wrong after these changes."""
    wrong = unwell(replace(machine, **changes))
    assert len(wrong) == 1, wrong
    return wrong[0]


def without(machine: Machine, missing: str, error: Exception) -> Callable[[str], Any]:
    def load(name: str) -> Any:
        if name == missing:
            raise error
        return machine.load(name)

    return load


def test_old_python(healthy: Machine) -> None:
    name, status, finding, remedy = one(healthy, python=(3, 9, 2))
    assert (name, status, finding) == ("python", Status.FAIL, "Python 3.9.2")
    assert "3.11" in remedy


def test_intruder_is_named(healthy: Machine, tmp_path: Path) -> None:
    other = tmp_path / "elsewhere"
    (other / "hw").mkdir(parents=True)

    def folder_of(package: str) -> Path | None:
        return other / "hw" if package == "hw" else healthy.folder_of(package)

    name, status, finding, remedy = one(
        healthy, folder_of=folder_of, providers=lambda: {"hw": ["hw-tools", "sdrbridge"]}
    )
    assert (name, status) == ("packages", Status.FAIL)
    assert "distribution hw-tools" in finding and str(other) in finding
    assert "pip uninstall hw-tools" in remedy
    assert "remove" in one(healthy, folder_of=folder_of)[3]


def test_package_missing(healthy: Machine) -> None:
    name, _, finding, _ = one(healthy, folder_of=lambda p: None if p == "sdrbridge" else healthy.folder_of(p))
    assert (name, finding) == ("packages", "sdrbridge not found")


def test_kernel_that_does_not_load(healthy: Machine) -> None:
    load = without(healthy, "dsp.fec._golay", ImportError("wrong ELF class"))
    name, status, finding, remedy = one(healthy, load=load)
    assert (name, status, finding) == ("kernels", Status.FAIL, "dsp.fec._golay: wrong ELF class")
    assert "build_ext" in remedy


def test_libraries(healthy: Machine) -> None:
    old = {**VERSIONS, "numpy": "1.24.2"}
    assert one(healthy, version=old.__getitem__) == (
        "numpy",
        Status.FAIL,
        "1.24.2, older than 1.26",
        "pip install 'numpy>=1.26'",
    )

    def version(name: str) -> str:
        if name == "scipy":
            raise importlib.metadata.PackageNotFoundError(name)
        return VERSIONS[name]

    assert one(healthy, version=version)[:3] == ("scipy", Status.FAIL, "not installed")
    broken = without(healthy, "soundfile", OSError("libsndfile.so.1: cannot open"))
    assert one(healthy, load=broken)[:2] == ("libsndfile", Status.FAIL)


def test_cpu_levels(healthy: Machine) -> None:
    def finding(**changes: Any) -> str:
        return next(c.finding for c in examine(replace(healthy, **changes)) if c.name == "cpu")

    (healthy.root / "proc/cpuinfo").write_text(f"flags : {V4}\n")
    assert finding() == "x86-64-v4, AVX-512"
    assert finding(architecture="aarch64") == "aarch64, NEON"
    assert finding(libc="").startswith("x86-64, SSE2 only")
    assert "riscv64" in finding(architecture="riscv64")
    (healthy.root / "proc/cpuinfo").write_text("flags : fpu sse2\n")
    assert one(healthy)[:3] == ("cpu", Status.WARN, "x86-64, SSE2 only")
    (healthy.root / "proc/cpuinfo").unlink()
    assert "no CPU flags" in one(healthy)[2]


def test_driver_missing_matters_when_a_dongle_is_there(healthy: Machine, tmp_path: Path) -> None:
    load = without(healthy, "rtlsdr", FileNotFoundError("liblibrtlsdr.a"))
    name, status, finding, remedy = one(healthy, load=load)
    assert (name, status) == ("rtl-sdr", Status.FAIL)
    assert "liblibrtlsdr.a" in finding and "pyrtlsdr[lib]" in remedy
    (healthy.root / "sys/bus/usb/devices/1-1/idVendor").write_text("1234")
    assert one(healthy, load=load)[1] is Status.WARN


def test_dongle_without_permission(healthy: Machine) -> None:
    name, status, finding, remedy = one(healthy, may_use=lambda path: False)
    assert (name, status) == ("dongle", Status.FAIL)
    assert "dev/bus/usb/001/001" in finding and "librtlsdr0" in remedy


def test_no_udev_rule(healthy: Machine) -> None:
    (healthy.root / "lib/udev/rules.d/60-librtlsdr0.rules").write_text("# 2838\n")
    assert one(healthy)[:2] == ("udev", Status.WARN)


def test_television_driver(healthy: Machine) -> None:
    (healthy.root / "proc/modules").write_text("dvb_usb_rtl28xxu 40960 0 - Live 0x0\n")
    name, status, _, remedy = one(healthy)
    assert (name, status) == ("dvb driver", Status.FAIL)
    assert "blacklist dvb_usb_rtl28xxu" in remedy


def test_optional_drivers_are_warnings(healthy: Machine) -> None:
    soapy = one(healthy, load=without(healthy, "SoapySDR", ModuleNotFoundError("No module named 'SoapySDR'")))
    assert soapy[:2] == ("soapysdr", Status.WARN) and "python3-soapysdr" in soapy[3]
    sound = one(healthy, load=without(healthy, "pyaudio", ImportError("libportaudio.so.2: cannot open")))
    assert sound[:2] == ("sound", Status.WARN) and "libportaudio2" in sound[3]


def test_groups(healthy: Machine) -> None:
    name, status, finding, remedy = one(healthy, groups=["plugdev"])
    assert (name, status) == ("groups", Status.WARN)
    assert "dialout (serial ports that key a transmitter), audio" in finding
    assert "usermod -aG dialout,audio" in remedy
    assert unwell(replace(healthy, groups=[], known_groups=["root"])) == []
    assert unwell(replace(healthy, groups=[], user_id=0)) == []


@pytest.mark.parametrize(("free", "status"), [(10**8, Status.FAIL), (10**10, Status.WARN)])
def test_disk(healthy: Machine, free: int, status: Status) -> None:
    name, found, finding, _ = one(healthy, free=lambda path: free)
    assert (name, found) == ("disk", status)
    assert f"{free / 1e9:.1f} GB free" in finding


def test_check_that_breaks_does_not_stop_the_others(healthy: Machine) -> None:
    def broken(path: Path) -> int:
        raise OSError("I/O error")

    name, status, finding, _ = one(healthy, free=broken)
    assert (name, status) == ("disk", Status.FAIL)
    assert "could not be checked: OSError: I/O error" in finding


def test_bare_machine(healthy: Machine, tmp_path: Path) -> None:
    bare = replace(healthy, root=tmp_path / "empty", load=nothing)
    assert {c.name for c in examine(bare) if c.status is Status.FAIL} == {"kernels", "libsndfile"}


def test_this_machine() -> None:
    names = [c.name for c in examine()]
    assert {"python", "kernels", "cpu", "rtl-sdr", "disk"} <= set(names)
    assert all(c.status is Status.OK for c in examine() if c.name in ("python", "packages", "numpy"))


def test_no_sound_card(healthy: Machine) -> None:
    class Deaf(FakeAudio):
        def get_device_count(self) -> int:
            return 0

    def load(name: str) -> Any:
        module = healthy.load(name)
        if name == "pyaudio":
            return SimpleNamespace(get_portaudio_version_text=module.get_portaudio_version_text, PyAudio=Deaf)
        return module

    name, status, finding, remedy = one(healthy, load=load)
    assert (name, status) == ("sound", Status.WARN)
    assert "sees no sound card" in finding and "arecord -l" in remedy and "group audio" in remedy


def finding_of(machine: Machine, name: str) -> str:
    return next(check.finding for check in examine(machine) if check.name == name)


def test_a_sound_server_that_answers(healthy: Machine) -> None:
    folder = healthy.root / "run/user/1000"
    (folder / "pulse").mkdir(parents=True)
    (folder / "pipewire-0").touch()
    assert unwell(healthy) == []
    assert finding_of(healthy, "sound server") == f"PipeWire answers at {folder}/pipewire-0"
    (folder / "pulse/native").touch()
    assert finding_of(healthy, "sound server").startswith("PulseAudio, or PipeWire in its place, answers")
    told = replace(healthy, environment={"PULSE_SERVER": "tcp:radio.example"})
    assert finding_of(told, "sound server") == "PULSE_SERVER says tcp:radio.example; not asked"


def test_a_sound_server_that_does_not_answer(healthy: Machine) -> None:
    (healthy.root / "run/user/1000/pulse").mkdir(parents=True)
    (healthy.root / "run/user/1000/pulse/native").touch()
    name, status, finding, remedy = one(healthy, answers=lambda path: False)
    assert (name, status) == ("sound server", Status.WARN)
    assert finding.startswith("nobody answers at ") and "systemctl --user restart" in remedy
    wrong = one(healthy, environment={"PULSE_SERVER": "unix:/nowhere/native"}, answers=lambda path: False)
    assert wrong[2] == "nobody answers at /nowhere/native"


def test_a_sound_server_of_somebody_else(healthy: Machine) -> None:
    (healthy.root / "run/user/33/pulse").mkdir(parents=True)
    (healthy.root / "run/user/33/pulse/native").touch()
    name, status, finding, remedy = one(healthy)
    assert (name, status) == ("sound server", Status.WARN)
    assert "number 33" in finding and "terminate-user 33" in remedy


def test_the_real_question_whether_a_socket_answers(healthy: Machine, tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as server:
        server.bind(str(tmp_path / "s"))
        assert not Machine().answers(tmp_path / "s")
        server.listen()
        assert Machine().answers(tmp_path / "s")
    assert not Machine().answers(tmp_path / "nowhere")


def test_no_pyserial(healthy: Machine) -> None:
    name, status, finding, remedy = one(healthy, load=without(healthy, "serial", ImportError("No module named serial")))
    assert (name, status) == ("serial", Status.WARN)
    assert "pyserial cannot be used" in finding and "RTS or DTR" in finding and remedy == "pip install 'sdrbridge[hw]'"


def test_serial_ports_and_who_may_use_them(healthy: Machine) -> None:
    (healthy.root / "dev").mkdir(exist_ok=True)
    (healthy.root / "dev/ttyUSB0").touch()
    assert finding_of(healthy, "serial") == f"pyserial 3.5: {healthy.root}/dev/ttyUSB0"
    name, status, finding, remedy = one(healthy, may_use=lambda path: "tty" not in path.name)
    assert (name, status) == ("serial", Status.WARN)
    assert "ttyUSB0 may not be used" in finding and "dialout" in remedy
