"""The other end of rtl_tcp for tests: a server that follows a script, connection by connection."""

import contextlib
import socket
from collections.abc import Callable, Iterator
from threading import Event, Thread

from hw.rtltcp_protocol import COMMAND_BYTES, Command, Header

BOUND_S = 10.0  # nothing here takes this long; what is not over by then hangs

R820T = Header(5, 29).encode()

Act = Callable[[socket.socket], object]


def send(data: bytes) -> Act:
    return lambda peer: peer.sendall(data)


def hold(event: Event) -> Act:
    return lambda _: event.wait(BOUND_S)


def commands(into: list[Command], count: int, done: Event) -> Act:
    """Take `count` commands."""

    def act(peer: socket.socket) -> None:
        raw = b""
        while len(raw) < count * COMMAND_BYTES and (piece := peer.recv(count * COMMAND_BYTES - len(raw))):
            raw += piece
        into.extend(Command.parse(raw[i : i + COMMAND_BYTES]) for i in range(0, len(raw), COMMAND_BYTES))
        done.set()

    return act


def unread(peer: socket.socket) -> None:
    """Take whatever came, so that closing does not reset the connection and take sent data with it."""
    peer.shutdown(socket.SHUT_WR)
    peer.settimeout(BOUND_S)
    with contextlib.suppress(OSError):
        while peer.recv(4096):
            pass


@contextlib.contextmanager
def server(*connections: list[Act], family: int = socket.AF_INET) -> Iterator[int]:
    """Listen; each connection gets the next list of acts, and after the last nobody listens. Gives the port."""
    listener = socket.create_server(("::1" if family == socket.AF_INET6 else "127.0.0.1", 0), family=family)
    listener.settimeout(BOUND_S)

    def run() -> None:
        # A client that leaves while a script still talks to it is part of the game.
        with listener, contextlib.suppress(OSError):
            for i, acts in enumerate(connections):
                peer, _ = listener.accept()
                if i == len(connections) - 1:
                    listener.close()
                peer.settimeout(BOUND_S)
                with peer, contextlib.suppress(OSError):
                    for act in acts:
                        act(peer)

    thread = Thread(target=run, daemon=True)
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        with contextlib.suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join(BOUND_S)
        assert not thread.is_alive()
