"""A port of the daemon that is more than memory: sockets, sound cards, links, transmitters.

    site file ─PortConfig─▶ KINDS[kind].module.open_port(config, context) ─▶ LivePort ─rx, tx─▶ Matrix

Two threads meet in a live port. The matrix thread calls `rx` and `tx` each tick; those calls never block and never
raise, whatever the device does. The daemon's event loop calls `start`, `stop` and `health`. A device that fails is a
state with a reason, not an exception: the port goes on trying, and says since when and why it is down.

A port maps its own clock to bridge time: what it hears has an on-air index (8 kHz samples since the engine started),
which is the tick it arrived in less what `stages("rx")` declares.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal, Protocol

from hw.clock import Clock
from sdrbridge.port import RxPort, TxPort

if TYPE_CHECKING:
    from sdrbridge.bank import Stage
    from sdrbridge.config import PortConfig

Event = dict[str, object]

Direction = Literal["rx", "tx"]


class State(StrEnum):
    """up: does all it should. degraded: carries speech, but something is wrong. down: carries nothing."""

    UP = "up"
    DEGRADED = "degraded"
    DOWN = "down"


@dataclass(frozen=True, slots=True)
class Health:
    """How a port is. reason: what is wrong, for a technician; "" while up. counters: since it was started."""

    state: State
    reason: str = ""
    counters: Mapping[str, int | float] = field(default_factory=lambda: MappingProxyType({}))


class HealthNews:
    """Tells of a port's health when its reason changes, and of that only. name: of the port. sink: takes the event."""

    def __init__(self, name: str, sink: Callable[[Event], None]) -> None:
        self._name = name
        self._sink = sink
        self._said = ""

    def tell(self, health: Health) -> None:
        """How the port is now."""
        if health.reason == self._said:
            return
        self._said = health.reason
        news: Event = {"event": "port.health", "port": self._name, "state": health.state.value, "reason": health.reason}
        self._sink(news)


class KeyerHandle(Protocol):
    """A transmitter's PTT as a port sees it. The line itself is held elsewhere, by the keyer guard."""

    def set(self, keyed: bool) -> None:
        """Key or unkey. Called from any thread, as often as every tick; never blocks, never raises."""
        ...

    @property
    def problem(self) -> str:
        """What keeps the line from being keyed as asked; "" for nothing."""
        ...


@dataclass(frozen=True, slots=True)
class PortContext:
    """What a port is given by the bridge it belongs to.

    clock: the bridge's. keyer: makes the handle of a transmitter from the port's name and the spec of the line (see
    `hw.keyer`). sink: takes events; may be called from any thread. bridge_name: for what is told to the other side.
    folder: where files go that the site file gives no path.
    """

    clock: Clock
    keyer: Callable[[str, str], KeyerHandle]
    sink: Callable[[Event], None]
    bridge_name: str
    folder: Path = Path()


class LivePort(Protocol):
    """A port that has to be started and stopped."""

    @property
    def name(self) -> str: ...

    @property
    def rx(self) -> RxPort | None:
        """Where its overs come in; None if it only sends. The same object for the port's whole life."""
        ...

    @property
    def tx(self) -> TxPort | None:
        """Where audio leaves; None if it only receives. The same object for the port's whole life."""
        ...

    async def start(self) -> None:
        """Open what it needs. What cannot be opened is a state (`health`), and is tried again."""
        ...

    async def stop(self) -> None:
        """Unkey first, then close everything. May be called twice, and before `start`."""
        ...

    def health(self) -> Health:
        """How it is now; from any thread."""
        ...

    def stages(self, direction: Direction) -> Sequence["Stage"]:
        """What it holds back on the way in or out, in the order of the signal."""
        ...


OpenPort = Callable[["PortConfig", PortContext], LivePort]
"""What the module of a kind has as `open_port`. Opens nothing yet."""
