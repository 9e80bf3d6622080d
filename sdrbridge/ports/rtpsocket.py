"""The sockets of an RTP port and the thread that serves them: datagrams in and out, opened again when they fail.

Datagrams are marked as speech (DSCP EF, RFC 4594), so that a network that knows what that means lets them pass first.
"""

import contextlib
import logging
import select
import socket
from collections.abc import Sequence
from math import ceil
from threading import Event, Thread
from typing import NamedTuple, Protocol

from hw.clock import Clock
from sdrbridge.rtp.address import Address

log = logging.getLogger(__name__)

AGAIN_S = 1.0
"""Sockets that could not be opened are tried again in so long."""

LOOK_S = 0.2
"""How long the thread sleeps at most."""

MOST_AT_ONCE = 64
"""Datagrams read before something is sent again, however many come."""

_EF = 46 << 2
_LONGEST = 2048


class Outgoing(NamedTuple):
    """A datagram to be sent. rtcp: from the port of RTCP."""

    data: bytes
    to: Address
    rtcp: bool = False


class Served(Protocol):
    """What is behind the sockets."""

    def take(self, data: bytes, source: Address, rtcp: bool, at_s: float) -> None:
        """A datagram has come."""
        ...

    def work(self, now_s: float) -> list[Outgoing]:
        """What is to be sent now."""
        ...

    def next_s(self) -> float:
        """When there will be something to send, as far as is known."""
        ...

    def farewell(self) -> list[Outgoing]:
        """What is to be sent at the end."""
        ...


class RtpSockets:
    """listen: address of RTP, and of RTCP if there is any."""

    def __init__(self, name: str, listen: Sequence[Address], clock: Clock, served: Served) -> None:
        self._name = name
        self._listen = tuple(listen)
        self._clock = clock
        self._served = served
        self._stop = Event()
        self._thread: Thread | None = None
        self._sockets: list[socket.socket] = []
        self._wake: tuple[socket.socket, socket.socket] | None = None
        self.problem = "not open yet"
        """Why nothing can be heard or sent; "" for nothing."""
        self.trouble = ""
        """Why the last datagram could not be sent; "" if it could."""
        self.failures = 0
        """Datagrams that could not be sent."""

    def start(self) -> None:
        """Open, and serve until stopped."""
        self._wake = socket.socketpair()
        for end in self._wake:
            end.setblocking(False)
        self._thread = Thread(target=self._run, name=f"network of {self._name}", daemon=True)
        self._thread.start()

    def wake(self) -> None:
        """There is something to send. From any thread; never blocks."""
        if self._wake is not None:
            with contextlib.suppress(OSError):
                self._wake[1].send(b"\0")

    def stop(self) -> None:
        """End the thread, say farewell, and close. Blocks for a moment; may be called twice."""
        self._stop.set()
        self.wake()
        if self._thread is not None:
            self._thread.join(5.0)
            self._thread = None
            self._send(self._served.farewell())
        self._close()
        self.problem = "stopped"
        ends, self._wake = self._wake, None
        for end in ends or ():
            end.close()

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                if self._sockets or self._open():
                    self._serve()
                else:
                    self._clock.wait(self._stop, AGAIN_S)
            except Exception:
                # Whatever a datagram did must not leave the port without its thread.
                log.exception("%s: serving the network failed", self._name)
                self._close()
                self._clock.wait(self._stop, AGAIN_S)

    def _open(self) -> bool:
        try:
            for address in self._listen:
                self._sockets.append(_bind(address))
        except OSError as problem:
            self._close()
            self.problem = f"cannot listen on {address}: {problem.strerror or problem}"
            return False
        self.problem = ""
        return True

    def _close(self) -> None:
        sockets, self._sockets = self._sockets, []
        for one in sockets:
            one.close()

    def _serve(self) -> None:
        assert self._wake is not None
        woken, _ = self._wake
        poll = select.poll()
        for one in (*self._sockets, woken):
            poll.register(one, select.POLLIN)
        while not self._stop.is_set():
            wait_s = min(max(self._served.next_s() - self._clock.monotonic(), 0.0), LOOK_S)
            poll.poll(ceil(wait_s * 1000))
            with contextlib.suppress(BlockingIOError):
                woken.recv(_LONGEST)
            for number, one in enumerate(self._sockets):
                self._receive(one, rtcp=number == 1)
            self._send(self._served.work(self._clock.monotonic()))

    def _receive(self, one: socket.socket, rtcp: bool) -> None:
        for _ in range(MOST_AT_ONCE):
            try:
                data, source = one.recvfrom(_LONGEST)
            except BlockingIOError:
                return
            except ConnectionError:
                continue  # what was sent before was refused
            self._served.take(data, Address(source[0], source[1]), rtcp, self._clock.monotonic())

    def _send(self, datagrams: list[Outgoing]) -> None:
        for data, to, rtcp in datagrams:
            if not self._sockets:
                return
            try:
                self._sockets[rtcp].sendto(data, (to.host, to.port or 0))
                self.trouble = ""
            except OSError as problem:
                self.failures += 1
                self.trouble = f"cannot send to {to}: {problem.strerror or problem}"


def _bind(address: Address) -> socket.socket:
    six = ":" in address.host
    one = socket.socket(socket.AF_INET6 if six else socket.AF_INET, socket.SOCK_DGRAM)
    try:
        one.setblocking(False)
        if six:
            one.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_TCLASS, _EF)
        else:
            one.setsockopt(socket.IPPROTO_IP, socket.IP_TOS, _EF)
        one.bind((address.host, address.port or 0))
    except OSError:
        one.close()
        raise
    return one
