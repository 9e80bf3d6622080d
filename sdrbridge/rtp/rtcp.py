"""RTCP: reports, names and farewells (RFC 3550, 6.4 to 6.6), how often they are sent (6.3, A.7), and how a receiver
counts loss and jitter (6.4.1, A.1, A.3, A.8).

compound packet = SR or RR, then SDES, BYE or anything; what is none of these is passed over by its length
"""

import math
import struct
from dataclasses import dataclass

from sdrbridge.rtp.packet import LONGEST, ahead

SR, RR, SDES, BYE = 200, 201, 202, 203

_CNAME = 1

_BLOCK = struct.Struct(">IIIIII")
_SENDER = struct.Struct(">IIIII")


@dataclass(frozen=True, slots=True)
class ReportBlock:
    """What a receiver says of one source. fraction: lost since the last report, 1/256. lost: in all, signed 24 bits.

    highest: extended sequence number. jitter: timestamp units. last_sr, delay: for the round trip, 1/65536 s.
    """

    ssrc: int
    fraction: int
    lost: int
    highest: int
    jitter: int
    last_sr: int = 0
    delay: int = 0

    def encode(self) -> bytes:
        """24 bytes."""
        lost = max(-(1 << 23), min(self.lost, (1 << 23) - 1)) & 0xFFFFFF
        return _BLOCK.pack(self.ssrc, self.fraction << 24 | lost, self.highest, self.jitter, self.last_sr, self.delay)


@dataclass(frozen=True, slots=True)
class SenderInfo:
    """What a sender says of itself. ntp: 64 bits, seconds since 1900 and their fraction."""

    ntp: int
    timestamp: int
    packets: int
    octets: int


@dataclass(frozen=True, slots=True)
class Report:
    """A sender report, or a receiver report where sender is None."""

    ssrc: int
    sender: SenderInfo | None = None
    blocks: tuple[ReportBlock, ...] = ()

    def encode(self) -> bytes:
        """One RTCP packet."""
        body = struct.pack(">I", self.ssrc)
        if self.sender is not None:
            s = self.sender
            body += _SENDER.pack(s.ntp >> 32, s.ntp & 0xFFFFFFFF, s.timestamp, s.packets, s.octets)
        body += b"".join(block.encode() for block in self.blocks)
        kind = RR if self.sender is None else SR
        return struct.pack(">BBH", 2 << 6 | len(self.blocks), kind, len(body) // 4) + body


@dataclass(frozen=True, slots=True)
class SourceName:
    """The canonical name of a source (SDES CNAME), the same for as long as it lives; at most 255 bytes of UTF-8."""

    ssrc: int
    cname: str

    def encode(self) -> bytes:
        """One RTCP packet."""
        text = self.cname.encode()[:255]
        chunk = struct.pack(">IBB", self.ssrc, _CNAME, len(text)) + text
        chunk += bytes(4 - len(chunk) % 4)
        return struct.pack(">BBH", 2 << 6 | 1, SDES, len(chunk) // 4) + chunk


@dataclass(frozen=True, slots=True)
class Farewell:
    """Sources that leave (BYE); at most 31."""

    ssrcs: tuple[int, ...]

    def encode(self) -> bytes:
        """One RTCP packet."""
        count = len(self.ssrcs)
        return struct.pack(f">BBH{count}I", 2 << 6 | count, BYE, count, *self.ssrcs)


RtcpPacket = Report | SourceName | Farewell


def parse(data: bytes) -> list[RtcpPacket]:
    """What a compound packet says, in order. Raises `ValueError`."""
    if not 8 <= len(data) <= LONGEST or len(data) % 4:
        raise ValueError(f"{len(data)} bytes; RTCP has 8 to {LONGEST}, in words of 4")
    packets: list[RtcpPacket] = []
    at = 0
    while at < len(data):
        first, kind, words = struct.unpack_from(">BBH", data, at)
        end = at + 4 + 4 * words
        if first >> 6 != 2 or end > len(data):
            raise ValueError(f"the packet at byte {at} is not RTCP version 2 or is cut off")
        if at == 0 and kind not in (SR, RR):
            raise ValueError(f"it begins with type {kind}; RTCP begins with a report, {SR} or {RR}")
        body, count = data[at + 4 : end], first & 31
        if kind in (SR, RR):
            packets.append(_report(body, kind, count))
        elif kind == SDES:
            packets += _names(body, count)
        elif kind == BYE:
            if len(body) < 4 * count:
                raise ValueError(f"a farewell of {count} sources has {len(body)} bytes; {4 * count} are needed")
            packets.append(Farewell(struct.unpack_from(f">{count}I", body)))
        at = end
    return packets


def _names(body: bytes, count: int) -> list[RtcpPacket]:
    names: list[RtcpPacket] = []
    at = 0
    for _ in range(count):
        if at + 4 > len(body):
            raise ValueError("the source descriptions are cut off")
        ssrc = int.from_bytes(body[at : at + 4], "big")
        at += 4
        while at < len(body) and body[at]:
            if at + 2 > len(body) or at + 2 + body[at + 1] > len(body):
                raise ValueError("a source description is cut off")
            text = body[at + 2 : at + 2 + body[at + 1]]
            if body[at] == _CNAME:
                names.append(SourceName(ssrc, text.decode(errors="replace")))
            at += 2 + len(text)
        at += 4 - at % 4  # the list ends with one to four zeros
    return names


def _report(body: bytes, kind: int, count: int) -> Report:
    start = 4 + (20 if kind == SR else 0)
    if len(body) < start + 24 * count:
        raise ValueError(f"a report of {count} sources has {len(body)} bytes; {start + 24 * count} are needed")
    sender = None
    if kind == SR:
        high, low, timestamp, packets, octets = _SENDER.unpack_from(body, 4)
        sender = SenderInfo(high << 32 | low, timestamp, packets, octets)
    blocks = []
    for number in range(count):
        ssrc, loss, highest, jitter, last_sr, delay = _BLOCK.unpack_from(body, start + 24 * number)
        lost = loss & 0xFFFFFF
        lost -= (1 << 24) if lost >> 23 else 0
        blocks.append(ReportBlock(ssrc, loss >> 24, lost, highest, jitter, last_sr, delay))
    return Report(int.from_bytes(body[:4], "big"), sender, tuple(blocks))


LEAST_INTERVAL_S = 5.0
"""Between two reports; half of it before the first."""

_COMPENSATION = math.e - 1.5


def interval_s(
    members: int, senders: int, we_sent: bool, size: float, bandwidth: float, initial: bool, chance: float
) -> float:
    """Seconds until the next report (RFC 3550, A.7).

    size: mean bytes of a compound packet. bandwidth: bytes a second that all reports together may take. chance: evenly
    spread over 0 … 1.
    """
    least = LEAST_INTERVAL_S / 2 if initial else LEAST_INTERVAL_S
    count, share = float(members), 1.0
    if 0 < senders <= members / 4:
        count, share = (float(senders), 0.25) if we_sent else (float(members - senders), 0.75)
    return max(least, count * size / (share * bandwidth)) * (chance + 0.5) / _COMPENSATION


MOST_DROPOUT, MOST_MISORDER = 3000, 100
"""Sequence numbers further ahead or behind than these are a source that began anew (A.1), if the next one follows."""


class Reception:
    """What is counted of one source. `note` takes each packet with its arrival, in timestamp units."""

    def __init__(self, ssrc: int, first: int) -> None:
        self.ssrc = ssrc
        self._transit: int | None = None
        self.jitter = 0.0
        self._begin(first)

    def _begin(self, first: int) -> None:
        self.highest = first
        """Extended: wraps of the sequence number are counted in."""
        self._first = first
        self.received = 0
        self._odd: int | None = None
        self._expected_before = self._received_before = 0

    def note(self, sequence: int, timestamp: int, arrival: int) -> None:
        """A packet has come."""
        by = ahead(sequence, self.highest & 0xFFFF, 16)
        if not -MOST_MISORDER < by < MOST_DROPOUT:
            if sequence != self._odd:
                self._odd = (sequence + 1) & 0xFFFF
                return
            self._begin(sequence)
            by = 0
        self.received += 1
        self.highest += max(0, by)
        transit = (arrival - timestamp) & 0xFFFFFFFF
        if self._transit is not None:
            self.jitter += (abs(ahead(transit, self._transit, 32)) - self.jitter) / 16
        self._transit = transit

    @property
    def expected(self) -> int:
        """Packets that should have come."""
        return self.highest - self._first + 1 if self.received else 0

    @property
    def lost(self) -> int:
        """Packets that did not come; less than nothing where more came doubled."""
        return self.expected - self.received

    def report(self, last_sr: int = 0, delay: int = 0) -> ReportBlock:
        """What to say now; the fraction counts from the report before. last_sr, delay: see `ReportBlock`."""
        expected = self.expected - self._expected_before
        lost = expected - (self.received - self._received_before)
        self._expected_before, self._received_before = self.expected, self.received
        fraction = min(255, 256 * lost // expected) if expected > 0 and lost > 0 else 0
        return ReportBlock(self.ssrc, fraction, self.lost, self.highest & 0xFFFFFFFF, int(self.jitter), last_sr, delay)
