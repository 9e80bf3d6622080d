"""One peer of a session: which source it sends, what is counted of it, and what it reports of us.

A source is taken when two of its packets follow each other (RFC 3550, A.1), and not while another one of the same peer
is being heard; its packets wait until then, so that none is lost. A peer that starts anew has a new source.
"""

from dataclasses import dataclass

from dsp.blocks import AUDIO_RATE
from sdrbridge.rtp.address import Address
from sdrbridge.rtp.packet import RtpPacket, ahead
from sdrbridge.rtp.rtcp import Reception, Report, ReportBlock

QUIET_S = 0.06
"""After so long without a packet another source may take over."""

WAITS_S = 1.0
"""How long packets of a source that was not taken yet are kept."""

MOST_WAITING = 8


@dataclass(frozen=True, slots=True)
class Heard:
    """What came from a peer. peer: its number in the list. stream: another number for another source. packet: None for
    a source that said farewell. arrival_s: by the machine's clock."""

    peer: int
    stream: int
    packet: RtpPacket | None
    arrival_s: float


class Member:
    """number: in the list of peers. address: as listed."""

    def __init__(self, number: int, address: Address) -> None:
        self.number = number
        self.address = address
        self.stream = 0
        """Sources so far."""
        self.reception: Reception | None = None
        """Of the source that is heard."""
        self.rtp_s = self.rtcp_s = float("-inf")
        """When it was last heard."""
        self.far: ReportBlock | None = None
        """What it last reported of us."""
        self.round_trip_s: float | None = None
        self._last_sr = 0
        self._last_sr_s = 0.0
        self._waiting: list[tuple[RtpPacket, float]] = []
        self._left = False

    def take(self, packet: RtpPacket, at_s: float) -> list[Heard]:
        """A packet has come; returns what is to be played."""
        current = self.reception
        if current is not None and packet.ssrc == current.ssrc:
            self._left = False
            return [self._note(current, packet, at_s)]
        waiting = [(p, s) for p, s in self._waiting if p.ssrc == packet.ssrc and at_s - s < WAITS_S]
        follows = bool(waiting) and 0 < ahead(packet.sequence, waiting[-1][0].sequence, 16) <= 3
        self._waiting = [*waiting, (packet, at_s)][-MOST_WAITING:]
        if not follows or (current is not None and not self._left and at_s - self.rtp_s < QUIET_S):
            return []
        self.stream += 1
        self._left = False
        self.reception = Reception(packet.ssrc, self._waiting[0][0].sequence)
        taken, self._waiting = self._waiting, []
        return [self._note(self.reception, p, s) for p, s in taken]

    def _note(self, reception: Reception, packet: RtpPacket, at_s: float) -> Heard:
        self.rtp_s = at_s
        reception.note(packet.sequence, packet.timestamp, round(at_s * AUDIO_RATE))
        return Heard(self.number, self.stream, packet, at_s)

    def pass_over(self, packet: RtpPacket, at_s: float) -> None:
        """A packet that is not played; it has its number in the sequence all the same."""
        if self.reception is not None and packet.ssrc == self.reception.ssrc:
            self._note(self.reception, packet, at_s)

    def farewell(self, ssrcs: tuple[int, ...], at_s: float) -> list[Heard]:
        """Sources have left."""
        if self.reception is None or self.reception.ssrc not in ssrcs or self._left:
            return []
        self._left = True
        return [Heard(self.number, self.stream, None, at_s)]

    def reported(self, report: Report, ours: int, ntp: int, at_s: float) -> None:
        """It has sent a report. ours: our SSRC. ntp: the time of day, as in `SenderInfo`."""
        if report.sender is not None and self.reception is not None and report.ssrc == self.reception.ssrc:
            self._last_sr, self._last_sr_s = report.sender.ntp >> 16 & 0xFFFFFFFF, at_s
        for block in report.blocks:
            if block.ssrc == ours:
                self.far = block
                if block.last_sr:
                    self.round_trip_s = max(0, ahead(ntp >> 16, block.last_sr + block.delay, 32)) / 65_536

    def block(self, now_s: float) -> ReportBlock | None:
        """What to report of it; None for nothing."""
        if self.reception is None:
            return None
        since = round((now_s - self._last_sr_s) * 65_536) & 0xFFFFFFFF if self._last_sr else 0
        return self.reception.report(self._last_sr, since)
