"""What a site is: frozen dataclasses, made from a site file by `load`, which finds every problem at once.

    TOML ─`tomlfile`─▶ tables ─`sitereader`─▶ Site ─`sitechecks`─▶ Site, or `ConfigError` with all that is wrong

Only the standard library is imported here: the command line reads site files and has to start at once.
"""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

from dsp.tones.codes import equivalent_codes
from sdrbridge import modes
from sdrbridge.errors import ConfigError
from sdrbridge.handling import AS_IT_IS, Handling
from sdrbridge.keeping import USUAL_JOURNAL, USUAL_RECORDER, JournalConfig, RecorderConfig
from sdrbridge.ports.kinds import NoSettings
from sdrbridge.units import format_frequency
from sdrbridge.vocoders import OWN_VOCODER

FULL_SCALE_HZ = 5_000
"""Deviation that discriminator audio shows as digital full scale, where the site file does not say it."""


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
    # The reader makes the classes above, so it cannot be imported before them.
    from sdrbridge import sitechecks, sitereader

    site, problems = sitereader.read(path)
    problems += sitechecks.problems(site, probe)
    if problems:
        raise ConfigError(problems)
    return site


def _plain(value: object) -> object:
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items() if item is not None}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return str(value) if isinstance(value, Path) else value
