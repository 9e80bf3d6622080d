"""Every kind of port a site file knows: the keys it adds, and the module that opens it.

    KINDS["file"].read(table, folder) → FileSettings(path=…)

A kind reads its keys with the verbs of `sdrbridge.table.Table`, so that every problem of a site file is found at once.
Only the standard library is imported here; `module` is imported when a port of that kind is opened.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from hw.errors import DeviceError
from hw.keyer import parse_keyer
from hw.serialkeyer import parse_cor
from sdrbridge.ports import modulation
from sdrbridge.ports.rtpsettings import RTP_KEYS, read_rtp, rtp_claims
from sdrbridge.table import Table


@dataclass(frozen=True, slots=True)
class NoSettings:
    """A kind without keys of its own."""


@dataclass(frozen=True, slots=True)
class FileSettings:
    """path: where to write; None is `ports/NAME.wav` in the output folder."""

    path: Path | None = None


@dataclass(frozen=True, slots=True)
class SoundCardSettings:
    """A donor radio on a sound card.

    input, output: cards by name; None for a direction that is not used. rate: samples per second of the cards, None for
    48 000 or what they have. keyer: the PTT line (`hw.keyer`). cor: the squelch line (`hw.serialkeyer`), None for VOX.
    cor_early_ms: how long before the line opens the speech began. vox_open, vox_hang_ms: see `dsp.vox`. buffer_ms: held
    in each direction against unevenness. lead_ms: from keying to the first sound. tail_ms: from the last sound to
    unkeying.
    """

    input: str | None = None
    output: str | None = None
    rate: int | None = None
    keyer: str = "none:"
    cor: str | None = None
    cor_early_ms: int = 20
    vox_open: float = 0.6
    vox_hang_ms: int = 800
    buffer_ms: int = 40
    lead_ms: int = 0
    tail_ms: int = 20


@dataclass(frozen=True, slots=True)
class PortKind:
    """One kind. about: for people. keys: that it adds. read: reads them; gets the table and the folder relative paths
    count from.

    module: has `open_port`. claims: what of the machine a port with these settings needs for itself, in words.
    """

    about: str
    keys: tuple[str, ...]
    read: Callable[[Table, Path], object]
    module: str
    claims: Callable[[object], Sequence[str]] = lambda settings: ()


def _nothing(table: Table, folder: Path) -> NoSettings:
    return NoSettings()


def _file(table: Table, folder: Path) -> FileSettings:
    path = table.text("path")
    return FileSettings(folder / path if path else None)


def _soundcard(table: Table, folder: Path) -> SoundCardSettings:
    both, into, out = table.text("device"), table.text("input"), table.text("output")
    for key, value in (("input", into), ("output", out)):
        if both is not None and value is not None:
            table.problem(key, value, "device is given too, which is both input and output; give one or the other")
    into, out = both or into, both or out
    if not {"device", "input", "output"} & table.values.keys():
        table.missing("device", "the sound card (or input, or output); `sdrbridge devices` shows their names")
    keyer = table.text("keyer")
    if keyer is not None:
        _valid(table, "keyer", keyer, parse_keyer)
        if out is None:
            table.problem("keyer", keyer, "there is no output, so nothing is ever keyed")
    elif out is not None and "keyer" not in table.values:
        table.missing("keyer", 'how PTT is keyed, e.g. "serial:/dev/ttyUSB0,line=rts"; "none:" if the radio does it')
    cor = table.text("cor")
    if cor is not None:
        _valid(table, "cor", cor, parse_cor)
        if into is None:
            table.problem("cor", cor, "there is no input, so nothing is ever heard")
    early = table.integer("cor_early_ms", minimum=0, maximum=500)
    if early is not None and cor is None:
        table.problem("cor_early_ms", early, "belongs to a COR line; set cor as well")
    vox_open = table.number("vox_open", minimum=0.2, maximum=5)
    vox_hang = table.integer("vox_hang_ms", minimum=200, maximum=5000)
    for key, limit in (("vox_open", vox_open), ("vox_hang_ms", vox_hang)):
        if limit is not None and cor is not None:
            table.problem(key, limit, "cor is given, so nobody listens for speech")
    given = {
        "rate": table.integer("rate", minimum=8000, maximum=192_000),
        "cor_early_ms": early,
        "vox_open": vox_open,
        "vox_hang_ms": vox_hang,
        "buffer_ms": table.integer("buffer_ms", minimum=20, maximum=500),
        "lead_ms": table.integer("lead_ms", minimum=0, maximum=1000),
        "tail_ms": table.integer("tail_ms", minimum=0, maximum=2000),
    }
    settings = SoundCardSettings(into, out, keyer=keyer or "none:", cor=cor)
    return replace(settings, **{key: value for key, value in given.items() if value is not None})  # type: ignore[arg-type]


def _valid(table: Table, key: str, text: str, parse: Callable[[str], object]) -> None:
    try:
        parse(text)
    except DeviceError as problem:
        table.problem(key, text, str(problem).removeprefix(f'keyer "{text}": ').removeprefix(f'COR line "{text}": '))


KINDS: dict[str, PortKind] = {
    "file": PortKind("a WAV file of what the port would have transmitted", ("path",), _file, "sdrbridge.ports.written"),
    "loopback": PortKind("memory, for tests and measurements", (), _nothing, "sdrbridge.ports.memory"),
    "rtp": PortKind("a peer on the network that speaks RTP", RTP_KEYS, read_rtp, "sdrbridge.ports.rtp", rtp_claims),
    "soundcard": PortKind(
        "a donor radio on a sound card",
        (
            *("device", "input", "output", "rate", "keyer", "cor", "cor_early_ms", "vox_open", "vox_hang_ms"),
            *("buffer_ms", "lead_ms", "tail_ms"),
        ),
        _soundcard,
        "sdrbridge.ports.soundcard",
    ),
    "modulator": PortKind(
        "a transmitter of its own: IQ to a file or an SDR",
        modulation.KEYS,
        modulation.read,
        "sdrbridge.ports.modulator",
        modulation.claims,
    ),
}
"""By the word in the site file."""

LATER_KINDS = ("sip", "usrp", "mumble", "iax", "reflector")
"""Kinds the site file knows but this version does not have."""
