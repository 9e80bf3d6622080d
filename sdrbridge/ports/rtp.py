"""A peer on the network that speaks RTP: a RoIP gateway, another bridge, anything that sends PCMU or L16.

    RtpSockets ─take─▶ Session ─Heard─▶ RtpReceiver (RxPort)    RtpTransmitter (TxPort) ─work─▶ Session ─▶ RtpSockets

The network's thread and the matrix's meet in two bounded queues only, so that nobody waits for anybody.
"""

import asyncio
import random
from collections.abc import Sequence
from datetime import datetime

from sdrbridge.bank import Stage
from sdrbridge.config import PortConfig
from sdrbridge.ports.bridgetime import BridgeTime
from sdrbridge.ports.live import Direction, Health, HealthNews, PortContext, State
from sdrbridge.ports.rtprx import RtpReceiver
from sdrbridge.ports.rtpsettings import RtpSettings
from sdrbridge.ports.rtpsocket import Outgoing, RtpSockets
from sdrbridge.ports.rtptx import RtpTransmitter
from sdrbridge.rtp.address import Address
from sdrbridge.rtp.session import SILENT_S, Session, bandwidth

_TO_1900 = 2_208_988_800
"""Seconds from 1900, where NTP begins to count, to 1970."""


def open_port(config: PortConfig, context: PortContext) -> "RtpPort":
    """The port of a site file's entry; nothing is opened before `start`."""
    settings = config.settings
    assert isinstance(settings, RtpSettings)
    return RtpPort(config.name, settings, context)


def ntp(now: datetime) -> int:
    """The time of day as NTP has it: 64 bits, seconds since 1900 and their fraction."""
    seconds = now.timestamp() + _TO_1900
    return int(seconds) << 32 | int(seconds % 1 * (1 << 32))


class RtpPort:
    """A LivePort. chance: for numbers that nobody should guess."""

    def __init__(
        self, name: str, settings: RtpSettings, context: PortContext, chance: random.Random | None = None
    ) -> None:
        self.name = name
        self._settings = settings
        self._context = context
        self._clock = context.clock
        self._time = BridgeTime()
        self._news = HealthNews(name, context.sink)
        listen = [settings.listen, settings.listen.next()] if settings.rtcp else [settings.listen]
        self._sockets = RtpSockets(name, listen, context.clock, self)
        cname = f"{name}.{context.bridge_name}@{settings.listen.host}"
        rate = bandwidth(160 if settings.codec == "pcmu" else 320)
        self.session = Session(settings.peers, settings.payload_type, cname, rate, chance or random.SystemRandom())
        self._far = [peer for peer in settings.peers if peer.port is not None]
        self.rx = RtpReceiver(name, settings, context.clock, self._time)
        self.tx = RtpTransmitter(settings, self._time, self._sockets.wake) if self._far else None

    async def start(self) -> None:
        """Listen. What cannot be opened is a state, and is tried again."""
        self._sockets.start()

    async def stop(self) -> None:
        """Say farewell and close."""
        await asyncio.to_thread(self._sockets.stop)

    # By the network's thread.

    def take(self, data: bytes, source: Address, rtcp: bool, at_s: float) -> None:
        """A datagram has come."""
        take = self.session.take_rtcp if rtcp else self.session.take
        self.rx.heard(take(data, source, at_s, ntp(self._clock.now())))

    def work(self, now_s: float) -> list[Outgoing]:
        """What is to be sent now."""
        packets = [] if self.tx is None else self.tx.send(self.session, now_s)
        datagrams = [Outgoing(packet, peer) for packet in packets for peer in self._far]
        if self._reports:
            datagrams += self._report(self.session.report(now_s, *self._moment(now_s)))
        self._news.tell(self.health())
        return datagrams

    def next_s(self) -> float:
        """When there will be something to send."""
        report = self.session.next_s if self._reports else float("inf")
        return min(report, float("inf") if self.tx is None else self.tx.next_s())

    def farewell(self) -> list[Outgoing]:
        """What is to be sent at the end."""
        if not self._reports:
            return []
        now_s = self._clock.monotonic()
        return self._report(self.session.farewell(now_s, *self._moment(now_s)))

    @property
    def _reports(self) -> bool:
        return self._settings.rtcp and self._time.known

    def _moment(self, now_s: float) -> tuple[int, float]:
        """A moment of the clock as time of day and in bridge time."""
        return ntp(self._clock.now()), self._time.index(now_s)

    def _report(self, data: bytes | None) -> list[Outgoing]:
        return [] if data is None else [Outgoing(data, peer.next(), rtcp=True) for peer in self._far]

    # How it is.

    def health(self) -> Health:
        """Sockets and peers; the worst counts."""
        if self._sockets.problem:
            return Health(State.DOWN, self._sockets.problem, self._counters())
        problems = [self._sockets.trouble, *self._silent()]
        reason = "; ".join(problem for problem in problems if problem)
        return Health(State.DEGRADED if reason else State.UP, reason, self._counters())

    def _silent(self) -> list[str]:
        """Peers that reported once and do no more. Who never reported may have no RTCP."""
        now_s = self._clock.monotonic()
        return [
            f"nothing comes from {member.address} any more"
            for member in self.session.members
            if member.rtcp_s > float("-inf") and now_s - max(member.rtcp_s, member.rtp_s) > 2 * SILENT_S
        ]

    def _counters(self) -> dict[str, int | float]:
        seen, members = self.session.statistics, self.session.members
        counters: dict[str, int | float] = {
            "rx_packets": seen.received,
            "rx_lost": sum(max(0, m.reception.lost) for m in members if m.reception is not None),
            "rx_jitter_ms": round(max(m.reception.jitter if m.reception else 0.0 for m in members) / 8, 1),
            "rx_unlisted": seen.unlisted,
            "rx_malformed": seen.malformed,
            "rx_other": seen.other,
            "rx_looped": seen.looped,
            "rx_sources": sum(m.stream for m in members),
            **self.rx.counters(),
        }
        if self.tx is not None:
            counters |= {"tx_packets": seen.sent, "tx_failed": self._sockets.failures, **self.tx.counters()}
        far = [m.far for m in members if m.far is not None]
        if far:
            counters["far_lost_percent"] = round(max(block.fraction for block in far) / 2.56, 1)
            counters["far_jitter_ms"] = round(max(block.jitter for block in far) / 8, 1)
        trips = [m.round_trip_s for m in members if m.round_trip_s is not None]
        if trips:
            counters["round_trip_ms"] = round(max(trips) * 1000, 1)
        return counters

    def stages(self, direction: Direction) -> Sequence[Stage]:
        """What is held back on the way in and out."""
        if direction == "rx":
            return self.rx.stages()
        return () if self.tx is None else self.tx.stages()
