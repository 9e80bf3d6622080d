"""What a live port needs around it: PTT lines that are remembered, events that are kept, a clock that stands still."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from hw.clock import Clock, ManualClock
from sdrbridge.ports.live import Event, PortContext


@dataclass(eq=False)
class FakeHandle:
    """A PTT line. changes: (seconds, keyed) each time it changed."""

    clock: Clock
    spec: str = ""
    keyed: bool = False
    problem: str = ""
    changes: list[tuple[float, bool]] = field(default_factory=list)

    def set(self, keyed: bool) -> None:
        if keyed != self.keyed:
            self.keyed = keyed
            self.changes.append((self.clock.monotonic(), keyed))


class Surroundings:
    """A context, and what was asked of it."""

    def __init__(self, clock: Clock | None = None) -> None:
        self.clock = clock or ManualClock()
        self.handles: dict[str, FakeHandle] = {}
        self.events: list[Event] = []
        self.context = PortContext(self.clock, self._keyer, self.events.append, "test")

    def _keyer(self, name: str, spec: str) -> FakeHandle:
        return self.handles.setdefault(name, FakeHandle(self.clock, spec))

    @property
    def told(self) -> Mapping[str, int]:
        """How often each event was told."""
        names = [str(event["event"]) for event in self.events]
        return {name: names.count(name) for name in names}
