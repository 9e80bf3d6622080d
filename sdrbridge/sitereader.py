"""Reading the tables of a site file: types, ranges, spelling. What holds between tables is for `sitechecks`.

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

`sdrbridge.table` knows types and spelling; this file knows the keys.
"""

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

from dsp.tones.tables import CTCSS_HZ
from sdrbridge import handling, modes, signalling, vocoders
from sdrbridge.config import (
    FULL_SCALE_HZ,
    ChannelConfig,
    LegConfig,
    PatchConfig,
    PortConfig,
    Site,
    SquelchConfig,
    TunerConfig,
)
from sdrbridge.handling import AS_IT_IS, GAIN_RANGE_DB, PAUSES, Handling
from sdrbridge.keeping import read_journal, read_recorder
from sdrbridge.names import name_problem
from sdrbridge.ports.kinds import KINDS, LATER_KINDS, NoSettings
from sdrbridge.ports.modulation import ModulatorSettings
from sdrbridge.table import Table, did_you_mean
from sdrbridge.tomlfile import read_toml
from sdrbridge.units import format_frequency
from sdrbridge.vocoders import OWN_VOCODER

SOURCE_KINDS = ("file", "discriminator", "rtlsdr", "rtltcp", "soapy")

_P25_SQUELCH = ("nac", "talkgroup", "source_id")

_MODES_OF_FM = " or ".join(modes.DISCRIMINATOR_MODES)

TONE_RANGE_HZ = (60.0, 260.0)
"""Where a tone detector can look: below the speech band, above the rumble."""


def read(path: Path) -> tuple[Site, list[str]]:
    """A site as far as it could be read, and what is wrong with it. Raises `ConfigError` for a file that is no TOML."""
    reader = _Reader(path, read_toml(path))
    return reader.site(), reader.problems


class _Reader:
    """One site file being read: the tables, and the problems found so far."""

    def __init__(self, path: Path, data: dict[str, Any]) -> None:
        self.path = path
        self.data = data
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
