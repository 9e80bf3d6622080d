"""A tuner in a process of its own: a crashed or hung driver takes down nobody else.

    Source ─▶ Receiver ─▶ Channel rules ─▶ ReceivePort ─messages─▶ socket ─▶ daemon (`sdrbridge.remoteport`)

`TunerRun` is the part without a process: samples in, messages out, the same chain as in a replay. `python -m
sdrbridge.worker FD` runs one on an inherited socket: the first packet that comes is its `Setup`, the end of the
connection is the order to stop. Recordings are given out in real time, so a site of files runs like one of radios.

What the daemon does not take in time is kept up to two seconds. Then speech is dropped and counted, the oldest first;
beginnings and ends of overs never are.
"""

import contextlib
import os
import select
import signal
import socket
import sys
import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path

from dsp.blocks import IqBlock, RowBlock
from hw.base import DiscriminatorSource, Source, SourceInfo
from hw.clock import Clock, SystemClock
from hw.errors import DeviceError
from hw.registry import open_source
from sdrbridge.bank import BLOCK
from sdrbridge.bridge import LineCommon, make_line
from sdrbridge.errors import ConfigError
from sdrbridge.receiver import Receiver
from sdrbridge.transmission import Facts, Transmission
from sdrbridge.urgent import SPEECH, urgent
from sdrbridge.wire import (
    Audio,
    Beat,
    Begin,
    Bye,
    Delay,
    End,
    Hello,
    Known,
    Message,
    Setup,
    Told,
    Unpacker,
    WireError,
    pack,
)

BLOCKS_A_SECOND = 100
"""Reads of the source a second: the receiver gives 10 ms at a time."""

MOST_HELD = 100
"""Packets that wait for the daemon, at most, with their speech: two seconds."""

MOST_PACKETS = 3000
"""Packets without speech that wait for the daemon; one that has not listened for a minute will never."""

_FROM_START = ("file", "discriminator")
"""Kinds of source that have all samples at once, and are given out in real time."""


class TunerRun:
    """One tuner and its channels. Samples in with `take`, messages out of `step`."""

    def __init__(self, setup: Setup, info: SourceInfo) -> None:
        self._told: list[Message] = []
        self._begun: list[Transmission] = []
        common = LineCommon(setup.extra_ctcss_hz, setup.vocoder, self._tell, self._begun.append)
        self.line = make_line(setup.tuner, setup.channels, info, common)
        self._ports = {port.name: port for port in self.line.ports}
        self._live: dict[str, _Live] = {}
        self._next = 0

    def take(self, block: IqBlock | RowBlock) -> list[Message]:
        """Receive a block; returns what there is to say of all that is known by its end."""
        receiver = self.line.receiver
        if isinstance(receiver, Receiver):
            assert isinstance(block, IqBlock)
            found = receiver.process(block)
        else:
            assert isinstance(block, RowBlock)
            found = receiver.process(block)
        self.line.deliver(found)
        messages: list[Message] = []
        while self._next <= receiver.time:
            self.line.advance(self._next)
            messages += self._step()
            self._next += BLOCK
        return messages

    @property
    def time(self) -> int:
        """Up to which sample of 8 kHz it has received."""
        return self.line.receiver.time

    def ledger(self) -> dict[str, tuple[Delay, ...]]:
        """What the stages of each channel hold back, in the order of the signal."""
        return {
            name: tuple(Delay(stage.name, stage.delay_s) for stage in self.line.receiver.ledger(position))
            for position, name in enumerate(self._ports)
        }

    def _tell(self, event: dict[str, object]) -> None:
        self._told.append(Told(event))

    def _step(self) -> list[Message]:
        messages: list[Message] = []
        for over in self._begun:
            self._live[over.id] = _Live(over)
            messages.append(Begin(over.port, over.id, over.start, over.facts))
        self._begun.clear()
        messages += self._told
        self._told.clear()
        for name, live in list(self._live.items()):
            over, port = live.over, self._ports[live.over.port]
            facts = asdict(over.facts)
            if facts != live.facts and (_told_at_once(facts) != _told_at_once(live.facts) or live.steps % 10 == 0):
                live.facts = facts
                messages.append(Known(over.port, over.id, Facts(**facts)))
            live.steps += 1
            end = port.available() if over.end is None else over.end
            if end > live.sent:
                samples = port.read(live.sent, end - live.sent)
                messages.append(Audio(over.port, live.sent, samples.tobytes()))
                live.sent = end
            if over.end is not None:
                on_air_end = over.end if over.on_air_end is None else over.on_air_end
                messages.append(End(over.port, over.id, over.end, on_air_end, Facts(**facts)))
                del self._live[name]
        return messages


class _Live:
    """An over on its way to the daemon: what has been sent of it."""

    __slots__ = ("facts", "over", "sent", "steps")

    def __init__(self, over: Transmission) -> None:
        self.over = over
        self.sent = over.start
        self.facts = asdict(over.facts)
        self.steps = 0


def _told_at_once(facts: dict[str, object]) -> dict[str, object]:
    """The facts without those that change all the time; those are told ten times a second."""
    return {name: value for name, value in facts.items() if name not in _MEASURED}


_MEASURED = {"snr_db", "level_dbfs", "ber", "evm", "frequency_error_hz", "frame_loss", "erasures"}


class Outbox:
    """Packets for a daemon that may be slow. send: gives bytes to the connection, returns how many it took.

    Raises `WireError` in `put` when the daemon has not listened for a minute, and `OSError` as `send` does.
    """

    def __init__(self, send: Callable[[bytes], int]) -> None:
        self._send = send
        self._waiting: deque[list[Message]] = deque()
        self._rest = b""
        self.dropped = 0
        """Samples of speech that were dropped."""

    def put(self, messages: Sequence[Message]) -> None:
        """Send messages as one packet, after what still waits."""
        while self._rest or self._waiting:
            if not self._give(self._rest or pack(self._waiting.popleft())):
                self._hold(list(messages))
                return
        self._give(pack(messages))

    def _give(self, packet: bytes) -> bool:
        """Give a packet, or what is left of one, to the connection; returns whether it took all of it."""
        self._rest = packet[self._send(packet) :]
        return not self._rest

    def _hold(self, packet: list[Message]) -> None:
        self._waiting.append(packet)
        if len(self._waiting) > MOST_HELD:
            self._drop(self._waiting[-MOST_HELD - 1])
        if len(self._waiting) > MOST_PACKETS:
            raise WireError("the daemon has not listened for a minute")

    def _drop(self, packet: list[Message]) -> None:
        self.dropped += sum(len(m.samples) // 4 for m in packet if isinstance(m, Audio))
        packet[:] = [m for m in packet if not isinstance(m, Audio | Beat)]


def run(connection: socket.socket, clock: Clock, stop: threading.Event) -> Bye:
    """Receive until the source ends or fails, or `stop` is set; returns what was said last. Raises `OSError`."""
    setup = _read_setup(connection)
    connection.setblocking(False)
    outbox = Outbox(lambda data: _send(connection, data))
    try:
        source = open_source(
            setup.tuner.source,
            base=Path(setup.folder),
            rate=setup.tuner.rate,
            center_hz=setup.tuner.center_hz,
            format=setup.tuner.format,
            gain_db=setup.tuner.gain_db,
            ppm=setup.tuner.ppm,
        )
    except DeviceError as problem:
        return _leave(connection, outbox, Bye(str(problem)))
    try:
        return _leave(connection, outbox, _receive(setup, source, outbox, clock, stop))
    finally:
        source.close()


def _receive(
    setup: Setup, source: Source | DiscriminatorSource, outbox: Outbox, clock: Clock, stop: threading.Event
) -> Bye:
    info = source.info
    try:
        tuner = TunerRun(setup, info)
    except ConfigError as problem:
        return Bye(str(problem))
    paced = setup.tuner.kind in _FROM_START
    size = max(1, info.rate // BLOCKS_A_SECOND)
    began = clock.monotonic()
    about = info.description[:2000], info.kind, info.rate, info.center_hz, info.notes[:20]
    outbox.put([Hello(*about, tuner.ledger(), began)])
    end = blocks = rss = 0
    while not stop.is_set():
        if paced and clock.wait(stop, began + (end + size) / info.rate - clock.monotonic()):
            break
        try:
            block = source.read(size)
        except DeviceError as problem:
            return Bye(str(problem))
        if block is None:
            return Bye(f"{info.description} has come to its end", ended=True)
        end = block.end
        messages = tuner.take(block)
        seen = source.statistics()
        if blocks % BLOCKS_A_SECOND == 0:
            rss = _rss_bytes()
        blocks += 1
        counts = seen.samples, seen.lost, seen.gaps, seen.clipped, seen.invalid
        beat = Beat(tuner.time, *counts, outbox.dropped, rss, clock.monotonic())
        outbox.put([*messages, beat])
    return Bye("was told to stop", ended=True)


def _leave(connection: socket.socket, outbox: Outbox, bye: Bye) -> Bye:
    """Say it, and wait a moment for the daemon to take it."""
    connection.settimeout(1.0)
    with contextlib.suppress(OSError, WireError):
        outbox.put([bye])
    return bye


def _send(connection: socket.socket, data: bytes) -> int:
    try:
        return connection.send(data)
    except BlockingIOError:
        return 0


def _read_setup(connection: socket.socket) -> Setup:
    unpacker = Unpacker()
    while True:
        data = connection.recv(1 << 16)
        if not data:
            raise WireError("the daemon went away before it said what to receive")
        for message in unpacker.feed(data):
            if isinstance(message, Setup):
                return message
            raise WireError(f"the daemon says {type(message).__name__} where Setup is due")


_PAGE = os.sysconf("SC_PAGE_SIZE")


def _rss_bytes() -> int:
    try:
        return int(Path("/proc/self/statm").read_text().split()[1]) * _PAGE
    except (OSError, ValueError, IndexError):
        return 0


def _watch(connection: socket.socket) -> None:
    """End the process as soon as the daemon is gone, even while a driver hangs in its own code."""
    poll = select.poll()
    poll.register(connection.fileno(), select.POLLRDHUP)
    poll.poll()
    os._exit(0)


def main() -> None:
    """Entry of the process: `python -m sdrbridge.worker FD`. Exit codes: 0 the end, 69 the source failed."""
    # Ctrl-C goes to everybody on the terminal; the daemon decides when its workers stop.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    urgent(SPEECH)
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    with socket.socket(fileno=int(sys.argv[1])) as connection:
        threading.Thread(target=_watch, args=(connection,), daemon=True).start()
        try:
            bye = run(connection, SystemClock(), stop)
        except (OSError, WireError) as problem:
            print(f"sdrbridge worker: {problem}", file=sys.stderr)
            os._exit(75)
        # Drivers may have threads that never end.
        sys.stderr.flush()
        os._exit(0 if bye.ended else 69)


if __name__ == "__main__":
    main()
