"""Under overload the tuner in no patch rests, the patched one never; a worker that ends is a reason, and comes back."""

import asyncio
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np

from hw.clock import ManualClock
from sdrbridge import config
from sdrbridge.control.identity import of_this_process
from sdrbridge.control.types import WhyAnswer, WhyAsked
from sdrbridge.delays import ledger
from sdrbridge.listeners import Folders
from sdrbridge.operations import Operations
from sdrbridge.remoteport import RemoteTuner
from sdrbridge.shed import DOWN, UP
from sdrbridge.station import Station
from sdrbridge.supervisor import State
from sdrbridge.transmission import Facts
from sdrbridge.tunerlink import TunerLink
from sdrbridge.wire import Audio, Beat, Begin, Bye, Delay, Hello, Message, Setup, pack

TUNER = '[[tuner]]\nname = "{0}"\nsource = "file:{0}.cu8"\ncenter = "155.0M"\nrate = "48k"\n'
CHANNEL = '[[channel]]\nname = "ch-{0}"\ntuner = "{0}"\noffset = "0k"\nmode = "nfm"\n'
SITE = "".join(part.format(name) for name in ("main", "spare") for part in (TUNER, CHANNEL)) + (
    '[[port]]\nname = "out"\nkind = "loopback"\n[[patch]]\nname = "p"\nports = ["ch-main", "out"]\n'
)

STAGES: dict[str, tuple[Delay, ...]] = {f"ch-{name}": (Delay("channelizer block", 0.01),) for name in ("main", "spare")}


class Worker:
    """The other end of a link, without a process."""

    pid = 1

    def __init__(self, connection: socket.socket) -> None:
        self.connection = connection.dup()
        self.killed = False

    def poll(self) -> int | None:
        return -9 if self.killed else None

    def kill(self) -> None:
        self.killed = True
        self.connection.close()

    def wait(self, timeout: float | None = None) -> int:
        assert self.killed
        return -9


def test_overload_and_a_lost_receiver(tmp_path: Path) -> None:
    (tmp_path / "site.toml").write_text(SITE)
    clock = ManualClock()
    workers: dict[str, list[Worker]] = {"main": [], "spare": []}

    def link(setup: object, remote: object) -> TunerLink:
        made = TunerLink(setup, remote, lambda end: _begin(made, end))  # type: ignore[arg-type]
        return made

    def _begin(made: TunerLink, end: socket.socket) -> Worker:
        workers[made.setup.tuner.name].append(Worker(end))
        return workers[made.setup.tuner.name][-1]

    station = Station(config.load(tmp_path / "site.toml"), Folders(tmp_path / "state"), clock, link=link)
    asyncio.run(station.start())

    def tick(times: int, late: bool = False) -> None:
        for _ in range(times):
            for name, link in station.links.items():
                if link.supervisor.state in (State.STARTING, State.UP):
                    workers[name][-1].connection.sendall(
                        pack([Hello(name, "iq", 48_000, None, ledger=STAGES), Beat(station.engine.now)])
                    )
            station.tick(late)
            clock.advance(0.02)

    unknown = ledger(station.engine, "ch-main", "out").unknown
    assert unknown == "ch-main has not been received yet, so its own delay is not known"
    try:
        tick(60)
        assert ledger(station.engine, "ch-main", "out").unknown == ""
        assert {name: s.state for name, s in station.engine.tuners.items()} == {"main": "up", "spare": "up"}
        tick(4 * DOWN, late=True)
        assert "recordings" in station.engine.degraded["load"]
        tick(2)
        assert [link.state().state for link in station.links.values()] == ["up", "down"]
        assert workers["spare"][0].killed and not workers["main"][0].killed
        tick(UP + 30)
        assert station.links["spare"].state().state == "up" and len(workers["spare"]) == 2
        workers["main"][0].connection.sendall(pack([Bye("the dongle was unplugged")]))
        workers["main"][0].connection.close()
        station.tick()
        assert station.engine.degraded["tuner main"] == "the dongle was unplugged"
        clock.advance(0.3)
        station.tick()
        state = station.links["main"].state()
        assert (state.state, state.reason) == ("down", "is starting again; the dongle was unplugged")
        assert station.engine.degraded["tuner main"] == "the dongle was unplugged"
        tick(5)
        assert len(workers["main"]) == 2 and "tuner main" not in station.engine.degraded
    finally:
        asyncio.run(station.stop())
        for them in workers.values():
            for worker in them:
                worker.connection.close()


def test_a_worker_that_falls_silent_is_told_of_before_it_is_given_up(tmp_path: Path) -> None:
    (tmp_path / "site.toml").write_text(SITE.replace(TUNER.format("spare"), "").replace(CHANNEL.format("spare"), ""))
    clock = ManualClock()
    workers: list[Worker] = []

    def start(end: socket.socket) -> Worker:
        workers.append(Worker(end))
        return workers[-1]

    def link(setup: Setup, remote: RemoteTuner) -> TunerLink:
        return TunerLink(setup, remote, start)

    station = Station(config.load(tmp_path / "site.toml"), Folders(tmp_path / "state"), clock, link=link)
    engine = station.engine
    events: list[dict[str, object]] = []
    engine.add_sink(events.append)
    operations = Operations(engine, clock)
    asyncio.run(station.start())

    def tick(times: int, *more: Message) -> None:
        for _ in range(times):
            if more:
                workers[-1].connection.sendall(pack([*more, Beat(engine.now, sent_s=clock.monotonic())]))
            station.tick()
            clock.advance(0.02)

    def why() -> WhyAnswer:
        return operations.why(WhyAsked(question="silent", name="ch-main"), of_this_process())

    try:
        tick(30, Hello("main", "iq", 48_000, None))
        tick(1, Begin("ch-main", "o", engine.now - 100, Facts()))
        while engine.matrix.holder("p") is None:
            speech = np.full(160, 0.5, np.float32).tobytes()
            tick(1, Audio("ch-main", engine.now - 160, speech))
        assert not why().now
        # Nothing more comes. It is said within half a second, once, and nothing is done about it yet.
        tick(19)
        assert engine.tuners["main"].state == "up" and "tuner main" not in engine.degraded
        tick(4)
        seen = engine.snapshot()
        assert seen.tuners["main"].state == "degraded"
        assert seen.ports["ch-main"].reason == "tuner main: nothing received for 460 ms"
        answer = why()
        assert answer.now and answer.answer == "ch-main is degraded: tuner main: nothing received for 460 ms"
        tick(40)
        assert "1260 ms" in engine.snapshot().ports["ch-main"].reason and not workers[0].killed
        told = [event for event in events if event["event"] == "degraded" and event["what"] == "tuner main"]
        assert len(told) == 1 and "nothing was received for 400 ms" in str(told[0]["reason"])
        # It goes on.
        tick(1, Hello("main", "iq", 48_000, None))
        assert engine.tuners["main"].state == "up" and "tuner main" not in engine.degraded
        assert not why().now
        # It does not.
        tick(120)
        assert workers[0].killed and len(workers) == 2
        reasons = [str(event["reason"]) for event in events if event["event"] == "degraded"]
        assert [("given up" in reason, "hangs" in reason) for reason in reasons[-2:]] == [(True, False), (False, True)]
    finally:
        asyncio.run(station.stop())
        for worker in workers:
            worker.connection.close()


def test_workers_are_waited_for(tmp_path: Path) -> None:
    """Neither a tuner taken out of the site nor the end of the bridge leaves a process behind."""
    (tmp_path / "site.toml").write_text(SITE)
    (tmp_path / "less.toml").write_text(SITE.replace("spare", "other"))
    started = []

    def start(end: socket.socket) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-c", "import sys; sys.stdin.read()"]
        started.append(subprocess.Popen(command, stdin=end.fileno()))
        return started[-1]

    def link(setup: Setup, remote: RemoteTuner) -> TunerLink:
        return TunerLink(setup, remote, start)

    station = Station(config.load(tmp_path / "site.toml"), Folders(tmp_path / "state"), ManualClock(), link=link)

    async def live() -> None:
        await station.start()
        reloading = asyncio.create_task(station.reload(config.load(tmp_path / "less.toml"), of_this_process()))
        while not reloading.done():
            await asyncio.to_thread(station.tick)
        assert [process.returncode for process in started] == [None, -9, None]
        await station.stop()

    asyncio.run(live())
    assert [process.returncode for process in started] == [-9, -9, -9]
