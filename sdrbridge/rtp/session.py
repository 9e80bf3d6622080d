"""A session of RTP: bytes and times in, bytes and times out. It has no socket, thread or clock.

    datagram ─take: listed peer? packet? our codec?─▶ Member ─▶ Heard            counted and dropped otherwise
    payload ─send─▶ RTP packet              report, when due ─▶ SR or RR · SDES · BYE

Payload types and addresses are settled beforehand. Who is not listed is never heard and never answered.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

from sdrbridge.rtp import rtcp
from sdrbridge.rtp.address import Address
from sdrbridge.rtp.member import Heard, Member
from sdrbridge.rtp.packet import CN, HEADER, RtpPacket
from sdrbridge.rtp.rtcp import Farewell, Report, SenderInfo, SourceName

LOWER_LAYERS = 28
"""Bytes of IP and UDP before a packet; they count in RTCP's bandwidth."""

SILENT_S = 5 * rtcp.LEAST_INTERVAL_S
"""A member of which nothing came for so long is not counted any more (6.3.5)."""

_MOST_BLOCKS = 31


@dataclass(slots=True)
class SessionStatistics:
    """Counters of datagrams. unlisted: from somebody else. malformed: not RTP, or not RTCP. other: another payload
    type. looped: with our own source number in it."""

    received: int = 0
    unlisted: int = 0
    malformed: int = 0
    other: int = 0
    looped: int = 0
    sent: int = 0
    octets: int = 0


class Session:
    """peers: who is heard. payload_type: in both directions. cname: our name. bandwidth: of the speech, bytes a second;
    reports take a twentieth of it. random: for numbers nobody should guess (8, 5.1) and for when to report."""

    def __init__(
        self, peers: Sequence[Address], payload_type: int, cname: str, bandwidth: float, random: Random
    ) -> None:
        self.members = [Member(number, address) for number, address in enumerate(peers)]
        self.statistics = SessionStatistics()
        self._payload_type = payload_type
        self._cname = cname
        self._bandwidth = bandwidth / 20
        self._random = random
        self._collided: set[Address] = set()
        self._offset = random.getrandbits(32)
        self._sequence = random.getrandbits(16)
        self._size = 100.0 + LOWER_LAYERS
        self._reported_s: float | None = None
        self._initial = True
        self._sent_s = float("-inf")
        self._identify()
        self.next_s = float("-inf")
        """When the next report is due."""

    def _identify(self) -> None:
        self.ssrc = self._random.getrandbits(32)
        self.statistics.sent = self.statistics.octets = 0

    # Receiving.

    def take(self, data: bytes, source: Address, at_s: float, ntp: int) -> list[Heard]:
        """A datagram has come to the port of RTP. ntp: the time of day, as in `SenderInfo`."""
        if len(data) > 1 and 192 <= data[1] <= 223:  # RTCP on the same port (RFC 5761)
            return self.take_rtcp(data, source.next(), at_s, ntp)
        member = self._member(source, reports=False)
        if member is None:
            return []
        try:
            packet = RtpPacket.parse(data)
        except ValueError:
            self.statistics.malformed += 1
            return []
        if packet.payload_type != self._payload_type:
            member.pass_over(packet, at_s)
            self.statistics.other += packet.payload_type != CN
            # Comfort noise is the beginning of silence (RFC 3389).
            return member.farewell((packet.ssrc,), at_s) if packet.payload_type == CN else []
        if packet.ssrc == self.ssrc:
            self._collide(source)
            return []
        self.statistics.received += 1
        return member.take(packet, at_s)

    def take_rtcp(self, data: bytes, source: Address, at_s: float, ntp: int) -> list[Heard]:
        """A datagram has come to the port of RTCP."""
        member = self._member(source, reports=True)
        if member is None:
            return []
        try:
            packets = rtcp.parse(data)
        except ValueError:
            self.statistics.malformed += 1
            return []
        self._size += (len(data) + LOWER_LAYERS - self._size) / 16
        member.rtcp_s = at_s
        heard: list[Heard] = []
        for packet in packets:
            if isinstance(packet, Report):
                member.reported(packet, self.ssrc, ntp, at_s)
            elif isinstance(packet, Farewell):
                heard += member.farewell(packet.ssrcs, at_s)
        return heard

    def _member(self, source: Address, reports: bool) -> Member | None:
        for member in self.members:
            listed = member.address.next() if reports else member.address
            if listed.host == source.host and listed.port in (None, source.port):
                return member
        self.statistics.unlisted += 1
        return None

    def _collide(self, source: Address) -> None:
        """Somebody has our number: take another one (8.2). Who has it again sends back what we sent."""
        self.statistics.looped += 1
        if source not in self._collided:
            self._collided.add(source)
            self._identify()

    # Sending.

    def send(self, payload: bytes, index: int, marker: bool, now_s: float) -> bytes:
        """The packet of the payload that begins at bridge time `index`. marker: it begins a talkspurt."""
        packet = RtpPacket(self._payload_type, self._sequence, self._timestamp(index), self.ssrc, payload, marker)
        self._sequence = (self._sequence + 1) & 0xFFFF
        self.statistics.sent += 1
        self.statistics.octets += len(payload)
        self._sent_s = now_s
        return packet.encode()

    def _timestamp(self, index: float) -> int:
        return (int(index) + self._offset) & 0xFFFFFFFF

    # Reporting.

    def report(self, now_s: float, ntp: int, index: float) -> bytes | None:
        """The report, if one is due at `now_s`; `ntp` and bridge time `index` are the same moment."""
        if now_s < self.next_s:
            return None
        if self._reported_s is None:
            self._reported_s, self.next_s = now_s, now_s + self._interval(now_s)
            return None
        # By now more may have been heard, and a report be due later (6.3.6).
        due_s = self._reported_s + self._interval(now_s)
        if due_s > now_s:
            self.next_s = due_s
            return None
        data = self._compound(now_s, ntp, index)
        self._size += (len(data) + LOWER_LAYERS - self._size) / 16
        self._reported_s, self._initial = now_s, False
        self.next_s = now_s + self._interval(now_s)
        return data

    def farewell(self, now_s: float, ntp: int, index: float) -> bytes | None:
        """What to say at the end; None if nothing was ever said (6.3.7)."""
        if self._initial and not self.statistics.sent:
            return None
        return self._compound(now_s, ntp, index) + Farewell((self.ssrc,)).encode()

    def _interval(self, now_s: float) -> float:
        alive = [m for m in self.members if now_s - max(m.rtp_s, m.rtcp_s) < SILENT_S]
        sending = sum(now_s - m.rtp_s < 2 * rtcp.LEAST_INTERVAL_S for m in alive)
        we_sent = self._we_sent(now_s)
        chance = self._random.random()
        return rtcp.interval_s(
            1 + len(alive), sending + we_sent, we_sent, self._size, self._bandwidth, self._initial, chance
        )

    def _we_sent(self, now_s: float) -> bool:
        return now_s - self._sent_s < 2 * rtcp.LEAST_INTERVAL_S

    def _compound(self, now_s: float, ntp: int, index: float) -> bytes:
        sender = None
        if self._we_sent(now_s):
            sent = self.statistics
            sender = SenderInfo(ntp, self._timestamp(index), sent.sent & 0xFFFFFFFF, sent.octets & 0xFFFFFFFF)
        heard = [m for m in self.members if now_s - m.rtp_s < 2 * rtcp.LEAST_INTERVAL_S]
        blocks = [block for member in heard if (block := member.block(now_s)) is not None]
        report = Report(self.ssrc, sender, tuple(blocks[:_MOST_BLOCKS]))
        return report.encode() + SourceName(self.ssrc, self._cname).encode()


def bandwidth(payload: int) -> float:
    """Bytes a second of a stream with that many bytes of payload in each packet of 20 ms."""
    return 50.0 * (payload + HEADER + LOWER_LAYERS)
