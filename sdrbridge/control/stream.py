"""Events for whoever listens: a bounded queue each, so that a listener who does not read costs the others nothing.

    Engine.tell, matrix thread ─▶ inbox ─▶ event loop: number, encode once ─▶ queue of each listener ─▶ his connection

A listener whose queue is full loses his stream, which is counted; he connects again and sees by `seq` what he missed.
An inbox that runs full, because the event loop is busy, drops its oldest events and counts them as missed.
"""

import asyncio
import threading
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from hw.clock import Clock
from sdrbridge.view import wall

KEPT = 1000
"""Last events kept for those who ask for them."""

QUEUE = 2000
"""Events that may wait for one listener."""

INBOX = 10_000
"""Events that may wait for the event loop."""

MOST_LISTENERS = 32
"""Streams at one time."""


class Listener:
    """One stream of events. lost: it did not keep up, and ended."""

    def __init__(self, abort: Callable[[], None], limit: int) -> None:
        self.lost = False
        self._abort = abort
        self._limit = limit
        self._lines: deque[bytes] = deque()
        self._ready = asyncio.Event()
        self._closed = False

    def put(self, line: bytes) -> bool:
        """Queue a line; False where the listener has lost his stream by it."""
        if self._closed:
            return True
        if len(self._lines) >= self._limit:
            self.lost = True
            self.close()
            self._abort()
            return False
        self._lines.append(line)
        self._ready.set()
        return True

    def close(self) -> None:
        """End the stream."""
        self._closed = True
        self._lines.clear()
        self._ready.set()

    async def next(self) -> list[bytes] | None:
        """The lines that wait, one or more; None at the end."""
        await self._ready.wait()
        if self._closed:
            return None
        lines = list(self._lines)
        self._lines.clear()
        self._ready.clear()
        return lines


class EventHub:
    """Hands events out. Called with each event, from any thread; everything else belongs to the event loop.

    clock: for the time of day of each. queue: events that may wait for one listener.
    """

    def __init__(self, clock: Clock, queue: int = QUEUE) -> None:
        self._clock = clock
        self._queue = queue
        self._encode = msgspec.json.Encoder(enc_hook=str).encode
        self._loop: asyncio.AbstractEventLoop | None = None
        self._lock = threading.Lock()
        self._inbox: deque[dict[str, Any]] = deque()
        self._woken = False
        self._seq = 0
        self._kept: deque[dict[str, Any]] = deque(maxlen=KEPT)
        self._listeners: set[Listener] = set()
        self.missed = 0
        """Events dropped because the event loop was too busy."""
        self.lost_streams = 0
        """Streams that ended because their listener did not keep up."""

    def attach(self, loop: asyncio.AbstractEventLoop) -> None:
        """Begin to hand out, on this loop."""
        with self._lock:
            self._loop = loop
            self._woken = bool(self._inbox)
        if self._woken:
            loop.call_soon_threadsafe(self._drain)

    def __call__(self, event: Mapping[str, Any]) -> None:
        """Take an event; never blocks and never waits. Who looks at the bridge is for the journal alone."""
        if event.get("event") == "control.asked":
            return
        at = wall(self._clock.now())
        with self._lock:
            self._seq += 1
            if len(self._inbox) >= INBOX:
                self._inbox.popleft()
                self.missed += 1
            self._inbox.append({"seq": self._seq, "at": at, **event})
            wake = self._loop is not None and not self._woken
            self._woken = self._woken or wake
        if wake:
            assert self._loop is not None
            try:
                self._loop.call_soon_threadsafe(self._drain)
            except RuntimeError:
                self._loop = None  # the loop is closed; the bridge goes on without it

    def recent(self, last: int) -> list[dict[str, Any]]:
        """The last events, oldest first."""
        self._drain()
        return list(self._kept)[-last:] if last else []

    def listen(self, last: int, abort: Callable[[], None]) -> Listener | None:
        """A new stream that begins with the last events; None where there are too many. abort: cuts the connection."""
        if len(self._listeners) >= MOST_LISTENERS:
            return None
        listener = Listener(abort, self._queue)
        for event in self.recent(last):
            listener.put(self._encode(event) + b"\n")
        self._listeners.add(listener)
        return listener

    def leave(self, listener: Listener) -> None:
        """A stream has ended."""
        listener.close()
        self._listeners.discard(listener)

    def close(self) -> None:
        """End every stream and take no more."""
        with self._lock:
            self._loop = None
        for listener in self._listeners:
            listener.close()

    @property
    def listeners(self) -> int:
        """Streams that are open."""
        return len(self._listeners)

    def _drain(self) -> None:
        with self._lock:
            events = list(self._inbox)
            self._inbox.clear()
            self._woken = False
        for event in events:
            self._kept.append(event)
            if not self._listeners:
                continue
            line = self._encode(event) + b"\n"
            for listener in list(self._listeners):
                if not listener.put(line):
                    self.lost_streams += 1
                    self._listeners.discard(listener)
