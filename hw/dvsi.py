"""A DVSI AMBE-3000 chip as vocoder: a dongle on a serial line, or one that AMBEserver shares over UDP.

    dvsi:/dev/ttyUSB0[,baud=230400]     USB-3000, ThumbDV, DVstick (460800 baud unless said otherwise)
    dvsi:udp:HOST[:PORT]                AMBEserver, port 2460

The chip speaks; this side corrects errors. It gets the 88 speech bits of a frame after the project's own soft
decisions, and is told of a frame that is lost, so that weak signals sound as they do with the own codec. The own codec
judges every frame beside it and steps in when the chip does not answer in time: speech goes on, `failures` counts it
and `health` says why. A device that went away is asked for again every 5 s of speech.

One chip serves one stream: give each channel its own.
"""

import logging
import socket
from collections.abc import Callable
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from dsp.vocoder.base import FRAME_SAMPLES, FrameStatus
from dsp.vocoder.imbe import ImbeDecoder, ImbeEncoder, channel
from hw import ambe3000
from hw.ambe3000 import Field, Kind, Packet, Splitter
from hw.errors import DeviceError, DeviceLost, DeviceNotFound

BAUD = 460_800
AMBESERVER_PORT = 2460
ANSWER_S = 0.1
"""How long an answer may take. A frame of speech takes 7 ms on the line each way and less than 5 ms in the chip."""

RETRY_FRAMES = 250
"""Frames (5 s) spoken by the own codec before a device that failed is tried again."""

WAKE = bytes(350)
"""Zeros that end whatever packet the chip may still be waiting for."""

Samples = NDArray[np.float32]
_log = logging.getLogger(__name__)


class Link(Protocol):
    """Bytes to the chip and back."""

    def send(self, raw: bytes) -> None:
        """Raises `DeviceLost`."""
        ...

    def receive(self) -> bytes:
        """What has come, waiting at most `ANSWER_S`; empty if nothing has. Raises `DeviceLost`."""
        ...

    def close(self) -> None: ...


class SerialLink:
    """A dongle on a serial line. Raises `DeviceNotFound`."""

    def __init__(self, path: str, baud: int = BAUD) -> None:
        try:
            import serial
        except ImportError as problem:
            raise DeviceNotFound(
                f"dvsi:{path}: the Python package pyserial is not installed: pip install pyserial"
            ) from problem
        try:
            self._line = serial.Serial(path, baud, timeout=ANSWER_S, write_timeout=ANSWER_S)
        except (OSError, ValueError) as problem:
            raise DeviceNotFound(f"dvsi:{path}: cannot be opened: {problem}") from problem
        self._path = path

    def send(self, raw: bytes) -> None:
        try:
            self._line.write(raw)
        except OSError as problem:
            raise DeviceLost(f"dvsi:{self._path}: {problem}") from problem

    def receive(self) -> bytes:
        try:
            return bytes(self._line.read(max(1, self._line.in_waiting)))
        except (OSError, TypeError) as problem:
            # pyserial fails with TypeError where the line was closed under it
            raise DeviceLost(f"dvsi:{self._path}: {problem}") from problem

    def close(self) -> None:
        self._line.close()


class UdpLink:
    """AMBEserver: each datagram is one packet; only those of the server are looked at. Raises `DeviceNotFound`."""

    def __init__(self, host: str, port: int = AMBESERVER_PORT) -> None:
        self._name = f"dvsi:udp:{host}:{port}"
        try:
            family, kind, proto, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM)[0]
            self._socket = socket.socket(family, kind, proto)
            self._socket.connect(address)
        except OSError as problem:
            raise DeviceNotFound(f"{self._name}: {problem.strerror or problem}") from problem
        self._socket.settimeout(ANSWER_S)

    def send(self, raw: bytes) -> None:
        try:
            self._socket.send(raw)
        except OSError as problem:
            raise DeviceLost(f"{self._name}: {problem.strerror or problem}") from problem

    def receive(self) -> bytes:
        try:
            return self._socket.recv(ambe3000.LONGEST + ambe3000.HEADER_BYTES + 2)
        except TimeoutError:
            return b""
        except OSError as problem:
            raise DeviceLost(f"{self._name}: {problem.strerror or problem}") from problem

    def close(self) -> None:
        self._socket.close()


class Chip:
    """One AMBE-3000, set to the full-rate vocoder of P25. Raises `DeviceError` where it does not answer."""

    def __init__(self, link: Link) -> None:
        self._link = link
        self._splitter = Splitter()
        try:
            self.product = self._identify()
            self._command(ambe3000.rate(ambe3000.P25_FULL_RATE), Field.RATEP)
            self.initialise()
        except DeviceError:
            link.close()
            raise

    def initialise(self) -> bytes:
        """Begin both directions afresh; nothing is answered."""
        self._command(ambe3000.initialise(), Field.INIT)
        return b""

    def encode(self, samples: bytes) -> bytes:
        """The 88 bits of 160 samples."""
        return self._exchange(ambe3000.speech(samples), Kind.CHANNEL)

    def decode(self, bits: bytes, lost: bool) -> bytes:
        """The 160 samples of 88 bits."""
        return self._exchange(ambe3000.channel(bits, lost), Kind.SPEECH)

    def close(self) -> None:
        """Let go of the device."""
        self._link.close()

    def _identify(self) -> str:
        # A chip that was interrupted in the middle of a packet swallows the first question as the rest of it.
        for wake in (b"", WAKE):
            if wake:
                self._link.send(wake)
            self._link.send(ambe3000.parity_off().encode(parity=True))
            if self._answer(Field.PARITYMODE) is None:
                continue
            self._link.send(ambe3000.product().encode())
            said = self._answer(Field.PRODID)
            if said is not None:
                return said.split(b"\0")[0].decode("ascii", "replace")
        raise DeviceLost("no AMBE-3000 answers; is it another device, or another baud rate?")

    def _command(self, packet: Packet, field: Field) -> None:
        self._link.send(packet.encode())
        said = self._answer(field)
        if said is None:
            raise DeviceLost(f"the vocoder chip does not answer to {field.name}")
        if any(said):
            raise DeviceLost(f"the vocoder chip refuses {field.name}: it answers {said.hex(' ')}")

    def _answer(self, field: Field) -> bytes | None:
        return self._wait(lambda packet: ambe3000.answered(packet, field))

    def _exchange(self, packet: Packet, kind: Kind) -> bytes:
        self._link.send(packet.encode())
        found = self._wait(lambda packet: ambe3000.payload(packet, kind))
        if found is None:
            raise DeviceLost(f"the vocoder chip gave no {kind.name.lower()} packet within {ANSWER_S:g} s")
        return found

    def _wait(self, wanted: Callable[[Packet], bytes | None]) -> bytes | None:
        # The bound is in bytes: a line that babbles for ever is no answer.
        taken = 0
        while taken < 4 * ambe3000.LONGEST:
            received = self._link.receive()
            if not received:
                return None
            taken += len(received)
            for packet in self._splitter.push(received):
                found = wanted(packet)
                if found is not None:
                    return found
        return None


class DvsiVocoder:
    """A `dsp.vocoder.base.Vocoder` on a chip. connect: opens the link; called again after a failure.

    failures: how often the chip did not do its work. health: "" while it does, else why not. Raises `DeviceError` where
    it cannot be had at the start.
    """

    def __init__(self, connect: Callable[[], Link]) -> None:
        self._connect = connect
        self._judge = ImbeDecoder()
        self._spare = ImbeEncoder()
        self._last = bytes(channel.SPEECH_BYTES)
        self.failures = 0
        self.health = ""
        self._without = 0
        self._chip: Chip | None = Chip(connect())

    @property
    def product(self) -> str:
        """What the chip calls itself; empty while it is not there."""
        return self._chip.product if self._chip else ""

    @property
    def encoder_delay(self) -> int:
        """That of the own encoder: the standard's analysis needs the same look-ahead whoever does it."""
        return self._spare.delay

    @property
    def decoder_delay(self) -> int:
        """160 samples, 20 ms."""
        return self._judge.delay

    @property
    def status(self) -> FrameStatus:
        """What became of the last frame decoded."""
        return self._judge.status

    def encode(self, samples: NDArray[np.float32]) -> NDArray[np.uint8]:
        """See `ImbeEncoder.encode`."""
        spare = self._spare.encode(samples)
        pcm = np.rint(np.clip(samples, -1.0, 1.0) * 32767).astype(">i2").tobytes()
        bits = self._ask(lambda chip: chip.encode(pcm))
        return spare if bits is None else np.frombuffer(bits, np.uint8)

    def flush(self) -> list[NDArray[np.uint8]]:
        """The frames still inside the encoder."""
        frames = self._spare.flush()
        if self._chip is None:
            return frames
        silence = bytes(2 * FRAME_SAMPLES)
        flushed = [self._ask(lambda chip: chip.encode(silence)) for _ in frames]
        return [
            spare if bits is None else np.frombuffer(bits, np.uint8)
            for spare, bits in zip(frames, flushed, strict=True)
        ]

    def protect(self, speech: ArrayLike) -> NDArray[np.uint8]:
        """See `channel.protect`."""
        return channel.protect(speech)

    def decode(self, speech: ArrayLike) -> Samples:
        """See `ImbeDecoder.decode`."""
        return self._spoken(self._judge.decode(speech), channel.packed(speech).tobytes())

    def decode_hard(self, received: ArrayLike) -> Samples:
        """See `ImbeDecoder.decode_hard`."""
        own = self._judge.decode_hard(received)
        return self._spoken(own, channel.unprotect(received)[0].tobytes())

    def decode_soft(self, llr: ArrayLike) -> Samples:
        """See `ImbeDecoder.decode_soft`."""
        own = self._judge.decode_soft(llr)
        return self._spoken(own, channel.unprotect_soft(llr)[0].tobytes())

    def erase(self) -> Samples:
        """See `ImbeDecoder.erase`."""
        return self._spoken(self._judge.erase(), self._last)

    def reset(self) -> None:
        """Back to the constructed state, both directions."""
        self._judge.reset()
        self._spare.reset()
        self._last = bytes(channel.SPEECH_BYTES)
        self._ask(Chip.initialise)

    def close(self) -> None:
        """Let go of the chip; the own codec goes on."""
        if self._chip is not None:
            self._chip.close()
            self._chip = None
            self.health = "closed"

    def _spoken(self, own: Samples, bits: bytes) -> Samples:
        status = self._judge.status
        if not status.repeated:
            self._last = bits
        pcm = self._ask(lambda chip: chip.decode(self._last, status.repeated))
        if pcm is None or status.muted:
            return own
        return (np.frombuffer(pcm, ">i2") / np.float32(32768)).astype(np.float32)

    def _ask(self, question: Callable[[Chip], bytes]) -> bytes | None:
        """The chip's answer, or None where the own codec has to do."""
        if self._chip is None and not self._back():
            return None
        assert self._chip is not None
        try:
            return question(self._chip)
        except DeviceError as problem:
            self._chip.close()
            self._chip = None
            self._without = 0
            self._failed(problem)
            return None

    def _back(self) -> bool:
        if self.health == "closed":
            return False
        self._without += 1
        if self._without < RETRY_FRAMES:
            return False
        self._without = 0
        try:
            self._chip = Chip(self._connect())
        except DeviceError as problem:
            self._failed(problem)
            return False
        _log.info("the vocoder chip %s is back", self.product)
        self.health = ""
        return True

    def _failed(self, problem: DeviceError) -> None:
        self.failures += 1
        self.health = f"{problem}; the own codec speaks"
        _log.warning("%s", self.health)


def open_vocoder(place: str) -> DvsiVocoder:
    """A vocoder by what stands behind `dvsi:`. Raises `DeviceError` saying what is wrong and what would be right."""
    if place.startswith("udp:"):
        host, _, port = place.removeprefix("udp:").partition(":")
        if not host or (port and not (port.isdecimal() and 0 < int(port) < 65536)):
            raise DeviceNotFound(f'vocoder "dvsi:{place}": must be dvsi:udp:HOST or dvsi:udp:HOST:PORT')
        return DvsiVocoder(lambda: UdpLink(host, int(port or AMBESERVER_PORT)))
    path, _, option = place.partition(",")
    key, _, baud = option.partition("=")
    if not path or (option and (key != "baud" or not baud.isdecimal())):
        raise DeviceNotFound(f'vocoder "dvsi:{place}": must be dvsi:/dev/ttyUSB0 or dvsi:/dev/ttyUSB0,baud=230400')
    return DvsiVocoder(lambda: SerialLink(path, int(baud or BAUD)))
