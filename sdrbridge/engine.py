"""The bridge as a machine: ports, patches and what was asked of it, stepped by whoever has the clock.

    perform(act) ─queue─▶ tick: what was asked · Matrix ─events─▶ sinks: journal, reasons, event stream, state

It has no thread, process, socket or clock of its own. The daemon ticks it every 20 ms on the clock of the machine, a
simulation as fast as it can. Everything that changes it runs between two ticks, in the order in which it was asked.

Bridge time counts samples of 8 kHz since the engine started: a tick at `now` makes the sound of [now, now + 160).
"""

import threading
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

from dsp.blocks import AUDIO_RATE, TICK_SAMPLES
from sdrbridge.config import Site
from sdrbridge.errors import EngineError, PatchError
from sdrbridge.matrix import VACANT, Event, Matrix, Sink
from sdrbridge.patch import Patch
from sdrbridge.port import Port, RxPort

T = TypeVar("T")

MOST_WAITING = 1024
"""Acts that may wait for the next tick; more is a client gone wild."""


class HealthLike(Protocol):
    """How a port is: "up", "degraded" or "down", why, and its counters."""

    @property
    def state(self) -> str: ...
    @property
    def reason(self) -> str: ...
    @property
    def counters(self) -> Mapping[str, int | float]: ...


class LiveLike(Protocol):
    """What the engine asks of a live port: how it is."""

    def health(self) -> HealthLike: ...


@dataclass(frozen=True, slots=True)
class PortState:
    """One port as it is. kind: "channel" or the kind of port. over: the over that comes in now. keyed: on the air.

    level_dbfs: of the over that comes in. state: "up", "degraded" or "down", and why.
    """

    name: str
    kind: str
    receives: bool
    transmits: bool
    keyed: bool
    over: str | None = None
    level_dbfs: float | None = None
    snr_db: float | None = None
    state: str = "up"
    reason: str = ""
    counters: Mapping[str, int | float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class PatchState:
    """One patch as it is. holder: the port that is heard in it now."""

    patch: Patch
    holder: str | None


@dataclass(frozen=True, slots=True)
class TunerState:
    """One tuner as it is. state: "up", "degraded" or "down", and why. restarts: of its worker.

    lost, clipped: samples of the radio. dropped: samples of speech the worker could not hand over. rss_bytes: memory.
    """

    name: str
    state: str = "down"
    reason: str = "not started"
    description: str = ""
    rate: int = 0
    center_hz: int | None = None
    lost: int = 0
    clipped: int = 0
    restarts: int = 0
    dropped: int = 0
    rss_bytes: int = 0


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The bridge at one tick. degraded: what is not as it should be → why. counters: of the engine and the daemon."""

    site: str
    now: int
    ports: Mapping[str, PortState]
    patches: Mapping[str, PatchState]
    tuners: Mapping[str, TunerState]
    degraded: Mapping[str, str]
    counters: Mapping[str, int | float]

    @property
    def t_s(self) -> float:
        """Bridge time in seconds."""
        return self.now / AUDIO_RATE


class Engine:
    """The bridge.

    site: what it was made from. ports: in the order of the site file. live: the ports that are more than memory, by
    name. patches: what it begins with; None for those of the site file. sinks: told of every event.
    Raises `PatchError`.
    """

    def __init__(
        self,
        site: Site,
        ports: Sequence[Port],
        live: Mapping[str, LiveLike] | None = None,
        patches: Iterable[Patch] | None = None,
        sinks: Iterable[Sink] = (),
    ) -> None:
        self.site = site
        self.now = 0
        self.live: dict[str, LiveLike] = dict(live or {})
        self.tuners: dict[str, TunerState] = {tuner.name: TunerState(tuner.name) for tuner in site.tuners}
        self.channels: dict[str, dict[str, RxPort]] = _by_tuner(site, ports)
        """Receive ports of the channels, by tuner."""
        self.degraded: dict[str, str] = {}
        """What is not as it should be, and why; set by whoever sees it, with `degrade` and `restore`."""
        self.counters: dict[str, int | float] = {"ticks": 0, "acts": 0, "sink_failures": 0}
        self._sinks: list[Sink] = list(sinks)
        self._steps: list[Callable[[int], None]] = []
        self._waiting: deque[tuple[Callable[[Engine], Any], Future[Any]]] = deque()
        self._lock = threading.Lock()
        start = [Patch.from_config(patch) for patch in site.patches] if patches is None else patches
        self.matrix = Matrix(ports, start, self.tell)

    @property
    def ports(self) -> dict[str, Port]:
        """The ports by name, in the order of the site file."""
        return {port.name: port for port in self.matrix.ports if port is not VACANT}

    def replace(
        self, site: Site, ports: Sequence[Port], live: Mapping[str, LiveLike], patches: Iterable[Patch]
    ) -> None:
        """Take another site in the place of this one. What did not change, port or patch, is not disturbed.

        Raises `PatchError`; then everything is as it was.
        """
        wanted = {patch.name: patch for patch in patches}
        names = {port.name for port in ports}
        before = self.matrix.patches
        gone = [name for name in before if name not in wanted]
        # Nothing of the new patches may name a port that is not there yet, nothing of the old ones a port that goes.
        Matrix(ports, wanted.values(), lambda event: None)
        for name in gone:
            self.matrix.unmake(name)
        for name, patch in before.items():
            lost = [member for member in patch.members if member not in names]
            if name in wanted and lost:
                for member in lost:
                    self.matrix.drop(name, member)
        self.matrix.set_ports(ports)
        self._settle(wanted)
        self.site = site
        self.live = dict(live)
        self.channels = _by_tuner(site, ports)
        self.tuners = {t.name: self.tuners.get(t.name, TunerState(t.name)) for t in site.tuners}

    def _settle(self, wanted: Mapping[str, Patch]) -> None:
        """Bring the patches to what is wanted. Two that exchange members stand in each other's way for a moment."""
        matrix = self.matrix
        todo = [patch for name, patch in wanted.items() if matrix.patches.get(name) != patch]
        while todo:
            left = []
            for patch in todo:
                try:
                    (matrix.change if patch.name in matrix.patches else matrix.make)(patch)
                except PatchError:
                    left.append(patch)
            if len(left) == len(todo):
                for patch in left:
                    if patch.name in matrix.patches:
                        matrix.change(Patch(patch.name, rules=patch.rules))
            todo = left

    # Who listens, and who comes before the matrix.

    def add_sink(self, sink: Sink) -> None:
        """Tell `sink` of every event from now on. It must not block."""
        self._sinks.append(sink)

    def remove_sink(self, sink: Sink) -> None:
        """Tell it no more."""
        self._sinks = [other for other in self._sinks if other != sink]

    def before_tick(self, step: Callable[[int], None]) -> None:
        """Call `step(now)` at every tick, after what was asked and before the matrix: it takes in what has arrived."""
        self._steps.append(step)

    def tell(self, event: Event) -> None:
        """Pass an event on to every sink; `t_s` is put in where it is missing. A sink that fails is counted."""
        if "t_s" not in event:
            event = {"t_s": self.now / AUDIO_RATE, **event}
        for sink in self._sinks:
            try:
                sink(event)
            except Exception as problem:
                self.counters["sink_failures"] += 1
                self.degraded["listener"] = f"a listener failed: {problem!r}"

    def degrade(self, what: str, reason: str) -> None:
        """Say that something is not as it should be; told once for each new reason."""
        if self.degraded.get(what) != reason:
            self.degraded[what] = reason
            self.tell({"event": "degraded", "what": what, "reason": reason})

    def restore(self, what: str) -> None:
        """Say that it is as it should be again."""
        if self.degraded.pop(what, None) is not None:
            self.tell({"event": "restored", "what": what})

    # The tick.

    def perform(self, act: Callable[["Engine"], T]) -> "Future[T]":
        """Have `act(engine)` run before the next tick; from any thread. What it raises is the future's exception.

        Raises `EngineError` when too much is waiting.
        """
        future: Future[T] = Future()
        with self._lock:
            if len(self._waiting) >= MOST_WAITING:
                raise EngineError(f"{MOST_WAITING} requests wait for the bridge already; try again later")
            self._waiting.append((act, future))
        return future

    def tick(self) -> None:
        """Do what was asked, then play [now, now + 160)."""
        if self._waiting:
            self._perform_waiting()
        for step in self._steps:
            step(self.now)
        self.matrix.tick(self.now)
        self.counters["ticks"] += 1
        self.now += TICK_SAMPLES

    def stride(self, limit: int) -> int:
        """Do what was asked, then as many ticks, at most `limit`, as pass without a decision; returns how many.

        For simulations (see `Matrix.stride`); what comes before the matrix is done once for all of them.
        """
        if self._waiting:
            self._perform_waiting()
        for step in self._steps:
            step(self.now)
        ticks = self.matrix.stride(self.now, limit)
        self.counters["ticks"] += ticks
        self.now += ticks * TICK_SAMPLES
        return ticks

    def end(self) -> None:
        """No tick will follow: what is known of the overs that last is told."""
        self.matrix.end()

    def _perform_waiting(self) -> None:
        # What an act asks for in its turn waits for the next tick, so that one tick always ends.
        for _ in range(len(self._waiting)):
            act, future = self._waiting.popleft()
            if not future.set_running_or_notify_cancel():
                continue
            self.counters["acts"] += 1
            try:
                result = act(self)
            except Exception as problem:
                future.set_exception(problem)
            else:
                future.set_result(result)

    # What there is to see.

    def snapshot(self) -> Snapshot:
        """The bridge as it is now. From another thread, ask with `perform(Engine.snapshot)`."""
        talking = self.matrix.talking()
        kinds = {port.name: port.kind for port in self.site.ports}
        ports: dict[str, PortState] = {}
        for name, port in self.ports.items():
            over = talking.get(name)
            live = self.live.get(name)
            health = None if live is None else live.health()
            ports[name] = PortState(
                name,
                kinds.get(name, "channel"),
                port.rx is not None,
                port.tx is not None,
                self.matrix.keyed(name),
                None if over is None else over.id,
                None if over is None else over.facts.level_dbfs,
                None if over is None else over.facts.snr_db,
                "up" if health is None else health.state,
                "" if health is None else health.reason,
                {} if health is None else dict(health.counters),
            )
        for tuner, channels in self.channels.items():
            state = self.tuners.get(tuner)
            if state is not None and state.state != "up":
                for name in channels:
                    ports[name] = _with_state(ports[name], state)
        patches = {name: PatchState(p, self.matrix.holder(name)) for name, p in self.matrix.patches.items()}
        return Snapshot(
            self.site.name, self.now, ports, patches, dict(self.tuners), dict(self.degraded), dict(self.counters)
        )


def _by_tuner(site: Site, ports: Sequence[Port]) -> dict[str, dict[str, RxPort]]:
    rx = {port.name: port.rx for port in ports if port.rx is not None}
    return {tuner.name: {c.name: rx[c.name] for c in site.channels_of(tuner.name)} for tuner in site.tuners}


def _with_state(port: PortState, tuner: TunerState) -> PortState:
    """A channel is as its tuner is."""
    return PortState(
        port.name,
        port.kind,
        port.receives,
        port.transmits,
        port.keyed,
        port.over,
        port.level_dbfs,
        port.snr_db,
        tuner.state,
        f"tuner {tuner.name}: {tuner.reason}",
        port.counters,
    )
