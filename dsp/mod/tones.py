"""What a transmitter sends below the speech: a continuous tone (CTCSS) or a digital code (DCS).

CTCSS: a sine under 300 Hz for the whole over (TIA-603-E, CTCSS). Many radios turn its phase by 180° or
120° for the last 150 to 200 ms, the reverse burst, so that the receiver closes before the noise comes.

DCS: a 23-bit Golay word, again and again without a break, 134.4 bit/s, frequency-modulated directly (TIA-603-E,
CDCSS). The over ends with a 134.4 Hz tone of 150 to 200 ms, the turn-off code.

    bit      22        12 11 10 9 8      0
            ┌────────────┬───────┬────────┐
            │ parity     │ 1 0 0 │ code   │   sent from bit 0 on; code: three octal digits, "023" = 000 010 011
            └────────────┴───────┴────────┘

The parity is that of the Golay (23,12) code, g(x) = x¹¹+x⁹+x⁷+x⁶+x⁵+x+1; the bit sent first is the highest power.

A signal is a function of the samples since the key was pressed, ±1 at its peak; deviation and carrier belong to the
modulator.
"""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from dsp.errors import RangeError
from dsp.mod import phase

DEFAULT_SHARE = 0.15
"""Deviation of tone or code as a share of the channel's maximum: 375 Hz of 2.5 kHz, 750 Hz of 5 kHz (radios send
0.5 to 1 kHz of 5 kHz, and half of it in 12.5 kHz channels)."""

GOLAY_GENERATOR = 0xAE3
"""x¹¹+x⁹+x⁷+x⁶+x⁵+x+1, generator of the perfect Golay (23,12) code."""

_FIXED = 0b100 << 9
_DATA_BITS = 12
_PARITY_BITS = 11
_WORD_BITS = 23

_EDGE = 0.5
"""Transition between two bits in bit times: a raised cosine, which leaves nothing audible above 300 Hz."""


@dataclass(frozen=True, slots=True)
class Ctcss:
    """A continuous tone.

    hz: 30 … 300. deviation_hz: peak; None for 15 % of the channel's maximum. burst_deg: phase turn at the release, 180
    or 120 where radios use it; 0 for none. tail_s: carrier after the release, with the turned phase.
    """

    hz: float
    deviation_hz: float | None = None
    burst_deg: float = 0.0
    tail_s: float = 0.0

    def __post_init__(self) -> None:
        if not 30 <= self.hz <= 300:
            raise RangeError(f"CTCSS tone = {self.hz:g} Hz is outside 30 … 300 Hz, below the speech")

    def wave(self, since: NDArray[np.int64], released: int | None, rate: int) -> NDArray[np.float64]:
        """The tone at `since` samples after the key was pressed; `released` of them to the release."""
        turned = phase.at(since, phase.step(self.hz, rate))
        if released is not None:
            turned = turned + (since >= released) * np.int64(phase.step(self.burst_deg, 360))
        return np.sin(phase.radians(turned))


@dataclass(frozen=True, slots=True)
class Dcs:
    """A digital code.

    code: "023N" or "023I". N: a 1 is the higher frequency; I: the lower. deviation_hz: peak; None for 15 % of the
    channel's maximum. tail_s: length of the turn-off code after the release; 0 for none.
    """

    BITS_PER_S: ClassVar[float] = 134.4

    code: str
    deviation_hz: float | None = None
    tail_s: float = 0.18

    def __post_init__(self) -> None:
        _parse(self.code)

    @property
    def word(self) -> int:
        """The 23-bit word, bit 0 sent first."""
        return dcs_word(self.code)

    def wave(self, since: NDArray[np.int64], released: int | None, rate: int) -> NDArray[np.float64]:
        """The code at `since` samples after the key was pressed; `released` of them to the release."""
        levels = np.array([1.0 if self.word >> i & 1 else -1.0 for i in range(_WORD_BITS)])
        # 134.4 = 672 / 5: bit number and place within the bit by whole numbers, without drift.
        number, place = np.divmod(since * 672, 5 * rate)
        now, before = levels[number % _WORD_BITS], levels[(number - 1) % _WORD_BITS]
        before = np.where(number > 0, before, now)
        edge = np.minimum(place / (5 * rate * _EDGE), 1.0)
        out = before + (now - before) * (0.5 - 0.5 * np.cos(np.pi * edge))
        if released is not None:
            tone = np.sin(phase.radians(phase.at(since, phase.step(self.BITS_PER_S, rate))))
            out = np.where(since >= released, tone, out)
        return np.asarray(out if self.code.upper().endswith("N") else -out)


Signalling = Ctcss | Dcs


def dcs_word(code: str) -> int:
    """The 23-bit DCS word of "023", "023N" or "023I", bit 0 sent first. Polarity is the modulator's, not the word's.

    Raises `RangeError` for anything but three octal digits and an optional N or I.
    """
    data = _FIXED | _parse(code if code[-1:].upper() in ("N", "I") else code + "N")
    # Sent first means highest power: turn the data round, divide, turn the remainder round.
    remainder = _reversed(data, _DATA_BITS) << _PARITY_BITS
    for bit in range(_WORD_BITS - 1, _PARITY_BITS - 1, -1):
        if remainder >> bit & 1:
            remainder ^= GOLAY_GENERATOR << (bit - _PARITY_BITS)
    return _reversed(remainder, _PARITY_BITS) << _DATA_BITS | data


def _reversed(value: int, bits: int) -> int:
    return int(f"{value:0{bits}b}"[::-1], 2)


def _parse(code: str) -> int:
    digits, polarity = code[:-1], code[-1:].upper()
    if len(digits) != 3 or any(d not in "01234567" for d in digits) or polarity not in ("N", "I"):
        raise RangeError(f'DCS code = "{code}" is not three octal digits and N or I, as "023N"')
    return int(digits, 8)
