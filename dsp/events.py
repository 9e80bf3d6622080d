"""What the detectors of `dsp` say: an event of one row, with the time it happened and the time it became known.

`index` is on-air time: the sample at which the thing began or ended at the antenna. `decided` is the first index past
the newest sample the decision needed, never before `index`; the difference is what look-back must bridge. Both count
samples at `rate`.
"""

from dataclasses import dataclass
from enum import Enum


class EventKind(Enum):
    """What happened."""

    OPEN = "open"
    """A signal is there. value: its signal-to-noise ratio in dB when decided."""
    CLOSE = "close"
    """The signal is gone. value: None."""
    CTCSS = "ctcss"
    """A continuous tone is there. value: its frequency in Hz (of the table, or one configured)."""
    CTCSS_LOST = "ctcss_lost"
    """The tone is gone. value: the frequency it had."""
    REVERSE_BURST = "reverse_burst"
    """The tone turned its phase to announce the end of the over. value: the frequency."""
    DCS = "dcs"
    """A digital code is there. value: "023N" or "023I"."""
    DCS_LOST = "dcs_lost"
    """The code is gone. value: the code."""
    DCS_TURN_OFF = "dcs_turn_off"
    """The 134.4 Hz turn-off code announces the end of the over. value: the code it had."""
    FRAME = "frame"
    """A unit of a digital mode was decoded. value: None; the unit travels beside it."""


@dataclass(frozen=True, slots=True)
class RowEvent:
    """One event of one row of a bank.

    row: row of the bank. index, decided: see above. rate: samples per second of both. value: as the kind says.
    """

    kind: EventKind
    row: int
    index: int
    decided: int
    rate: int
    value: float | str | None = None
