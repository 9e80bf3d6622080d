"""Is this installation fit for work? Each check says what it found and, if something is wrong, what to do.

`fail` is what keeps the bridge, or a radio that is plugged in, from working; `warn` is what somebody may miss later.
"""

import importlib
import importlib.metadata
import importlib.util
from collections.abc import Callable
from pathlib import Path

from hw import donorcheck, rtlsdr, soapydevice
from hw.devices import usb_devices
from hw.errors import DeviceError
from hw.machine import Check, Machine, Status


def examine(machine: Machine | None = None) -> list[Check]:
    """Carry out every check; never raises for what it finds."""
    machine = Machine() if machine is None else machine
    checks: list[Check] = []
    for name, check in _CHECKS.items():
        try:
            checks += check(machine, name)
        except Exception as e:
            checks.append(
                Check(name, Status.FAIL, f"could not be checked: {type(e).__name__}: {e}", "please report this")
            )
    return checks


_OLDEST_PYTHON = (3, 11)


def _python(machine: Machine, name: str) -> list[Check]:
    text = ".".join(map(str, machine.python))
    if machine.python < _OLDEST_PYTHON:
        return [Check(name, Status.FAIL, f"Python {text}", "Python 3.11 or newer is needed; Debian 12 and 13 have it")]
    return [Check(name, Status.OK, f"Python {text}, {machine.architecture}")]


_PACKAGES = ("dsp", "hw", "sdrbridge")


def _siblings(machine: Machine, name: str) -> list[Check]:
    folders = {package: machine.folder_of(package) for package in _PACKAGES}
    missing = [package for package, folder in folders.items() if folder is None]
    if missing:
        return [
            Check(
                name, Status.FAIL, f"{', '.join(missing)} not found", "install sdrbridge again: pip install sdrbridge"
            )
        ]
    homes = {package: folder.parent for package, folder in folders.items() if folder is not None}
    if len(set(homes.values())) == 1:
        return [Check(name, Status.OK, f"dsp, hw and sdrbridge are together in {homes['sdrbridge']}")]
    providers = machine.providers()
    checks = []
    for package, home in homes.items():
        if home != homes["sdrbridge"]:
            others = [d for d in providers.get(package, ()) if d != "sdrbridge"]
            intruder = f"distribution {others[0]}" if others else "something outside any distribution"
            remedy = f"pip uninstall {others[0]}" if others else f"remove {home / package} from the path"
            checks.append(
                Check(
                    name,
                    Status.FAIL,
                    f"{package} comes from {home} ({intruder}), not from {homes['sdrbridge']}",
                    f"{remedy}, or install sdrbridge in a virtual environment of its own",
                )
            )
    return checks


def _kernels(machine: Machine, name: str) -> list[Check]:
    folder = machine.folder_of("dsp")
    if folder is None:
        return [Check(name, Status.FAIL, "dsp not found", "install sdrbridge again")]
    # Each kernel has a stub for the type checker, which is installed with it.
    names = [
        ".".join(("dsp", *stub.relative_to(folder).with_suffix("").parts)) for stub in sorted(folder.rglob("_*.pyi"))
    ]
    broken = {}
    for kernel in names:
        try:
            machine.load(kernel)
        except Exception as e:
            broken[kernel] = str(e)
    if broken or not names:
        finding = "; ".join(f"{k}: {e}" for k, e in broken.items()) or f"no kernels in {folder}"
        return [
            Check(name, Status.FAIL, finding, "build them: python setup.py build_ext --inplace, or install the wheel")
        ]
    return [Check(name, Status.OK, f"{len(names)} compiled kernels load")]


_NEEDED = (("numpy", (1, 26)), ("scipy", (1, 12)), ("soundfile", (0, 13)))


def _libraries(machine: Machine, name: str) -> list[Check]:
    checks = []
    for package, oldest in _NEEDED:
        wanted = ".".join(map(str, oldest))
        remedy = f"pip install '{package}>={wanted}'"
        try:
            version = machine.version(package)
        except importlib.metadata.PackageNotFoundError:
            checks.append(Check(package, Status.FAIL, "not installed", remedy))
            continue
        if tuple(int(part) for part in version.split(".")[:2]) < oldest:
            checks.append(Check(package, Status.FAIL, f"{version}, older than {wanted}", remedy))
            continue
        checks.append(Check(package, Status.OK, version))
    try:
        library = machine.load("soundfile").__libsndfile_version__
        checks.append(Check("libsndfile", Status.OK, str(library)))
    except Exception as e:
        checks.append(Check("libsndfile", Status.FAIL, f"cannot be loaded: {e}", "on Debian: apt install libsndfile1"))
    return checks


def _simd(machine: Machine, name: str) -> list[Check]:
    flags = _cpu_flags(machine.root)
    if machine.architecture in ("aarch64", "arm64"):
        return [Check(name, Status.OK, "aarch64, NEON")]
    if machine.architecture not in ("x86_64", "AMD64"):
        return [
            Check(name, Status.WARN, f"{machine.architecture}: no vector instructions are used", "expect slow work")
        ]
    if machine.libc != "glibc":
        return [Check(name, Status.WARN, "x86-64, SSE2 only: versions are chosen by glibc, which this is not", "")]
    # The levels of the x86-64 psABI, for which _simd.h makes the compiler emit a version each.
    if flags >= _V3 | _V4:
        return [Check(name, Status.OK, "x86-64-v4, AVX-512")]
    if flags >= _V3:
        return [Check(name, Status.OK, "x86-64-v3, AVX2")]
    finding = "x86-64, SSE2 only" + ("" if flags else " (the kernel shows no CPU flags)")
    return [Check(name, Status.WARN, finding, "a CPU with AVX2 hears about twice as many channels")]


_V4 = {"avx512f", "avx512bw", "avx512cd", "avx512dq", "avx512vl"}
_V3 = {"avx", "avx2", "bmi1", "bmi2", "f16c", "fma", "abm", "movbe", "xsave"}


def _cpu_flags(root: Path) -> set[str]:
    for line in _text(root / "proc/cpuinfo").splitlines():
        key, _, value = line.partition(":")
        if key.strip() in ("flags", "Features"):
            return set(value.split())
    return set()


def _rtlsdr(machine: Machine, name: str) -> list[Check]:
    plugged = [d for d in usb_devices(machine.root) if d.is_rtl2832]
    # A missing driver matters at once where a dongle is waiting for it.
    missing = Status.FAIL if plugged else Status.WARN
    try:
        count = len(rtlsdr.serials(rtlsdr.driver(machine.load)))
        check = Check(name, Status.OK, f"pyrtlsdr and librtlsdr load; {count} dongle{'s' * (count != 1)}")
    except DeviceError as e:
        text, _, remedy = str(e).rpartition("; ")
        check = Check(name, missing, text or str(e), remedy)
    checks = [check]
    for device in plugged:
        what = f"{device.name or 'RTL2832U'} {device.serial} ({device.node})"
        if machine.may_use(device.node):
            checks.append(Check("dongle", Status.OK, what))
        else:
            checks.append(Check("dongle", Status.FAIL, f"{what} may not be used by this user", _UDEV_REMEDY))
    return checks


_UDEV_REMEDY = (
    "on Debian: apt install librtlsdr0 (it brings the udev rule), join group plugdev, plug the dongle in again"
)


def _udev(machine: Machine, name: str) -> list[Check]:
    for folder in ("etc/udev/rules.d", "lib/udev/rules.d", "usr/lib/udev/rules.d"):
        for rules in sorted((machine.root / folder).glob("*.rules")):
            text = _text(rules).lower()
            if "0bda" in text and "2838" in text:
                return [Check(name, Status.OK, f"rule for RTL-SDR dongles in {rules}")]
    return [Check(name, Status.WARN, "no udev rule for RTL-SDR dongles: only root can use them", _UDEV_REMEDY)]


def _dvb(machine: Machine, name: str) -> list[Check]:
    loaded = [line.split()[0] for line in _text(machine.root / "proc/modules").splitlines() if line.strip()]
    if "dvb_usb_rtl28xxu" in loaded:
        remedy = (
            "echo 'blacklist dvb_usb_rtl28xxu' > /etc/modprobe.d/rtl-sdr.conf; rmmod dvb_usb_rtl28xxu; "
            "then plug the dongle in again"
        )
        return [
            Check(name, Status.FAIL, "the kernel's television driver dvb_usb_rtl28xxu holds RTL-SDR dongles", remedy)
        ]
    return [Check(name, Status.OK, "the kernel's television driver for RTL-SDR dongles is not loaded")]


def _soapy(machine: Machine, name: str) -> list[Check]:
    try:
        module = soapydevice.driver(machine.load)
    except DeviceError as e:
        text, _, remedy = str(e).partition("; ")
        return [Check(name, Status.WARN, text, remedy + "; needed for receivers other than RTL-SDR only")]
    return [Check(name, Status.OK, f"SoapySDR {module.getAPIVersion()}")]


_GROUPS = {"plugdev": "radios on USB", "dialout": "serial ports that key a transmitter", "audio": "sound cards"}


def _groups(machine: Machine, name: str) -> list[Check]:
    if machine.user_id == 0:
        return [Check(name, Status.OK, "root may use every device; the bridge itself should run as an ordinary user")]
    missing = [g for g in _GROUPS if g in machine.known_groups and g not in machine.groups]
    if not missing:
        return [Check(name, Status.OK, "in " + ", ".join(g for g in _GROUPS if g in machine.groups))]
    finding = "not in " + ", ".join(f"{g} ({_GROUPS[g]})" for g in missing)
    return [Check(name, Status.WARN, finding, f"sudo usermod -aG {','.join(missing)} $USER, then log in again")]


_LEAST_FREE, _ENOUGH_FREE = 500_000_000, 20_000_000_000
_CAPTURE_BYTES_S = 4_800_000  # 2.4 MS/s of cu8


def _disk(machine: Machine, name: str) -> list[Check]:
    free = machine.free(machine.storage)
    minutes = free / _CAPTURE_BYTES_S / 60
    finding = f"{free / 1e9:.1f} GB free at {machine.storage}, {minutes:.0f} min of IQ at 2.4 MS/s"
    if free < _LEAST_FREE:
        return [Check(name, Status.FAIL, finding, "make room, or record elsewhere")]
    if free < _ENOUGH_FREE:
        return [Check(name, Status.WARN, finding, "enough for speech; IQ captures fill it soon")]
    return [Check(name, Status.OK, finding)]


def _text(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""


_CHECKS: dict[str, Callable[[Machine, str], list[Check]]] = {
    "python": _python,
    "packages": _siblings,
    "kernels": _kernels,
    "libraries": _libraries,
    "cpu": _simd,
    "rtl-sdr": _rtlsdr,
    "udev": _udev,
    "dvb driver": _dvb,
    "soapysdr": _soapy,
    "sound": donorcheck.sound,
    "sound server": donorcheck.sound_server,
    "serial": donorcheck.serial,
    "groups": _groups,
    "disk": _disk,
}
