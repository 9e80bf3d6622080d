"""Mode presets: what a mode and a bandwidth mean for the receive chain. Data, each row complete in itself.

Deviations: TIA-603-E 3.2.15 (2.5 kHz for 12.5 kHz channels, 5 kHz for 25 kHz channels), 47 CFR 73.1570 (75 kHz,
broadcast). AM 8.33 kHz: ETSI EN 300 676-1. P25: TIA-102.CAAB-E, channels of 12.5 kHz.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Preset:
    """One mode at one channel bandwidth.

    mode: name in the site file. bandwidth_hz: channel width in the site file. filter_hz: two-sided passband of the
    channel filter. rate: sample rate of the channel baseband. deviation_hz: peak deviation that is full scale (FM
    only). offset_hz: where the passband's centre lies from the channel's frequency (SSB: half the speech band).
    """

    mode: str
    bandwidth_hz: int
    filter_hz: float
    rate: int
    deviation_hz: float = 0.0
    offset_hz: float = 0.0

    @property
    def kind(self) -> str:
        """The demodulator: "fm", "am", "ssb" or "p25"."""
        return {"nfm": "fm", "wfm": "fm", "am": "am", "usb": "ssb", "lsb": "ssb", "p25": "p25"}[self.mode]


PRESETS: dict[str, tuple[Preset, ...]] = {
    # At 16 kHz every stage of a 12.5 kHz channel costs a third less; the channel filter is through at ±6.6 kHz.
    "nfm": (
        Preset("nfm", 12_500, 11_000.0, 16_000, deviation_hz=2_500.0),
        Preset("nfm", 25_000, 16_000.0, 24_000, deviation_hz=5_000.0),
    ),
    "am": (
        Preset("am", 25_000, 8_000.0, 24_000),
        Preset("am", 8_330, 5_600.0, 24_000),
    ),
    "usb": (Preset("usb", 3_000, 2_800.0, 24_000, offset_hz=1_500.0),),
    "lsb": (Preset("lsb", 3_000, 2_800.0, 24_000, offset_hz=-1_500.0),),
    "wfm": (Preset("wfm", 200_000, 190_000.0, 240_000, deviation_hz=75_000.0),),
    # Wider than the 9.6 kHz of the signal by the 1.5 kHz a transmitter may be off to either side.
    "p25": (Preset("p25", 12_500, 13_000.0, 24_000),),
}
"""Mode → its presets; the first is the default."""

DISCRIMINATOR_MODES = ("nfm", "p25")
"""Modes that are received from the audio of another receiver's discriminator as well."""

LATER_MODES = ("dmr", "nxdn", "m17", "dstar", "ysf", "tetra", "pocsag", "flex", "eas")
"""Modes the site file knows but this version does not receive."""
