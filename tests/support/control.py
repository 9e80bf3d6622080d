"""A small incident to ask and tell things: an engine of loopback ports, alone or behind a real control socket.

VTAC11, UTAC41   channels: what they say is given to their loopback        kept as "receivers" of the site
dispatch, truck  ports that hear and talk
command          a patch of VTAC11 and dispatch
"""

import asyncio
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import numpy as np

from hw.clock import ManualClock
from sdrbridge import config
from sdrbridge.control.identity import Identity
from sdrbridge.control.server import ControlServer, Reload
from sdrbridge.control.stream import EventHub
from sdrbridge.engine import Engine
from sdrbridge.matrix import Event
from sdrbridge.operations import Operations
from sdrbridge.port import Audio, Loopback, Port
from sdrbridge.transmission import Transmission

T = TypeVar("T")

ALICE = Identity("alice", 1000, 4711, "socket")

BOUND_S = 20.0
"""Seconds a test waits for another thread before it calls it lost."""

SITE = """
[bridge]
name = "command-post"

[[tuner]]
name = "vhf"
source = "file:none.cu8"
center = "155.0M"
rate = "240k"

[[channel]]
name = "VTAC11"
tuner = "vhf"
offset = "10k"
mode = "nfm"
squelch = { ctcss_hz = 156.7 }

[[channel]]
name = "UTAC41"
tuner = "vhf"
offset = "-20k"
mode = "nfm"

[[port]]
name = "dispatch"
kind = "loopback"

[[port]]
name = "truck"
kind = "loopback"
access_ms = 300
priority = 5

[[port]]
name = "printer"
kind = "file"

[[patch]]
name = "command"
ports = ["VTAC11", "dispatch"]
"""


def speech(n: int, seed: int = 1) -> Audio:
    """Sound without a pause."""
    return np.random.default_rng(seed).uniform(0.1, 0.9, n).astype(np.float32)


class TickingEngine(Engine):
    """Ticks by itself when something is asked of it, if told to: a server's test needs no thread for the matrix."""

    on_demand = False
    _stepping = threading.Lock()

    def perform(self, act: Callable[[Engine], T]) -> "Future[T]":
        future = super().perform(act)
        if self.on_demand:
            with self._stepping:
                self.tick()
        return future


class Incident:
    """The engine, its loopbacks, what it told, and the operations on it."""

    def __init__(self, folder: Path, site: str = SITE) -> None:
        path = folder / "site.toml"
        path.write_text(site)
        self.site = config.load(path)
        self.clock = ManualClock()
        self.events: list[Event] = []
        self.loops = {name: Loopback(name, latency=160) for name in self._names()}
        channels = {channel.name for channel in self.site.channels}
        settings = {port.name: port for port in self.site.ports}
        ports = []
        for name, loop in self.loops.items():
            if name in channels:
                ports.append(Port(name, rx=loop))
            else:
                port = settings[name]
                rx = None if port.kind == "file" else loop
                ports.append(Port(name, rx, loop, port.priority, port.access_ms))
        self.engine = TickingEngine(self.site, ports, sinks=[self.events.append])
        self.operations = Operations(self.engine, self.clock)

    def _names(self) -> list[str]:
        return [c.name for c in self.site.channels] + [p.name for p in self.site.ports]

    def run(self, seconds: float) -> None:
        """Tick that long."""
        for _ in range(round(seconds * 50)):
            self.engine.tick()
            self.clock.advance(0.02)

    def say(self, port: str, seconds: float, lead_s: float = 0.0) -> Transmission:
        """Have somebody talk from now on, after `lead_s`."""
        return self.loops[port].say(self.engine.now + round(lead_s * 8000), speech(round(seconds * 8000)))

    def hear_carrier(self, channel: str, ctcss_hz: float | None = None) -> None:
        """Tell what a receiver tells when somebody keys up."""
        self.engine.tell({"event": "carrier.open", "channel": channel, "snr_db": 21.4})
        if ctcss_hz is not None:
            self.engine.tell({"event": "tone.found", "channel": channel, "ctcss_hz": ctcss_hz})

    def told(self, kind: str) -> list[Event]:
        """The events of one kind."""
        return [event for event in self.events if event["event"] == kind]


@contextmanager
def serving(
    incident: Incident,
    socket: Path,
    *,
    reload: Reload | None = None,
    queue: int | None = None,
    on_demand: bool = True,
) -> Iterator[ControlServer]:
    """The incident behind a control socket, in a thread with an event loop of its own."""
    incident.engine.on_demand = on_demand
    hub = EventHub(incident.clock) if queue is None else EventHub(incident.clock, queue)
    server = ControlServer(incident.operations, socket, reload, hub=hub)
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="control", daemon=True)
    thread.start()
    try:
        asyncio.run_coroutine_threadsafe(server.start(), loop).result(BOUND_S)
        yield server
    finally:
        asyncio.run_coroutine_threadsafe(server.stop(), loop).result(BOUND_S)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(BOUND_S)
        loop.close()
