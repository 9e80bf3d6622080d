"""What the framer hands on: one thing decoded, with when it was on the air and how many bits were wrong."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dsp.p25.encryption import EncryptionSync
from dsp.p25.link_control import LinkControl
from dsp.p25.nid import Duid, Nid
from dsp.p25.pdu import packet_valid
from dsp.p25.tsbk import Tsbk
from dsp.p25.units import Header, Packet


@dataclass(frozen=True, slots=True, eq=False)
class VoiceFrame:
    """One IMBE frame of 20 ms.

    number: 0 … 8 within its voice unit. llr: (144,) float32 channel bits in the order sent, positive = bit 1, for a
    vocoder that decodes soft. speech: the 88 bits after error correction, 11 bytes, u₀ first. errors: bits corrected in
    each of c₀ … c₆.
    """

    number: int
    llr: NDArray[np.float32]
    speech: bytes
    errors: tuple[int, ...]


Content = Nid | VoiceFrame | Header | LinkControl | EncryptionSync | Tsbk | Packet | None
"""By the name of the frame: NID → Nid, IMBE → VoiceFrame, HDU → Header, LDU1 and TDULC → LinkControl, LDU2 →
EncryptionSync, TSBK → Tsbk, PDU → Packet; None for TDU and where a field is lost."""


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """One thing decoded.

    name: NID, IMBE, HDU, LDU1, LDU2, TDU, TDULC, TSBK or PDU. nac, duid: of the unit it belongs to.
    index: on-air sample of its first symbol. decided: of its last. Both as the modem counts.
    errors, bits: channel bits found wrong, of how many looked at. No bit is counted in two frames.
    valid: it can be trusted. Of IMBE False only where the frame did not come whole; its errors judge the rest.
    coasting: its unit had no readable sync and was assumed to follow the one before.
    low_speed: the two bytes of low speed data (LDU1, LDU2; empty where lost).
    status: the status symbols of its unit up to here, 0 … 3 each.
    """

    name: str
    nac: int
    duid: Duid
    content: Content
    index: int
    decided: int
    errors: int
    bits: int
    valid: bool = True
    coasting: bool = False
    low_speed: bytes = b""
    status: bytes = b""

    @property
    def data(self) -> bytes:
        """The information bytes: 11 of a voice frame, 9 of a link control word, 12 of a trunking block and so on."""
        match self.content:
            case VoiceFrame():
                return self.content.speech
            case Header() | Packet():
                return self.content.data
            case LinkControl() | EncryptionSync() | Tsbk():
                return self.content.encode()
            case _:
                return b""

    def fields(self) -> Mapping[str, int | bool | str | float]:
        """What a report says of it, plain values: unit, hex, nac, errors, bits, and what the content says."""
        said: dict[str, int | bool | str | float] = {
            "unit": self.name,
            "hex": self.data.hex(),
            "nac": self.nac,
            "errors": self.errors,
            "bits": self.bits,
        }
        if not self.valid:
            said["valid"] = False
        if self.coasting:
            said["coasting"] = True
        match self.content:
            case Header() if self.content.encryption is not None:
                said |= _encryption(self.content.encryption) | {"talkgroup": self.content.talkgroup}
                if self.content.mfid:
                    said["mfid"] = self.content.mfid
            case LinkControl() | Tsbk():
                said |= self.content.fields()
            case EncryptionSync():
                said |= _encryption(self.content)
            case Packet():
                said |= self.content.header.fields()
                if self.content.blocks:
                    said["packet_crc"] = packet_valid(self.content.header, self.content.blocks)
            case Nid():
                said["duid"] = self.content.duid.name
        if any(self.low_speed):
            said["low_speed"] = self.low_speed.hex()
        return said


def _encryption(sync: EncryptionSync) -> dict[str, int | bool | str | float]:
    said: dict[str, int | bool | str | float] = {
        "encrypted": not sync.clear,
        "algid": sync.algorithm,
        "keyid": sync.key,
    }
    if not sync.clear:
        said |= {"algorithm": sync.algorithm_name, "mi": sync.message_indicator.hex()}
    return said
