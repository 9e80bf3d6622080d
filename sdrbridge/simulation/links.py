"""A link of a simulated bridge: somebody far away speaks, and the network does with his packets what it likes.

    talkers ─Over─▶ FarEnd ─datagrams─▶ Network ─▶ RtpPacket.parse ▸ Reception ▸ Player ─▶ PacketLink ─▶ Matrix

While nothing is wrong with the network every packet is under way for the same time and nothing is learnt from playing
them one by one: such an over is passed on whole, as an `Ear` does. One that begins, or goes on, under a fault is
spoken, sent and played packet by packet, until it ends.
"""

from collections import Counter
from heapq import heappop, heappush
from random import Random

import numpy as np

from dsp.blocks import AUDIO_RATE, TICK_SAMPLES
from sdrbridge.port import Audio
from sdrbridge.rtp.packet import RtpPacket, l16_decode, l16_encode
from sdrbridge.rtp.player import Player
from sdrbridge.rtp.rtcp import Reception
from sdrbridge.simulation.ears import Ear, OnOver
from sdrbridge.simulation.house import LATENCY, Over, Station, Voice, rest_of
from sdrbridge.transmission import Facts, Transmission

TRANSIT = 3 * TICK_SAMPLES
"""Samples a packet is under way, where nothing is wrong."""

KEPT = 1 << 15
"""Samples of speech that can still be read."""

_L16 = 96
"""Dynamic payload type, as both ends agreed."""

_BASE = (1 << 32) - 60 * AUDIO_RATE
"""Timestamp at the beginning of the world: it wraps round after a minute."""


class Network:
    """Takes datagrams, and gives them out when they arrive. counts: what it did to how many."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self._fault = ""
        self._until = 0
        self._rng = Random(0)
        self._under_way: list[tuple[int, int, bytes]] = []
        self._number = 0

    def spoil(self, fault: str, until: int, seed: str) -> None:
        """From now on, one thing is wrong (see `script.LINK_FAULTS`), until a time of the world."""
        self._fault, self._until, self._rng = fault, until, Random(seed)

    def wrong(self, world: int) -> bool:
        """Whether something is wrong with it."""
        return world < self._until

    @property
    def empty(self) -> bool:
        """Whether nothing is under way."""
        return not self._under_way

    def send(self, world: int, data: bytes) -> None:
        """A datagram goes on its way."""
        arrival, dice = world + TRANSIT, self._rng.random()
        match self._fault if self.wrong(world) else "":
            case "lose" if dice < 0.1:
                self.counts["packets lost"] += 1
                return
            case "late" if dice < 0.3:
                self.counts["packets late"] += 1
                arrival += round(dice / 0.3 * 0.4 * AUDIO_RATE)
            case "double" if dice < 0.2:
                self.counts["packets doubled"] += 1
                self._put(arrival + TICK_SAMPLES, data)
            case "reorder" if dice < 0.1:
                self.counts["packets out of order"] += 1
                arrival += 3 * TICK_SAMPLES // 2
            case "stall":
                self.counts["packets held up"] += 1
                arrival = max(arrival, self._until)
        self._put(arrival, data)

    def _put(self, arrival: int, data: bytes) -> None:
        self._number += 1
        heappush(self._under_way, (arrival, self._number, data))

    def arrived(self, world: int) -> list[tuple[int, bytes]]:
        """What has come by now, with its arrival."""
        found = []
        while self._under_way and self._under_way[0][0] <= world:
            arrival, _, data = heappop(self._under_way)
            found.append((arrival, data))
        return found

    def drop(self) -> None:
        """What is under way comes to nobody."""
        self._under_way.clear()


class FarEnd:
    """Who speaks: a packet each 20 ms of an over."""

    def __init__(self, station: Station, over: Over, network: Network) -> None:
        self.sent = 0
        self._over = over
        self._voice = Voice(station.level)
        self._network = network

    @property
    def done(self) -> bool:
        """Whether all has been said; what does not fill a packet is not."""
        return self._over.begin + (self.sent + 1) * TICK_SAMPLES > self._over.end

    def run(self, world: int) -> None:
        """Speak up to now."""
        while not self.done and (at := self._over.begin + self.sent * TICK_SAMPLES) + TICK_SAMPLES <= world:
            sound = self._voice.say(at - self._over.start, TICK_SAMPLES)
            stamp = (at + _BASE) % (1 << 32)
            packet = RtpPacket(_L16, self.sent & 0xFFFF, stamp, 1, l16_encode(sound), self.sent == 0)
            self._network.send(at + TICK_SAMPLES, packet.encode())
            self.sent += 1


class PacketLink(Ear):
    """The bridge's receive port. on_played: told of each over that is played from packets."""

    def __init__(self, station: Station, on_over: OnOver, on_played: OnOver) -> None:
        super().__init__(station, on_over)
        self.network = Network()
        self.miscounted: tuple[int, int] | None = None
        """Packets that did not come, and how many the bridge takes for lost, where these differ."""
        self._station = station
        self._on_played = on_played
        self._far: FarEnd | None = None
        self._ring = np.zeros(KEPT, np.float32)
        self._played_to = 0
        self._player = Player(l16_decode)

    def connect(self, origin: int) -> None:
        """A bridge begins to listen whose time 0 is the world's `origin`."""
        self._hang_up()
        super().connect(origin)
        self._played_to = 0
        self._player.reset()

    def spoil(self, fault: str, world: int, until: int, seed: str) -> None:
        """Something goes wrong with the network. What is being said goes on packet by packet."""
        self.network.spoil(fault, until, seed)
        if self._far is None:
            self.break_down(world)
            self.come_back(world)

    def advance(self, now: int) -> None:
        if self._far is not None:
            self._play(now)
        world = now + self._origin
        if self._far is None:
            if self._waiting and self._waiting[0].begin < self._played_to + self._origin:
                # The one before was played later than it was spoken; two never overlap.
                self._waiting.extendleft(rest_of([self._waiting.popleft()], self._played_to + self._origin))
                self._due = None
            if self._waiting and self._waiting[0].begin <= world and self.network.wrong(self._waiting[0].begin):
                self._call(self._waiting.popleft())
                self._play(now)
            else:
                super().advance(now)
        self._now = now

    def _find_due(self, now: int) -> int:
        if self._far is not None:
            return now
        due = super()._find_due(now)
        if self._waiting and self.network.wrong(self._waiting[0].begin):
            # It is spoken from its first packet on.
            due = self._due = min(due, -(-(self._waiting[0].begin - self._origin) // TICK_SAMPLES) * TICK_SAMPLES)
        return due

    def available(self) -> int:
        return self._played_to if self._far is not None else max(self._played_to, self._now - LATENCY)

    def read(self, start: int, n: int) -> Audio:
        if start >= self._played_to:
            return super().read(start, n)
        out: Audio = self._ring[np.arange(start, start + n) % KEPT]
        out[max(0, self._played_to - start) :] = 0.0
        return out

    # An over that is played packet by packet.

    def _call(self, over: Over) -> None:
        self._far, self._over = FarEnd(self._station, over, self.network), over
        self._due = None
        self._reception: Reception | None = None
        self._came: Counter[int] = Counter()
        self._heard: Transmission | None = None

    def _play(self, now: int) -> None:
        far, over, player, world = self._far, self._over, self._player, now + self._origin
        assert far is not None
        far.run(world)
        for arrival, data in self.network.arrived(world):
            packet = RtpPacket.parse(data)
            if self._reception is None:
                self._reception, self._first = Reception(packet.ssrc, packet.sequence), packet.sequence
            self._reception.note(packet.sequence, packet.timestamp, arrival)
            self._came[packet.sequence] += 1
            player.put(packet.timestamp, packet.payload, arrival - self._origin)
        if not player.talking and player.begin(now) and self._heard is None:
            self._played_to = max(self._played_to, now - TICK_SAMPLES)
            self._begin()
        if player.talking:
            self._keep(player.pull(now))
            if player.finished(now):
                player.stop()
        elif self._heard is not None:
            self._keep(np.zeros(TICK_SAMPLES, np.float32))
        if self._heard is not None and over.encrypted_at is not None and over.encrypted_at + LATENCY <= world:
            self._heard.facts.encrypted = True
        if far.done and not player.talking and self.network.empty:
            self._hang_up()

    def _begin(self) -> None:
        self._count += 1
        heard = self._heard = Transmission.begin(self.name, self._count, self._played_to)
        heard.facts = Facts(emergency=self._over.emergency or None)
        self._begun.append(heard)
        self._on_played(heard, True)

    def _keep(self, sound: Audio) -> None:
        self._ring[np.arange(self._played_to, self._played_to + len(sound)) % KEPT] = sound
        self._played_to += len(sound)

    def _hang_up(self) -> None:
        if self._far is None:
            return
        self._far = None
        self.network.drop()
        if self._heard is not None:
            self._heard.end = self._heard.on_air_end = self._played_to
        if self._reception is not None:
            # A receiver takes the first packet that came for the first one sent, and every one that came for another.
            sent = set(range(self._first, self._reception.highest + 1))
            missing = len(sent - self._came.keys()) - len(self._came.keys() - sent)
            again = sum(self._came.values()) - len(self._came)
            said = self._reception.report().lost + again
            if said != missing:
                self.miscounted = missing, said
