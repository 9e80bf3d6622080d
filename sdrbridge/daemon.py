"""`sdrbridge run SITE`: the bridge as a service, for days without anyone looking at it.

    event loop     control socket, links, signals, systemd
    matrix thread  a tick each 20 ms: `Station.tick`, and systemd's watchdog after it
    processes      a worker for each tuner, the keyer guard

SIGTERM and SIGINT end it, transmitters unkeyed first; SIGHUP reads the site file again, and keeps the old one where the
new one has errors. One daemon at most uses a state folder.
"""

import asyncio
import contextlib
import fcntl
import gc
import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import sdrbridge
from hw.clock import Clock, SystemClock
from sdrbridge.config import Site
from sdrbridge.control.identity import Identity
from sdrbridge.errors import ConfigError, SdrBridgeError
from sdrbridge.listeners import Folders
from sdrbridge.matrix import Event
from sdrbridge.notify import notify, watchdog_s
from sdrbridge.pacer import Pacer
from sdrbridge.site import load_site
from sdrbridge.station import Station
from sdrbridge.urgent import SPEECH, urgent

log = logging.getLogger(__name__)

SWITCH_S = 0.001
"""How long another thread may hold the interpreter while the matrix waits for it."""

STATUS_TICKS = 250
"""Ticks between two lines of status for systemd: 5 s."""

STEP_S = 1.0
"""A step of the time of day that is told: the clock was set, and wall times in the journal jump with it."""

BY_SIGNAL = Identity("signal", via="signal")
"""Who asks by SIGHUP: somebody who may send the daemon a signal; asyncio does not say who."""


class BusyError(SdrBridgeError):
    """Another daemon uses the state folder."""

    exit_code = 75


def state_folder(given: Path | None, site: str) -> Path:
    """Where the state lies: as told, as systemd says, or in the user's own folder for state, by site."""
    if given is not None:
        return given
    told = os.environ.get("STATE_DIRECTORY", "")
    if told:
        return Path(told.split(":")[0])
    home = os.environ.get("XDG_STATE_HOME", "")
    return (Path(home) if home else Path.home() / ".local" / "state") / "sdrbridge" / site


@contextmanager
def sole_user(folder: Path) -> Iterator[None]:
    """Hold the state folder for one daemon. Raises `BusyError`, or `SdrBridgeError` where it cannot be written."""
    path = folder / "lock"
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o750)
        lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
    except OSError as problem:
        raise SdrBridgeError(
            f"state folder {folder}: cannot be written: {problem.strerror}; choose another with --state"
        ) from problem
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            other = os.read(lock, 20).decode(errors="replace").strip() or "another"
            raise BusyError(
                f"state folder {folder}: is used by the daemon with process id {other}; end it first, or choose "
                "another folder with --state"
            ) from None
        # Who has it is only for the message above; a full disk does not keep a bridge from its speech.
        with contextlib.suppress(OSError):
            os.ftruncate(lock, 0)
            os.write(lock, f"{os.getpid()}\n".encode())
        yield
    finally:
        os.close(lock)


class Beat(threading.Thread):
    """The matrix thread: ticks the station on the clock, and says so to systemd's watchdog."""

    def __init__(self, station: Station, clock: Clock) -> None:
        super().__init__(name="matrix", daemon=True)
        self.station = station
        self.clock = clock
        self.pacer = Pacer(clock.monotonic())
        self.failure: BaseException | None = None
        self.ended = threading.Event()
        self._stop_now = threading.Event()
        self._wall: float | None = None

    def stop(self) -> None:
        """Make no further tick."""
        self._stop_now.set()

    def run(self) -> None:
        """Until told to stop. A mistake of our own ends the program: whoever supervises it starts it afresh."""
        urgent(SPEECH)
        try:
            self._run()
        except BaseException as problem:
            log.exception("the matrix thread failed")
            self.failure = problem
        finally:
            self.ended.set()

    def _run(self) -> None:
        station, pacer, clock, engine = self.station, self.pacer, self.clock, self.station.engine
        # What it took to start is no gap.
        pacer.due = clock.monotonic()
        wanted = watchdog_s()
        patience = None if wanted is None else max(1, int(wanted / 3 / 0.02))
        while not clock.wait(self._stop_now, pacer.wait(clock.monotonic())):
            given_up = pacer.ticked(clock.monotonic())
            if given_up:
                engine.tell({"event": "clock.gap", "missing_s": round(given_up, 3)})
            engine.counters["late_ticks"] = pacer.late
            engine.counters["skipped_s"] = round(pacer.skipped_s, 3)
            station.tick(late=pacer.lateness_s > 0.01)
            if station.block_age is not None:
                pacer.follow(*station.block_age)
            ticks = int(engine.counters["ticks"])
            if patience is not None and ticks % patience == 0:
                notify("WATCHDOG=1")
            if ticks % STATUS_TICKS == 5:
                notify(f"STATUS={station.status()}")
                self._watch_wall()

    def _watch_wall(self) -> None:
        offset = self.clock.now().timestamp() - self.clock.monotonic()
        if self._wall is not None and abs(offset - self._wall) > STEP_S:
            self.station.engine.tell({"event": "clock.step", "step_s": round(offset - self._wall, 3)})
        self._wall = offset


class Daemon:
    """One site, run. Raises `SdrBridgeError` from `run` when it cannot be started."""

    def __init__(self, path: Path, state: Path | None, socket: Path | None, clock: Clock | None = None) -> None:
        self.path = path
        self.clock = clock or SystemClock()
        self.started = self.clock.monotonic()
        self.site: Site = load_site(path)
        self.folders = Folders(state_folder(state, self.site.name))
        self.socket = socket
        self._ending: asyncio.Event | None = None

    def run(self) -> int:
        """Run until it is told to end. Returns the exit code."""
        with sole_user(self.folders.state):
            return asyncio.run(self._main())

    async def _main(self) -> int:
        self._ending = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._ending.set)
        station = Station(self.site, self.folders, self.clock)
        beat = Beat(station, self.clock)
        station.engine.add_sink(_log_event)
        async with contextlib.AsyncExitStack() as stack:
            stack.push_async_callback(self._stop, station, beat)
            await station.start()
            loop.add_signal_handler(signal.SIGHUP, self._hang_up, station)
            sys.setswitchinterval(SWITCH_S)
            # What has been made by now stays; the collector need not look at it again in the middle of a tick.
            gc.collect()
            gc.freeze()
            beat.start()
            await self._start_control(station, stack)
            await asyncio.wrap_future(station.engine.perform(lambda engine: engine.now))
            took = self.clock.monotonic() - self.started
            log.info("up", extra={"site": self.site.name, "took_s": round(took, 3), "version": sdrbridge.__version__})
            notify("READY=1", f"STATUS={station.status()}")
            ended = asyncio.create_task(asyncio.to_thread(beat.ended.wait))
            asked = asyncio.create_task(self._ending.wait())
            await asyncio.wait([ended, asked], return_when=asyncio.FIRST_COMPLETED)
            asked.cancel()
            notify("STOPPING=1")
        return 1 if beat.failure is not None else 0

    async def _start_control(self, station: Station, stack: contextlib.AsyncExitStack) -> None:
        """Serve the verbs. Imported here: speech passes already while these libraries load."""
        from sdrbridge.control.address import to_serve
        from sdrbridge.control.server import ControlServer
        from sdrbridge.metrics import Metrics
        from sdrbridge.operations import Operations

        async def reload(who: Identity) -> list[str]:
            return await self._reload(station, who)

        engine = station.engine
        metrics = Metrics(station)
        engine.add_sink(metrics)
        server = ControlServer(Operations(engine, self.clock), to_serve(self.socket), reload, metrics.text)
        await server.start()
        stack.push_async_callback(server.stop)

    async def _stop(self, station: Station, beat: Beat) -> None:
        """Transmitters first: the matrix makes no further tick, and the guard is told before anything else."""
        station.guard.unkey_all()
        beat.stop()
        if beat.is_alive():
            await asyncio.to_thread(beat.join, 2.0)
        await station.stop()

    def _hang_up(self, station: Station) -> None:
        """SIGHUP."""
        task = asyncio.ensure_future(self._reload(station, BY_SIGNAL))
        task.add_done_callback(lambda done: done.cancelled() or done.exception())

    async def _reload(self, station: Station, who: Identity) -> list[str]:
        notify("RELOADING=1", f"MONOTONIC_USEC={time.monotonic_ns() // 1000}")
        try:
            site = await asyncio.to_thread(load_site, self.path)
            did = await station.reload(site, who)
        except SdrBridgeError as problem:
            problems = problem.problems if isinstance(problem, ConfigError) else [str(problem)]
            refused = {"event": "config.refused", "path": str(self.path), "problems": problems, **who.to_dict()}
            station.engine.perform(lambda engine: engine.tell(refused))
            for line in problems:
                log.error("the site file was not taken: %s", line)
            raise
        finally:
            notify("READY=1", f"STATUS={station.status()}")
        self.site = site
        for line in did:
            log.info("reloaded: %s", line)
        return did


_LOUD = frozenset({"degraded", "config.refused", "clock.gap", "clock.step", "state.remark"})


def _log_event(event: Event) -> None:
    """What a technician should find in the log; everything is in the journal."""
    kind = str(event.get("event"))
    if kind in _LOUD:
        log.warning("%s", kind, extra={key: value for key, value in event.items() if key != "event"})
    elif kind in ("restored", "config.reloaded"):
        log.info("%s", kind, extra={key: value for key, value in event.items() if key != "event"})
