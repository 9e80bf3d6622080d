"""The scene file: what is on the air, in TOML, read into frozen dataclasses, every problem at once.

    [scene]            name · rate · center · seconds · seed · format · noise_dbfs · tilt_db · iq_gain_db · iq_phase_deg
                       · dc_dbfs · gaps · start · note
    [[carrier]]        name · freq or offset · mode · bandwidth · cn_db or level_dbfs · ctcss_hz or dcs
                       · tone_deviation_hz · burst_deg · burst_s · depth · error_hz · drift_hz_s · fading · second_ray
                       · nac · talkgroup · source_id
    [[carrier.over]]   start_s · text or speech or tone_hz · seconds · lead_s · hold_s · level_db · talker
                       · voice · speed · pitch · source_id · emergency

Levels are dB relative to a carrier whose |x|² is 1, the full scale of the recording. cn_db is the ratio of the carrier
to the noise within the carrier's own channel width; an AM carrier counts without its sidebands, SSB by its peaks.
"""

import math
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from sdrbridge import modes
from sdrbridge.errors import ConfigError
from sdrbridge.ports.modulation import MOST_SOURCE, MOST_TALKGROUP, read_nac
from sdrbridge.table import Table, did_you_mean
from sdrbridge.tomlfile import read_toml
from sdrbridge.units import format_frequency

FORMATS = ("cu8", "ci8", "ci16_le", "cf32_le")

SENT = {**modes.PRESETS, "p25": (modes.Preset("p25", 12_500, 13_000.0, 24_000),)}
"""Modes a carrier may have."""


@dataclass(frozen=True, slots=True)
class Fading:
    """Rayleigh fading of one carrier. doppler_hz: largest shift."""

    doppler_hz: float


@dataclass(frozen=True, slots=True)
class SecondRay:
    """A second ray, `delay_us` later at `level_db`, turned by `phase_deg`, `doppler_hz` away from the first."""

    delay_us: float
    level_db: float = 0.0
    phase_deg: float = 0.0
    doppler_hz: float = 0.0


@dataclass(frozen=True, slots=True)
class OverPlan:
    """One over. One of text, speech and tone_hz is set, or none for a carrier without speech.

    start_s: key pressed. lead_s: carrier before the speech. seconds: length of tone or silence; cuts speech off.
    hold_s: carrier after the speech before the key is released. level_db: talker against a normal one. voice, speed
    (words a minute), pitch (0 … 99): of the synthesiser. source_id, emergency: of P25, None for the carrier's.
    """

    start_s: float
    text: str | None = None
    speech: Path | None = None
    tone_hz: float | None = None
    seconds: float | None = None
    lead_s: float = 0.25
    hold_s: float = 0.1
    level_db: float = 0.0
    talker: str | None = None
    voice: str = "en-us"
    speed: int = 175
    pitch: int = 50
    source_id: int | None = None
    emergency: bool = False


@dataclass(frozen=True, slots=True)
class DigitalPlan:
    """What a P25 transmitter says of its calls. nac: 12 bits. source_id: of overs that name none."""

    nac: int
    talkgroup: int
    source_id: int


@dataclass(frozen=True, slots=True)
class CarrierPlan:
    """One transmitter.

    offset_hz: channel from the scene's centre. level_dbfs: of the carrier. error_hz, drift_hz_s: of its frequency
    against the channel's. burst_deg, burst_s: how the tone turns its phase at the release, and for how long; with dcs,
    burst_s is the length of the turn-off code. digital: of mode p25.
    """

    name: str
    preset: modes.Preset
    offset_hz: int
    level_dbfs: float
    cn_db: float
    overs: tuple[OverPlan, ...]
    ctcss_hz: float | None = None
    dcs: str | None = None
    tone_deviation_hz: float | None = None
    burst_deg: float = 0.0
    burst_s: float = 0.0
    depth: float = 0.85
    error_hz: float = 0.0
    drift_hz_s: float = 0.0
    fading: Fading | None = None
    second_ray: SecondRay | None = None
    digital: DigitalPlan | None = None


@dataclass(frozen=True, slots=True)
class Scene:
    """A whole scene, checked. noise_dbfs: of the whole band. gaps: (start_s, seconds) of samples that are lost."""

    path: Path
    name: str
    rate: int
    center_hz: int
    seconds: float
    seed: int
    format: str
    noise_dbfs: float
    carriers: tuple[CarrierPlan, ...]
    tilt_db: float = 0.0
    iq_gain_db: float = 0.0
    iq_phase_deg: float = 0.0
    dc_dbfs: float | None = None
    gaps: tuple[tuple[float, float], ...] = ()
    start: datetime | None = None
    note: str | None = None

    @property
    def samples(self) -> int:
        """Length in samples, the lost ones included."""
        return round(self.seconds * self.rate)


def baseband_rate(preset: modes.Preset) -> int:
    """Rate at which a carrier is modulated: 48 kHz, where 25 kHz FM has room for its tails, or what the mode needs."""
    return max(48_000, preset.rate)


def load(path: Path) -> Scene:
    """Read and check a scene file. Raises `ConfigError` with every problem found."""
    return _Reader(path, read_toml(path)).scene()


class _Reader:
    """One scene file being read: the tables, and the problems found so far."""

    def __init__(self, path: Path, data: dict[str, Any]) -> None:
        self.path = path
        self.data = data
        self.problems: list[str] = []

    def scene(self) -> Scene:
        top = Table(str(self.path), "", self.data, self.problems)
        s = Table(str(self.path), "[scene]", top.table("scene"), self.problems)
        name = s.text("name") or self.path.stem
        if name != Path(name).name or name.startswith("."):
            s.problem("name", name, "must be a plain file name")
        rate = _needed(s, "rate", s.frequency("rate"), 'samples per second, e.g. rate = "240k"') or 240_000
        if not 48_000 <= rate <= 20_000_000 or rate % 200:
            near = min(max(round(rate / 200) * 200, 48_000), 20_000_000)
            s.problem("rate", rate, f"must be a multiple of 200 from 48k to 20M; nearest is {near}")
            rate = near
        center = _needed(s, "center", s.frequency("center", minimum=0), 'e.g. center = "155.4M"') or 0
        seconds = (
            _needed(s, "seconds", s.number("seconds", 0.1, 86_400), "length of the scene, e.g. seconds = 10") or 1.0
        )
        seed = s.integer("seed", 0, 2**32) or 0
        form = s.text("format") or "cu8"
        if form not in FORMATS:
            s.problem("format", form, f"is not written; formats are {', '.join(FORMATS)}", did_you_mean(form, FORMATS))
        noise = _or(s.number("noise_dbfs", -150, 0), -40.0)
        numbers = {
            "tilt_db": _or(s.number("tilt_db", -20, 20), 0.0),
            "iq_gain_db": _or(s.number("iq_gain_db", -20, 20), 0.0),
            "iq_phase_deg": _or(s.number("iq_phase_deg", -45, 45), 0.0),
        }
        dc = s.number("dc_dbfs", -150, 0)
        gaps = self._gaps(s, seconds)
        start = self._start(s)
        note = s.text("note")
        s.finish()
        carriers = [self._carrier(t, rate, center, seconds, noise) for t in self._tables(top, "carrier", "")]
        top.finish()
        for double in _doubles([c.name for c in carriers if c]):
            self.problems.append(f'{self.path}: two carriers are called "{double}"; names must differ')
        if self.problems:
            raise ConfigError(self.problems)
        known = tuple(c for c in carriers if c)
        return Scene(
            self.path, name, rate, center, seconds, seed, form, noise, known, **numbers,
            dc_dbfs=dc, gaps=gaps, start=start, note=note,
        )  # fmt: skip

    def _tables(self, of: Table, key: str, inside: str) -> list[Table]:
        found = []
        for number, entry in enumerate(of.tables(key), 1):
            name = entry.get("name")
            where = f'[[{key}]] "{name}"' if isinstance(name, str) and name else f"[[{inside}{key}]] number {number}"
            found.append(Table(str(self.path), f"{of.where} {where}".strip(), entry, self.problems))
        return found

    def _gaps(self, s: Table, seconds: float) -> tuple[tuple[float, float], ...]:
        value = s.values.get("gaps", [])
        s.seen.add("gaps")
        pairs: list[tuple[float, float]] = []
        good = isinstance(value, list)
        for pair in value if isinstance(value, list) else []:
            if isinstance(pair, list) and len(pair) == 2 and all(isinstance(v, int | float) for v in pair):
                pairs.append((float(pair[0]), float(pair[1])))
            else:
                good = False
        ends = [0.0, *(a + n for a, n in pairs)]
        good = good and all(a > end and n > 0 for (a, n), end in zip(pairs, ends, strict=False)) and ends[-1] < seconds
        if not good:
            s.problem("gaps", value, "must be [[start_s, seconds], …], in order, apart, and inside the scene")
            return ()
        return tuple(pairs)

    def _start(self, s: Table) -> datetime | None:
        text = s.text("start")
        if text is None:
            return None
        try:
            start = datetime.fromisoformat(text)
        except ValueError:
            start = None
        if start is None or start.tzinfo is None:
            s.problem("start", text, 'must be a time with zone, e.g. "2026-06-01T14:20:00Z"')
            return None
        return start

    def _carrier(self, t: Table, rate: int, center: int, seconds: float, noise: float) -> CarrierPlan | None:
        name = t.text("name", required=True)
        preset = self._preset(t)
        offset = self._offset(t, center)
        cn, level = t.number("cn_db", -30, 100), t.number("level_dbfs", -150, 6)
        if not {"cn_db", "level_dbfs"} & t.seen:
            t.missing("cn_db", "or level_dbfs; one of them says how strong the carrier is")
        elif {"cn_db", "level_dbfs"} <= t.seen:
            t.problem("level_dbfs", t.values["level_dbfs"], "cn_db is given too; give one of them")
        ctcss = t.number("ctcss_hz", 30, 300)
        dcs = t.text("dcs")
        if dcs is not None and not _is_dcs(dcs):
            t.problem("dcs", dcs, 'must be three octal digits and the polarity, e.g. "023N"')
        for key in ("ctcss_hz", "dcs"):
            if key in t.values and preset and preset.mode != "nfm":
                t.problem(key, t.values[key], f"is sent on mode nfm only, not on {preset.mode}")
        for key in ("nac", "talkgroup", "source_id"):
            if key in t.values and preset and preset.mode != "p25":
                t.problem(key, t.values[key], f"is sent on mode p25 only, not on {preset.mode}")
                t.seen.add(key)
        if ctcss is not None and dcs is not None:
            t.problem("dcs", dcs, "ctcss_hz is given too; a carrier bears one of them")
        limit = preset.deviation_hz / 2 if preset and preset.deviation_hz else 2_500.0
        deviation = t.number("tone_deviation_hz", 0, limit)
        burst_deg, burst_s = t.number("burst_deg", -360, 360), t.number("burst_s", 0, 2)
        depth = t.number("depth", 0.05, 1)
        error, drift = t.number("error_hz", -5_000, 5_000), t.number("drift_hz_s", -5_000, 5_000)
        fading = self._fading(t)
        ray = self._ray(t)
        digital = self._digital(t) if preset and preset.mode == "p25" else None
        overs = [self._over(o, seconds, digital) for o in self._tables(t, "over", "carrier.")]
        t.finish()
        if preset and offset is not None:
            self._check_band(t, preset, offset, rate, center)
        if name is None or preset is None or offset is None or (preset.mode == "p25" and digital is None):
            return None
        floor = noise + _db(preset.bandwidth_hz / rate)
        return CarrierPlan(
            name,
            preset,
            offset,
            level if level is not None else floor + _or(cn, 0.0),
            cn if cn is not None else _or(level, 0.0) - floor,
            tuple(sorted((o for o in overs if o), key=lambda o: o.start_s)),
            ctcss,
            dcs,
            deviation,
            _or(burst_deg, 0.0),
            _or(burst_s, 0.18 if dcs or burst_deg else 0.0),
            _or(depth, 0.85),
            _or(error, 0.0),
            _or(drift, 0.0),
            fading,
            ray,
            digital,
        )

    def _digital(self, t: Table) -> DigitalPlan | None:
        nac = read_nac(t)
        talkgroup, source = t.integer("talkgroup", 0, MOST_TALKGROUP), t.integer("source_id", 0, MOST_SOURCE)
        for key, what in (("nac", 'e.g. nac = "$293"'), ("talkgroup", "to whom it talks"), ("source_id", "who talks")):
            if key not in t.values:
                t.missing(key, what)
        return None if nac is None else DigitalPlan(nac, talkgroup or 0, source or 0)

    def _preset(self, t: Table) -> modes.Preset | None:
        mode, width = t.text("mode", required=True), t.frequency("bandwidth", minimum=1)
        if mode is None:
            return None
        presets = SENT.get(mode)
        if presets is None:
            t.problem("mode", mode, f"is not sent; modes are {', '.join(SENT)}", did_you_mean(mode, SENT))
            return None
        found = [p for p in presets if width is None or abs(p.bandwidth_hz - width) <= 5]
        if not found:
            widths = " and ".join(f'"{format_frequency(p.bandwidth_hz)}"' for p in presets)
            t.problem("bandwidth", t.values["bandwidth"], f"mode {mode} has {widths}")
            return None
        return found[0]

    def _offset(self, t: Table, center: int) -> int | None:
        freq, offset = t.frequency("freq", minimum=0), t.frequency("offset")
        if freq is not None and offset is not None:
            t.problem("offset", offset, "freq is given too; give one of them")
        if freq is not None:
            return freq - center
        if offset is None and not {"freq", "offset"} & t.seen:
            t.missing("freq", 'or offset, from the centre of the scene, e.g. freq = "155.7525M"')
        return offset

    def _check_band(self, t: Table, preset: modes.Preset, offset: int, rate: int, center: int) -> None:
        room = (rate - baseband_rate(preset)) // 2
        if abs(offset) > room:
            low, high = format_frequency(center - room), format_frequency(center + room)
            key = "freq" if "freq" in t.values else "offset"
            t.problem(key, t.values.get(key), f"lies outside the scene: {low} … {high} (±{format_frequency(room)})")

    def _fading(self, t: Table) -> Fading | None:
        if "fading" not in t.values:
            return None
        f = Table(t.file, f"{t.where} fading", t.table("fading"), self.problems)
        doppler = f.number("doppler_hz", 0.01, 500)
        if "doppler_hz" not in f.values:
            f.missing("doppler_hz", "the largest shift, e.g. fading = { doppler_hz = 10 }")
        f.finish()
        return Fading(doppler) if doppler is not None else None

    def _ray(self, t: Table) -> SecondRay | None:
        if "second_ray" not in t.values:
            return None
        r = Table(t.file, f"{t.where} second_ray", t.table("second_ray"), self.problems)
        delay = r.number("delay_us", 0, 1_000)
        if "delay_us" not in r.values:
            r.missing("delay_us", "how much later it comes, e.g. second_ray = { delay_us = 50 }")
        level, turn, shift = r.number("level_db", -60, 60), r.number("phase_deg"), r.number("doppler_hz", -500, 500)
        r.finish()
        return SecondRay(delay, _or(level, 0.0), _or(turn, 0.0), _or(shift, 0.0)) if delay is not None else None

    def _over(self, o: Table, seconds: float, digital: DigitalPlan | None) -> OverPlan | None:
        start = o.number("start_s", 0, seconds)
        if "start_s" not in o.values:
            o.missing("start_s", "when the key is pressed, in seconds of the scene")
        text, speech, tone = o.text("text"), o.text("speech"), o.number("tone_hz", 20, 3_900)
        given = [k for k in ("text", "speech", "tone_hz") if k in o.values]
        if len(given) > 1:
            o.problem(given[1], o.values[given[1]], f"{given[0]} is given too; give one of them")
        file = self.path.parent / speech if speech else None
        if file is not None and not file.is_file():
            near = did_you_mean(file.name, [p.name for p in file.parent.glob("*")] if file.parent.is_dir() else [])
            o.problem("speech", speech, "there is no such file", near)
        length = o.number("seconds", 0.01, 86_400)
        if not {"text", "speech", "seconds"} & set(o.values):
            o.missing("seconds", "how long the over is; only speech knows its own length")
        lead, hold = o.number("lead_s", 0, 10), o.number("hold_s", 0, 10)
        level, talker, voice = o.number("level_db", -40, 40), o.text("talker"), o.text("voice")
        speed, pitch = o.integer("speed", 80, 450), o.integer("pitch", 0, 99)
        source, emergency = None, None
        if digital is not None:
            source, emergency = o.integer("source_id", 0, MOST_SOURCE), o.flag("emergency")
        o.finish()
        if start is None:
            return None
        return OverPlan(
            start, text, file, tone, length, _or(lead, 0.25), _or(hold, 0.1), _or(level, 0.0), talker,
            voice or "en-us", 175 if speed is None else speed, 50 if pitch is None else pitch,
            source, bool(emergency),
        )  # fmt: skip


def _needed(t: Table, key: str, value: Any, what: str) -> Any:
    if key not in t.values:
        t.missing(key, what)
    return value


def _or(value: float | None, default: float) -> float:
    return default if value is None else value


def _db(ratio: float) -> float:

    return 10 * math.log10(ratio)


def _is_dcs(text: str) -> bool:
    return len(text) == 4 and all(c in "01234567" for c in text[:3]) and text[3] in "NI"


def _doubles(names: list[str]) -> list[str]:
    return sorted({n for n in names if names.count(n) > 1})
