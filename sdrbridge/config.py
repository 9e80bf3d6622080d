"""The site file: TOML in, frozen dataclasses out, and every problem at once.

    [bridge]      name · extra_ctcss_hz (tones to look for beside the standard ones) · vocoder · loop_guard
    [[tuner]]     name · source · center · rate · format · gain · ppm · invert · full_scale
    [[channel]]   name · tuner · freq or offset · mode · bandwidth · squelch · priority · label · agency ·
                  rx_gain_db · loop_guard
    [[port]]      name · kind · access_ms · priority · label · agency, and the keys of the kind ·
                  half_duplex · break_in · break_in_ms · busy_tone · rx_gain_db · tx_gain_db ·
                  ident or ident_file · ident_s · loop_guard
    [recorder] · [journal]  what is kept, see `sdrbridge.keeping`
    [[patch]]     name · ports · monitors · hang_s · timeout_s · lockout_ms · min_key_ms · preempt · note ·
                  mix (true, or a list of members) · kerchunk_ms · legs ({ from, to, gain_db, muted })

Only the standard library is imported here: the command line reads site files and has to start at once. The tables are
read by `sdrbridge.table`, which knows types and spelling; this file knows what a site is.
"""

from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Protocol

from dsp.tones.codes import equivalent_codes
from dsp.tones.tables import CTCSS_HZ
from hw.errors import DeviceError
from sdrbridge import handling, modes, signalling, vocoders
from sdrbridge.errors import ConfigError
from sdrbridge.graph import find_loop
from sdrbridge.handling import AS_IT_IS, GAIN_RANGE_DB, PAUSES, Handling
from sdrbridge.keeping import (
    USUAL_JOURNAL,
    USUAL_RECORDER,
    JournalConfig,
    RecorderConfig,
    read_journal,
    read_recorder,
)
from sdrbridge.ports.kinds import KINDS, LATER_KINDS, NoSettings
from sdrbridge.ports.modulation import ModulatorSettings
from sdrbridge.table import Table, did_you_mean
from sdrbridge.tomlfile import read_toml
from sdrbridge.units import format_frequency
from sdrbridge.vocoders import OWN_VOCODER

SOURCE_KINDS = ("file", "discriminator", "rtlsdr", "rtltcp", "soapy")

FULL_SCALE_HZ = 5_000
"""Deviation that discriminator audio shows as digital full scale, where the site file does not say it."""

LONGEST_NAME = 64
"""Characters of a name; names become file names, with a number and a suffix."""

_P25_SQUELCH = ("nac", "talkgroup", "source_id")

_MODES_OF_FM = " or ".join(modes.DISCRIMINATOR_MODES)

TONE_RANGE_HZ = (60.0, 260.0)
"""Where a tone detector can look: below the speech band, above the rumble."""


@dataclass(frozen=True, slots=True)
class SquelchConfig:
    """What opens a channel. Nothing set: carrier squelch with the mode's own threshold.

    snr_db: the carrier counts from this signal-to-noise ratio. ctcss_hz, dcs: this tone or code ("023N") is required
    with it; at most one of the two. Of P25 channels instead: nac, talkgroups, source_ids: only these are heard.
    """

    snr_db: float | None = None
    ctcss_hz: float | None = None
    dcs: str | None = None
    nac: int | None = None
    talkgroups: tuple[int, ...] = ()
    source_ids: tuple[int, ...] = ()

    def describe(self) -> str:
        """In a few words, for tables."""
        digital = [f"NAC ${self.nac:03X}"] if self.nac is not None else []
        for what, wanted in (("talkgroup", self.talkgroups), ("source id", self.source_ids)):
            if wanted:
                digital.append(f"{what} {', '.join(map(str, wanted))}")
        if digital:
            return " · ".join(digital)
        if self.ctcss_hz is not None:
            return f"CTCSS {self.ctcss_hz:.1f} Hz"
        if self.dcs is not None:
            return f"DCS {self.dcs}"
        return "carrier" if self.snr_db is None else f"carrier, {self.snr_db:g} dB"

    @property
    def selective(self) -> bool:
        """Whether a tone or code is required."""
        return self.ctcss_hz is not None or self.dcs is not None

    @property
    def dcs_codes(self) -> tuple[str, ...]:
        """All names under which the required code can be received; empty if none is required."""
        return equivalent_codes(self.dcs) if self.dcs else ()


@dataclass(frozen=True, slots=True)
class TunerConfig:
    """One source of samples. center_hz, rate: None where the source itself says it. gain_db: None is automatic.

    format: sample type of a raw file whose suffix does not say it. invert: discriminator audio of the other polarity.
    full_scale_hz: deviation that discriminator audio shows as digital full scale.
    """

    name: str
    source: str
    center_hz: int | None = None
    rate: int | None = None
    format: str | None = None
    gain_db: float | None = None
    ppm: float = 0.0
    invert: bool = False
    full_scale_hz: int = FULL_SCALE_HZ

    @property
    def kind(self) -> str:
        """The part of `source` before the colon."""
        return self.source.partition(":")[0]


@dataclass(frozen=True, slots=True)
class ChannelConfig:
    """One carrier. One of freq_hz and offset_hz is set, none for discriminator audio."""

    name: str
    tuner: str
    mode: str
    bandwidth_hz: int
    freq_hz: int | None = None
    offset_hz: int | None = None
    squelch: SquelchConfig = SquelchConfig()
    priority: int = 0
    label: str | None = None
    agency: str | None = None
    handling: Handling = AS_IT_IS

    @property
    def preset(self) -> modes.Preset:
        """What mode and bandwidth mean for the receive chain."""
        return next(p for p in modes.PRESETS[self.mode] if p.bandwidth_hz == self.bandwidth_hz)

    def offset_from(self, center_hz: int | None) -> int:
        """Hertz from the tuner's centre. Raises `ConfigError` where a frequency meets an unknown centre."""
        if self.freq_hz is None:
            return self.offset_hz or 0
        if center_hz is None:
            raise ConfigError(
                [
                    f'channel "{self.name}": freq = "{format_frequency(self.freq_hz)}", but nobody says the centre '
                    f'frequency of tuner "{self.tuner}"; set its center, or give the channel an offset'
                ]
            )
        return self.freq_hz - center_hz


@dataclass(frozen=True, slots=True)
class PortConfig:
    """A place other than a channel where audio enters or leaves.

    access_ms: what the transmitter behind it needs from keying to the first syllable. settings: the keys of its kind,
    as `sdrbridge.ports.kinds` reads them. half_duplex: it hears nothing while it transmits.
    """

    name: str
    kind: str
    access_ms: int = 0
    priority: int = 0
    settings: object = NoSettings()
    label: str | None = None
    agency: str | None = None
    half_duplex: bool = False
    handling: Handling = AS_IT_IS


@dataclass(frozen=True, slots=True)
class LegConfig:
    """One crosspoint of a patch that is not as the others: what `talker` says, as `listener` hears it."""

    talker: str
    listener: str
    gain_db: float = 0.0
    muted: bool = False


@dataclass(frozen=True, slots=True)
class PatchConfig:
    """Ports that hear each other.

    ports: members that talk and hear. monitors: members that only hear. hang_s: outputs stay keyed that long after a
    talker. timeout_s: longest over. lockout_ms: ping-pong lock-out, the time after a port's unkeying in which what it
    receives does not count as talk. min_key_ms: shortest time a transmitter is keyed. preempt: a talker of higher
    priority takes the floor. mix: every talker is heard beside the others; mixed: only these members are. kerchunk_ms:
    an over that opens the patch is heard only if it lasts that long. legs: crosspoints with a gain of their own.
    """

    name: str
    ports: tuple[str, ...]
    monitors: tuple[str, ...] = ()
    hang_s: float = 0.5
    timeout_s: float = 120.0
    lockout_ms: int = 0
    min_key_ms: int = 0
    preempt: bool = True
    note: str | None = None
    mix: bool = False
    mixed: tuple[str, ...] = ()
    kerchunk_ms: int = 0
    legs: tuple[LegConfig, ...] = ()


@dataclass(frozen=True, slots=True)
class Site:
    """A whole site file, checked. path: where it was read; relative paths in it count from its folder.

    vocoder: who speaks for digital channels, NAME or NAME:PLACE (`dsp.vocoder.registry`).
    """

    path: Path
    name: str
    extra_ctcss_hz: tuple[float, ...]
    tuners: tuple[TunerConfig, ...]
    channels: tuple[ChannelConfig, ...]
    ports: tuple[PortConfig, ...]
    patches: tuple[PatchConfig, ...]
    recorder: RecorderConfig = USUAL_RECORDER
    journal: JournalConfig = USUAL_JOURNAL
    vocoder: str = OWN_VOCODER

    @property
    def folder(self) -> Path:
        """Where relative paths count from."""
        return self.path.parent

    def channels_of(self, tuner: str) -> tuple[ChannelConfig, ...]:
        """The channels of one tuner, in the order of the file."""
        return tuple(c for c in self.channels if c.tuner == tuner)

    def to_dict(self) -> dict[str, Any]:
        """Plain values, ready for JSON; what is not set is left out."""
        plain = _plain(asdict(self))
        assert isinstance(plain, dict)
        return plain


class SourceFacts(Protocol):
    """What a probe finds out; `hw.base.SourceInfo` is one."""

    @property
    def kind(self) -> str: ...
    @property
    def rate(self) -> int: ...
    @property
    def center_hz(self) -> int | None: ...


Probe = Callable[[TunerConfig], SourceFacts]


def load(path: Path, probe: Probe | None = None) -> Site:
    """Read and check a site file.

    probe: asks a tuner's source for rate and centre without reading samples; with it the channels are checked against
    the band, without it only where the file itself says rate and centre. It may raise `hw.errors.DeviceError`.
    Raises `ConfigError` with every problem found.
    """
    return _Reader(path, read_toml(path), probe).site()


def _plain(value: object) -> object:
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items() if item is not None}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return str(value) if isinstance(value, Path) else value


class _Reader:
    """One site file being read: the tables, and the problems found so far."""

    def __init__(self, path: Path, data: dict[str, Any], probe: Probe | None) -> None:
        self.path = path
        self.data = data
        self.probe = probe
        self.problems: list[str] = []
        self.usual = AS_IT_IS

    def site(self) -> Site:
        top = Table(str(self.path), "", self.data, self.problems)
        bridge = Table(str(self.path), "[bridge]", top.table("bridge"), self.problems)
        name = bridge.text("name") or self.path.stem
        extra = tuple(bridge.numbers("extra_ctcss_hz"))
        low, high = TONE_RANGE_HZ
        for tone in extra:
            if not low <= tone <= high:
                bridge.problem("extra_ctcss_hz", tone, f"must lie between {low:g} and {high:g} Hz")
        self.usual = Handling(loop_guard=bridge.flag("loop_guard") is not False)
        vocoder = bridge.text("vocoder") or OWN_VOCODER
        if wrong := vocoders.problem(vocoder):
            bridge.problem("vocoder", vocoder, wrong)
        bridge.finish()
        tuners = [self._tuner(t) for t in self._tables(top, "tuner")]
        channels = [self._channel(t, tuners, extra) for t in self._tables(top, "channel")]
        ports = [self._port(t, vocoder) for t in self._tables(top, "port")]
        everywhere = [c.name for c in channels if c] + [p.name for p in ports if p]
        patches = [self._patch(t, everywhere) for t in self._tables(top, "patch")]
        recorder, journal = (
            Table(str(self.path), f"[{k}]", top.table(k), self.problems) for k in ("recorder", "journal")
        )
        keeping = read_recorder(recorder, self.path.parent), read_journal(journal, self.path.parent)
        top.finish()
        site = Site(
            self.path,
            name,
            extra,
            tuple(t for t in tuners if t),
            tuple(c for c in channels if c),
            tuple(p for p in ports if p),
            tuple(p for p in patches if p),
            *keeping,
            vocoder,
        )
        if not self.data.get("tuner") and not self.data.get("port"):
            self.problems.append(
                f"{self.path}: there is no [[tuner]] and no [[port]]; a bridge needs something to hear"
            )
        self._check_names(site)
        self._check_claims(site)
        self._check_patches(site)
        self._check_bands(site)
        if self.problems:
            raise ConfigError(self.problems)
        return site

    def _tables(self, top: Table, key: str) -> list[Table]:
        entries = top.tables(key)
        found = []
        for number, entry in enumerate(entries, 1):
            name = entry.get("name")
            where = f'[[{key}]] "{name}"' if isinstance(name, str) and name else f"[[{key}]] number {number}"
            found.append(Table(str(self.path), where, entry, self.problems))
        return found

    def _tuner(self, t: Table) -> TunerConfig | None:
        name, source = _name(t), t.text("source", required=True)
        if source is not None:
            kind, colon, rest = source.partition(":")
            if not colon or not rest or kind not in SOURCE_KINDS:
                hint = did_you_mean(kind, SOURCE_KINDS) if colon else f'; for a recording write "file:{source}"'
                spelled = "file:PATH, discriminator:PATH.wav, rtlsdr:serial=…, rtltcp:HOST:PORT, soapy:driver=…"
                t.problem("source", source, f"must be one of {spelled}{hint}")
                source = None
        center = t.frequency("center", minimum=0)
        rate = t.frequency("rate", minimum=1)
        form = t.text("format")
        gain = t.gain("gain")
        ppm = t.number("ppm", minimum=-1000, maximum=1000)
        invert = t.flag("invert")
        if invert and source is not None and not source.startswith("discriminator:"):
            t.problem("invert", "true", "is for discriminator: sources only")
        full_scale = t.frequency("full_scale", minimum=500)
        if full_scale is not None and source is not None and not source.startswith("discriminator:"):
            t.problem("full_scale", full_scale, "is for discriminator: sources only")
        t.finish()
        if name is None or source is None:
            return None
        scale = FULL_SCALE_HZ if full_scale is None else full_scale
        return TunerConfig(name, source, center, rate, form, gain, ppm or 0.0, bool(invert), scale)

    def _channel(
        self, t: Table, tuners: Iterable[TunerConfig | None], extra: tuple[float, ...]
    ) -> ChannelConfig | None:
        name = _name(t)
        known = {tuner.name: tuner for tuner in tuners if tuner}
        tuner = t.text("tuner", required=True)
        # A tuner whose own table is broken has been complained of already.
        declared = {str(e.get("name")) for e in self.data.get("tuner", []) if isinstance(e, dict)}
        if tuner is not None and tuner not in declared:
            t.problem("tuner", tuner, "there is no tuner of that name", did_you_mean(tuner, declared))
        freq = t.frequency("freq", minimum=0)
        offset = t.frequency("offset")
        discriminator = tuner in known and known[str(tuner)].kind == "discriminator"
        if discriminator and offset is not None:
            t.problem("offset", offset, "discriminator audio is one channel already; leave it out")
        elif freq is not None and offset is not None:
            t.problem("offset", offset, "freq is given too; give one of them")
        elif (
            tuner in known and not discriminator and freq is None and offset is None and not {"freq", "offset"} & t.seen
        ):
            t.missing("freq", 'or offset, from the centre of the tuner, e.g. freq = "155.7525M"')
        preset = self._preset(t)
        squelch = self._squelch(t, preset.mode if preset else None, extra)
        if discriminator and preset is not None and preset.mode not in modes.DISCRIMINATOR_MODES:
            t.problem("mode", preset.mode, f"discriminator audio is demodulated FM; mode must be {_MODES_OF_FM}")
        priority = t.integer("priority", minimum=-100, maximum=100) or 0
        label, agency = t.text("label"), t.text("agency")
        treated = handling.read_receiving(t, self.usual)
        t.finish()
        if name is None or tuner is None or preset is None:
            return None
        return ChannelConfig(
            name, tuner, preset.mode, preset.bandwidth_hz, freq, offset, squelch, priority, label, agency, treated
        )

    def _preset(self, t: Table) -> modes.Preset | None:
        mode = t.text("mode", required=True)
        width = t.frequency("bandwidth", minimum=1)
        if mode is None:
            return None
        if mode in modes.LATER_MODES:
            t.problem("mode", mode, f"is not received by this version; it receives {', '.join(modes.PRESETS)}")
            return None
        if mode not in modes.PRESETS:
            close = did_you_mean(mode, [*modes.PRESETS, *modes.LATER_MODES])
            t.problem("mode", mode, f"is no mode; modes are {', '.join(modes.PRESETS)}", close)
            return None
        presets = modes.PRESETS[mode]
        if width is None:
            return presets[0]
        for preset in presets:
            # 8.33 kHz is the name of a width of 25/3 kHz: "8.33k" and 8333 mean the same.
            if abs(preset.bandwidth_hz - width) <= 5:
                return preset
        widths = sorted((p.bandwidth_hz for p in presets), key=lambda w: abs(w - width))
        listed = " and ".join(f'"{format_frequency(w)}"' for w in sorted(widths))
        nearest = f'; nearest is "{format_frequency(widths[0])}"' if len(widths) > 1 else ""
        t.problem("bandwidth", format_frequency(width), f"mode {mode} has {listed}{nearest}")
        return None

    def _squelch(self, channel: Table, mode: str | None, extra: tuple[float, ...]) -> SquelchConfig:
        given = channel.table("squelch")
        s = Table(channel.file, f"{channel.where} squelch", given, self.problems)
        if {"ctcss_hz", "dcs"} <= set(given):
            channel.problem("squelch", sorted(given), "a carrier bears a tone or a code; give one of ctcss_hz and dcs")
        for later in ("ran", "color_code"):
            if later in given:
                s.seen.add(later)
                s.problem(later, given[later], "selects digital channels, which this version does not receive")
        if mode == "p25":
            return self._p25_squelch(s)
        for key in _P25_SQUELCH:
            if key in given:
                s.seen.add(key)
                s.problem(key, given[key], f"selects P25 calls, which mode {mode or '…'} does not have")
        snr = s.number("snr_db", minimum=0, maximum=60)
        ctcss = s.number("ctcss_hz")
        if ctcss is not None and ctcss not in CTCSS_HZ and ctcss not in extra:
            low, high = signalling.nearest_ctcss(ctcss)
            s.problem(
                "ctcss_hz",
                ctcss,
                f"is not a TIA-603 tone; nearest are {low} and {high} (if it is meant: [bridge] extra_ctcss_hz)",
            )
            ctcss = None
        dcs = s.text("dcs")
        if dcs is not None:
            dcs = signalling.read_dcs(s, dcs)
        for key, value in (("ctcss_hz", ctcss), ("dcs", dcs)):
            if value is not None and mode not in (None, "nfm"):
                s.problem(key, value, f"is heard on mode nfm only, not on {mode}")
        s.finish()
        return SquelchConfig(snr, ctcss, dcs)

    def _p25_squelch(self, s: Table) -> SquelchConfig:
        for key in ("snr_db", "ctcss_hz", "dcs"):
            if key in s.values:
                s.seen.add(key)
                known = ", ".join(_P25_SQUELCH)
                s.problem(key, s.values[key], f"mode p25 opens for what is decoded; it has {known}")
        nac = s.values.get("nac")
        s.seen.add("nac")
        found = _nac(nac)
        if nac is not None and found is None:
            s.problem("nac", nac, 'must be three hexadecimal digits, e.g. "$293"; "$F7E" and "$F7F" are any')
        talkgroups = s.integers("talkgroup", 0, 0xFFFF)
        sources = s.integers("source_id", 1, 0xFFFFFF)
        s.finish()
        return SquelchConfig(nac=found, talkgroups=talkgroups, source_ids=sources)

    def _port(self, t: Table, vocoder: str) -> PortConfig | None:
        name, kind = _name(t), t.text("kind", required=True)
        if kind in LATER_KINDS:
            t.problem("kind", kind, f"is not in this version; it has {', '.join(KINDS)}")
            return None  # its further keys are not known here, so they cannot be judged
        if kind is not None and kind not in KINDS:
            close = did_you_mean(kind, [*KINDS, *LATER_KINDS])
            t.problem("kind", kind, f"is no kind of port; kinds are {', '.join(KINDS)}", close)
            return None
        access = t.integer("access_ms", minimum=0, maximum=5000) or 0
        priority = t.integer("priority", minimum=-100, maximum=100) or 0
        label, agency = t.text("label"), t.text("agency")
        half_duplex = bool(t.flag("half_duplex"))
        treated = handling.read(t, self.path.parent, half_duplex, self.usual)
        channels = {str(e.get("name")) for e in self.data.get("channel", []) if isinstance(e, dict)}
        if treated.break_in not in (None, PAUSES) and treated.break_in not in channels:
            close = did_you_mean(str(treated.break_in), [*channels, PAUSES])
            t.problem("break_in", treated.break_in, f'must be "{PAUSES}" or the name of a channel', close)
        settings = KINDS[kind].read(t, self.path.parent) if kind else NoSettings()
        if isinstance(settings, ModulatorSettings):
            settings = settings.speaking(vocoder)
        for key in sorted(t.values.keys() - t.seen):
            owners = " and ".join(f'"{other}"' for other, entry in KINDS.items() if key in entry.keys)
            if owners and kind is not None:
                t.problem(key, t.values[key], f"is a key of kind {owners} only")
                t.seen.add(key)
        t.finish()
        if name is None or kind is None:
            return None
        return PortConfig(name, kind, access, priority, settings, label, agency, half_duplex, treated)

    def _patch(self, t: Table, everywhere: list[str]) -> PatchConfig | None:
        name = _name(t)
        declared = {
            str(e.get("name")) for k in ("channel", "port") for e in self.data.get(k, []) if isinstance(e, dict)
        }
        members = {key: t.texts(key) for key in ("ports", "monitors")}
        if "ports" not in t.seen:
            t.missing("ports", "the names of the channels and ports that hear each other")
        for key, names in members.items():
            for member in names:
                if member not in declared:
                    t.problem(key, member, "there is no channel or port of that name", did_you_mean(member, declared))
        both = [*members["ports"], *members["monitors"]]
        for member in sorted({m for m in both if both.count(m) > 1}):
            t.problem("ports", member, "is named twice in this patch; a port is never patched to itself")
        if "ports" in t.seen and len(both) < 2:
            t.problem("ports", both, "a patch joins at least two ports")
        elif not members["ports"] and members["monitors"]:
            t.problem("ports", [], "nobody may talk in this patch: every member is a monitor")
        numbers = {
            "hang_s": t.number("hang_s", minimum=0, maximum=30),
            "timeout_s": t.number("timeout_s", minimum=1, maximum=3600),
            "lockout_ms": t.integer("lockout_ms", minimum=0, maximum=5000),
            "min_key_ms": t.integer("min_key_ms", minimum=0, maximum=5000),
            "preempt": t.flag("preempt"),
            "note": t.text("note"),
            "kerchunk_ms": t.integer("kerchunk_ms", minimum=0, maximum=2000),
            "legs": self._legs(t, both),
            **self._mix(t, members["ports"]),
        }
        t.finish()
        if name is None:
            return None
        patch = PatchConfig(name, tuple(members["ports"]), tuple(members["monitors"]))
        return replace(patch, **{key: value for key, value in numbers.items() if value is not None})  # type: ignore[arg-type]

    def _mix(self, t: Table, talkers: list[str]) -> dict[str, object]:
        """`mix`, which is true, false, or a list of members."""
        if not isinstance(t.values.get("mix"), list):
            return {"mix": t.flag("mix")}
        mixed = t.texts("mix")
        for name in mixed:
            if name not in talkers:
                t.problem("mix", name, "is no member of this patch that talks", did_you_mean(name, talkers))
        return {"mixed": tuple(mixed)}

    def _legs(self, t: Table, members: list[str]) -> tuple[LegConfig, ...]:
        low, high = GAIN_RANGE_DB
        found: dict[tuple[str, str], LegConfig] = {}
        for number, entry in enumerate(t.tables("legs"), 1):
            leg = Table(t.file, f"{t.where} leg {number}", entry, self.problems)
            ends = [leg.text(key, required=True) for key in ("from", "to")]
            gain = leg.number("gain_db", minimum=low, maximum=high) or 0.0
            muted = bool(leg.flag("muted"))
            leg.finish()
            for key, end in zip(("from", "to"), ends, strict=True):
                if end is not None and end not in members:
                    leg.problem(key, end, "is no member of this patch", did_you_mean(end, members))
            talker, listener = ends
            if talker is None or listener is None:
                continue
            if talker == listener:
                leg.problem("to", listener, "a port never hears itself; there is no such leg")
            elif (talker, listener) in found:
                leg.problem("to", listener, f'the leg from "{talker}" is given twice')
            found[talker, listener] = LegConfig(talker, listener, gain, muted)
        return tuple(found.values())

    def _check_names(self, site: Site) -> None:
        for what, names in (
            ("[[tuner]]", [t.name for t in site.tuners]),
            ("[[patch]]", [p.name for p in site.patches]),
            ("[[channel]] or [[port]]", [c.name for c in site.channels] + [p.name for p in site.ports]),
        ):
            seen: dict[str, str] = {}
            for name in names:
                # Names become file names, and some file systems do not tell "Fire" from "fire".
                other = seen.setdefault(name.casefold(), name)
                if other != name:
                    self.problems.append(
                        f'{self.path}: {what} "{name}": differs from "{other}" by capitals only; give it another name'
                    )
            self.problems += [
                f'{self.path}: {what} "{name}": the name is used {names.count(name)} times; each needs its own'
                for name in dict.fromkeys(names)
                if names.count(name) > 1
            ]

    def _check_claims(self, site: Site) -> None:
        owners: dict[str, str] = {}
        for channel in site.channels:
            if channel.preset.kind == "p25":
                for claim in vocoders.claims(site.vocoder):
                    owners.setdefault(claim, f'channel "{channel.name}"')
        for port in site.ports:
            name = f'port "{port.name}"'
            for claim in KINDS[port.kind].claims(port.settings):
                owner = owners.setdefault(claim, name)
                if owner != name:
                    self.problems.append(
                        f'{self.path}: [[port]] "{port.name}": needs {claim}, which {owner} has; each needs its own'
                    )

    def _check_patches(self, site: Site) -> None:
        loop = find_loop({p.name: (p.ports, p.monitors) for p in site.patches})
        if loop is not None:
            self.problems.append(f"{self.path}: [[patch]] {loop}")

    def _check_bands(self, site: Site) -> None:
        for tuner in site.tuners:
            rate, center = tuner.rate, tuner.center_hz
            if self.probe is not None:
                try:
                    facts = self.probe(tuner)
                except DeviceError as problem:
                    self.problems.append(f'{self.path}: [[tuner]] "{tuner.name}": {problem}')
                    continue
                rate, center = facts.rate, facts.center_hz if tuner.center_hz is None else tuner.center_hz
            channels = site.channels_of(tuner.name)
            if tuner.kind == "discriminator":
                if len(channels) > 1:
                    names = ", ".join(f'"{c.name}"' for c in channels)
                    self.problems.append(
                        f'{self.path}: [[tuner]] "{tuner.name}": discriminator audio holds one channel, not {names}'
                    )
                continue
            for channel in channels:
                if channel.freq_hz is not None and center is None and self.probe is None:
                    continue
                try:
                    offset = channel.offset_from(center)
                except ConfigError as problem:
                    self.problems += [f"{self.path}: [[{p.replace(' ', ']] ', 1)}" for p in problem.problems]
                    continue
                if rate is not None:
                    self._check_band(channel, offset, rate, center)

    def _check_band(self, channel: ChannelConfig, offset: int, rate: int, center: int | None) -> None:
        preset = channel.preset
        reach = (rate - preset.filter_hz) / 2
        if abs(offset + preset.offset_hz) <= reach:
            return
        low, high = round(-reach - preset.offset_hz), round(reach - preset.offset_hz)
        key, value, base = ("offset", offset, 0) if channel.freq_hz is None else ("freq", channel.freq_hz, center or 0)
        if reach < 0:
            limit = f"needs {format_frequency(channel.bandwidth_hz)} of band; tuner has {format_frequency(rate)}"
        else:
            limit = (
                f'lies outside tuner "{channel.tuner}", which hears {format_frequency(base + low)} to '
                f"{format_frequency(base + high)} at {format_frequency(channel.bandwidth_hz)} of bandwidth"
            )
        where = f'[[channel]] "{channel.name}"'
        self.problems.append(f'{self.path}: {where}: {key} = "{format_frequency(value)}": {limit}')


def name_problem(name: str) -> str | None:
    """What is wrong with the name of a tuner, channel, port or patch; names become file names. None if nothing is."""
    bad = sorted({c for c in name if c in '/\\:*?"<>|' or not c.isprintable()})
    if not name.strip() or name != name.strip() or name.startswith("."):
        return "must not be empty, begin with a dot, or begin or end with a space"
    if bad:
        return f"has {' '.join(map(repr, bad))}, which file names cannot have; write - or _ instead"
    if len(name) > LONGEST_NAME:
        return f"has {len(name)} characters; at most {LONGEST_NAME}"
    return None


def _name(t: Table) -> str | None:
    name = t.text("name", required=True)
    wrong = name_problem(name) if name is not None else None
    if wrong is not None:
        t.problem("name", name, wrong)
        return None
    return name


def _nac(value: object) -> int | None:
    """A network access code as radios are programmed with it: "$293", "293" or 0x293."""
    if isinstance(value, str):
        digits = value.strip().upper().removeprefix("$").removeprefix("0X")
        try:
            value = int(digits, 16)
        except ValueError:
            return None
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= 0xFFF else None
