"""What a donor radio hangs on, for the doctor: sound cards, a sound server in between, serial lines for PTT."""

from pathlib import Path

from hw.devices import PYAUDIO_REMEDY, sound_cards
from hw.errors import DeviceError
from hw.machine import Check, Machine, Status
from hw.serialline import driver
from hw.serialports import serial_ports

_NO_CARDS = "plug one in and look with `arecord -l`; this user has to be in group audio"


def sound(machine: Machine, name: str) -> list[Check]:
    """PortAudio, and the cards it sees."""
    try:
        version = str(machine.load("pyaudio").get_portaudio_version_text())
        cards = sound_cards(machine.load)
    except Exception as e:
        finding = f"PyAudio cannot be used ({type(e).__name__}: {e}); needed for sound cards only"
        return [Check(name, Status.WARN, finding, PYAUDIO_REMEDY)]
    if not cards:
        return [Check(name, Status.WARN, f"{version} sees no sound card; needed for donor radios only", _NO_CARDS)]
    inputs, outputs = sum(card.inputs > 0 for card in cards), sum(card.outputs > 0 for card in cards)
    return [Check(name, Status.OK, f"{version}: {inputs} to hear with, {outputs} to speak with")]


def sound_server(machine: Machine, name: str) -> list[Check]:
    """PulseAudio or PipeWire: whether it answers this user, or keeps the cards from him."""
    told = machine.environment.get("PULSE_SERVER", "")
    if told and not told.startswith(("unix:", "/")):
        return [Check(name, Status.OK, f"PULSE_SERVER says {told}; not asked")]
    own = machine.root / "run/user" / str(machine.user_id)
    runtime = Path(machine.environment.get("XDG_RUNTIME_DIR") or own)
    servers = [runtime / "pulse/native", runtime / "pipewire-0", machine.root / "run/pulse/native"]
    if told:
        servers = [Path(told.removeprefix("unix:"))]
    there = [path for path in servers if path.exists()]
    for path in there:
        if machine.answers(path):
            return [Check(name, Status.OK, f"{_kind(path)} answers at {path}")]
    if there or told:
        remedy = "start it again: systemctl --user restart pipewire pipewire-pulse (or pulseaudio)"
        return [Check(name, Status.WARN, f"nobody answers at {(there or servers)[0]}", remedy)]
    others = sorted((machine.root / "run/user").glob("*/pulse/native"))
    if others:
        owner = others[0].parent.parent.name
        finding = f"a sound server of another user (number {owner}) holds the cards; this user cannot reach it"
        remedy = f"stop it there, or let it go of the radio's card: sudo loginctl terminate-user {owner}"
        return [Check(name, Status.WARN, finding, remedy)]
    return [Check(name, Status.OK, "none runs here; cards are used directly, by their ALSA names")]


def _kind(path: Path) -> str:
    return "PipeWire" if path.name.startswith("pipewire") else "PulseAudio, or PipeWire in its place,"


def serial(machine: Machine, name: str) -> list[Check]:
    """pyserial, and the ports that could key a transmitter."""
    try:
        version = getattr(driver(machine.load), "VERSION", "")
    except DeviceError as problem:
        text, _, remedy = str(problem).removeprefix("serial: ").rpartition("; ")
        return [Check(name, Status.WARN, f"{text}; needed to key a transmitter by RTS or DTR only", remedy)]
    ports = serial_ports(machine.root)
    barred = [port for port in ports if not machine.may_use(port.device)]
    if barred:
        paths = ", ".join(str(port.path) for port in barred)
        remedy = "sudo usermod -aG dialout $USER, then log in again"
        return [Check(name, Status.WARN, f"{paths} may not be used by this user", remedy)]
    listed = ", ".join(str(port.path) for port in ports) or "no serial port is there"
    return [Check(name, Status.OK, f"pyserial {version}: {listed}".replace(" :", ":"))]
