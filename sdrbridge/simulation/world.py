"""One run of a script: engine, operators, journal and the lines of the transmitters under a clock that is counted.

    Script ─deeds─▶ World: talkers ▸ Ear ▸ Engine ▸ Transmitter ▸ Watch
                           operators ▸ Operations ─┘      └▸ lines ◂ keyer guard
                           faults ▸ workers, links, lines, disk, clock, the process itself

Nothing here reads a real clock or rolls dice: the same script gives the same run, in long strides or tick by tick.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from threading import Event as ThreadEvent
from typing import Any

from dsp.blocks import AUDIO_RATE, TICK_SAMPLES
from hw.keyer import Keyer
from sdrbridge.config import PatchConfig, PortConfig, Site
from sdrbridge.control import types
from sdrbridge.control.identity import Identity
from sdrbridge.engine import Engine, TunerState
from sdrbridge.errors import SdrBridgeError
from sdrbridge.guard import Guard, LineState
from sdrbridge.journalwriter import JournalWriter
from sdrbridge.matrix import Event
from sdrbridge.operations import Operations
from sdrbridge.patch import Patch
from sdrbridge.port import Port
from sdrbridge.simulation.house import Ear, House, Over, Station, Transmitter
from sdrbridge.simulation.script import Deed
from sdrbridge.simulation.watch import Tally, Watch

LATENCY = 4 * TICK_SAMPLES
"""Samples between the air and its sound, of every port."""

DECISION = {"channel": 600, "radio": 800, "link": 0}
"""Samples until the beginning of an over is known: a tone, a voice, a packet."""


class CountedClock:
    """A clock that counts what it is given. stepped: seconds the time of day is wrong by."""

    def __init__(self) -> None:
        self.elapsed = 0
        self.stepped = 0.0
        self._start = datetime(2026, 1, 1, tzinfo=UTC)

    def monotonic(self) -> float:
        return self.elapsed / AUDIO_RATE

    def now(self) -> datetime:
        return self._start + timedelta(seconds=self.elapsed / AUDIO_RATE + self.stepped)

    def wait(self, stop: ThreadEvent, seconds: float) -> bool:
        return stop.is_set()


class PttLine:
    """One PTT line, without a thread: keyed or not."""

    def __init__(self, name: str, spec: str, opener: object, changed: object) -> None:
        self.name, self.spec = name, spec
        self.state = LineState(keyed=False)

    def set(self, keyed: bool) -> None:
        if keyed != self.state.keyed:
            self.state = LineState(keyed)

    def close(self) -> None:
        self.set(False)

    def join(self, timeout_s: float) -> None:
        """Nothing to wait for."""


def _no_keyer(spec: str) -> Keyer:
    raise AssertionError(spec)


class Lines:
    """The keyer guard with the PTT lines of the radios, and what the bridge tells it at every tick."""

    def __init__(self, names: Sequence[str]) -> None:
        self.guard = Guard(_no_keyer, line=PttLine)
        self._all = dict.fromkeys(names, "none:")
        self._wanted: set[str] = set()
        self._number = 0

    def set(self, name: str, keyed: bool) -> None:
        """What a port wants."""
        if keyed:
            self._wanted.add(name)
        else:
            self._wanted.discard(name)

    def start(self, now: float) -> None:
        """A process begins and names its lines; none is keyed."""
        self._wanted.clear()
        self.guard.hear({"n": 0, "lines": self._all, "keyed": []}, now)

    def beat(self, now: float) -> None:
        """The message of a tick."""
        self._number += 1
        self.guard.hear({"n": self._number, "keyed": list(self._wanted)}, now)

    @property
    def keyed(self) -> list[str]:
        """The lines that are keyed now."""
        return [name for name, line in self.guard.lines.items() if line.state.keyed]


class DiskJournal(JournalWriter):
    """The journal's writer on a disk that can be full."""

    full = False
    own = 0
    """Entries that nobody told it: those that say how many are missing."""

    def _write(self, stamped: tuple[Mapping[str, object], datetime]) -> bool:
        if self.full:
            self._trouble = "no space left on device"
            return False
        written = super()._write(stamped)
        self.own += written and stamped[0]["event"] == "journal.lost"
        return written


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a run came to. digest: of all events. journal: entries written, and those lost by a full disk."""

    digest: str
    seconds: float
    tally: Tally
    restarts: int
    journal_written: int
    journal_lost: int

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
        self.lines = Lines([s.name for s in house.stations if s.kind == "radio"])
        self._strides = strides
        self._journal_folder = journal
        self._journal: DiskJournal | None = None
        self._told = 0
        self._written = 0
        self._lost = 0
        self._disk_full = False
        self._origin = 0
        self._gone_since: int | None = None
        self._back_at: int | None = None
        self._later: list[Deed] = []
        self._restarts = -1
        self._kept = {n: Patch.from_config(PatchConfig(n, members)) for n, members in house.patches.items()}
        self._ears = {s.name: Ear(s.name, s.level, LATENCY, DECISION[s.kind]) for s in house.stations}
        self._site = _site(house)
        self._verbs: dict[str, Callable[[Deed], None]] = {
            "talk": self._talk,
            "operate": self._operate,
            "worker": self._worker,
            "worker back": self._worker_back,
            "device": self._device,
            "device back": self._device_back,
            "link": self._link,
            "link well": self._link_well,
            "kill": self._kill,
            "hang": self._hang,
            "disk": self._disk,
            "disk room": self._disk_room,
            "clock": self._clock_step,
        }
        self._boot()

    def run(self, script: Sequence[Deed], hours: float, progress: Callable[[float], None] | None = None) -> Outcome:
        """Let it all happen."""
        end = round(hours * 3600 * AUDIO_RATE) // TICK_SAMPLES * TICK_SAMPLES
        place = 0
        said = 0
        while (world := self.clock.elapsed) < end:
            while place < len(script) and script[place].at < world + TICK_SAMPLES:
                self._do(script[place])
                place += 1
            while self._later and self._later[0].at < world + TICK_SAMPLES:
                self._do(self._later.pop(0))
            limit = end
            if place < len(script):
                limit = min(limit, script[place].at)
            if self._later:
                limit = min(limit, self._later[0].at)
            self._step(world, max(1, (limit - world) // TICK_SAMPLES))
            if progress is not None and self.clock.elapsed - said >= 600 * AUDIO_RATE:
                said = self.clock.elapsed
                progress(said / AUDIO_RATE)
        self._close_journal()
        return Outcome(self.watch.digest, end / AUDIO_RATE, self.watch.tally, self._restarts, self._written, self._lost)

    def _do(self, deed: Deed) -> None:
        self._verbs[deed.what](deed)

    def _after(self, deed: Deed, what: str) -> None:
        """Something ends a while after it has begun."""
        at = deed.at + round(float(deed.args["for_s"]) * AUDIO_RATE)
        self._later.append(Deed(at, what, deed.args))
        self._later.sort(key=lambda later: later.at)

    # Time goes on.

    def _step(self, world: int, most: int) -> None:
        if self._gone_since is not None:
            self._be_gone(world)
            return
        engine = self._engine
        self.watch.begin(engine.now)
        ticks = engine.stride(most if self._strides else 1)
        self.clock.elapsed = world + ticks * TICK_SAMPLES
        self.lines.beat(self.clock.monotonic())
        self.watch.finish(engine.now, {})
        if self._journal is not None:
            self._journal.work()

    def _be_gone(self, world: int) -> None:
        """The process is dead or hangs; the guard and the air go on."""
        assert self._gone_since is not None and self._back_at is not None
        self.clock.elapsed = world + TICK_SAMPLES
        self.lines.guard.tick(self.clock.monotonic())
        for name in self.lines.keyed:
            self.watch.line_keyed(name, self.clock.elapsed - self._gone_since)
        if self.clock.elapsed >= self._back_at:
            self._gone_since = self._back_at = None
            self._boot()

    def _boot(self) -> None:
        """A process begins: every line is found unkeyed or made so, and the patches are those that were kept."""
        self._restarts += 1
        self._origin = self.clock.elapsed
        self.lines.start(self.clock.monotonic())
        for ear in self._ears.values():
            ear.connect(self._origin)
        self._open_journal()
        ports = [self._port(station) for station in self.house.stations]
        # The watch before the matrix: what is granted in a tick is sent in the same tick.
        self.watch.start(self._origin, self._kept)
        self._engine = Engine(self._site, ports, patches=self._kept.values(), sinks=[self._event])
        for tuner in self._engine.tuners:
            self._engine.tuners[tuner] = TunerState(tuner, "up", "")
        self._operations = Operations(self._engine, self.clock)

    def _port(self, station: Station) -> Port:
        ear = self._ears[station.name]
        ear.on_over = self._over_began
        set_ptt = None
        if station.kind == "radio":
            name = station.name

            def set_ptt(keyed: bool) -> None:
                self.lines.set(name, keyed)

        tx = None if station.kind == "channel" else Transmitter(station.name, self.watch.frame, set_ptt)
        half = station.kind == "radio"
        return Port(station.name, ear, tx, station.priority, station.access_ms, half_duplex=half)

    def _over_began(self, over: Over) -> None:
        assert over.heard is not None
        self.watch.over_began(over.heard)
        if over.offset:
            self.watch.joined_late(over.heard.id)

    def _event(self, event: Event) -> None:
        self.watch.event(event)
        self._told += 1
        if self._journal is not None:
            self._journal(event)

    # The journal and its disk.

    def _open_journal(self) -> None:
        if self._journal_folder is not None:
            self._journal = DiskJournal(self._journal_folder, self._site.name, self.clock, bound=256)
            self._journal.full = self._disk_full
            self._told = 0

    def _close_journal(self) -> None:
        if self._journal is None:
            return
        counters = self._journal.health().counters
        said = int(counters["written"] + counters["waiting"] + counters["lost"]) - self._journal.own
        self.watch.lost("journal", self._told, said)
        self._journal.close()
        counters = self._journal.health().counters
        self._written += int(counters["written"])
        self._lost += int(counters["lost"])
        self._journal = None

    # What people do.

    def _talk(self, deed: Deed) -> None:
        args = deed.args
        over = Over(deed.at, deed.at + round(args["for_s"] * AUDIO_RATE), bool(args.get("emergency")))
        if "encrypted_after_s" in args:
            over.encrypted_at = deed.at + round(args["encrypted_after_s"] * AUDIO_RATE)
        self._ears[args["who"]].talk(over)

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
        self._kept = matrix.patches
        self.watch.patched(self._kept, {name: (mute.rx, mute.tx) for name, mute in matrix.muted.items()})

    # What goes wrong.

    def _worker(self, deed: Deed) -> None:
        self._tuner(deed, down=True)
        self._after(deed, "worker back")

    def _worker_back(self, deed: Deed) -> None:
        self._tuner(deed, down=False)

    def _tuner(self, deed: Deed, down: bool) -> None:
        tuner = deed.args["tuner"]
        for station in self.house.stations:
            if station.tuner == tuner:
                ear = self._ears[station.name]
                (ear.break_down if down else ear.come_back)(self.clock.elapsed)
        if self._gone_since is None:
            state = TunerState(tuner, "down", "its worker died") if down else TunerState(tuner, "up", "")
            self._engine.tuners[tuner] = state
            event = "tuner.lost" if down else "tuner.back"
            self._engine.tell({"event": event, "tuner": tuner, "reason": state.reason or "its worker runs again"})

    def _device(self, deed: Deed) -> None:
        self._ears[deed.args["port"]].break_down(self.clock.elapsed)
        if self._gone_since is None:
            self._engine.degrade(deed.args["port"], "its sound card is gone")
        self._after(deed, "device back")

    def _device_back(self, deed: Deed) -> None:
        self._ears[deed.args["port"]].come_back(self.clock.elapsed)
        if self._gone_since is None:
            self._engine.restore(deed.args["port"])

    def _link(self, deed: Deed) -> None:
        ear = self._ears[deed.args["port"]]
        if deed.args["fault"] == "stall":
            ear.break_down(self.clock.elapsed)
        else:
            ear.lossy = Random(f"{deed.at}/{deed.args['port']}")
        self._after(deed, "link well")

    def _link_well(self, deed: Deed) -> None:
        ear = self._ears[deed.args["port"]]
        ear.lossy = None
        if ear.down:
            ear.come_back(self.clock.elapsed)

    def _kill(self, deed: Deed) -> None:
        if self._gone_since is None:
            self._gone_since = self.clock.elapsed
            self._back_at = self.clock.elapsed + round(deed.args["for_s"] * AUDIO_RATE)
            self._close_journal()

    def _hang(self, deed: Deed) -> None:
        """It stands still; a short while is caught up, after a longer one its watchdog starts it anew."""
        self._kill(deed)

    def _disk(self, deed: Deed) -> None:
        self._disk_full = True
        if self._journal is not None:
            self._journal.full = True
        self._after(deed, "disk room")

    def _disk_room(self, deed: Deed) -> None:
        self._disk_full = False
        if self._journal is not None:
            self._journal.full = False

    def _clock_step(self, deed: Deed) -> None:
        self.clock.stepped += deed.args["step_s"]


def _site(house: House) -> Site:
    ports = tuple(PortConfig(s.name, "loopback", s.access_ms, s.priority) for s in house.stations)
    return Site(Path("simulation.toml"), "simulation", (), (), (), ports, ())
