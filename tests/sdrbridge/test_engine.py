"""The engine: what is asked runs between ticks, in order; events reach every sink; a snapshot says what is."""

from concurrent.futures import CancelledError
from pathlib import Path

import numpy as np
import pytest

from dsp.blocks import AUDIO_RATE, TICK_SAMPLES
from sdrbridge import config
from sdrbridge.bridge import make_ports
from sdrbridge.config import Site
from sdrbridge.engine import MOST_WAITING, Engine
from sdrbridge.errors import EngineError, PatchError
from sdrbridge.matrix import Event
from sdrbridge.patch import Patch
from sdrbridge.port import Loopback, Port

SITE = """
[bridge]
name = "post"
[[port]]
name = "a"
kind = "loopback"
[[port]]
name = "b"
kind = "loopback"
[[patch]]
name = "p"
ports = ["a", "b"]
"""


def read_site(folder: Path) -> Site:
    (folder / "site.toml").write_text(SITE)
    return config.load(folder / "site.toml")


def build(folder: Path) -> tuple[Engine, dict[str, Loopback], list[Event]]:
    site = read_site(folder)
    ends = {p.name: Loopback(p.name) for p in site.ports}
    events: list[Event] = []
    ports = make_ports(site, {}, {name: (end, end) for name, end in ends.items()})
    return Engine(site, ports, sinks=[events.append]), ends, events


def test_speech_passes_and_the_snapshot_says_so(tmp_path: Path) -> None:
    engine, ends, events = build(tmp_path)
    ends["a"].say(0, np.full(AUDIO_RATE, 0.25, np.float32))
    for _ in range(20):
        engine.tick()
    seen = engine.snapshot()
    assert engine.now == seen.now == 20 * TICK_SAMPLES
    assert seen.t_s == 0.4
    assert seen.ports["b"].keyed and not seen.ports["a"].keyed
    assert seen.ports["a"].over == "a-0001" and seen.ports["b"].over is None
    assert seen.patches["p"].holder == "a"
    assert np.abs(ends["b"].sent()).max() == pytest.approx(0.25)
    assert [e["event"] for e in events][:2] == ["floor.granted", "port.keyed"]


def test_acts_run_in_order_before_the_next_tick(tmp_path: Path) -> None:
    engine, _, _ = build(tmp_path)
    order: list[int] = []
    first = engine.perform(lambda e: order.append(1))
    again = engine.perform(lambda e: e.perform(lambda inner: order.append(3)))
    wrong = engine.perform(lambda e: e.matrix.drop("p", "nobody"))
    assert not order and not first.done()
    engine.tick()
    assert order == [1]
    assert isinstance(wrong.exception(0), PatchError)
    engine.tick()
    assert order == [1, 3]
    assert again.result(0).done()


def test_a_cancelled_act_never_runs(tmp_path: Path) -> None:
    engine, _, _ = build(tmp_path)
    ran: list[int] = []
    future = engine.perform(lambda e: ran.append(1))
    assert future.cancel()
    engine.tick()
    assert not ran
    with pytest.raises(CancelledError):
        future.result(0)


def test_what_waits_is_bounded(tmp_path: Path) -> None:
    engine, _, _ = build(tmp_path)
    for _ in range(MOST_WAITING):
        engine.perform(lambda e: None)
    with pytest.raises(EngineError, match="wait for the bridge already"):
        engine.perform(lambda e: None)
    engine.tick()
    engine.perform(lambda e: None)


def test_a_sink_that_fails_stops_nobody(tmp_path: Path) -> None:
    engine, ends, events = build(tmp_path)

    def broken(event: Event) -> None:
        raise OSError("no space left")

    late: list[Event] = []
    engine.add_sink(broken)
    engine.add_sink(late.append)
    ends["a"].say(0, np.ones(800, np.float32))
    for _ in range(10):
        engine.tick()
    assert late == events != []
    assert engine.snapshot().counters["sink_failures"] == len(events)
    assert "no space left" in engine.snapshot().degraded["listener"]
    engine.remove_sink(broken)
    engine.tell({"event": "x"})
    assert engine.counters["sink_failures"] == len(events) - 1


def test_what_is_degraded_is_told_once(tmp_path: Path) -> None:
    engine, _, events = build(tmp_path)
    engine.degrade("journal", "disk full")
    engine.degrade("journal", "disk full")
    engine.restore("journal")
    engine.restore("journal")
    assert [(e["event"], e["what"]) for e in events] == [("degraded", "journal"), ("restored", "journal")]
    assert engine.snapshot().degraded == {}


def test_steps_run_at_every_tick_before_the_matrix(tmp_path: Path) -> None:
    engine, ends, _ = build(tmp_path)
    seen: list[tuple[int, int]] = []
    engine.before_tick(lambda now: seen.append((now, ends["b"].end)))
    engine.tick()
    engine.tick()
    assert seen == [(0, 0), (160, 160)]


def test_another_site_takes_the_place_without_disturbing_what_stays(tmp_path: Path) -> None:
    engine, ends, events = build(tmp_path)
    ends["a"].say(0, np.full(3 * AUDIO_RATE, 0.25, np.float32))
    for _ in range(50):
        engine.tick()
    more = SITE.replace('ports = ["a", "b"]', 'ports = ["a", "b", "c"]') + '[[port]]\nname = "c"\nkind = "loopback"\n'
    (tmp_path / "site.toml").write_text(more)
    site = config.load(tmp_path / "site.toml")
    ends["c"] = Loopback("c")
    both = {name: (end, end) for name, end in ends.items()}
    patches = [Patch.from_config(patch) for patch in site.patches]
    engine.replace(site, make_ports(site, {}, both), {}, patches)
    for _ in range(50):
        engine.tick()
    assert engine.matrix.keyed("b") and engine.matrix.keyed("c")
    assert [e["port"] for e in events if e["event"] == "port.keyed"] == ["b", "c"]
    assert not [e for e in events if e["event"] == "floor.released"]
    # And back: who goes is off the air and out of the list, who stays hears on.
    old = read_site(tmp_path)
    ends.pop("c")
    engine.replace(old, make_ports(old, {}, {n: both[n] for n in ends}), {}, [Patch.from_config(old.patches[0])])
    for _ in range(25):
        engine.tick()
    assert list(engine.ports) == ["a", "b"] and engine.matrix.keyed("b")
    assert [e["port"] for e in events if e["event"] == "port.unkeyed"] == ["c"]
    sent = ends["b"].sent()
    assert np.abs(sent[-AUDIO_RATE // 2 :]).min() > 0.2


def test_patches_that_exchange_members_are_exchanged(tmp_path: Path) -> None:
    engine, _, _ = build(tmp_path)
    site = engine.site
    ports = [*engine.ports.values(), Port("c", tx=Loopback("c")), Port("d", tx=Loopback("d"))]
    p, q = Patch("p").add("a").add("b"), Patch("q").add("c").add("d")
    engine.replace(site, ports, {}, [p, q])
    engine.replace(site, ports, {}, [Patch("p").add("c").add("d"), Patch("q").add("a").add("b")])
    assert list(engine.matrix.patches["q"].members) == ["a", "b"]
    with pytest.raises(PatchError, match="no port"):
        engine.replace(site, ports[:2], {}, [q])
    assert set(engine.ports) == {"a", "b", "c", "d"}


def test_a_stride_is_as_many_ticks(tmp_path: Path) -> None:
    engine, _, _ = build(tmp_path)
    done = 0
    while done < 500:
        done += engine.stride(500 - done)
    assert engine.now == 500 * TICK_SAMPLES and engine.counters["ticks"] == 500
