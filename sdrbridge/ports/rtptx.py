"""The transmit side of an RTP port: frames of the matrix's thread to packets at an even pace.

    TxPort ─▶ queue ─due: 5 ms after its tick should have been─▶ packet

Ticks come late at times, and then several at once; packets leave by the clock. One that is late leaves at once, but at
least 10 ms after the one before it; one that is more than 200 ms late is dropped. While nobody is keyed nothing is
sent, unless the port sends always; the first packet after a pause has the marker (RFC 3551, 4.1).
"""

from collections import deque
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from dsp.blocks import AUDIO_RATE, TICK_SAMPLES
from sdrbridge.bank import Stage
from sdrbridge.ports.bridgetime import BridgeTime
from sdrbridge.ports.rtpsettings import RtpSettings
from sdrbridge.rtp.jitter import OLDEST
from sdrbridge.rtp.packet import l16_encode, pcmu_encode
from sdrbridge.rtp.session import Session

Audio = NDArray[np.float32]

LEAD_S = 0.005
"""What a tick may be late without the packet being late."""

LEAST_GAP_S = TICK_SAMPLES / AUDIO_RATE / 2

MOST_WAITING = 25
"""Frames between the matrix's thread and the network's: half a second."""


class RtpTransmitter:
    """A TxPort. wake: tells the network's thread that there is something to send; never blocks."""

    def __init__(self, settings: RtpSettings, time: BridgeTime, wake: Callable[[], None]) -> None:
        self._always = settings.send == "always"
        self._encode = pcmu_encode if settings.codec == "pcmu" else l16_encode
        self._time = time
        self._wake = wake
        self._queue: deque[tuple[int, Audio, bool]] = deque()
        self._paused = True
        self._may_leave_s = float("-inf")
        self._late = self._dropped = 0

    def write(self, frame: Audio, index: int, keyed: bool) -> None:
        """Send a frame if keyed. Never waits."""
        if not (keyed or self._always):
            self._paused = True
            return
        if len(self._queue) >= MOST_WAITING:
            self._queue.popleft()
            self._dropped += 1
        self._queue.append((index, frame.copy(), self._paused))
        self._paused = False
        self._wake()

    def next_s(self) -> float:
        """When the next packet is due, on the clock; infinity for none. By the network's thread, as is `send`."""
        return max(self._due_s(self._queue[0][0]), self._may_leave_s) if self._queue else float("inf")

    def _due_s(self, index: int) -> float:
        return self._time.at_s(index) + LEAD_S

    def send(self, session: Session, now_s: float) -> list[bytes]:
        """The packets that are due."""
        packets = []
        while self._queue and now_s >= self._may_leave_s:
            index, frame, marker = self._queue[0]
            late_s = now_s - self._due_s(index)
            if late_s < 0:
                break
            self._queue.popleft()
            if late_s > OLDEST / AUDIO_RATE:
                self._dropped += 1
                continue
            self._late += late_s > LEAST_GAP_S
            packets.append(session.send(self._encode(frame), index, marker, now_s))
            self._may_leave_s = now_s + LEAST_GAP_S
        return packets

    def counters(self) -> dict[str, int | float]:
        """Since the start."""
        return {"tx_late": self._late, "tx_dropped": self._dropped}

    def stages(self) -> tuple[Stage, ...]:
        """What is held back on the way out."""
        return (Stage("packet pacing", LEAD_S),)
