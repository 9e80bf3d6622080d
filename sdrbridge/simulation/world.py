"""One run of a script: engine, operators, journal and the lines of the transmitters under a clock that is counted.

    Script ─deeds─▶ World: talkers ▸ tuners, ears ▸ Engine ▸ Transmitter ▸ Watch
                           operators ▸ Operations ────┘  │  └▸ lines ◂ keyer guard
                           faults ▸ workers, links, lines, disk, clock, the process itself
                                                         └▸ journal, state

Nothing here reads a real clock or rolls dice: the same script gives the same run, in long strides or tick by tick.
"""

import contextlib
import os
import tempfile
from bisect import insort
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

from dsp.blocks import AUDIO_RATE, TICK_SAMPLES
from sdrbridge.config import PatchConfig, PortConfig, Site, TunerConfig
from sdrbridge.control import types
from sdrbridge.control.identity import Identity
from sdrbridge.engine import Engine
from sdrbridge.errors import SdrBridgeError
from sdrbridge.matrix import Event
from sdrbridge.operations import Operations
from sdrbridge.pacer import MOST_LATE_S
from sdrbridge.patch import Patch
from sdrbridge.port import NEVER, Port
from sdrbridge.simulation.cards import CardRadio
from sdrbridge.simulation.ears import Ear
from sdrbridge.simulation.house import House, Over, Station, Transmitter
from sdrbridge.simulation.links import PacketLink
from sdrbridge.simulation.machine import CountedClock, DiskJournal, DiskState, Lines
from sdrbridge.simulation.recordings import AFTER, BEFORE, LOOK_TICKS, Disk, Recordings, Tap
from sdrbridge.simulation.script import Deed
from sdrbridge.simulation.tuners import Tuner
from sdrbridge.simulation.watch import LEVELLED, Tally, Watch
from sdrbridge.state import Saved, merge
from sdrbridge.supervisor import State as Condition
from sdrbridge.transmission import Transmission

AHEAD = 10 * AUDIO_RATE
"""Samples before it begins that an over is told to whoever is to hear it; more than a stride."""

WATCHDOG = 3 * AUDIO_RATE
"""Samples that a process may stand still before it is started anew: WatchdogSec of the unit."""

MEMORY = Path("/dev/shm")
"""Files lie here, where there is such a place: what a disk does is played, and nothing is learnt by waiting for one."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a run came to. digest: of all events. journal: entries written, and those lost by a full disk.

    faults: what went wrong, by kind, and how often. busy: share of the time in which a port receives or is on the air.
    """

    digest: str
    seconds: float
    busy: float
    tally: Tally
    restarts: int
    journal_written: int
    journal_lost: int
    faults: dict[str, int]

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return asdict(self)


class World:
    """A bridge, the people who use it and what goes wrong.

    house: its ports. journal: folder for its journal; None to go without. strides: play many ticks at once where
    nothing is decided. Raises `sdrbridge.simulation.watch.Broken` out of `run`.
    """

    def __init__(self, house: House, journal: Path | None = None, strides: bool = True) -> None:
        self.house = house
        self.clock = CountedClock()
        self.watch = Watch(house)
        self.faults: Counter[str] = Counter()
        self.lines = Lines([s.name for s in house.stations if s.kind == "radio"])
        self._strides = strides
        self._journal_folder = journal
        self._journal: DiskJournal | None = None
        self._folder = tempfile.TemporaryDirectory(
            prefix="sdrbridge-simulation-", dir=MEMORY if os.access(MEMORY, os.W_OK) else None
        )
        self._told = 0
        self._written = 0
        self._lost = 0
        self._storage = Disk()
        self._recording = 0
        """How many reasons there are to record what is said."""
        self._recordings: Recordings | None = None
        self._chores_due = 0
        self._chores_every = (LOOK_TICKS if strides else 1) * TICK_SAMPLES
        self._origin = 0
        self._gone_since: int | None = None
        self._hangs = False
        self._back_at: int | None = None
        self._later: deque[Deed] = deque()
        self._restarts = -1
        self._writes = 0
        self._site = _site(house)
        self._made = {patch.name: Patch.from_config(patch) for patch in self._site.patches}
        self._kept = Saved(self._made, self._made)
        self._links = {
            s.name: PacketLink(s, self._over_began, self._over_played) for s in house.stations if s.kind == "link"
        }
        self._radios = {s.name: self._radio(s) for s in house.stations if s.kind == "radio"}
        self._ears: dict[str, Ear] = {**self._radios, **self._links}
        self._tuners = {
            name: Tuner(name, channels, self._over_began, self._look_at) for name, channels in house.tuners.items()
        }
        self._tuner_of = {s.name: self._tuners[s.tuner] for s in house.stations if s.tuner}
        self._verbs: dict[str, Callable[[Deed], None]] = {
            "operate": self._operate,
            "worker": self._worker,
            "device": self._device,
            "device back": self._device_back,
            "link": self._link,
            "drift": self._drift,
            "kill": self._kill,
            "hang": self._hang,
            "disk": self._disk,
            "disk room": self._disk_room,
            "record": self._record,
            "record no more": self._record_no_more,
            "clock": self._clock_step,
        }
        self._boot()

    def run(self, script: Sequence[Deed], hours: float, progress: Callable[[float], None] | None = None) -> Outcome:
        """Let it all happen."""
        end = round(hours * 3600 * AUDIO_RATE) // TICK_SAMPLES * TICK_SAMPLES
        said = 0
        self._talks = deque(deed for deed in script if deed.what == "talk")
        self._deeds = deque(deed for deed in script if deed.what != "talk")
        self._later = deque(sorted((d for deed in script for d in _recorded(deed)), key=_at))
        self._next_deed = 0
        with self._folder, contextlib.ExitStack() as stack:
            for tuner in self._tuners.values():
                stack.callback(tuner.unplug)
            stack.callback(self._abandon_recordings)
            while (world := self.clock.elapsed) < end:
                limit = min(end, self._happen(world))
                self._step(world, max(1, (limit - world) // TICK_SAMPLES))
                if progress is not None and self.clock.elapsed - said >= 600 * AUDIO_RATE:
                    said = self.clock.elapsed
                    progress(said / AUDIO_RATE)
            self._die()
        for link in self._links.values():
            self.faults.update(link.network.counts)
        tally = self.watch.tally
        tally.followed = sum(radio.followed for radio in self._radios.values())
        return Outcome(
            self.watch.digest,
            end / AUDIO_RATE,
            (tally.keyed_s + tally.received_s) / (end / AUDIO_RATE * len(self.house.stations)),
            tally,
            self._restarts,
            self._written,
            self._lost,
            dict(sorted(self.faults.items())),
        )

    def _happen(self, world: int) -> int:
        """Do what is done in the tick at `world`; returns when the next deed is.

        Who talks is told ahead: nobody hears him any earlier, and strides need not end where he begins.
        """
        while self._talks and self._talks[0].at < world + AHEAD:
            self._talk(self._talks.popleft())
        if self._next_deed < world + TICK_SAMPLES:
            for deeds in (self._deeds, self._later):
                while deeds and deeds[0].at < world + TICK_SAMPLES:
                    self._do(deeds.popleft())
            self._next_deed = min([deeds[0].at for deeds in (self._deeds, self._later) if deeds], default=NEVER)
        return self._next_deed

    def _do(self, deed: Deed) -> None:
        if self._gone_since is None:
            # Whatever comes, comes after all that has been.
            self._engine.matrix.settle()
            self._do_chores()
            for tuner in self._tuners.values():
                tuner.advance(self._engine.now - TICK_SAMPLES)
        self._verbs[deed.what](deed)

    def _after(self, deed: Deed, what: str) -> None:
        """Something ends a while after it has begun."""
        insort(self._later, Deed(_until(deed), what, deed.args), key=_at)

    # Time goes on.

    def _step(self, world: int, most: int) -> None:
        if self._gone_since is not None:
            self._be_gone(world)
            return
        if self._recordings is not None:
            most = min(most, max(1, (self._chores_due - self._engine.now) // TICK_SAMPLES))
        self._go(partial(Engine.stride, limit=most) if self._strides else Engine.tick)

    def _go(self, ticks: Callable[[Engine], object]) -> None:
        """Some ticks of the bridge, and what goes with them."""
        engine = self._engine
        self.watch.begin(engine.now)
        ticks(engine)
        self.clock.elapsed = max(self.clock.elapsed, self._origin + engine.now)
        self.watch.finish(engine.now)
        if engine.now >= self._chores_due:
            self._do_chores()

    def _do_chores(self) -> None:
        """What goes on beside the ticks: done before anything happens, and in between, in strides, once a second."""
        engine = self._engine
        self._chores_due = engine.now + self._chores_every
        self.lines.beat(self.clock.monotonic())
        if self._recordings is not None:
            engine.matrix.catch_up()
            self._recordings.work(engine.now)
        if self._journal is not None:
            self._journal.work()
        self._state.work()
        if self._state.writes != self._writes:
            self._writes, self._kept = self._state.writes, self._put

    def _look_at(self, tuner: Tuner) -> None:
        """Its supervisor sees it in another state; the daemon's station says it like this."""
        engine, seen = self._engine, tuner.link.supervisor
        state = engine.tuners[tuner.name] = tuner.link.state()
        if seen.state is Condition.UP:
            engine.restore(f"tuner {tuner.name}")
        elif seen.state is Condition.WAITING:
            self.faults[f"supervisor: {_fault_of(state.reason)}"] += 1
            engine.degrade(f"tuner {tuner.name}", state.reason)

    def _be_gone(self, world: int) -> None:
        """The process is dead or hangs; the guard, the workers and the air go on."""
        assert self._gone_since is not None and self._back_at is not None
        self.clock.elapsed = world + TICK_SAMPLES
        self.lines.guard.tick(self.clock.monotonic())
        for name in self.lines.keyed:
            self.watch.line_keyed(name, self.clock.elapsed - self._gone_since)
        if self._hangs:
            for tuner in self._tuners.values():
                tuner.run(self.clock.elapsed)
        if self.clock.elapsed < self._back_at:
            return
        self._gone_since = self._back_at = None
        if self._hangs:
            self._go_on()
        else:
            self._boot()

    def _go_on(self) -> None:
        """It stood still and runs again: a few ticks are made good, more is given up (see `sdrbridge.pacer`)."""
        self._hangs = False
        for radio in self._radios.values():
            radio.stood_still(self.clock.elapsed)
        late = self.clock.elapsed - self._origin - self._engine.now
        if late > MOST_LATE_S * AUDIO_RATE:
            self._origin += late
            self.watch.origin = self._origin
            for tuner in self._tuners.values():
                tuner.give_up(late)
            for ear in self._ears.values():
                ear.give_up(late)
            self._engine.tell({"event": "clock.gap", "missing_s": late / AUDIO_RATE})
            late = 0
        self._engine.matrix.settle()
        for _ in range(late // TICK_SAMPLES):
            self._go(Engine.tick)

    def _boot(self) -> None:
        """A process begins: every line is found unkeyed or made so, and the patches are those that were kept."""
        self._restarts += 1
        self._origin = self.clock.elapsed
        self.lines.start(self.clock.monotonic())
        for ear in self._ears.values():
            ear.connect(self._origin)
        for tuner in self._tuners.values():
            tuner.boot(self._origin, self._tuner_tells)
        self._open_journal()
        saved, patches = self._what_was_kept()
        ports = [self._port(station) for station in self.house.stations]
        # The watch before the matrix: what is granted in a tick is sent in the same tick.
        self.watch.start(self._origin, patches, {name: (mute.rx, mute.tx) for name, mute in saved.mutes.items()})
        self._engine = Engine(self._site, ports, patches=patches.values(), sinks=[self._event])
        for name, mute in saved.mutes.items():
            self._engine.matrix.mute_port(name, mute.rx, mute.tx)
        self._operations = Operations(self._engine, self.clock)
        self._keep()
        self._taps = [port.rx for port in ports if isinstance(port.rx, Tap)]
        if self._recording:
            self._begin_to_record()

    def _port(self, station: Station) -> Port:
        if station.kind == "channel":
            channel = self._tuner_of[station.name].channels[station.name]
            return Port(station.name, Tap(station.name, channel), priority=station.priority)
        half = station.kind == "radio"
        tx = Transmitter(station.name, self.watch.frame, self._radios[station.name].send if half else None)
        rx = Tap(station.name, self._ears[station.name])
        return Port(station.name, rx, tx, station.priority, station.access_ms, half_duplex=half)

    def _radio(self, station: Station) -> CardRadio:
        set_ptt = partial(self.lines.set, station.name)
        return CardRadio(station, self._over_began, self._over_levelled, self.clock, set_ptt, self._came_wrong)

    def _came_wrong(self, what: str) -> None:
        self.watch.came_wrong(what)

    def _over_levelled(self, over: Transmission, late: bool) -> None:
        self._over_began(over, late)
        self.watch.played(over.id, LEVELLED)

    def _over_began(self, over: Transmission, late: bool) -> None:
        self.watch.over_began(over)
        if late:
            self.watch.joined_late(over.id)

    def _over_played(self, over: Transmission, late: bool) -> None:
        self._over_began(over, late)
        self.watch.played(over.id)

    def _tuner_tells(self, event: Event) -> None:
        if self._gone_since is None:
            self._engine.tell(event)

    def _event(self, event: Event) -> None:
        self.watch.event(event)
        self._told += 1
        if self._journal is not None:
            self._journal(event)

    # What survives.

    def _what_was_kept(self) -> tuple[Saved, dict[str, Patch]]:
        """From the file, as a daemon reads it."""
        self._state = DiskState.open(Path(self._folder.name) / "state.db", threaded=False)
        self._state.full, self._writes = self._storage.full, 0
        saved = self._state.saved or Saved(self._made, self._made)
        patches, _ = merge(saved, self._made, [s.name for s in self.house.stations])
        self.watch.restored(Saved(patches, mutes=saved.mutes), self._kept)
        return saved, patches

    def _keep(self) -> None:
        """Write down what has been changed."""
        matrix = self._engine.matrix
        self._put = Saved(matrix.patches, self._made, matrix.muted)
        self._state.put(self._put)
        self._chores_due = 0

    def _open_journal(self) -> None:
        if self._journal_folder is not None:
            self._journal = DiskJournal(self._journal_folder, self._site.name, self.clock, bound=256)
            self._journal.full = self._storage.full
            self._told = 0

    def _close_journal(self) -> None:
        if self._journal is None:
            return
        counters = self._journal.health().counters
        said = int(counters["written"] + counters["waiting"] + counters["lost"]) - self._journal.own
        self.watch.lost("journal", self._told, said)
        self._journal.close()
        counters = self._journal.health().counters
        if not self._storage.full:
            self.watch.lost("journal entries on a disk with room", int(counters["waiting"]), 0)
        self._written += int(counters["written"])
        self._lost += int(counters["lost"])
        self._journal = None

    # What people do.

    def _talk(self, deed: Deed) -> None:
        args = deed.args
        secret = None
        if "encrypted_after_s" in args:
            secret = deed.at + round(args["encrypted_after_s"] * AUDIO_RATE)
        over = Over(args["who"], deed.at, _until(deed), bool(args.get("emergency")), secret)
        (self._tuner_of.get(over.who) or self._ears[over.who]).talk(over)
        if self._gone_since is None:
            self._engine.matrix.stir(over.who)

    def _operate(self, deed: Deed) -> None:
        if self._gone_since is not None:
            return
        args = deed.args
        who = Identity(args["who"], via="simulation")
        future = self._engine.perform(lambda engine: self._asked(args, who))
        future.add_done_callback(lambda done: self._patched(done.exception()))

    def _asked(self, args: dict[str, Any], who: Identity) -> None:
        operations, port, patch = self._operations, args.get("port", ""), args.get("patch", "")
        try:
            match args["verb"]:
                case "make":
                    ports = tuple(dict.fromkeys([port, *args["others"]]))
                    operations.patch_make(types.PatchMake(name=patch, ports=ports, timeout_s=60), who)
                case "break":
                    operations.patch_break(types.PatchBreak(name=patch, confirm=True), who)
                case "add":
                    operations.patch_add(types.PatchAdd(patch=patch, port=port), who)
                case "drop":
                    operations.patch_drop(types.PatchDrop(patch=patch, port=port), who)
                case "mute" | "unmute":
                    operations.patch_mute(types.PatchMute(patch=patch, port=port, muted=args["verb"] == "mute"), who)
                case "mute_port" | "unmute_port":
                    operations.port_mute(types.PortMute(port=port, muted=args["verb"] == "mute_port"), who)
                case "key":
                    operations.port_key(types.PortKey(port=port, seconds=args["for_s"], confirm=True), who)
                case "unkey":
                    operations.port_unkey(types.PortUnkey(port=port), who)
        except SdrBridgeError:
            # Operators ask for what cannot be done; the refusal is in the journal, with its reason.
            pass

    def _patched(self, problem: BaseException | None) -> None:
        if problem is not None:
            raise problem
        matrix = self._engine.matrix
        self.watch.patched(matrix.patches, {name: (mute.rx, mute.tx) for name, mute in matrix.muted.items()})
        self._keep()

    # What goes wrong.

    def _worker(self, deed: Deed) -> None:
        self.faults[f"worker {deed.args['how']}"] += 1
        self._tuners[deed.args["tuner"]].fail(deed.args["how"], self.clock.elapsed, _until(deed))

    def _device(self, deed: Deed) -> None:
        self.faults["sound card lost"] += 1
        self._ears[deed.args["port"]].break_down(self.clock.elapsed)
        if self._gone_since is None:
            self._engine.degrade(deed.args["port"], "its sound card is gone")
        self._after(deed, "device back")

    def _device_back(self, deed: Deed) -> None:
        self._ears[deed.args["port"]].come_back(self.clock.elapsed)
        if self._gone_since is None:
            self._engine.restore(deed.args["port"])

    def _drift(self, deed: Deed) -> None:
        self.faults["clock drift"] += 1
        self._radios[deed.args["port"]].drift(deed.args["ppm"], self.clock.elapsed, _until(deed))

    def _link(self, deed: Deed) -> None:
        port, fault = deed.args["port"], deed.args["fault"]
        self.faults[f"network: {fault}"] += 1
        self._links[port].spoil(fault, self.clock.elapsed, _until(deed), f"{deed.at}/{port}")

    def _kill(self, deed: Deed) -> None:
        if self._gone_since is None:
            self.faults["process killed"] += 1
            self._go_away(deed)
            self._die()

    def _hang(self, deed: Deed) -> None:
        """It stands still; a short while is caught up, after a longer one its watchdog starts it anew."""
        if self._gone_since is not None:
            return
        self._go_away(deed)
        self._hangs = deed.args["for_s"] * AUDIO_RATE < WATCHDOG
        if self._hangs:
            self.faults["process stood still"] += 1
        else:
            self.faults["process hung"] += 1
            self._die()

    def _go_away(self, deed: Deed) -> None:
        self._gone_since = self.clock.elapsed
        self._back_at = max(_until(deed), self.clock.elapsed + TICK_SAMPLES)

    def _die(self) -> None:
        if self._gone_since is None:
            self._gone_since = self.clock.elapsed
        self._engine.matrix.settle()
        self._close_journal()
        if self._recordings is not None:
            self._recordings.die()
            self._let_go_of_recordings()
        for name, link in self._links.items():
            if link.miscounted is not None:
                self.watch.lost(f"packets to {name}", *link.miscounted)
        for radio in self._radios.values():
            radio.hang_up()
        for tuner in self._tuners.values():
            tuner.unplug()

    def _disk(self, deed: Deed) -> None:
        self.faults["disk full"] += 1
        # It is full in the middle of something: of the second that is being written, or of the one after it.
        self._be_full(deed.at % (4 * AUDIO_RATE))
        self._after(deed, "disk room")

    def _disk_room(self, deed: Deed) -> None:
        self._be_full(None)

    def _be_full(self, left: int | None) -> None:
        self._storage.left = left
        self._state.full = self._storage.full
        if self._journal is not None:
            self._journal.full = self._storage.full

    def _record(self, deed: Deed) -> None:
        self._recording += 1
        if self._recordings is not None:
            self._recordings.go_on()
        elif self._gone_since is None:
            self._begin_to_record()

    def _begin_to_record(self) -> None:
        folder = Path(self._folder.name) / "recordings"
        self._recordings = Recordings(folder, self._storage, self.clock, self._taps, self.watch.recorded_wrong)

    def _record_no_more(self, deed: Deed) -> None:
        self._recording -= 1
        if self._recording == 0 and self._recordings is not None and self._recordings.stop():
            self._let_go_of_recordings()

    def _abandon_recordings(self) -> None:
        if self._recordings is not None:
            self._recordings.abandon()

    def _let_go_of_recordings(self) -> None:
        assert self._recordings is not None
        self.watch.tally.recorded += self._recordings.kept
        self.faults["recordings cut by a full disk"] += self._recordings.cut
        self._recordings = None

    def _clock_step(self, deed: Deed) -> None:
        self.faults["clock stepped"] += 1
        self.clock.stepped += deed.args["step_s"]


def _fault_of(reason: str) -> str:
    """What a supervisor says of a worker, in short."""
    kinds = {"ended by": "died", "hangs": "hung", "memory": "leaked", "radio": "had no device"}
    return next((kind for word, kind in kinds.items() if word in reason), reason)


def _recorded(deed: Deed) -> Iterator[Deed]:
    """From when to when recordings are looked at for the sake of a deed: about both ends of a full disk."""
    if deed.what == "disk":
        for at in (deed.at, _until(deed)):
            yield Deed(max(0, at - BEFORE), "record")
            yield Deed(at + AFTER, "record no more")


def _at(deed: Deed) -> int:
    return deed.at


def _until(deed: Deed) -> int:
    return deed.at + round(float(deed.args["for_s"]) * AUDIO_RATE)


def _site(house: House) -> Site:
    ports = tuple(PortConfig(s.name, "loopback", s.access_ms, s.priority) for s in house.stations)
    tuners = tuple(TunerConfig(name, f"rtlsdr:serial={name}") for name in house.tuners)
    patches = tuple(PatchConfig(name, members) for name, members in house.patches.items())
    return Site(Path("simulation.toml"), "simulation", (), tuners, (), ports, patches)
