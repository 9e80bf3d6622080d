"""The network identifier: which system, and what kind of data unit follows (TIA-102.BAAA-B clause 7.5)."""

from dataclasses import dataclass
from enum import IntEnum
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from dsp.errors import RangeError
from dsp.fec import bch, soft


class Duid(IntEnum):
    """Kinds of data units (clause 7.5.1; TSDU by TIA-102.AABB-B clause 4.2)."""

    HDU = 0x0
    """Header: encryption and talkgroup before a voice message."""
    TDU = 0x3
    """Terminator."""
    LDU1 = 0x5
    """Nine voice frames with link control."""
    TSDU = 0x7
    """One to three trunking blocks."""
    LDU2 = 0xA
    """Nine voice frames with encryption sync."""
    PDU = 0xC
    """Packet: a header block and data blocks."""
    TDULC = 0xF
    """Terminator with link control."""


_KNOWN = np.isin(np.arange(16), list(Duid))


@dataclass(frozen=True, slots=True)
class Nid:
    """One network identifier.

    nac: network access code, 12 bits. duid: kind of the unit.
    """

    nac: int
    duid: Duid

    def encode(self) -> NDArray[np.uint8]:
        """The 64 bits sent, (64,) uint8. Raises `RangeError` unless 0 ≤ nac < 4096."""
        if not 0 <= self.nac < 4096:
            raise RangeError(f"NAC = {self.nac:#x} does not fit 12 bits: 0 … 0xfff")
        return np.unpackbits(np.frombuffer(bch.encode(self.nac << 4 | self.duid).to_bytes(8), dtype=np.uint8))


@dataclass(frozen=True, slots=True)
class NidVerdict:
    """The likeliest network identifier of a received word, and how likely.

    errors: bits of the received word that differ from it. agreement: sum of the levels, each with the sign it gives it.
    """

    nid: Nid
    errors: int
    agreement: int


@lru_cache(maxsize=64)
def _words(nac: int) -> NDArray[np.uint16]:
    """The seven data words of a NAC."""
    return np.array([nac << 4 | duid for duid in Duid], dtype=np.uint16)


def decode(levels: soft.Levels, nac: int | None = None) -> NidVerdict:
    """The likeliest network identifier among all, or among those with a known NAC.

    levels: (64,) from `dsp.fec.soft.levels`. Eleven errors are always corrected; the caller judges what lies beyond.
    """
    if nac is None:
        data, agreement, errors = bch.decode(levels, _KNOWN)
    else:
        data, agreement, errors = bch.decode_among(levels, _words(nac))
    return NidVerdict(Nid(data >> 4, Duid(data & 0xF)), errors, agreement)
