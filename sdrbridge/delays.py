"""The delay ledger of a path: what each stage between two antennas declares, and what is measured.

    channel or port, its rx stages ─▶ tick of the matrix · reserve of the playout ─▶ tx stages of the port

Measured is the age of the speech that was sent in the last tick: how long ago it was on the air, plus what the way out
declares. A slow transmitter's access time is no stage: it is covered by the launch buffer once, at the beginning of an
over, and won back in the speaker's pauses.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from dsp.blocks import AUDIO_RATE, TICK_SAMPLES
from dsp.playout import RESERVE
from sdrbridge.bank import Stage
from sdrbridge.digits import DigitPort
from sdrbridge.engine import Engine
from sdrbridge.ports.live import Direction
from sdrbridge.remoteport import RemotePort


@runtime_checkable
class Staged(Protocol):
    """Anything that declares what it holds back."""

    def stages(self, direction: Direction) -> Sequence[Stage]:
        """In the order of the signal."""
        ...


@dataclass(frozen=True, slots=True)
class Ledger:
    """A path. stages: what is held back in steady speech. launch_s: in addition, at the beginning of an over.

    measured_s: age of what was sent in the last tick; None while nothing passes. unknown: which stages nobody could
    declare, in words; "" where all have.
    """

    stages: tuple[Stage, ...]
    launch_s: float
    measured_s: float | None
    unknown: str = ""

    @property
    def declared_s(self) -> float:
        """The sum of the stages."""
        return sum(stage.delay_s for stage in self.stages)


MATRIX = (
    Stage("tick of the matrix, up to", TICK_SAMPLES / AUDIO_RATE),
    Stage("playout reserve", RESERVE / AUDIO_RATE),
)
"""What the matrix holds back of every path."""


def ledger(engine: Engine, source: str, target: str) -> Ledger:
    """The path from the air of `source` to the transmitter of `target`; both are ports of the engine."""
    out = _declared(engine, target, "tx")
    lag = engine.matrix.lag(source, target)
    measured = None if lag is None else lag / AUDIO_RATE + sum(stage.delay_s for stage in out)
    stages = (*_declared(engine, source, "rx"), *MATRIX, *out)
    return Ledger(stages, engine.ports[target].access_ms / 1000, measured, _unknown(engine, source))


def _unknown(engine: Engine, source: str) -> str:
    """A receiver that has not been up has not told its stages."""
    rx = engine.ports[source].rx
    if isinstance(rx, DigitPort):
        rx = rx.rx
    if isinstance(rx, RemotePort) and not rx.ledger:
        return f"{source} has not been received yet, so its own delay is not known"
    return ""


def _declared(engine: Engine, name: str, direction: Direction) -> tuple[Stage, ...]:
    port = engine.ports[name]
    side = port.rx if direction == "rx" else port.tx
    muting: tuple[Stage, ...] = ()
    if isinstance(side, DigitPort):
        muting = side.stages
        side = side.rx
    for owner in (engine.live.get(name), side):
        if isinstance(owner, Staged):
            return (*owner.stages(direction), *muting)
    return muting
