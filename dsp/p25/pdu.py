"""Packet data units: a header block and the blocks that follow it (TIA-102.BAAA-B clause 5, TIA-102.AABB-B clause 5).

octet 0     0 · A/N (confirmation wanted) · I/O (outbound) · format (5 bits)
octet 1     1 1 · service access point (6 bits)
octet 2     manufacturer's id
octet 3…5   logical link id
octet 6     full message flag · blocks to follow (7 bits)
octet 7     0 0 0 · pad octets (5 bits)            (format 23: 0 0 · trunking opcode)
octet 8, 9  as the format says
octet 10    CRC of 16 bits
"""

from dataclasses import dataclass
from enum import IntEnum

from dsp.errors import RangeError, ShapeError
from dsp.fec import crc
from dsp.fec.trellis import HALF, THREE_QUARTERS, Trellis
from dsp.p25 import tsbk

HEADER_BYTES = 12


class Format(IntEnum):
    """Formats of a header block (TIA-102.BAAA-B clause 5; trunking by TIA-102.AABB-B clause 5)."""

    RESPONSE = 0x03
    UNCONFIRMED = 0x15
    CONFIRMED = 0x16
    ALTERNATE_TRUNKING = 0x17


TRUNKING_SAPS = (0x3D, 0x3F)
"""Service access points of trunking control in format 21."""


@dataclass(frozen=True, slots=True)
class PduHeader:
    """The header block: its twelve bytes, and what they say."""

    data: bytes

    @classmethod
    def parse(cls, data: bytes) -> "PduHeader":
        """From twelve bytes. Raises `ShapeError`."""
        if len(data) != HEADER_BYTES:
            raise ShapeError(f"packet header of {len(data)} bytes; it has {HEADER_BYTES}")
        return cls(bytes(data))

    @classmethod
    def build(
        cls,
        form: int,
        link_id: int,
        blocks: int,
        *,
        sap: int = 0,
        mfid: int = 0,
        confirm: bool = False,
        outbound: bool = True,
        pad: int = 0,
        last: bytes = bytes(2),
    ) -> "PduHeader":
        """A header with a right CRC. last: octets 8 and 9. Raises `RangeError` for what does not fit."""
        fits = 0 <= form < 32 and 0 <= link_id < 1 << 24 and 0 <= blocks < 128 and 0 <= sap < 64 and 0 <= pad < 64
        if not fits or not 0 <= mfid < 256 or len(last) != 2:
            raise RangeError(f"packet header: format {form}, link id {link_id}, {blocks} blocks, SAP {sap}, pad {pad}")
        first = bytes([confirm << 6 | outbound << 5 | form, 0xC0 | sap, mfid])
        body = first + link_id.to_bytes(3) + bytes([0x80 | blocks, pad]) + last
        return cls(body + crc.ccitt(body).to_bytes(2))

    def encode(self) -> bytes:
        """The twelve bytes."""
        return self.data

    @property
    def valid(self) -> bool:
        """The CRC is right."""
        return crc.ccitt(self.data[:-2]) == int.from_bytes(self.data[-2:])

    @property
    def form(self) -> int:
        """Format, see `Format`."""
        return self.data[0] & 0x1F

    @property
    def outbound(self) -> bool:
        """Sent by the fixed station."""
        return bool(self.data[0] & 0x20)

    @property
    def confirm(self) -> bool:
        """Confirmation is wanted (A/N)."""
        return bool(self.data[0] & 0x40)

    @property
    def sap(self) -> int:
        """Service access point."""
        return self.data[1] & 0x3F

    @property
    def mfid(self) -> int:
        """Manufacturer's id."""
        return self.data[2]

    @property
    def link_id(self) -> int:
        """Logical link id: a unit, or what a trunking message is about."""
        return int.from_bytes(self.data[3:6])

    @property
    def blocks(self) -> int:
        """Data blocks that follow."""
        return self.data[6] & 0x7F

    @property
    def pad(self) -> int:
        """Octets at the end that are not user data."""
        return 0 if self.form == Format.ALTERNATE_TRUNKING else self.data[7] & 0x1F

    @property
    def trunking_opcode(self) -> int | None:
        """Opcode of a multi-block trunking message with an alternate header; None for anything else."""
        return self.data[7] & 0x3F if self.form == Format.ALTERNATE_TRUNKING else None

    @property
    def code(self) -> Trellis:
        """Trellis code of the data blocks."""
        return THREE_QUARTERS if self.form == Format.CONFIRMED else HALF

    def fields(self) -> dict[str, int | bool | str | float]:
        """What the header says, for reports. A damaged one says nothing."""
        if not self.valid:
            return {"crc": False}
        said: dict[str, int | bool | str | float] = {
            "format": self.form,
            "sap": self.sap,
            "link_id": self.link_id,
            "outbound": self.outbound,
            "confirm": self.confirm,
            "blocks": self.blocks,
        }
        if self.mfid:
            said["mfid"] = self.mfid
        if self.trunking_opcode is not None:
            said["opcode"] = self.trunking_opcode
            layout = (tsbk.OUTBOUND if self.outbound else tsbk.INBOUND).get(self.trunking_opcode)
            if layout is not None and not self.mfid:
                said["name"] = layout.name
        return said


def user_data(header: PduHeader, blocks: tuple[bytes, ...]) -> bytes:
    """The octets carried by the data blocks: of confirmed ones without serial number and CRC, all of them one after the
    other, padding and the packet CRC included."""
    if header.code is THREE_QUARTERS:
        return b"".join(block[2:] for block in blocks)
    return b"".join(blocks)


def packet_valid(header: PduHeader, blocks: tuple[bytes, ...]) -> bool:
    """The CRC of 32 bits over the whole packet is right; False without data blocks."""
    data = user_data(header, blocks)
    return len(data) > 4 and crc.crc32(data[:-4]) == int.from_bytes(data[-4:])


def confirmed_block(serial: int, data: bytes) -> bytes:
    """The 18 bytes of one confirmed data block of 16 octets. Raises `ShapeError` or `RangeError`."""
    if len(data) != 16:
        raise ShapeError(f"confirmed data block of {len(data)} octets; it carries 16")
    return (serial << 9 | crc.crc9(serial, data)).to_bytes(2) + data
