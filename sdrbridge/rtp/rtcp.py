"""RTCP: sender and receiver reports (RFC 3550, 6.4), and how a receiver counts loss and jitter (6.4.1, A.3, A.8).

compound packet = SR or RR, then anything; what is neither SR nor RR is passed over by its length
"""

import struct
from dataclasses import dataclass

from sdrbridge.rtp.packet import LONGEST, ahead

SR, RR = 200, 201

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


def parse(data: bytes) -> list[Report]:
    """The reports of a compound packet. Raises `ValueError`."""
    if not 8 <= len(data) <= LONGEST or len(data) % 4:
        raise ValueError(f"{len(data)} bytes; RTCP has 8 to {LONGEST}, in words of 4")
    reports, at = [], 0
    while at < len(data):
        first, kind, words = struct.unpack_from(">BBH", data, at)
        end = at + 4 + 4 * words
        if first >> 6 != 2 or end > len(data):
            raise ValueError(f"the packet at byte {at} is not RTCP version 2 or is cut off")
        if kind in (SR, RR):
            reports.append(_report(data[at + 4 : end], kind, first & 31))
        at = end
    return reports


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


class Reception:
    """What is counted of one source. `note` takes each packet with its arrival, in timestamp units."""

    def __init__(self, ssrc: int, first: int) -> None:
        self.ssrc = ssrc
        self.highest = first
        """Extended: wraps of the sequence number are counted in."""
        self._first = first
        self.received = 0
        self.jitter = 0.0
        self._transit: int | None = None
        self._expected_before = self._received_before = 0

    def note(self, sequence: int, timestamp: int, arrival: int) -> None:
        """A packet has come."""
        self.received += 1
        self.highest += max(0, ahead(sequence, self.highest & 0xFFFF, 16))
        transit = (arrival - timestamp) & 0xFFFFFFFF
        if self._transit is not None:
            self.jitter += (abs(ahead(transit, self._transit, 32)) - self.jitter) / 16
        self._transit = transit

    @property
    def expected(self) -> int:
        """Packets that should have come."""
        return self.highest - self._first + 1 if self.received else 0

    def report(self) -> ReportBlock:
        """What to say now; the fraction counts from the report before."""
        expected = self.expected - self._expected_before
        lost = expected - (self.received - self._received_before)
        self._expected_before, self._received_before = self.expected, self.received
        fraction = min(255, 256 * lost // expected) if expected > 0 and lost > 0 else 0
        highest = self.highest & 0xFFFFFFFF
        return ReportBlock(self.ssrc, fraction, self.expected - self.received, highest, int(self.jitter))
