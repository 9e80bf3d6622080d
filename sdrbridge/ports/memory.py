"""The kind `loopback` as a port of the daemon: memory, and nothing to open."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from sdrbridge.port import Loopback
from sdrbridge.ports.live import Direction, Health, PortContext, State

if TYPE_CHECKING:
    from sdrbridge.bank import Stage
    from sdrbridge.config import PortConfig


class LoopbackPort:
    """A port in memory."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.rx = self.tx = self.end = Loopback(name)

    async def start(self) -> None:
        """Nothing to open."""

    async def stop(self) -> None:
        """Nothing to close."""

    def health(self) -> Health:
        """Always up."""
        return Health(State.UP)

    def stages(self, direction: Direction) -> Sequence["Stage"]:
        """Nothing is held back."""
        return ()


def open_port(config: "PortConfig", context: PortContext) -> LoopbackPort:
    """The port of a site file."""
    return LoopbackPort(config.name)
