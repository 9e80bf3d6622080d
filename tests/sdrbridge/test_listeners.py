"""Journal and recordings of a running bridge, wired together."""

from pathlib import Path

import numpy as np

from hw.clock import SystemClock
from sdrbridge.config import load
from sdrbridge.engine import Engine
from sdrbridge.journal import read_entries
from sdrbridge.listeners import Folders, Listeners
from sdrbridge.matrix import Event
from sdrbridge.port import Loopback, Port
from sdrbridge.recorder import Tap
from sdrbridge.verify import verify


def test_an_over_that_runs_when_the_bridge_is_ended_is_kept_and_told_of(tmp_path: Path) -> None:
    path = tmp_path / "site.toml"
    path.write_text('[[port]]\nname = "A"\nkind = "loopback"\n')
    loop = Loopback("A")
    tap = Tap("A", loop)
    engine = Engine(load(path), [Port("A", tap)])
    late: list[Event] = []
    listeners = Listeners(engine.site, Folders(tmp_path / "state"), SystemClock(), engine, late.append, [tap])
    listeners.start()
    loop.say(0, np.full(80_000, 0.1, np.float32))
    for _ in range(100):
        engine.tick()
        listeners.tick(paused=False)
    listeners.close()
    told = [e for e in read_entries(tmp_path / "state" / "journal") if e.event == "recording.closed"]
    assert [e.data["over"] for e in told] == ["A-0001"] and told[0].data["t_s"] == 2.0
    assert (tmp_path / "state" / "recordings" / str(told[0].data["file"])).exists()
    assert late == [] and verify(tmp_path / "state" / "journal").ok
