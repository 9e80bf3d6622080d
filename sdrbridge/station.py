"""The bridge with all that hangs on it: workers, live ports, keyer guard, state, and what is given up under load.

    tick:  workers' messages ─▶ Engine ─▶ guard's beat ─▶ recorder ─▶ what changed is kept

It has the processes and the devices, but no thread and no event loop: the daemon gives it both (`sdrbridge.daemon`).
`tick` is called by one thread only; `start`, `stop` and `reload` by the event loop, and what they change in the engine
is done between two ticks.
"""

import asyncio
import importlib
import logging
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace

from dsp.blocks import AUDIO_RATE, TICK_SAMPLES
from hw.clock import Clock
from sdrbridge.bridge import make_ports
from sdrbridge.config import PortConfig, Site, TunerConfig
from sdrbridge.control.identity import Identity
from sdrbridge.engine import Engine
from sdrbridge.guardclient import GuardClient
from sdrbridge.handling import AS_IT_IS
from sdrbridge.listeners import Folders, Listeners
from sdrbridge.matrix import Event, Matrix
from sdrbridge.patch import Patch
from sdrbridge.port import Port, RxPort, TxPort
from sdrbridge.ports.kinds import KINDS
from sdrbridge.ports.live import LivePort, PortContext
from sdrbridge.ports.live import State as Condition
from sdrbridge.recorder import Followed, Tap
from sdrbridge.remoteport import RemoteTuner
from sdrbridge.shed import Ladder, Rung
from sdrbridge.state import Level, Saved, State, merge
from sdrbridge.tunerlink import TunerLink
from sdrbridge.wire import Setup

log = logging.getLogger(__name__)

LOOK_TICKS = 25
"""Ticks between two looks at how everything is: half a second."""

MOST_TOLD = 10_000
"""Events of ports and tuners that may wait for the next tick; the oldest give way."""


class Station:
    """All of one site. Raises `SdrBridgeError` when it cannot be built. guard, link: for tests; they hold processes."""

    def __init__(
        self,
        site: Site,
        folders: Folders,
        clock: Clock,
        *,
        guard: GuardClient | None = None,
        link: Callable[[Setup, RemoteTuner], TunerLink] = TunerLink,
    ) -> None:
        self.site = site
        self.folders = folders
        self.clock = clock
        self.guard = GuardClient() if guard is None else guard
        self.ladder = Ladder()
        self.block_age: tuple[float, int] | None = None
        """How old the newest block of the first tuner that is up was at the last tick, and which worker made it."""
        self.load = 0.0
        """What the work of a tick takes of its 20 ms, averaged over the last half second or so."""
        self._make_link = link
        folders.state.mkdir(parents=True, exist_ok=True)
        self.state = State.open(folders.state / "state.db")
        self._told: deque[Event] = deque(maxlen=MOST_TOLD)
        self.live: dict[str, LivePort] = {config.name: self._open(config) for config in site.ports}
        self.links: dict[str, TunerLink] = {tuner.name: self._link(tuner, site) for tuner in site.tuners}
        origin = {patch.name: Patch.from_config(patch) for patch in site.patches}
        names = [c.name for c in site.channels] + [p.name for p in site.ports]
        saved, patches = self.state.saved, origin
        remarks: list[str] = []
        if saved is not None:
            patches, remarks = merge(saved, origin, names)
        self._origin = origin
        self._taps: dict[str, Tap] = {}
        self.engine = Engine(site, self._ports(site, self.links, self.live), self.live, patches.values())
        self.listeners = Listeners(site, folders, clock, self.engine, self._tell, self._heard())
        for name, mute in (saved.mutes if saved else {}).items():
            if name in names:
                self.engine.matrix.mute_port(name, mute.rx, mute.tx)
        for name, level in (saved.levels if saved else {}).items():
            if name in names and level.site == self._levels_of_site(name):
                self.engine.matrix.set_level(name, *level.now)
        self._kept = self._to_keep()
        self.state.put(self._kept)
        self._remarks = [*([self.state.remark] if self.state.remark else []), *remarks]
        self._resting: set[str] = set()
        self.engine.before_tick(self._pump)
        self._look_in = 0
        self._acts: int | float = 0

    def _ports(self, site: Site, links: Mapping[str, TunerLink], live: Mapping[str, LivePort]) -> list[Port]:
        channels: dict[str, RxPort] = {n: port for link in links.values() for n, port in link.remote.ports.items()}
        ends: dict[str, tuple[RxPort | None, TxPort | None]] = {}
        for name, port in live.items():
            tap = self._taps.get(name)
            if port.rx is not None and (tap is None or tap.rx is not port.rx):
                tap = self._taps[name] = Tap(name, port.rx)
            ends[name] = (None if port.rx is None else tap, port.tx)
        return make_ports(site, channels, ends)

    def _heard(self) -> list[Followed]:
        """The ports that can be recorded."""
        taps = [self._taps[name] for name, port in self.live.items() if port.rx is not None]
        return [*(port for link in self.links.values() for port in link.remote.ports.values()), *taps]

    def _link_for(self, tuner: TunerConfig, site: Site) -> TunerLink:
        """The link of a tuner of a new site file: the one there is, if nothing changed that its worker should know."""
        old = self.links.get(tuner.name)
        fresh = self._link(tuner, site)
        if old is None:
            return fresh
        if old.setup == fresh.setup:
            return old
        for name, port in fresh.remote.ports.items():
            if name in old.remote.ports:
                port.count = old.remote.ports[name].count
        return fresh

    def _open(self, config: PortConfig) -> LivePort:
        context = PortContext(self.clock, self.guard.attach, self._tell, self.site.name, self.folders.ports)
        opened: LivePort = importlib.import_module(KINDS[config.kind].module).open_port(config, context)
        return opened

    def _link(self, tuner: TunerConfig, site: Site) -> TunerLink:
        # What only the matrix or people need must not restart a worker when it changes.
        channels = tuple(
            replace(c, priority=0, label=None, agency=None, handling=AS_IT_IS) for c in site.channels_of(tuner.name)
        )
        setup = Setup(str(site.folder), site.extra_ctcss_hz, tuner, channels, site.vocoder)
        return self._make_link(setup, RemoteTuner(tuner.name, [c.name for c in channels], self._tell))

    def _tell(self, event: Event) -> None:
        """An event of a port or a tuner; from any thread, even before there is an engine."""
        self._told.append(event)

    # The life of it. On the event loop.

    async def start(self) -> None:
        """Open the ports and start the workers. What fails is a state, and is tried again."""
        for remark in self._remarks:
            self._tell({"event": "state.remark", "remark": remark})
        for link in self.links.values():
            link.start(self.clock.monotonic())
        self.listeners.start()
        await asyncio.gather(*(port.start() for port in self.live.values()))

    async def stop(self) -> None:
        """Unkey first, then end everything. The ticks must have stopped."""
        self.guard.unkey_all()
        await asyncio.gather(*(port.stop() for port in self.live.values()), return_exceptions=True)
        await asyncio.to_thread(self.guard.close)
        for link in self.links.values():
            link.stop(self.engine.now)
        await asyncio.to_thread(_reap, list(self.links.values()))
        self._pump_events()
        self.engine.end()
        self._keep()
        await asyncio.to_thread(self.state.close)
        await asyncio.to_thread(self.listeners.close)

    async def reload(self, site: Site, who: Identity) -> list[str]:
        """Take another site file in the place of the one that runs; what did not change is not disturbed.

        Returns what was done, in words. Raises `SdrBridgeError`; then everything is as it was.
        """
        old = self.site
        names = [c.name for c in site.channels] + [p.name for p in site.ports]
        origin = {patch.name: Patch.from_config(patch) for patch in site.patches}
        current = Saved(self._kept.patches, self._origin, self._kept.mutes)
        patches, did = merge(current, origin, names)
        Matrix([Port(name) for name in names], patches.values(), lambda event: None)
        before = {config.name: config for config in old.ports}
        same = {config.name for config in site.ports if before.get(config.name) == config}
        leaving = {name: port for name, port in self.live.items() if name not in same}
        for name in leaving:
            self.guard.detach(name)
        live = {c.name: self.live[c.name] if c.name in same else self._open(c) for c in site.ports}
        was = self.links
        links = {tuner.name: self._link_for(tuner, site) for tuner in site.tuners}
        did += _differences("port", self.live, live) + _differences("tuner", self.links, links)

        def act(engine: Engine) -> None:
            engine.replace(site, self._ports(site, links, live), live, patches.values())
            for name, link in self.links.items():
                if links.get(name) is not link:
                    link.stop(engine.now)
                    engine.restore(f"tuner {name}")
            for name in leaving:
                engine.restore(f"port {name}")
                engine.restore(f"keyer {name}")
            fresh = [link for name, link in links.items() if self.links.get(name) is not link]
            self.site, self._origin, self.live, self.links = site, origin, live, links
            self.listeners.follow(self._heard())
            for link in fresh:
                link.start(self.clock.monotonic())
            engine.tell({"event": "config.reloaded", "path": str(site.path), "did": did, **who.to_dict()})

        await asyncio.wrap_future(self.engine.perform(act))
        await asyncio.to_thread(_reap, [link for name, link in was.items() if links.get(name) is not link])
        await asyncio.gather(*(port.stop() for port in leaving.values()), return_exceptions=True)
        await asyncio.gather(*(port.start() for name, port in live.items() if name not in same))
        return did

    # The tick. On its thread.

    def tick(self, late: bool = False) -> None:
        """One tick, and what goes with it. late: whether it began late."""
        began = self.clock.monotonic()
        self.engine.tick()
        self.guard.beat()
        self.listeners.tick(paused=self.ladder.sheds(Rung.RECORDINGS))
        self._keep()
        self.engine.counters["unsaved_changes"] = float(self.state.pending)
        if self._look_in == 0:
            self._look_in = LOOK_TICKS
            self.look()
        self._look_in -= 1
        load = (self.clock.monotonic() - began) * AUDIO_RATE / TICK_SAMPLES
        self.load += (load - self.load) / LOOK_TICKS
        if self.ladder.tick(load, late) is not None:
            self._shed()

    def _pump(self, now: int) -> None:
        monotonic = self.clock.monotonic()
        self.block_age = None
        for name, link in self.links.items():
            before = link.supervisor.state, link.silent_s
            link.pump(now, monotonic)
            if (link.supervisor.state, link.silent_s) != before:
                self._look_at(name, link)
            at = link.last_beat_s
            if at is not None and self.block_age is None:
                self.block_age = monotonic - at, link.pid or 0
        self._pump_events()

    def _pump_events(self) -> None:
        while self._told:
            self.engine.tell(self._told.popleft())

    def look(self) -> None:
        """See how everything is, and say what has changed."""
        engine = self.engine
        for name, link in self.links.items():
            self._look_at(name, link)
        healths = {f"port {name}": live.health() for name, live in self.live.items()} | self.listeners.health()
        for what, health in healths.items():
            if health.state is Condition.UP:
                engine.restore(what)
            else:
                engine.degrade(what, health.reason)
        for name, line in self.guard.states().items():
            if line.problem:
                engine.degrade(f"keyer {name}", line.problem)
            else:
                engine.restore(f"keyer {name}")
        if self.state.problem:
            engine.degrade("state", self.state.problem)
        else:
            engine.restore("state")

    def _look_at(self, name: str, link: TunerLink) -> None:
        engine = self.engine
        state = engine.tuners[name] = link.state()
        if state.state == "up":
            engine.restore(f"tuner {name}")
        elif name in self._resting:
            engine.degrade(f"tuner {name}", "is in no patch and rests while the machine is overloaded")
        elif link.silent_s:
            limits = link.supervisor.limits
            # Told once; how long it has been stands in the tuner's state.
            said = f"nothing was received for {1000 * limits.quiet_s:.0f} ms; given up after {limits.hang_s:g} s of it"
            engine.degrade(f"tuner {name}", said)
        elif not link.starting:
            engine.degrade(f"tuner {name}", state.reason)

    def _shed(self) -> None:
        """Give up what the ladder says, or take it back."""
        ladder, engine = self.ladder, self.engine
        if ladder.given_up:
            engine.degrade("load", f"the machine is overloaded; given up: {ladder.given_up}")
        else:
            engine.restore("load")
        patched = {member for patch in engine.matrix.patches.values() for member in patch.members}
        for name, link in self.links.items():
            idle = not patched & link.remote.ports.keys()
            if ladder.sheds(Rung.MONITORS) and idle and name not in self._resting:
                self._resting.add(name)
                link.stop(engine.now)
            elif name in self._resting and not (ladder.sheds(Rung.MONITORS) and idle):
                self._resting.discard(name)
                link.start(self.clock.monotonic())

    # What survives.

    def _to_keep(self) -> Saved:
        matrix = self.engine.matrix
        levels = {}
        for name in self.engine.ports:
            now, site = matrix.levels(name), self._levels_of_site(name)
            if max(abs(now[0] - site[0]), abs(now[1] - site[1])) > 0.01:
                levels[name] = Level((round(now[0], 2), round(now[1], 2)), site)
        return Saved(matrix.patches, self._origin, matrix.muted, levels)

    def _levels_of_site(self, name: str) -> tuple[float, float]:
        handling = self.engine.ports[name].handling
        return handling.rx_gain_db, handling.tx_gain_db

    def _keep(self) -> None:
        """Write down what has been changed. All that is kept is changed by acts; without one there is nothing to do."""
        if self._acts == self.engine.counters["acts"]:
            return
        self._acts = self.engine.counters["acts"]
        saved = self._to_keep()
        if saved != self._kept:
            self._kept = saved
            self.state.put(saved)

    def status(self) -> str:
        """In one line, for systemd; from any thread."""
        up = sum(link.state().state == "up" for link in self.links.values())
        channels, patches = len(self.site.channels), len(self._kept.patches)
        text = f"{up} of {len(self.links)} tuners up, {channels} channels, {patches} patches"
        degraded = list(self.engine.degraded)
        return text if not degraded else f"{text}; degraded: {', '.join(degraded)}"


def _reap(links: Iterable[TunerLink]) -> None:
    for link in links:
        link.reap()


def _differences(what: str, old: Mapping[str, object], new: Mapping[str, object]) -> list[str]:
    """What is gone, new, or begins anew, in words."""
    gone = [f'{what} "{name}" is gone' for name in old if name not in new]
    added = [f'{what} "{name}" is new' for name in new if name not in old]
    return gone + added + [f'{what} "{name}" begins anew' for name in new if name in old and old[name] is not new[name]]
