"""The tick: who hears whom, from which sample, keyed when, and what is said about it."""

import numpy as np
import pytest
from numpy.typing import NDArray

from sdrbridge.errors import PatchError, PortError
from sdrbridge.graph import Cable
from sdrbridge.matrix import Event, Matrix
from sdrbridge.patch import Member, Patch, Rules
from sdrbridge.port import Loopback, Port
from sdrbridge.transmission import Facts
from sdrbridge.transmitters import PortMute

TICK = 160


def noise(n: int, seed: int) -> NDArray[np.float32]:
    """Speech without a pause: never shortened, so every sample can be told."""
    return np.random.default_rng(seed).uniform(0.1, 0.9, n).astype(np.float32)


def members(*names: str) -> dict[str, Member]:
    return {name: Member() for name in names}


class Bridge:
    """Loopback ports in a matrix, run tick by tick."""

    def __init__(self, names: str, *patches: Patch, latency: int = 240, decision: int = 0, **access_ms: int) -> None:
        self.loops = {name: Loopback(name, latency=latency, decision=decision) for name in names}
        self.events: list[Event] = []
        self.setup = [Port(n, x, x, access_ms=access_ms.get(n, 0)) for n, x in self.loops.items()]
        self.matrix = Matrix(self.setup, patches, self.events.append)
        self.now = 0

    def run(self, until: int) -> None:
        while self.now < until:
            self.matrix.tick(self.now)
            self.now += TICK

    def sent(self, name: str) -> NDArray[np.float32]:
        return self.loops[name].sent()

    def told(self, event: str) -> list[Event]:
        return [e for e in self.events if e["event"] == event]


def test_an_over_is_heard_whole_by_the_others_and_by_nobody_else() -> None:
    b = Bridge("ABCD", Patch("p", members("A", "B", "C"), rules=Rules(hang=800)))
    said = noise(5000, 1)
    over = b.loops["A"].say(1003, said)
    b.run(16000)
    for name in "BC":
        got = b.sent(name)
        first = int(np.flatnonzero(got)[0])
        np.testing.assert_array_equal(got[first : first + len(said)], said)
        assert not got[first + len(said) :].any()
        # Known 240 samples after its start, at the next tick; playing then needs a tick of sound ahead.
        assert 1003 < first <= 1003 + 240 + 2 * TICK + 80
    assert not b.sent("A").any()
    assert not b.sent("D").any()
    assert over.heard_by == ["B", "C"]
    assert [e["port"] for e in b.told("port.keyed")] == ["B", "C"]
    (done,) = b.told("over.done")
    assert (done["over"], done["port"], done["heard_by"]) == (over.id, "A", ["B", "C"])
    assert (done["start_s"], done["end_s"]) == (1003 / 8000, 6003 / 8000)


def test_an_over_that_outlasts_the_bridge_or_its_port_is_told_with_who_heard_it() -> None:
    b = Bridge("ABC", Patch("p", members("A", "B")))
    over = b.loops["A"].say(1003, noise(80_000, 1))
    gone = b.loops["C"].say(1003, noise(80_000, 2))
    b.run(16000)
    b.matrix.set_ports(b.setup[:2])
    (done,) = b.told("over.done")
    assert (done["over"], done["heard_by"], done["end_s"]) == (gone.id, [], 2.0 - 0.02)
    b.matrix.end()
    done = b.told("over.done")[1]
    assert (done["over"], done["heard_by"], done["end_s"]) == (over.id, ["B"], 2.0 - 0.02)


def test_keyed_from_grant_to_end_of_hang() -> None:
    b = Bridge("AB", Patch("p", members("A", "B"), rules=Rules(hang=1600)))
    b.loops["A"].say(0, noise(4000, 1))
    b.run(16000)
    (interval,) = b.loops["B"].keyed.intervals
    got = b.sent("B")
    last = int(np.flatnonzero(got)[-1])
    assert interval[0] <= np.flatnonzero(got)[0]
    # The end is met at the tick after the last sample was played; then the hang time runs.
    assert last + 1600 <= interval[1] <= last + 1600 + 2 * TICK
    assert [e["event"] for e in b.events if str(e["event"]).startswith("floor")] == [
        "floor.granted", "floor.released", "floor.idle"
    ]  # fmt: skip


@pytest.mark.parametrize("access_ms", [0, 20, 33, 500, 5000])
def test_first_sample_comes_exactly_when_the_transmitter_is_ready(access_ms: int) -> None:
    b = Bridge("ABC", Patch("p", members("A", "B", "C")), decision=400, B=access_ms)
    said = noise(4000, 2)
    b.loops["A"].say(100, said)
    b.run(64000)
    keyed = b.loops["B"].keyed.intervals[0][0]
    got = b.sent("B")
    first = int(np.flatnonzero(got)[0])
    assert first == keyed + access_ms * 8
    np.testing.assert_array_equal(got[first : first + len(said)], said)
    # The other listener does not wait for the slow transmitter.
    assert int(np.flatnonzero(b.sent("C"))[0]) == b.loops["C"].keyed.intervals[0][0]


def test_a_transmitter_on_the_air_is_not_waited_for_again() -> None:
    b = Bridge("ABC", Patch("p", members("A", "B", "C"), rules=Rules(hang=8000)), B=1000)
    b.loops["A"].say(0, noise(1600, 1))
    b.loops["C"].say(12000, noise(1600, 2))
    b.run(32000)
    got = b.sent("B")
    second = int(np.flatnonzero(got[12000:])[0]) + 12000
    assert second <= 12000 + 240 + 2 * TICK + 80
    assert len(b.loops["B"].keyed.intervals) == 1


def test_the_first_talker_wins_and_the_other_is_heard_from_the_moment_the_floor_is_free() -> None:
    b = Bridge("ABC", Patch("p", members("A", "B", "C")))
    a, c = noise(8000, 1), noise(12000, 2)
    b.loops["A"].say(0, a)
    b.loops["C"].say(4000, c)
    b.run(32000)
    got = b.sent("B")
    first = int(np.flatnonzero(got)[0])
    np.testing.assert_array_equal(got[first : first + 8000], a)
    rest = got[first + 8000 :]
    rest = rest[np.flatnonzero(rest)[0] :]
    # A stops at 8000 on the air; of C's over the first 4000 samples are lost to B, the others are heard whole.
    np.testing.assert_array_equal(rest[:8000], c[4000:])
    assert b.told("floor.refused")[0]["port"] == "C"
    granted = b.told("floor.granted")[1]
    assert granted["port"] == "C"
    assert granted["from_s"] == 1.0
    assert isinstance(granted["blocked_s"], float)
    # A hears C, once C has the floor.
    assert b.sent("A").any()


def test_a_quick_reply_loses_nothing_though_the_first_over_is_still_being_played() -> None:
    b = Bridge("ABC", Patch("p", members("A", "B", "C")), B=1000)
    a, c = noise(4000, 1), noise(4000, 2)
    b.loops["A"].say(0, a)
    b.loops["C"].say(4100, c)
    b.run(40000)
    got = b.sent("B")
    heard = got[got != 0]
    np.testing.assert_array_equal(heard, np.concatenate([a, c]))
    assert not b.told("floor.refused")


def test_higher_priority_takes_the_floor_and_gives_it_back() -> None:
    b = Bridge("ABC", decision=400)
    ports = [Port(n, x, x, priority=5 if n == "C" else 0) for n, x in b.loops.items()]
    b.matrix = Matrix(ports, [Patch("p", members("A", "B", "C"))], b.events.append)
    b.loops["A"].say(0, noise(16000, 1))
    c = noise(4000, 2)
    b.loops["C"].say(4000, c)
    b.run(32000)
    got = b.sent("B")
    assert [e["port"] for e in b.told("floor.granted")] == ["A", "C", "A"]
    assert b.told("floor.preempted")[0]["reason"] == 'priority 5 of "C"'
    at = round(float(b.told("floor.granted")[1]["t_s"]) * 8000)  # type: ignore[arg-type]
    # Beside the 5 ms in which A fades, C is heard exactly.
    np.testing.assert_array_equal(got[at + 40 : at + 4000], c[40:])


def test_emergency_beats_priority() -> None:
    loops = {n: Loopback(n, latency=240) for n in "ABC"}
    events: list[Event] = []
    ports = [Port(n, x, x, priority=9 if n == "A" else 0) for n, x in loops.items()]
    matrix = Matrix(ports, [Patch("p", members("A", "B", "C"), rules=Rules(preempt=False))], events.append)
    loops["A"].say(0, noise(16000, 1))
    loops["C"].say(4000, noise(4000, 2), Facts(emergency=True))
    for now in range(0, 16000, TICK):
        matrix.tick(now)
    assert [e["port"] for e in events if e["event"] == "floor.granted"][:2] == ["A", "C"]


def test_who_times_out_stays_silent_until_he_unkeys() -> None:
    b = Bridge("AB", Patch("p", members("A", "B"), rules=Rules(timeout=8000, hang=0)))
    b.loops["A"].say(0, noise(40000, 1))
    later = noise(2000, 2)
    b.loops["A"].say(48000, later)
    b.run(64000)
    got = b.sent("B")
    assert not got[8000 + 800 : 48000].any()
    assert got[48000:][got[48000:] != 0].tolist() == later.tolist()
    (cut,) = b.told("floor.timed_out")
    assert cut["reason"] == "talked for 1 s; silent until unkeyed"
    assert b.loops["B"].keyed.intervals[0][1] < 9000


def test_muted_means_exact_zeros_and_what_was_said_muted_is_never_heard() -> None:
    b = Bridge("AB", Patch("p", members("A", "B"), rules=Rules(hang=0)))
    said = noise(40000, 1)
    b.loops["A"].say(0, said)
    b.run(8000)
    b.matrix.mute("p", "A")
    b.run(16000)
    b.matrix.mute("p", "A", False)
    b.run(56000)
    got = b.sent("B")
    assert not got[8000 + 40 : 16000].any()
    after = got[16000:]
    after = after[np.flatnonzero(after)[0] :]
    # The tail of the over, from the moment of unmuting (16000 on the air is not known yet, 240 before it is).
    np.testing.assert_array_equal(after[: 40000 - 15760], said[15760:])
    assert b.told("floor.refused")[0]["reason"] == "muted"


def test_encrypted_speech_never_passes() -> None:
    b = Bridge("AB", Patch("p", members("A", "B"), rules=Rules(hang=0)))
    over = b.loops["A"].say(0, noise(16000, 1), Facts(encrypted=True))
    b.run(4000)
    assert not b.sent("B").any()
    over.facts.encrypted = False
    b.run(8000)
    assert b.sent("B")[4000:].any()
    over.facts.encrypted = True
    b.run(24000)
    assert not b.sent("B")[8000:].any()


def test_monitors_hear_and_are_not_heard() -> None:
    patch = Patch("p", {**members("A", "B"), "C": Member(talks=False)})
    b = Bridge("ABC", patch)
    b.loops["C"].say(0, noise(4000, 1))
    b.loops["A"].say(8000, noise(4000, 2))
    b.run(24000)
    assert not b.sent("B")[:8000].any()
    assert b.sent("C").any()
    assert b.told("floor.refused")[0]["reason"] == "only hears in this patch"


def test_gain_and_mute_of_one_leg() -> None:
    patch = Patch("p", members("A", "B", "C")).set_gain("A", "B", -6.0).mute_leg("A", "C")
    b = Bridge("ABC", patch)
    said = noise(4000, 1)
    b.loops["A"].say(0, said)
    b.run(16000)
    got = b.sent("B")
    np.testing.assert_allclose(got[got != 0], said * 10 ** (-6 / 20), rtol=1e-6)
    assert not b.sent("C").any()
    assert not b.loops["C"].keyed.intervals


def test_a_gain_change_makes_no_click() -> None:
    b = Bridge("AB", Patch("p", members("A", "B")))
    b.loops["A"].say(0, np.full(16000, 0.5, np.float32))
    b.run(4800)
    b.matrix.change(b.matrix.patches["p"].set_gain("A", "B", 6.0))
    b.run(9600)
    b.matrix.mute("p", "A")
    b.run(12800)
    got = b.sent("B")
    first = int(np.flatnonzero(got)[0])
    # The largest step is the ramp's: from 1.0 to 0 in 40 samples.
    assert np.abs(np.diff(got[first:])).max() <= 0.5 * 10 ** (6 / 20) / 40 + 1e-6
    assert got[9600 - 1] == pytest.approx(0.5 * 10 ** (6 / 20))
    assert not got[9600 + 40 :].any()


def test_a_member_that_joins_disturbs_nobody_and_hears_from_then_on() -> None:
    b = Bridge("ABC", Patch("p", members("A", "B")))
    said = noise(16000, 1)
    b.loops["A"].say(0, said)
    b.run(8000)
    b.matrix.add("p", "C")
    b.run(24000)
    got = b.sent("B")
    np.testing.assert_array_equal(got[got != 0], said)
    late = b.sent("C")
    assert not late[:8000].any()
    # From the very tick on, faded in over 5 ms, and at each moment what the other one hears.
    assert late[8001]
    np.testing.assert_array_equal(late[8040:], got[8040:])


def test_a_port_in_two_patches_hears_both() -> None:
    b = Bridge("ABC", Patch("p", members("A", "B")), Patch("q", members("B", "C")))
    a, c = noise(4000, 1), noise(4000, 2)
    b.loops["A"].say(0, a)
    b.loops["C"].say(0, c)
    b.run(16000)
    got = b.sent("B")
    first = int(np.flatnonzero(got)[0])
    np.testing.assert_array_equal(got[first : first + 4000], a + c)
    assert not b.sent("A").any()
    assert not b.sent("C").any()


def test_a_short_over_that_ends_before_it_is_known_is_heard_whole() -> None:
    b = Bridge("AB", Patch("p", members("A", "B")), latency=2800)
    said = noise(400, 1)
    b.loops["A"].say(33, said)
    b.run(16000)
    got = b.sent("B")
    np.testing.assert_array_equal(got[got != 0], said)


def test_ping_pong_lockout_and_half_duplex() -> None:
    loops = {n: Loopback(n, latency=240) for n in "AB"}
    events: list[Event] = []
    ports = [Port("A", loops["A"], loops["A"]), Port("B", loops["B"], loops["B"], half_duplex=True)]
    patch = Patch("p", members("A", "B"), rules=Rules(hang=0, lockout=1600))
    matrix = Matrix(ports, [patch], events.append)
    loops["A"].say(0, noise(4000, 1))
    echo = loops["B"].say(2000, noise(3500, 2))  # hears itself, and a moment longer
    real = noise(3000, 3)
    loops["B"].say(8000, real)
    for now in range(0, 24000, TICK):
        matrix.tick(now)
    got = loops["A"].sent()
    np.testing.assert_array_equal(got[got != 0], real)
    assert {e["reason"] for e in events if e["event"] == "floor.refused" and e["over"] == echo.id} == {
        "transmitting", "ping-pong lock-out"
    }  # fmt: skip


def test_minimum_key_time() -> None:
    b = Bridge("AB", Patch("p", members("A", "B"), rules=Rules(hang=0, min_key=8000)))
    b.loops["A"].say(0, noise(400, 1))
    b.run(24000)
    ((start, end),) = b.loops["B"].keyed.intervals
    assert end - start == 8000


def test_taking_a_patch_away_unkeys_and_silences() -> None:
    b = Bridge("AB", Patch("p", members("A", "B")))
    b.loops["A"].say(0, noise(16000, 1))
    b.run(8000)
    b.matrix.unmake("p")
    b.run(16000)
    assert not b.sent("B")[8000 + 40 :].any()
    assert b.loops["B"].keyed.intervals[0][1] <= 8000 + TICK
    assert b.matrix.patches == {}


def test_operations_that_cannot_be_are_refused_with_names() -> None:
    b = Bridge("ABC", Patch("p", members("A", "B")))
    with pytest.raises(PatchError, match="hear it twice"):
        b.matrix.make(Patch("q", members("A", "B")))
    with pytest.raises(PatchError, match='no port "X"'):
        b.matrix.add("p", "X")
    with pytest.raises(PatchError, match='there is no patch "x"; patches are "p"'):
        b.matrix.mute("x", "A")
    with pytest.raises(PatchError, match="already"):
        b.matrix.make(Patch("p", members("C")))
    with pytest.raises(PatchError, match="a loop"):
        Matrix(b.setup, [Patch("p", members("A", "B"))], b.events.append, [Cable("B", "A")])


def test_the_result_does_not_depend_on_the_order_in_which_patches_were_built() -> None:
    def heard(names: str) -> list[list[float]]:
        patch = Patch("p")
        for name in names:
            patch = patch.add(name)
        b = Bridge("ABC", patch)
        b.loops["A"].say(0, noise(3000, 1))
        b.loops["C"].say(0, noise(5000, 2))
        b.run(16000)
        return [b.sent(n).tolist() for n in "ABC"] + [[float(str(e["t_s"])) for e in b.events]]

    assert heard("ABC") == heard("CBA") == heard("BCA")


def test_a_port_that_is_cut_off_neither_talks_nor_transmits_in_any_patch() -> None:
    rules = Rules(hang=800, min_key=8000)
    b = Bridge("ABC", Patch("p", members("A", "B", "C"), rules=rules))
    b.loops["A"].say(0, noise(16000, 1))
    b.run(3200)
    assert b.matrix.keyed("B")
    b.matrix.mute_port("B", rx=False, tx=True)
    b.run(3360 + TICK)
    # Faded out in 5 ms; a shortest key time does not hold what is cut off.
    assert not b.sent("B")[3200 + 40 :].any()
    assert not b.matrix.keyed("B") and b.matrix.keyed("C")
    b.matrix.mute_port("A", rx=True, tx=False)
    assert b.matrix.muted == {"B": PortMute(tx=True), "A": PortMute(rx=True)}
    b.run(6400)
    assert not b.sent("C")[3360 + TICK + 40 :].any()
    assert [e["reason"] for e in b.told("floor.refused")] == ["muted"]
    b.matrix.mute_port("A", rx=False, tx=False)
    b.run(9600)
    assert b.sent("C")[-160:].any() and not b.sent("B")[6400:].any()


def test_a_transmitter_is_keyed_by_hand_for_a_bounded_time() -> None:
    b = Bridge("AB", Patch("p", members("A", "B")))
    b.run(1600)
    b.matrix.key("B", 3200)
    b.run(16000)
    assert b.loops["B"].keyed.intervals == [(1600, 4800)]
    assert not b.sent("B").any()
    assert [e.get("by_hand") for e in b.told("port.keyed")] == [True]
    b.matrix.key("B", 3200)
    b.run(16160)
    assert b.matrix.unkey("B") and not b.matrix.unkey("B")
    b.run(16320)
    assert not b.matrix.keyed("B")
    with pytest.raises(PortError, match=r'did you mean "B"'):
        b.matrix.key("b", 3200)
    b.matrix.mute_port("B", rx=False, tx=True)
    with pytest.raises(PortError, match="muted"):
        b.matrix.key("B", 3200)


def test_the_lag_of_a_path_is_what_is_heard() -> None:
    b = Bridge("AB", Patch("p", members("A", "B")))
    said = noise(16000, 1)
    b.loops["A"].say(0, said)
    b.run(8000)
    lag = b.matrix.lag("A", "B")
    assert lag is not None
    assert b.sent("B")[-1] == said[8000 - 1 - lag]
    assert b.matrix.keying("B") == ["p"]
    assert b.matrix.lag("B", "A") is None
