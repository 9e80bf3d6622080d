"""The receive side of an RTP port: packets of the network's thread to overs in bridge time.

    network thread ─heard─▶ ring ─▶ Player of each peer ─▶ the one that talks ─▶ overs (an RxPort)

One peer is heard at a time: who began first, until his talkspurt ends. A talkspurt is an over; with `opened_by =
"speech"` the VOX says what in it is one. An over's on-air index is that of the fastest packets, less a packet's length.
"""

from collections import deque
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from dsp.blocks import AUDIO_RATE, TICK_SAMPLES, RowBlock
from dsp.events import EventKind
from dsp.vox import Vox
from hw.clock import Clock
from sdrbridge.bank import Stage
from sdrbridge.ports.bridgetime import BridgeTime
from sdrbridge.ports.overs import LiveReceiver
from sdrbridge.ports.rtpsettings import RtpSettings
from sdrbridge.rtp.member import Heard
from sdrbridge.rtp.packet import l16_decode, pcmu_decode
from sdrbridge.rtp.player import Player
from sdrbridge.transmission import Transmission

Audio = NDArray[np.float32]

MOST_WAITING = 500
"""Packets between the network's thread and the matrix's: 10 s of one peer, which a burst may bring at once."""

_MS = AUDIO_RATE // 1000


class RtpReceiver:
    """An RxPort."""

    def __init__(self, name: str, settings: RtpSettings, clock: Clock, time: BridgeTime) -> None:
        self._clock = clock
        self._time = time
        self._overs = LiveReceiver(name)
        self._vox = Vox(settings.vox_open, settings.vox_hang_ms / 1000) if settings.opened_by == "speech" else None
        decode = pcmu_decode if settings.codec == "pcmu" else l16_decode
        least, most, hang = settings.jitter_min_ms, settings.jitter_max_ms, settings.hang_ms
        self._players = [Player(decode, least * _MS, most * _MS, hang * _MS) for _ in settings.peers]
        self._streams = [0 for _ in settings.peers]
        self._talker: Player | None = None
        self._ring: deque[Heard] = deque()
        self._at: int | None = None
        self._index = 0
        self._dropped = 0

    def heard(self, packets: Sequence[Heard]) -> None:
        """By the network's thread."""
        for packet in packets:
            if len(self._ring) >= MOST_WAITING:
                self._dropped += 1
            else:
                self._ring.append(packet)

    def advance(self, now: int) -> None:
        """Take what has come, and act on it."""
        self._time.tick(now, self._clock.monotonic())
        while self._ring:
            self._take(self._ring.popleft())
        if self._at is None:
            self._at = now - TICK_SAMPLES
        while self._at < now:
            self._at += TICK_SAMPLES
            self._play(self._at)
        self._overs.release()

    def _take(self, heard: Heard) -> None:
        player = self._players[heard.peer]
        if heard.stream != self._streams[heard.peer]:
            self._streams[heard.peer] = heard.stream
            if player is self._talker:
                self._end(player)
            player.reset()
        if heard.packet is None:
            player.end()
        else:
            player.put(heard.packet.timestamp, heard.packet.payload, self._time.index(heard.arrival_s))

    def _play(self, now: int) -> None:
        talker = self._talker
        if talker is None:
            talker = self._talker = next((player for player in self._players if player.begin(now)), None)
            if talker is None:
                return
            self._index = max(self._overs.known, now - talker.age - talker.packet)
            if self._vox is None:
                self._overs.open(self._index)
        sound = talker.pull(now)
        self._overs.hear(self._index, sound)
        if self._vox is not None:
            self._judge(self._vox, RowBlock(sound[None, :], AUDIO_RATE, self._index))
        self._index += TICK_SAMPLES
        if talker.finished(now):
            self._end(talker)

    def _judge(self, vox: Vox, block: RowBlock) -> None:
        for event in vox.process(block):
            if event.kind is EventKind.OPEN:
                self._overs.open(event.index)
            else:
                self._overs.close(event.index)

    def _end(self, talker: Player) -> None:
        self._overs.close(self._index - talker.since_sound)
        talker.stop()
        self._talker = None
        if self._vox is not None:
            self._vox.reset()

    def begun(self) -> Sequence[Transmission]:
        """Overs that began since the last call, oldest first."""
        return self._overs.begun()

    def available(self) -> int:
        """Index of the sample after the last one that may be read."""
        return self._overs.available()

    def read(self, start: int, n: int) -> Audio:
        """Samples start … start+n, (n,) float32; zeros where nothing came."""
        return self._overs.read(start, n)

    def counters(self) -> dict[str, int | float]:
        """Since the start. Delay and pace are those of who talks, or of the first peer."""
        players = self._players
        shown = self._talker or players[0]
        jitter = [player.jitter.statistics for player in players]
        return {
            "rx_overs": self._overs.count,
            "rx_stale": sum(j.stale for j in jitter),
            "rx_late": sum(j.late for j in jitter),
            "rx_doubled": sum(j.doubled for j in jitter),
            "rx_moved": sum(j.moved for j in jitter),
            "rx_retimed": sum(player.retimed for player in players),
            "rx_concealed_ms": round(sum(player.concealed for player in players) / _MS, 1),
            "rx_buffer_ms": round(shown.aim / _MS, 1),
            "rx_ppm": round(shown.ppm, 1),
            "rx_dropped": self._dropped,
        }

    def stages(self) -> tuple[Stage, ...]:
        """What is held back on the way in."""
        shown = self._talker or self._players[0]
        return (
            Stage("packet", shown.packet / AUDIO_RATE),
            Stage("jitter buffer", shown.aim / AUDIO_RATE),
            Stage("following the sender's clock", shown.reach / AUDIO_RATE),
            Stage("leveler", self._overs.held_back / AUDIO_RATE),
        )
