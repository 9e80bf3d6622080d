"""The data units of Phase 1: from the symbols of a whole unit to what it says and back (TIA-102.BAAA-B clause 7).

    HDU      header · 10 nulls                                                      396 symbols
    LDU1/2   V1 V2 F1 V3 F2 V4 F3 V5 F4 V6 F5 V7 F6 V8 low speed data V9            864
    TDU      28 nulls                                                                72
    TDULC    link control · 20 nulls                                                216
    TSDU     one to three trunking blocks                                    180 … 360
    PDU      header block · data blocks                                         variable

V: a voice frame of 144 channel bits. F: 40 bits, a sixth of the link control (LDU1) or of the encryption sync (LDU2).
Annex A of the standard lists every bit; the order within each field is the order sent.

`encode` gives the dibits of the unit with sync, identifier and status symbols. `parse` takes the symbols of one unit,
soft or hard, and gives its class; a field that is lost is None, and `encode` needs all of them.
"""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from dsp.errors import RangeError, ShapeError
from dsp.fec import soft
from dsp.fec.trellis import THREE_QUARTERS
from dsp.p25 import block, symbols
from dsp.p25.codewords import (
    HEADER_FIELD,
    LINK_FIELD,
    LOW_SPEED_BITS,
    SYNC_FIELD,
    TERMINATOR_FIELD,
    Word,
    decode_low_speed,
    encode_low_speed,
)
from dsp.p25.encryption import EncryptionSync
from dsp.p25.link_control import LinkControl
from dsp.p25.nid import Duid, Nid, decode
from dsp.p25.pdu import PduHeader
from dsp.p25.symbols import NID_DIBITS, SYNC_BITS, SYNC_DIBITS, SoftDibits, symbols_for
from dsp.p25.tsbk import Tsbk

HEAD_DIBITS = SYNC_DIBITS + NID_DIBITS
HEAD_SYMBOLS = symbols_for(HEAD_DIBITS)
"""Symbols of sync and network identifier, the status symbol among them included."""

VOICE_BITS = 144
VOICE_FRAMES = 9
FIELD_PART_BITS = 40
MOST_TRUNKING_BLOCKS = 3
MOST_DATA_BLOCKS = 127

_CLEAR = EncryptionSync()

UNIT_SYMBOLS = {Duid.HDU: 396, Duid.TDU: 72, Duid.LDU1: 864, Duid.LDU2: 864, Duid.TDULC: 216}
"""Symbols of the units whose length is fixed, sync and status included."""


def block_unit_symbols(blocks: int) -> int:
    """Symbols of a unit of so many trellis coded blocks, filled up to the next status symbol."""
    dibits = HEAD_DIBITS + block.DIBITS * blocks
    return -(-dibits // 35) * 36


def _ldu_places() -> tuple[list[slice], list[slice], slice]:
    """Where the voice frames, the six parts of the field and the low speed data lie among the body's bits."""
    at = 0
    voice, field = [], []
    for frame in range(VOICE_FRAMES):
        voice.append(slice(at, at + VOICE_BITS))
        at += VOICE_BITS
        if 1 <= frame <= 6:
            field.append(slice(at, at + FIELD_PART_BITS))
            at += FIELD_PART_BITS
        elif frame == 7:
            low_speed = slice(at, at + LOW_SPEED_BITS)
            at += LOW_SPEED_BITS
    return voice, field, low_speed


VOICE_PLACES, FIELD_PLACES, LOW_SPEED_PLACE = _ldu_places()


def body_bits(llr: SoftDibits) -> NDArray[np.float32]:
    """Soft bits of what follows the identifier, without status symbols. llr: the symbols of a unit from its sync on."""
    return llr[symbols.information(len(llr))][HEAD_DIBITS:].reshape(-1)


def ldu_field(body: NDArray[np.float32]) -> NDArray[np.float32]:
    """The (240,) soft bits of the link control or encryption sync among a voice unit's body bits."""
    return np.concatenate([body[place] for place in FIELD_PLACES])


def _assemble(nac: int, duid: Duid, body: NDArray[np.uint8], status: int) -> NDArray[np.uint8]:
    return symbols.with_status(np.concatenate([SYNC_BITS, Nid(nac, duid).encode(), body]), status)


def _missing(unit: str, field: str) -> RangeError:
    return RangeError(f"{unit} without its {field} cannot be encoded")


def _ldu_body(voice: tuple[bytes, ...], field: NDArray[np.uint8], low_speed: bytes) -> NDArray[np.uint8]:
    if len(voice) != VOICE_FRAMES or any(len(frame) != VOICE_BITS // 8 for frame in voice):
        raise ShapeError(f"voice unit of {[len(frame) for frame in voice]} bytes; it has nine frames of 18")
    body = np.empty(LOW_SPEED_PLACE.stop + VOICE_BITS, dtype=np.uint8)
    for place, frame in zip(VOICE_PLACES, voice):
        body[place] = np.unpackbits(np.frombuffer(frame, dtype=np.uint8))
    for i, place in enumerate(FIELD_PLACES):
        body[place] = field[i * FIELD_PART_BITS : (i + 1) * FIELD_PART_BITS]
    body[LOW_SPEED_PLACE] = encode_low_speed(low_speed)
    return body


def voice_of(body: NDArray[np.float32]) -> tuple[bytes, ...]:
    """Hard channel bits of the nine voice frames of a voice unit's body bits, 18 bytes each."""
    return tuple(np.packbits(soft.to_bits(body[place])).tobytes() for place in VOICE_PLACES)


@dataclass(frozen=True, slots=True)
class Header:
    """HDU, before the first voice frame. 15 bytes: message indicator, MFID, algorithm, key, talkgroup."""

    nac: int
    encryption: EncryptionSync | None = _CLEAR
    mfid: int = 0
    talkgroup: int = 0

    @classmethod
    def read(cls, nac: int, word: Word) -> Self:
        """From the decoded header field."""
        if not word.valid:
            return cls(nac, None)
        data = word.data
        sync = EncryptionSync(data[:9], data[10], int.from_bytes(data[11:13]))
        return cls(nac, sync, data[9], int.from_bytes(data[13:15]))

    @property
    def data(self) -> bytes:
        """The 15 bytes; empty where they are lost."""
        if self.encryption is None:
            return b""
        sync = self.encryption.encode()
        return sync[:9] + bytes([self.mfid]) + sync[9:] + self.talkgroup.to_bytes(2)

    def encode(self, status: int = 0b10) -> NDArray[np.uint8]:
        """The dibits sent."""
        if self.encryption is None:
            raise _missing("HDU", "header field")
        return _assemble(self.nac, Duid.HDU, HEADER_FIELD.encode(self.data), status)


@dataclass(frozen=True, slots=True)
class VoiceUnit1:
    """LDU1: nine voice frames of 18 bytes (channel bits), the link control and two bytes of low speed data."""

    nac: int
    voice: tuple[bytes, ...]
    link_control: LinkControl | None
    low_speed: bytes = bytes(2)

    @property
    def data(self) -> bytes:
        """The nine bytes of the link control; empty where they are lost."""
        return self.link_control.encode() if self.link_control else b""

    def encode(self, status: int = 0b10) -> NDArray[np.uint8]:
        """The dibits sent."""
        if self.link_control is None:
            raise _missing("LDU1", "link control")
        body = _ldu_body(self.voice, LINK_FIELD.encode(self.data), self.low_speed)
        return _assemble(self.nac, Duid.LDU1, body, status)


@dataclass(frozen=True, slots=True)
class VoiceUnit2:
    """LDU2: nine voice frames of 18 bytes (channel bits), the encryption sync and two bytes of low speed data."""

    nac: int
    voice: tuple[bytes, ...]
    encryption: EncryptionSync | None
    low_speed: bytes = bytes(2)

    @property
    def data(self) -> bytes:
        """The twelve bytes of the encryption sync; empty where they are lost."""
        return self.encryption.encode() if self.encryption else b""

    def encode(self, status: int = 0b10) -> NDArray[np.uint8]:
        """The dibits sent."""
        if self.encryption is None:
            raise _missing("LDU2", "encryption sync")
        body = _ldu_body(self.voice, SYNC_FIELD.encode(self.data), self.low_speed)
        return _assemble(self.nac, Duid.LDU2, body, status)


@dataclass(frozen=True, slots=True)
class Terminator:
    """TDU: the end of a voice message."""

    nac: int
    data = b""

    def encode(self, status: int = 0b10) -> NDArray[np.uint8]:
        """The dibits sent."""
        return _assemble(self.nac, Duid.TDU, np.zeros(28, dtype=np.uint8), status)


@dataclass(frozen=True, slots=True)
class TerminatorLinkControl:
    """TDULC: the end of a voice message, with a link control word."""

    nac: int
    link_control: LinkControl | None

    @property
    def data(self) -> bytes:
        """The nine bytes of the link control; empty where they are lost."""
        return self.link_control.encode() if self.link_control else b""

    def encode(self, status: int = 0b10) -> NDArray[np.uint8]:
        """The dibits sent."""
        if self.link_control is None:
            raise _missing("TDULC", "link control")
        return _assemble(self.nac, Duid.TDULC, TERMINATOR_FIELD.encode(self.data), status)


@dataclass(frozen=True, slots=True)
class Trunking:
    """TSDU: one to three trunking blocks; the last has its last-block flag set."""

    nac: int
    blocks: tuple[Tsbk, ...]

    @property
    def data(self) -> bytes:
        """The bytes of all blocks."""
        return b"".join(b.encode() for b in self.blocks)

    def encode(self, status: int = 0b10) -> NDArray[np.uint8]:
        """The dibits sent. Raises `ShapeError` unless there are one to three blocks."""
        if not 1 <= len(self.blocks) <= MOST_TRUNKING_BLOCKS:
            raise ShapeError(f"TSDU of {len(self.blocks)} blocks; it has one to three")
        body = np.concatenate([block.encode(b.encode()) for b in self.blocks])
        return _assemble(self.nac, Duid.TSDU, body, status)


@dataclass(frozen=True, slots=True)
class Packet:
    """PDU: a header block and the data blocks as they are on the air, 12 or 18 bytes each."""

    nac: int
    header: PduHeader
    blocks: tuple[bytes, ...] = ()

    @property
    def data(self) -> bytes:
        """The bytes of the header and of all blocks."""
        return self.header.encode() + b"".join(self.blocks)

    def encode(self, status: int = 0b10) -> NDArray[np.uint8]:
        """The dibits sent."""
        body = [block.encode(self.header.encode()), *(block.encode(b, self.header.code) for b in self.blocks)]
        return _assemble(self.nac, Duid.PDU, np.concatenate(body), status)


Unit = Header | VoiceUnit1 | VoiceUnit2 | Terminator | TerminatorLinkControl | Trunking | Packet


def parse(unit: ArrayLike) -> Unit:
    """The unit in the symbols of exactly one, from its sync on, soft or hard.

    unit: as `symbols.soft_dibits` takes. Whatever the signal, the result is some unit: the likeliest kind, with what
    could be read of it. Raises `ShapeError` when there are too few symbols for it.
    """
    llr = symbols.soft_dibits(unit)
    if len(llr) < HEAD_SYMBOLS:
        raise ShapeError(f"data unit of {len(llr)} symbols; the shortest has {UNIT_SYMBOLS[Duid.TDU]}")
    head = llr[symbols.information(HEAD_SYMBOLS)]
    nid = decode(soft.levels(head[SYNC_DIBITS:].reshape(-1))).nid
    needed = UNIT_SYMBOLS.get(nid.duid, block_unit_symbols(1))
    if len(llr) < needed:
        raise ShapeError(f"{nid.duid.name} of {len(llr)} symbols; it has {needed}")
    return _READERS[nid.duid](nid.nac, llr)


def link_control_of(word: Word) -> LinkControl | None:
    """The link control of a decoded field, None where it is lost."""
    return LinkControl.parse(word.data) if word.valid else None


def encryption_of(word: Word) -> EncryptionSync | None:
    """The encryption sync of a decoded field, None where it is lost."""
    return EncryptionSync.parse(word.data) if word.valid else None


def _header(nac: int, llr: SoftDibits) -> Unit:
    return Header.read(nac, HEADER_FIELD.decode(body_bits(llr)[: HEADER_FIELD.bits]))


def _ldu1(nac: int, llr: SoftDibits) -> Unit:
    body = body_bits(llr)
    word = LINK_FIELD.decode(ldu_field(body))
    return VoiceUnit1(nac, voice_of(body), link_control_of(word), decode_low_speed(body[LOW_SPEED_PLACE]).data)


def _ldu2(nac: int, llr: SoftDibits) -> Unit:
    body = body_bits(llr)
    word = SYNC_FIELD.decode(ldu_field(body))
    return VoiceUnit2(nac, voice_of(body), encryption_of(word), decode_low_speed(body[LOW_SPEED_PLACE]).data)


def _terminator(nac: int, llr: SoftDibits) -> Unit:
    return Terminator(nac)


def _terminator_lc(nac: int, llr: SoftDibits) -> Unit:
    return TerminatorLinkControl(nac, link_control_of(TERMINATOR_FIELD.decode(body_bits(llr)[: TERMINATOR_FIELD.bits])))


def block_llr(body: NDArray[np.float32], number: int) -> NDArray[np.float32]:
    """The (98, 2) soft dibits of one trellis coded block among the body bits of a unit."""
    return body.reshape(-1, 2)[number * block.DIBITS : (number + 1) * block.DIBITS]


def _trunking(nac: int, llr: SoftDibits) -> Unit:
    body, found = body_bits(llr), []
    for number in range(min(MOST_TRUNKING_BLOCKS, len(body) // (2 * block.DIBITS))):
        found.append(Tsbk.parse(block.decode(block_llr(body, number)).data))
        if found[-1].valid and found[-1].last:
            break
    return Trunking(nac, tuple(found))


def _packet(nac: int, llr: SoftDibits) -> Unit:
    body = body_bits(llr)
    header = PduHeader.parse(block.decode(block_llr(body, 0)).data)
    count = min(header.blocks, len(body) // (2 * block.DIBITS) - 1) if header.valid else 0
    return Packet(nac, header, tuple(data_block(header, block_llr(body, n)).data for n in range(1, count + 1)))


def data_block(header: PduHeader, llr: NDArray[np.float32]) -> block.Block:
    """One data block of a packet; those of confirmed packets have a CRC of their own."""
    return block.decode(llr, header.code, checked=header.code is THREE_QUARTERS)


_READERS = {
    Duid.HDU: _header,
    Duid.LDU1: _ldu1,
    Duid.LDU2: _ldu2,
    Duid.TDU: _terminator,
    Duid.TDULC: _terminator_lc,
    Duid.TSDU: _trunking,
    Duid.PDU: _packet,
}
