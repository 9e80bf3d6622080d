"""An rtl_tcp server that plays a recording, so that any program that knows rtl_tcp can hear it without a radio.

One client at a time, as with rtl_tcp itself; the next waits until the first leaves. Each client hears the recording
from its beginning. A gap in the recording is played as silence of the same length, so that time stays true.

A recording cannot be tuned: commands are taken, those that the recording cannot fulfil (another rate, a frequency
that is not its centre) are counted and logged, and the samples go on as they are.
"""

import logging
import select
import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

import numpy as np

from dsp.convert import from_complex, sample_type
from hw.base import Source, SourceInfo
from hw.clock import Clock, SystemClock
from hw.errors import DeviceBusy, DeviceError, Unsupported
from hw.registry import open_source
from hw.rtl2832 import GAINS_TENTH_DB, TUNERS
from hw.rtltcp_protocol import COMMAND_BYTES, DEFAULT_PORT, Command, CommandCode, Header

log = logging.getLogger(__name__)

_CU8 = sample_type("cu8")
_TUNER = "R820T"
_HEADER = Header(TUNERS.index(_TUNER), len(GAINS_TENTH_DB[_TUNER]))
_LOOK_S = 0.1  # how often a waiting server looks whether it should stop
_PIECE_S = 0.02
_COMMANDS_AT_ONCE = 4096
# A client that takes nothing for this long is gone; counted in looks, so that no clock is needed.
_PATIENCE_LOOKS = 100


class Pace(Enum):
    """How fast a recording is played."""

    REAL = "real"
    """In the time it was recorded in."""
    MAX = "max"
    """As fast as the client takes it."""


@dataclass(frozen=True, slots=True)
class ServerStatistics:
    """Counters since the server was made.

    clients: connections served. samples: sent. commands: taken. refused: commands the recording cannot fulfil.
    unknown: commands that rtl_tcp does not have.
    """

    clients: int = 0
    samples: int = 0
    commands: int = 0
    refused: int = 0
    unknown: int = 0


class RtlTcpServer:
    """Listens at once; `serve` plays.

    recording: opens the recording anew. host: the address to listen on, by default only this machine. port: 0 for any
    that is free. loop: begin again at the end; otherwise the connection is closed there.
    Raises `DeviceBusy` when the port is taken, `Unsupported` for an address that is not this machine's or a source
    that is not IQ.
    """

    def __init__(
        self,
        recording: Callable[[], Source],
        *,
        host: str = "127.0.0.1",
        port: int = DEFAULT_PORT,
        pace: Pace = Pace.REAL,
        loop: bool = True,
        clock: Clock | None = None,
    ) -> None:
        self._recording = recording
        self._pace = pace
        self._loop = loop
        self._clock: Clock = SystemClock() if clock is None else clock
        source = recording()
        self._info = source.info
        source.close()
        self._clients = self._samples = self._commands = self._refused = self._unknown = 0
        self._listener = _listen(host, port)

    @property
    def address(self) -> tuple[str, int]:
        """Host and port it listens on."""
        host, port = self._listener.getsockname()[:2]
        return host, port

    @property
    def info(self) -> SourceInfo:
        """Of the recording."""
        return self._info

    def statistics(self) -> ServerStatistics:
        """Counters since it was made."""
        return ServerStatistics(self._clients, self._samples, self._commands, self._refused, self._unknown)

    def serve(self, stop: threading.Event) -> None:
        """Serve one client after the other until `stop` is set, then stop listening."""
        with self._listener:
            while not stop.is_set():
                if not select.select([self._listener], [], [], _LOOK_S)[0]:
                    continue
                try:
                    connection, peer = self._listener.accept()
                except OSError as e:
                    log.info("a client left before it was served: %s", e)
                    continue
                self._clients += 1
                with connection:
                    log.info("client %s connected", peer[0])
                    try:
                        self._play(connection, stop)
                        _part(connection, stop)
                    except OSError as e:
                        log.info("client %s left: %s", peer[0], e)
                    except DeviceError as e:
                        log.error("the recording cannot be played on: %s", e)

    def _play(self, connection: socket.socket, stop: threading.Event) -> None:
        connection.setblocking(False)
        commands = _Commands(connection)
        self._send(connection, commands, _HEADER.encode(), stop)
        began, sent, again = self._clock.monotonic(), 0, True
        while again and not stop.is_set():
            again = self._loop
            source = self._recording()
            try:
                end = 0
                while (
                    not stop.is_set() and (block := source.read(max(1, round(_PIECE_S * self._info.rate)))) is not None
                ):
                    # Silence in small pieces: a gap may be hours long.
                    while end < block.index and not stop.is_set():
                        silence = np.zeros(min(block.index - end, 1 << 15), np.complex64)
                        sent += self._send_samples(connection, commands, silence, began, sent, stop)
                        end += len(silence)
                    sent += self._send_samples(connection, commands, block.samples, began, sent, stop)
                    end = block.end
                if not end:
                    return
            finally:
                source.close()

    def _send_samples(
        self,
        connection: socket.socket,
        commands: "_Commands",
        samples: np.ndarray[tuple[int], np.dtype[np.complex64]],
        began: float,
        sent: int,
        stop: threading.Event,
    ) -> int:
        if self._pace is Pace.REAL:
            # A sample can be sent when it is over, as from a receiver.
            due = began + (sent + len(samples)) / self._info.rate
            self._clock.wait(stop, due - self._clock.monotonic())
        raw, _ = from_complex(samples, _CU8)
        self._send(connection, commands, raw.tobytes(), stop)
        self._samples += len(samples)
        return len(samples)

    def _send(self, connection: socket.socket, commands: "_Commands", raw: bytes, stop: threading.Event) -> None:
        view, looks = memoryview(raw), 0
        while view and not stop.is_set():
            for command in commands.take():
                self._obey(command)
            _, writable, _ = select.select([], [connection], [], _LOOK_S)
            if not writable:
                looks += 1
                if looks == _PATIENCE_LOOKS:
                    raise TimeoutError(f"it took nothing for {_PATIENCE_LOOKS * _LOOK_S:g} s")
                continue
            looks = 0
            view = view[connection.send(view) :]

    def _obey(self, command: Command) -> None:
        self._commands += 1
        try:
            code = CommandCode(command.code)
        except ValueError:
            self._unknown += 1
            log.info("command 0x%02x is not one of rtl_tcp", command.code)
            return
        center, rate = self._info.center_hz, self._info.rate
        if code is CommandCode.SAMPLE_RATE and command.value != rate:
            self._refused += 1
            log.warning("the client asks for %d S/s; the recording has %d S/s and is sent so", command.value, rate)
        elif code is CommandCode.FREQUENCY and center is not None and command.value != center:
            self._refused += 1
            log.warning("the client asks for %d Hz; the recording's centre is %d Hz and stays", command.value, center)


def _part(connection: socket.socket, stop: threading.Event) -> None:
    # Closing with commands unread resets the connection, and what the client has not taken yet would be lost.
    connection.shutdown(socket.SHUT_WR)
    for _ in range(_PATIENCE_LOOKS):
        if stop.is_set() or (select.select([connection], [], [], _LOOK_S)[0] and not connection.recv(4096)):
            return


class _Commands:
    """Takes the commands a client has sent so far; never waits."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._rest = b""

    def take(self) -> list[Command]:
        try:
            got = self._connection.recv(_COMMANDS_AT_ONCE)
        except BlockingIOError:
            return []
        if not got:
            raise ConnectionResetError("it closed the connection")
        self._rest += got
        whole = len(self._rest) - len(self._rest) % COMMAND_BYTES
        raw, self._rest = self._rest[:whole], self._rest[whole:]
        return [Command.parse(raw[i : i + COMMAND_BYTES]) for i in range(0, whole, COMMAND_BYTES)]


def serve_recording(
    spec: str,
    *,
    base: Path,
    rate: int | None = None,
    center_hz: int | None = None,
    format: str | None = None,
    host: str = "127.0.0.1",
    port: int = DEFAULT_PORT,
    pace: Pace = Pace.REAL,
    loop: bool = True,
    stop: threading.Event,
    listening: Callable[[RtlTcpServer], None] | None = None,
    clock: Clock | None = None,
) -> ServerStatistics:
    """Play the source that `spec` names to rtl_tcp clients until `stop` is set.

    spec, base, rate, center_hz, format: as `registry.open_source`. listening: called once clients can connect.
    Raises a `DeviceError` when the recording or the port cannot be opened.
    """

    def recording() -> Source:
        source = open_source(spec, base=base, rate=rate, center_hz=center_hz, format=format)
        if source.info.kind != "iq" or not isinstance(source, Source):
            source.close()
            raise Unsupported(f"{spec}: is {source.info.kind} audio of one channel; rtl_tcp carries IQ samples only")
        return source

    server = RtlTcpServer(recording, host=host, port=port, pace=pace, loop=loop, clock=clock)
    if listening is not None:
        listening(server)
    server.serve(stop)
    return server.statistics()


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=8)
    except PermissionError as e:
        raise Unsupported(f"port {port} may not be used by this user; the usual one is {DEFAULT_PORT}") from e
    except (OSError, OverflowError) as e:
        if isinstance(e, OSError) and e.errno == 98:
            raise DeviceBusy(f"port {port} on {host} is in use by another program; choose another with --port") from e
        raise Unsupported(f"cannot listen on {host} port {port}: {e}") from e
