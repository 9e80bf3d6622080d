"""Full-duplex members are heard beside others; crosspoints, levels and patches change without a click elsewhere."""

from collections.abc import Callable

import numpy as np
import pytest

from sdrbridge.errors import PortError
from sdrbridge.floor import Floor, Talker, Verdict
from sdrbridge.handling import Handling
from sdrbridge.matrix import Event, Matrix
from sdrbridge.patch import Member, Patch, Rules
from sdrbridge.port import Loopback, Port
from tests.sdrbridge.test_matrix import Bridge, members, noise

A = Talker("A-1", "A", 0)
B = Talker("B-1", "B", 100, mixes=True)
C = Talker("C-1", "C", 200, mixes=True)


def verdicts(floor: Floor, now: int, *talkers: Talker) -> list[tuple[str, str]]:
    return [(d.verdict.value, d.over) for d in floor.step(now, talkers)]


def test_who_mixes_needs_no_floor_and_takes_none() -> None:
    floor = Floor(Rules(hang=1600, timeout=16_000))
    assert verdicts(floor, 160, B) == [("granted", "B-1")]
    assert floor.holder is None and floor.mixed == (B,)
    assert verdicts(floor, 320, A, B, C) == [("granted", "C-1"), ("granted", "A-1")]
    assert verdicts(floor, 480, A, C) == [("released", "B-1")]
    assert verdicts(floor, 640, C) == [("released", "A-1")]
    # The patch hangs when the last has ended, each of them has his own time-out.
    assert floor.next_due() == 320 + 16_000
    assert verdicts(floor, 320 + 16_000, C) == [("timed_out", "C-1")]
    assert verdicts(floor, 320 + 17_600, C) == [("idle", "")]
    assert floor.next_due() is None


def test_all_are_heard_at_once_and_nobody_hears_himself() -> None:
    b = Bridge("ABC", Patch("p", members("A", "B", "C"), rules=Rules(mix=True)))
    said = {n: noise(8000, i) for i, n in enumerate("ABC")}
    for name in "ABC":
        b.loops[name].say(1000, said[name])
    b.run(24000)
    for name in "ABC":
        got = b.sent(name)
        first = int(np.flatnonzero(got)[0])
        others = [said[n] for n in "ABC" if n != name]
        np.testing.assert_array_equal(got[first : first + 8000], others[0] + others[1])
    assert not b.told("floor.refused")
    assert b.matrix.patches["p"].rules.mix and b.matrix.heard("p") == ()


def test_a_dispatcher_is_heard_beside_whoever_holds_the_floor() -> None:
    patch = Patch("p", {**members("A", "B", "D"), "D": Member(mixes=True)}, rules=Rules(hang=0))
    b = Bridge("ABD", patch)
    a, d = noise(16000, 1), noise(4000, 2)
    b.loops["A"].say(0, a)
    b.loops["B"].say(1600, noise(4000, 3))
    b.loops["D"].say(4000, d)
    b.run(6000)
    assert b.matrix.heard("p") == ("A", "D") and b.matrix.holder("p") == "A"
    b.run(32000)
    got = b.sent("B")
    first = int(np.flatnonzero(got)[0])
    np.testing.assert_array_equal(got[first : first + 4000], a[:4000])
    alone = b.sent("A")
    at = int(np.flatnonzero(alone)[0])
    np.testing.assert_array_equal(alone[at : at + 4000], d)
    np.testing.assert_array_equal(got[at : at + 4000], a[at - first : at - first + 4000] + d)
    assert [e["port"] for e in b.told("floor.gave_up")] == ["B"]
    assert not b.matrix.keyed("A") and not b.matrix.keyed("B")


def test_mixing_can_be_switched_on_while_somebody_waits() -> None:
    b = Bridge("ABC", Patch("p", members("A", "B", "C")))
    b.loops["A"].say(0, noise(24000, 1))
    c = noise(24000, 2)
    b.loops["C"].say(1600, c)
    b.run(8000)
    old = b.matrix.patches["p"]
    b.matrix.change(Patch("p", old.members, old.legs, Rules(mix=True)))
    b.run(9600)
    granted = b.told("floor.granted")
    assert [e["port"] for e in granted] == ["A", "C"] and float(str(granted[1]["blocked_s"])) > 0.7
    b.run(40000)
    # A, who held the floor, was heard whole.
    assert len(b.told("floor.released")) == 2


def test_levels_of_a_port_in_and_out() -> None:
    loops = {n: Loopback(n, latency=240) for n in "ABC"}
    events: list[Event] = []
    treated = {"A": Handling(rx_gain_db=-6.0), "B": Handling(tx_gain_db=-20.0)}
    ports = [Port(n, x, x, handling=treated.get(n, Handling())) for n, x in loops.items()]
    matrix = Matrix(ports, [Patch("p", members("A", "B", "C")).set_gain("A", "B", 3.0)], events.append)
    said = noise(16000, 1)
    loops["A"].say(0, said)
    for now in range(0, 4800, 160):
        matrix.tick(now)
    for name, gain_db in (("B", -6.0 - 20.0 + 3.0), ("C", -6.0)):
        got = loops[name].sent()
        heard = got[got != 0]
        np.testing.assert_allclose(heard, said[: len(heard)] * 10 ** (gain_db / 20), rtol=1e-5)
    matrix.set_level("A", rx_gain_db=0.0)
    assert matrix.levels("A") == (0.0, 0.0)
    for now in range(4800, 9600, 160):
        matrix.tick(now)
    assert loops["C"].sent()[-1] in said
    with pytest.raises(PortError, match=r"rx_gain_db = 40 must lie between -60 and 20"):
        matrix.set_level("A", rx_gain_db=40)


def test_patches_made_and_changed_while_audio_runs_disturb_nobody_else() -> None:
    names = "ABCDEFGH"
    quiet = Bridge(names, Patch("p", members("A", "B")))
    busy = Bridge(names, Patch("p", members("A", "B")))
    # A tone would show a click; here any sample that differs would show.
    said = noise(40000, 1)
    for b in (quiet, busy):
        b.loops["A"].say(0, said)
        for i, name in enumerate("CDEF"):
            b.loops[name].say(1000 * i, noise(30000, i))
    m = busy.matrix
    deeds: list[Callable[[], None]] = [
        lambda: m.make(Patch("q", members("C", "D"), rules=Rules(mix=True))),
        lambda: m.add("q", "E"),
        lambda: m.set_gain("q", "C", "D", 6.0),
        lambda: m.mute_leg("q", "C", "E"),
        lambda: m.make(Patch("r", members("F", "G", "H"))),
        lambda: m.drop("q", "C"),
        lambda: m.mute("r", "F"),
        lambda: m.set_level("F", rx_gain_db=-3.0),
        lambda: m.unmake("q"),
        lambda: m.unmake("r"),
    ]
    for deed in deeds:
        busy.run(busy.now + 800)
        deed()
    for b in (quiet, busy):
        b.run(48000)
    np.testing.assert_array_equal(busy.sent("B"), quiet.sent("B"))
    assert busy.loops["B"].keyed == quiet.loops["B"].keyed
    assert busy.sent("D").any() and busy.sent("H").any()


def test_a_kerchunk_goes_nowhere_and_a_real_over_loses_nothing() -> None:
    b = Bridge("ABC", Patch("p", members("A", "B", "C"), rules=Rules(kerchunk=3200, hang=8000)))
    b.loops["A"].say(0, noise(2000, 1))
    real, reply = noise(8000, 2), noise(800, 3)
    b.loops["A"].say(8000, real)
    b.loops["C"].say(18000, reply)
    b.run(48000)
    got = b.sent("B")
    # The over is heard from its first sample on, and a short reply in the hang time as well.
    np.testing.assert_array_equal(got[got != 0], np.concatenate([real, reply]))
    first = int(np.flatnonzero(got)[0])
    assert 8000 + 3200 + 240 <= first <= 8000 + 3200 + 240 + 2 * 160
    (told,) = b.told("floor.kerchunk")
    assert (told["over"], told["reason"]) == ("A-0001", "lasted 0.25 s; who opens the patch has to talk for 0.4 s")


def test_an_emergency_does_not_have_to_prove_itself() -> None:
    floor = Floor(Rules(kerchunk=3200))
    short = Talker("A-1", "A", 0, known=100)
    assert floor.step(160, [short]) == []
    assert floor.next_due() == 160 + 3100
    rushed = Talker("B-1", "B", 0, known=100, emergency=True)
    assert [d.verdict for d in floor.step(320, [short, rushed])] == [Verdict.GRANTED, Verdict.REFUSED]


@pytest.mark.parametrize(("kerchunk", "access_ms"), [(3000, 0), (0, 1000), (3000, 1000)])
@pytest.mark.parametrize("length", [4800, 800])
def test_who_speaks_again_is_not_heard_over_what_he_said_before(kerchunk: int, access_ms: int, length: int) -> None:
    b = Bridge("AB", Patch("p", members("A", "B"), rules=Rules(mix=True, kerchunk=kerchunk)), B=access_ms)
    first, second = noise(4800, 1), noise(length, 2)
    b.loops["A"].say(1600, first)
    b.loops["A"].say(1600 + 4800 + 400, second)
    b.run(48_000)
    got = b.sent("B")
    at = int(np.flatnonzero(got)[0])
    np.testing.assert_array_equal(got[at : at + 4800], first)
    # He who begins anew loses nothing of it, and the transmitter stays on the air.
    rest = got[at + 4800 :]
    again = int(np.flatnonzero(rest)[0])
    np.testing.assert_array_equal(rest[again : again + length], second)
    assert not np.any(rest[again + length :])
    assert [e["over"] for e in b.told("floor.granted")] == ["A-0001", "A-0002"]
    assert len(b.loops["B"].keyed.intervals) == 1
