"""A connection to the control socket: who is at the other end, and how long he may take to say what he wants.

uvicorn's HTTP and WebSocket protocols, which here also tell the application who asks: `scope["sdrbridge"]` holds a
`Connection`. A peer that sends nothing, or never finishes the head of a request, is cut off.
"""

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from sdrbridge.control.identity import Identity, of_peer

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

HEAD_S = 10.0
"""Seconds a peer has for the head of a request."""


@dataclass(frozen=True, slots=True)
class Connection:
    """The other end. abort: cuts the connection at once, whatever is still to be sent."""

    identity: Identity
    abort: Callable[[], None]


def connection_of(scope: Scope) -> Connection:
    """Who sent this request."""
    found = scope["sdrbridge"]
    assert isinstance(found, Connection)
    return found


class HttpConnection(H11Protocol):
    """HTTP/1.1 on a Unix socket."""

    _timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.app = _introduced(self.app, transport)
        self._watch(True)

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._watch(self.conn.their_state is h11.IDLE and bool(self.conn.trailing_data[0]))

    def connection_lost(self, exc: Exception | None) -> None:
        self._watch(False)
        super().connection_lost(exc)

    def send_400_response(self, msg: str) -> None:
        if self.cycle is None or self.cycle.response_complete:
            super().send_400_response(msg)
            return
        # Nonsense after a request that is being answered: there is no way left to complain about it.
        self.cycle.disconnected = True
        self.cycle.message_event.set()
        self.transport.abort()

    def _watch(self, waiting: bool) -> None:
        if self._timer is not None and not waiting:
            self._timer.cancel()
            self._timer = None
        elif self._timer is None and waiting:
            self._timer = self.loop.call_later(HEAD_S, self.transport.abort)


class WebSocketConnection(WebSocketsSansIOProtocol):
    """WebSocket on a Unix socket."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self.app = _introduced(self.app, self.transport)


def _introduced(app: Any, transport: asyncio.Transport) -> Any:
    """The application, told with every request who is at the other end."""
    connection = Connection(of_peer(transport.get_extra_info("socket")), transport.abort)

    async def introduced(scope: Scope, receive: Receive, send: Send) -> None:
        scope["sdrbridge"] = connection
        await app(scope, receive, send)

    return introduced
