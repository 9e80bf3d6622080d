"""The keys of a port of kind `modulator`: where its carrier is, what it carries, and who is shown to talk.

    mode · freq · center · rate · sink · format · level_dbfs · gain · ppm · buffer_ms · keyer
    p25:  nac · talkgroup · source_id · ids · talkgroups · emergency · vocoder
    nfm:  bandwidth · ctcss_hz · dcs

Only the standard library is imported here: site files are read by the command line.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from dsp.tones.tables import CTCSS_HZ
from hw.errors import DeviceError
from hw.keyer import parse_keyer
from hw.spec import parse_source
from sdrbridge import idtable, modes, signalling, vocoders
from sdrbridge.idtable import IdTable
from sdrbridge.table import Table, did_you_mean
from sdrbridge.units import format_frequency

MODES = ("p25", "nfm")
"""What a modulator can send."""

FORMATS = ("ci16_le", "cf32_le", "ci8", "cu8")
"""Sample types of a file of IQ; the first is the default."""

KEYS = (
    *("mode", "freq", "center", "rate", "sink", "format", "level_dbfs", "gain", "ppm", "buffer_ms", "keyer"),
    *("nac", "talkgroup", "source_id", "ids", "talkgroups", "emergency", "vocoder"),
    *("bandwidth", "ctcss_hz", "dcs"),
)

_P25_ONLY = ("nac", "talkgroup", "source_id", "ids", "talkgroups", "emergency", "vocoder")
_NFM_ONLY = ("bandwidth", "ctcss_hz", "dcs")
_RADIO_ONLY = ("gain", "ppm", "buffer_ms", "keyer")

MOST_TALKGROUP = 0xFFFF
MOST_SOURCE = 0xFFFFFF
RATES = (20_000, 64_000_000)
FM_STEP = 24_000
"""FM is made at multiples of this rate."""


@dataclass(frozen=True, slots=True)
class P25Settings:
    """A P25 transmitter.

    nac: 12 bits. source_ids, talkgroups: what is shown of whom. emergency: whether it is. vocoder: who codes its
    speech, NAME or NAME:PLACE; None for that of [bridge].
    """

    nac: int
    talkgroups: IdTable
    source_ids: IdTable
    emergency: bool = True
    vocoder: str | None = None


@dataclass(frozen=True, slots=True)
class NfmSettings:
    """An analog FM transmitter. deviation_hz: peak, tone included. One of ctcss_hz and dcs, or none."""

    deviation_hz: float
    ctcss_hz: float | None = None
    dcs: str | None = None


@dataclass(frozen=True, slots=True)
class FileSink:
    """IQ to a SigMF recording. path: None is `ports/NAME.sigmf-meta` in the output folder."""

    path: Path | None
    format: str = FORMATS[0]


@dataclass(frozen=True, slots=True)
class RadioSink:
    """IQ to a transmitter behind SoapySDR.

    address, channel, antenna: of the device. buffer_ms: held before a carrier begins, against unevenness; the PTT line
    of an amplifier is that much ahead, less a tick. keyer: that line (`hw.keyer`).
    """

    address: str
    gain_db: float
    ppm: float = 0.0
    channel: int = 0
    antenna: str | None = None
    buffer_ms: int = 60
    keyer: str = "none:"


@dataclass(frozen=True, slots=True)
class ModulatorSettings:
    """freq_hz: of the carrier. center_hz: of the band. rate: samples per second. level_dbfs: of the carrier."""

    freq_hz: int
    center_hz: int
    rate: int
    level_dbfs: float
    signal: P25Settings | NfmSettings
    sink: FileSink | RadioSink

    def speaking(self, vocoder: str) -> "ModulatorSettings":
        """The same with a vocoder where none is given."""
        if not isinstance(self.signal, P25Settings) or self.signal.vocoder is not None:
            return self
        return replace(self, signal=replace(self.signal, vocoder=vocoder))


def read(t: Table, folder: Path) -> ModulatorSettings | None:
    """The keys; None where they are not right. folder: where relative paths count from."""
    mode = _mode(t)
    freq, center = t.frequency("freq", minimum=0), t.frequency("center", minimum=0)
    if "freq" not in t.values:
        t.missing("freq", 'the frequency of the carrier, e.g. freq = "453.2125M"')
    sink = _sink(t, folder)
    rate = _rate(t, mode, sink)
    level = t.number("level_dbfs", minimum=-80, maximum=0)
    signal = _p25(t) if mode == "p25" else _nfm(t) if mode == "nfm" else None
    foreign = {"p25": _NFM_ONLY, "nfm": _P25_ONLY}
    for key in foreign.get(mode or "", ()):
        if key in t.values:
            t.problem(key, t.values[key], f"is not for mode {mode}")
            t.seen.add(key)
    if freq is not None and center is not None:
        _in_band(t, freq, center, rate)
    if freq is None or sink is None or signal is None:
        return None
    return ModulatorSettings(
        freq, freq if center is None else center, rate, -3.0 if level is None else level, signal, sink
    )


def claims(settings: object) -> Sequence[str]:
    """A vocoder that serves one stream only."""
    signal = settings.signal if isinstance(settings, ModulatorSettings) else None
    return vocoders.claims(signal.vocoder or "") if isinstance(signal, P25Settings) else ()


def read_nac(t: Table, key: str = "nac") -> int | None:
    """A network access code, written in hexadecimal as everywhere: "$293"."""
    value = t.values.get(key)
    if isinstance(value, int) and not isinstance(value, bool):
        t.seen.add(key)
        t.problem(key, value, f'is written in hexadecimal, as text: {key} = "$293"')
        return None
    text = t.text(key)
    if text is None:
        return None
    digits = re.sub(r"^(\$|0[xX])", "", text)
    if not re.fullmatch(r"[0-9A-Fa-f]{1,3}", digits):
        t.problem(key, text, 'must be 12 bits in hexadecimal, "$000" to "$FFF"')
        return None
    return int(digits, 16)


def _mode(t: Table) -> str | None:
    mode = t.choice("mode", MODES)
    if "mode" not in t.values:
        t.missing("mode", f"what it sends: {' or '.join(MODES)}")
    return mode


def _sink(t: Table, folder: Path) -> FileSink | RadioSink | None:
    text = t.text("sink")
    kind, _, address = (text or "file:").partition(":")
    if kind == "soapy" and address:
        return _radio(t, str(text), folder)
    form = t.choice("format", FORMATS)
    for key in _RADIO_ONLY:
        if key in t.values:
            t.problem(key, t.values[key], 'is for sink = "soapy:…" only')
            t.seen.add(key)
    if kind != "file" or (text is not None and not address):
        near = did_you_mean(kind, ("file", "soapy"))
        t.problem("sink", text, "must be one of file:PATH.sigmf-meta, soapy:driver=…", near)
        return None
    return FileSink(folder / address if address else None, form or FORMATS[0])


def _radio(t: Table, text: str, folder: Path) -> RadioSink | None:
    if "format" in t.values:
        t.problem("format", t.values["format"], "is for a file; a transmitter takes what its driver takes")
        t.seen.add("format")
    for key, what in (
        ("rate", 'samples per second that the device makes, e.g. rate = "2M"'),
        ("gain", "the gain of the transmitter in dB; it is never chosen for you"),
    ):
        if key not in t.values:
            t.missing(key, what)
    gain = t.number("gain", minimum=-100, maximum=200)
    ppm, buffer_ms = t.number("ppm", -1000, 1000), t.integer("buffer_ms", 20, 500)
    keyer = t.text("keyer") or "none:"
    _valid(t, "keyer", keyer, parse_keyer, f'keyer "{keyer}": ')
    channel, antenna = "0", None
    try:
        request = parse_source(text, base=folder)
        request.only("channel", "antenna")
        channel, antenna = request.options.get("channel", "0"), request.options.get("antenna")
        if "=" not in request.address:
            t.problem("sink", text, "is not soapy:KEY=VALUE,…, such as soapy:driver=hackrf")
        if not (channel.isascii() and channel.isdigit() and len(channel) < 4):
            t.problem("sink", text, f"channel = {channel} is not a number such as 0")
            channel = "0"
    except DeviceError as problem:
        t.problem("sink", text, str(problem).removeprefix(f"{text}: "))
        return None
    return RadioSink(
        request.address, gain or 0.0, ppm or 0.0, int(channel), antenna, 60 if buffer_ms is None else buffer_ms, keyer
    )


def _valid(t: Table, key: str, text: str, parse: Callable[[str], object], prefix: str) -> None:
    try:
        parse(text)
    except DeviceError as problem:
        t.problem(key, text, str(problem).removeprefix(prefix))


def _rate(t: Table, mode: str | None, sink: FileSink | RadioSink | None) -> int:
    rate = t.frequency("rate")
    if rate is None:
        return 48_000
    low, high = RATES
    if not low <= rate <= high:
        t.problem("rate", t.values["rate"], f"must lie between {format_frequency(low)} and {format_frequency(high)}")
    elif mode == "nfm" and rate % FM_STEP:
        near = max(1, round(rate / FM_STEP)) * FM_STEP
        t.problem("rate", t.values["rate"], f'FM is made at multiples of 24k; nearest is "{format_frequency(near)}"')
    return rate


def _in_band(t: Table, freq: int, center: int, rate: int) -> None:
    reach = rate // 2 - 6_250
    if abs(freq - center) > reach:
        low, high = format_frequency(center - reach), format_frequency(center + reach)
        t.problem("freq", t.values["freq"], f"lies outside the band around center: {low} to {high}")


def _p25(t: Table) -> P25Settings | None:
    nac = read_nac(t)
    talkgroup = t.integer("talkgroup", 0, MOST_TALKGROUP)
    source = t.integer("source_id", 0, MOST_SOURCE)
    for key, what in (
        ("nac", 'the network access code of the system, e.g. nac = "$293"'),
        ("talkgroup", f"to whom it talks, 0 to {MOST_TALKGROUP}"),
        ("source_id", f"the unit id of talkers that have none in ids, 0 to {MOST_SOURCE}"),
    ):
        if key not in t.values:
            t.missing(key, what)
    talkgroups = idtable.read(t, "talkgroups", talkgroup or 0, MOST_TALKGROUP)
    sources = idtable.read(t, "ids", source or 0, MOST_SOURCE)
    emergency = t.flag("emergency")
    vocoder = t.text("vocoder")
    if vocoder is not None and (wrong := vocoders.problem(vocoder)):
        t.problem("vocoder", vocoder, wrong)
    if nac is None:
        return None
    return P25Settings(nac, talkgroups, sources, emergency is not False, vocoder)


def _nfm(t: Table) -> NfmSettings | None:
    presets = modes.PRESETS["nfm"]
    width = t.frequency("bandwidth", minimum=1)
    found = [p for p in presets if width in (None, p.bandwidth_hz)]
    if not found:
        widths = " and ".join(f'"{format_frequency(p.bandwidth_hz)}"' for p in presets)
        t.problem("bandwidth", t.values["bandwidth"], f"mode nfm has {widths}")
    ctcss, dcs = t.number("ctcss_hz"), t.text("dcs")
    if ctcss is not None and dcs is not None:
        t.problem("dcs", dcs, "ctcss_hz is given too; a carrier bears one of them")
    if ctcss is not None and ctcss not in CTCSS_HZ:
        low, high = signalling.nearest_ctcss(ctcss)
        t.problem("ctcss_hz", ctcss, f"is not a TIA-603 tone; nearest are {low} and {high}")
    if dcs is not None:
        dcs = signalling.read_dcs(t, dcs)
    return NfmSettings((found or presets)[0].deviation_hz, ctcss, dcs)
