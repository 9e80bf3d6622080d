"""What the file names that other programs give to their recordings say.

    SDR#        SDRSharp_20261123_120000Z_155752500Hz_IQ.wav
    HDSDR       HDSDR_20200101_120000Z_14100kHz_RF.wav
    SDRuno      SDRuno_20200910_115546Z_40kHz.wav
    SDRconnect  SDRconnect_IQ_20240101_120000_162550000HZ.wav
    gqrx        gqrx_20261123_120000_155752500_250000_fc.raw       centre, rate, float complex
    rtl_433     g001_433.92M_250k.cu8                              centre, rate

A time is taken only where the zone is known: a trailing Z, or gqrx, which writes UTC.
"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime

_GQRX = re.compile(r"^gqrx_(\d{8})_(\d{6})_(\d{1,12})_(\d{1,10})_fc\b", re.ASCII)
_STAMPED = re.compile(
    r"^([A-Za-z#]+)\w*?_(\d{8})_(\d{6})(Z?)_(\d{1,12})(k?)Hz(?:_(RF|IQ|AF))?", re.ASCII | re.IGNORECASE
)
_RTL_433 = re.compile(r"_(\d{1,5}(?:\.\d{1,6})?)M_(\d{1,5})k(?=\.|_)", re.ASCII)


@dataclass(frozen=True, slots=True)
class NameFacts:
    """What a file name says; None for what it does not.

    resolution_hz: how far `center_hz` may be off because the name rounds it. audio: it names itself demodulated audio.
    """

    program: str | None = None
    center_hz: int | None = None
    resolution_hz: int = 0
    rate: int | None = None
    start: datetime | None = None
    sample_type: str | None = None
    audio: bool = False


def read_name(name: str) -> NameFacts:
    """The facts in a file name (without folders)."""
    if m := _GQRX.match(name):
        return NameFacts("gqrx", int(m[3]), 0, int(m[4]), _time(m[1], m[2]), "cf32_le")
    if m := _STAMPED.match(name):
        unit = 1000 if m[6] else 1
        start = _time(m[2], m[3]) if m[4] else None
        return NameFacts(m[1], int(m[5]) * unit, unit // 2, None, start, None, (m[7] or "").upper() == "AF")
    if m := _RTL_433.search(name):
        return NameFacts("rtl_433", round(float(m[1]) * 1e6), 0, int(m[2]) * 1000)
    return NameFacts()


def _time(day: str, clock: str) -> datetime | None:
    try:
        return datetime.strptime(day + clock, "%Y%m%d%H%M%S").replace(tzinfo=UTC)
    except ValueError:
        return None
