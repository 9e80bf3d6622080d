"""How a port is treated, beside what it is: levels, busy tone, break-in, station identification.

    [[port]]      half_duplex · break_in · break_in_ms · busy_tone · rx_gain_db · tx_gain_db ·
                  ident or ident_file · ident_s · loop_guard · dtmf
    [[channel]]   rx_gain_db · loop_guard · dtmf

Only the standard library is imported here: site files are read by the command line.
"""

from dataclasses import dataclass
from pathlib import Path

from dsp.morse import CODE
from sdrbridge.table import Table, did_you_mean

GAIN_RANGE_DB = (-60.0, 20.0)
"""Gains a port or a leg may have; below that it is a mute, and there is a verb for that."""

DTMF = ("pass", "mute")
"""What may become of digits that are looked for: heard by everybody as they are, or kept from them."""

PAUSES = "pauses"
"""The word for sampling the receiver in speech pauses; anything else is the name of a channel."""


@dataclass(frozen=True, slots=True)
class Handling:
    """How a port is treated.

    rx_gain_db, tx_gain_db: put on what it says and on what it is sent.
    busy_tone: it is told by a tone when it talks and is refused. break_in: how a half-duplex port is heard while it
    transmits: "pauses", by letting go of the key for break_in_ms in speech pauses, or the name of a channel that hears
    the same talkers. ident, ident_file: call sign sent in Morse code, or a WAV file with it spoken; every ident_s
    seconds in which the port was used. loop_guard: it is cut off when our own speech comes back there. dtmf: digits
    keyed there are told, and heard by everybody ("pass") or kept from them ("mute"); None to not look for any.
    """

    rx_gain_db: float = 0.0
    tx_gain_db: float = 0.0
    busy_tone: bool = False
    break_in: str | None = None
    break_in_ms: int = 150
    ident: str | None = None
    ident_file: Path | None = None
    ident_s: float = 600.0
    loop_guard: bool = True
    dtmf: str | None = None


AS_IT_IS = Handling()
"""Nothing special."""


def read_receiving(t: Table, usual: Handling = AS_IT_IS) -> Handling:
    """The keys of a channel, which only receives. usual: what [bridge] says."""
    low, high = GAIN_RANGE_DB
    guard = t.flag("loop_guard")
    dtmf = t.text("dtmf")
    if dtmf is not None and dtmf not in DTMF:
        t.problem("dtmf", dtmf, 'must be "pass" or "mute"', did_you_mean(dtmf, DTMF))
        dtmf = None
    return Handling(
        rx_gain_db=t.number("rx_gain_db", minimum=low, maximum=high) or 0.0,
        loop_guard=usual.loop_guard if guard is None else guard,
        dtmf=dtmf,
    )


def read(t: Table, folder: Path, half_duplex: bool, usual: Handling = AS_IT_IS) -> Handling:
    """The keys of a port. folder: where relative paths count from. Whether break_in is a channel is checked later."""
    low, high = GAIN_RANGE_DB
    base = read_receiving(t, usual)
    break_in = t.text("break_in")
    if break_in is not None and not half_duplex:
        t.problem("break_in", break_in, "is for a port with half_duplex = true; others hear while they transmit")
    break_in_ms = t.integer("break_in_ms", minimum=60, maximum=1000)
    if break_in_ms is not None and break_in != PAUSES:
        t.problem("break_in_ms", break_in_ms, f'goes with break_in = "{PAUSES}"')
    ident, ident_file = t.text("ident"), t.text("ident_file")
    if ident is not None:
        unknown = sorted({c for c in ident.upper() if c not in CODE and c != " "})
        if unknown or not ident.strip():
            t.problem("ident", ident, f"has no Morse code for {' '.join(map(repr, unknown)) or 'nothing'}")
            ident = None
        elif ident_file is not None:
            t.problem("ident_file", ident_file, "ident is given too; give one of them")
    if ident_file is not None and not (folder / ident_file).is_file():
        beside = sorted(p.name for p in folder.glob("*.wav"))
        t.problem("ident_file", ident_file, "there is no such file", did_you_mean(ident_file, beside))
    ident_s = t.number("ident_s", minimum=30, maximum=3600)
    if ident_s is not None and "ident" not in t.seen and "ident_file" not in t.seen:
        t.problem("ident_s", ident_s, "goes with ident or ident_file")
    return Handling(
        rx_gain_db=base.rx_gain_db,
        tx_gain_db=t.number("tx_gain_db", minimum=low, maximum=high) or 0.0,
        busy_tone=bool(t.flag("busy_tone")),
        break_in=break_in,
        break_in_ms=break_in_ms or 150,
        ident=ident,
        ident_file=folder / ident_file if ident_file else None,
        ident_s=ident_s or 600.0,
        loop_guard=base.loop_guard,
        dtmf=base.dtmf,
    )
