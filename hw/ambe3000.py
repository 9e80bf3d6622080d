"""The packet protocol of DVSI's AMBE-3000 vocoder chips (AMBE-3000F Vocoder Chip Users Manual 3.4, clause 6).

    61 LLLL TT ff… ff… 2F pp
    │  │    │  │       └─── parity field, where switched on: the exclusive or of all bytes after the 61 and before pp
    │  │    │  └─ fields: one byte of identifier, then its data
    │  │    └─ type: 00 control, 01 channel (coded speech), 02 speech
    │  └─ length of the fields in bytes, big-endian
    └─ start byte

A speech packet is answered by a channel packet and the other way round; a control packet by one that repeats the
identifiers. On a serial line (460800 baud, 8N1) packets follow each other; AMBEserver sends each in a UDP datagram.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum

from hw.errors import SourceError

START = 0x61
HEADER_BYTES = 4
LONGEST = 1024
"""Bytes of fields in a packet that is believed; the longest in use, 160 samples of speech, has 322."""

P25_FULL_RATE = (0x0558, 0x086B, 0x0000, 0x0000, 0x0000, 0x0158)
"""Rate control words of the full-rate vocoder of P25 without error correction, 88 bits a frame (USB-3000 manual)."""

SPEECH_BITS = 88
FRAME_SAMPLES = 160
LOST_FRAME = 0x0004
"""Flag of the CMODE field: the frame did not come; the decoder goes on from the last (table 109)."""


class Kind(IntEnum):
    """The type byte."""

    CONTROL = 0x00
    CHANNEL = 0x01
    SPEECH = 0x02


class Field(IntEnum):
    """Field identifiers; those of channel and speech packets share numbers with those of control packets."""

    SPEECHD = 0x00
    CHAND = 0x01
    CMODE = 0x02
    RATEP = 0x0A
    INIT = 0x0B
    PARITY = 0x2F
    PRODID = 0x30
    VERSTRING = 0x31
    PARITYMODE = 0x3F
    CHANNEL0 = 0x40


@dataclass(frozen=True, slots=True)
class Packet:
    """One packet. fields: what lies between the type and the parity field."""

    kind: Kind
    fields: bytes

    def encode(self, parity: bool = False) -> bytes:
        """The bytes to send."""
        length = len(self.fields) + 2 * parity
        raw = struct.pack(">BHB", START, length, self.kind) + self.fields
        if parity:
            raw += bytes([Field.PARITY])
            raw += bytes([parity_of(raw[1:])])
        return raw

    @classmethod
    def parse(cls, raw: bytes) -> "Packet":
        """One whole packet. Raises `SourceError` saying what is wrong with it."""
        if len(raw) < HEADER_BYTES or raw[0] != START:
            raise SourceError(f"no AMBE-3000 packet: it begins with {raw[:4].hex(' ') or 'nothing'}; 61 starts one")
        length, kind = struct.unpack(">HB", raw[1:4])
        if len(raw) != HEADER_BYTES + length:
            raise SourceError(f"an AMBE-3000 packet of {len(raw)} bytes that claims {HEADER_BYTES + length}")
        if kind not in Kind.__members__.values():
            raise SourceError(f"an AMBE-3000 packet of type {kind:#04x}; there are 00, 01 and 02")
        fields = raw[HEADER_BYTES:]
        if len(fields) >= 2 and fields[-2] == Field.PARITY and parity_of(raw[1:-1]) == fields[-1]:
            fields = fields[:-2]
        return cls(Kind(kind), fields)


def parity_of(raw: bytes) -> int:
    """The exclusive or of all bytes."""
    found = 0
    for byte in raw:
        found ^= byte
    return found


class Splitter:
    """Finds packets in a stream of bytes, and its way back after rubbish. rubbish: bytes passed over so far."""

    def __init__(self) -> None:
        self._held = bytearray()
        self.rubbish = 0

    def push(self, data: bytes) -> Iterator[Packet]:
        """Add what was received; yields the packets that are whole now."""
        self._held += data
        while True:
            start = self._held.find(START)
            self._pass_over(len(self._held) if start < 0 else start)
            if len(self._held) < HEADER_BYTES:
                return
            length, kind = struct.unpack(">HB", self._held[1:HEADER_BYTES])
            if length > LONGEST or kind > Kind.SPEECH:
                self._pass_over(1)
                continue
            whole = HEADER_BYTES + length
            if len(self._held) < whole:
                return
            raw = bytes(self._held[:whole])
            del self._held[:whole]
            yield Packet.parse(raw)

    def _pass_over(self, n: int) -> None:
        self.rubbish += n
        del self._held[:n]


def parity_off() -> Packet:
    """Ask for packets without parity; to be sent with parity, which is on after a reset."""
    return Packet(Kind.CONTROL, bytes([Field.PARITYMODE, 0]))


def product() -> Packet:
    """Ask what it is."""
    return Packet(Kind.CONTROL, bytes([Field.PRODID]))


def rate(words: tuple[int, ...]) -> Packet:
    """Set the six rate control words."""
    return Packet(Kind.CONTROL, bytes([Field.RATEP]) + struct.pack(">6H", *words))


def initialise() -> Packet:
    """Begin encoder and decoder afresh."""
    return Packet(Kind.CONTROL, bytes([Field.INIT, 3]))


def speech(samples: bytes) -> Packet:
    """160 samples to encode, big-endian 16 bit."""
    return Packet(Kind.SPEECH, bytes([Field.SPEECHD, FRAME_SAMPLES]) + samples)


def channel(bits: bytes, lost: bool = False) -> Packet:
    """88 bits to decode, packed; lost: they never came, go on from the last frame."""
    mode = bytes([Field.CMODE]) + struct.pack(">H", LOST_FRAME) if lost else b""
    return Packet(Kind.CHANNEL, mode + bytes([Field.CHAND, SPEECH_BITS]) + bits)


def answered(packet: Packet, field: Field) -> bytes | None:
    """What a control packet says in answer to `field`; None if it is no answer to it."""
    fields = packet.fields.removeprefix(bytes([Field.CHANNEL0]))
    if packet.kind is not Kind.CONTROL or not fields or fields[0] != field:
        return None
    return fields[1:]


def payload(packet: Packet, kind: Kind) -> bytes | None:
    """Samples (320 bytes) of a speech packet, or the 11 bytes of a channel packet; None if it holds neither."""
    field, count, size = {
        Kind.SPEECH: (Field.SPEECHD, FRAME_SAMPLES, 2 * FRAME_SAMPLES),
        Kind.CHANNEL: (Field.CHAND, SPEECH_BITS, SPEECH_BITS // 8),
    }[kind]
    fields = packet.fields
    if fields[:1] == bytes([Field.CHANNEL0]):
        fields = fields[1:]
    if packet.kind is not kind or len(fields) < 2 + size or fields[0] != field or fields[1] != count:
        return None
    return fields[2 : 2 + size]
