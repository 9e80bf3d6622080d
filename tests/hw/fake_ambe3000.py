"""A stand-in for an AMBE-3000 that speaks the chip's packets over a pseudo-terminal or as AMBEserver does over UDP.

Its voice is the project's own codec. What real ones do wrong can be switched on: silence, rubbish between packets,
packets in pieces, a first question swallowed, a refused rate.
"""

import os
import pty
import select
import socket
import threading
import tty
from dataclasses import dataclass, field

import numpy as np

from dsp.vocoder.imbe import ImbeDecoder, ImbeEncoder
from hw import ambe3000
from hw.ambe3000 import Field, Kind, Packet, Splitter


@dataclass
class Faults:
    """mute: answer to no speech and no channel packet. rubbish: put before every answer. pieces: bytes sent at a time.
    asleep: questions swallowed at the start. refuse: identifier answered with an error."""

    mute: bool = False
    rubbish: bytes = b""
    pieces: int = 0
    asleep: int = 0
    refuse: int | None = None


@dataclass
class Chip:
    """What the chip does with packets. seen: identifiers of the control packets. lost: frames said to be lost."""

    faults: Faults = field(default_factory=Faults)
    seen: list[int] = field(default_factory=list)
    lost: int = 0
    frames: int = 0

    def __post_init__(self) -> None:
        self.parity = True
        self.rate: bytes = b""
        self.splitter = Splitter()
        self.encoder, self.decoder = ImbeEncoder(), ImbeDecoder()

    def take(self, data: bytes) -> list[bytes]:
        """Bytes received; what is to be sent in answer."""
        found = []
        for packet in self.splitter.push(data):
            answer = self._answer(packet)
            if answer is not None:
                found.append(self.faults.rubbish + answer.encode(self.parity))
        return found

    def _answer(self, packet: Packet) -> Packet | None:
        if self.faults.asleep > 0:
            self.faults.asleep -= 1
            return None
        if packet.kind is Kind.CONTROL:
            return self._control(packet.fields)
        if self.faults.mute:
            return None
        assert self.rate == ambe3000.rate(ambe3000.P25_FULL_RATE).fields[1:], "speech before the rate was set"
        self.frames += 1
        if packet.kind is Kind.SPEECH:
            samples = ambe3000.payload(packet, Kind.SPEECH)
            assert samples is not None
            bits = self.encoder.encode(np.frombuffer(samples, ">i2").astype(np.float32) / np.float32(32768))
            return Packet(Kind.CHANNEL, bytes([Field.CHAND, 88]) + bits.tobytes())
        fields = packet.fields
        if fields[0] == Field.CMODE:
            self.lost += int.from_bytes(fields[1:3]) == ambe3000.LOST_FRAME
            pcm, fields = self.decoder.erase(), fields[3:]
        else:
            pcm = self.decoder.decode(fields[2:13])
        assert fields[:2] == bytes([Field.CHAND, 88])
        return ambe3000.speech((pcm * 32767).astype(">i2").tobytes())

    def _control(self, fields: bytes) -> Packet:
        self.seen.append(fields[0])
        result = b"\x01" if fields[0] == self.faults.refuse else b"\0"
        match fields[0]:
            case Field.PARITYMODE:
                self.parity = bool(fields[1])
            case Field.PRODID:
                result = b"AMBE3000F\0"
            case Field.RATEP:
                self.rate = fields[1:]
            case Field.INIT:
                self.encoder.reset()
                self.decoder.reset()
        return Packet(Kind.CONTROL, fields[:1] + result)


class SerialDongle:
    """A dongle: `path` is what a serial port is opened by."""

    def __init__(self, chip: Chip) -> None:
        self.chip = chip
        self._master, self._slave = pty.openpty()
        tty.setraw(self._slave)
        self.path = os.ttyname(self._slave)
        self._pulled, self._pull = os.pipe()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        while True:
            if self._pulled in select.select([self._master, self._pulled], [], [])[0]:
                return
            try:
                data = os.read(self._master, 4096)
            except OSError:
                return
            if not data:
                return
            for answer in self.chip.take(data):
                step = self.chip.faults.pieces or len(answer)
                for start in range(0, len(answer), step):
                    os.write(self._master, answer[start : start + step])

    def unplug(self) -> None:
        """Gone, as when it is pulled out."""
        os.close(self._pull)
        # Who still answers must not write into what is opened under the same number next.
        self._thread.join()
        for end in (self._pulled, self._slave, self._master):
            os.close(end)


class AmbeServer:
    """AMBEserver on a port of its own of the loopback address."""

    def __init__(self, chip: Chip) -> None:
        self.chip = chip
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self.port = int(self._socket.getsockname()[1])
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        while True:
            try:
                data, peer = self._socket.recvfrom(2048)
            except OSError:
                return
            if data == b"stop":
                return
            for answer in self.chip.take(data):
                self._socket.sendto(answer, peer)

    def close(self) -> None:
        """No more answers."""
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as end:
            end.sendto(b"stop", ("127.0.0.1", self.port))
        self._thread.join(10)
        self._socket.close()
