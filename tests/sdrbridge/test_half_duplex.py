"""Half-duplex ports: deaf while they transmit, never keyed over who is received, and two ways to hear a break-in."""

from itertools import pairwise

import numpy as np
import pytest
from numpy.typing import NDArray

from sdrbridge.handling import Handling
from sdrbridge.matrix import Event, Matrix
from sdrbridge.patch import Patch, Rules
from sdrbridge.port import Loopback, Port
from sdrbridge.transmission import Facts
from tests.sdrbridge.test_matrix import members, noise

TICK = 160
Audio = NDArray[np.float32]


def phrases(seconds: float, seed: int, pause: int = 2400) -> Audio:
    """Words of 0.6 to 1.2 s without a soft spot, and pauses of exact zeros: every sample of speech can be counted."""
    rng = np.random.default_rng(seed)
    parts: list[Audio] = []
    n = 0
    while n < seconds * 8000:
        word = rng.uniform(0.1, 0.9, int(rng.integers(4800, 9600))).astype(np.float32)
        parts += [word, np.zeros(pause, np.float32)]
        n += len(word) + pause
    return np.concatenate(parts[:-1])


class Scene:
    """A and C are full-duplex; D is a half-duplex donor radio; INPUT is a channel that hears D's users."""

    def __init__(self, patch: Patch, handling: Handling, access_ms: int = 0, priority: int = 0) -> None:
        self.loops = {n: Loopback(n, latency=240) for n in ("A", "C", "D", "INPUT")}
        self.events: list[Event] = []
        x = self.loops
        self.matrix = Matrix(
            [
                Port("A", x["A"], x["A"]),
                Port("C", x["C"], x["C"]),
                Port("D", x["D"], x["D"], priority, access_ms, half_duplex=True, handling=handling),
                Port("INPUT", x["INPUT"]),
            ],
            [patch],
            self.events.append,
        )
        self.now = 0

    def run(self, until: int) -> None:
        while self.now < until:
            self.matrix.tick(self.now)
            self.now += TICK

    def told(self, event: str) -> list[Event]:
        return [e for e in self.events if e["event"] == event]


def test_nobody_is_received_while_transmitting_and_the_rest_of_his_over_is_heard_after() -> None:
    s = Scene(Patch("p", members("A", "D"), rules=Rules(hang=0)), Handling())
    s.loops["A"].say(0, noise(8000, 1))
    over = s.loops["D"].say(4000, noise(16000, 2))
    s.run(40000)
    assert [e["reason"] for e in s.told("floor.refused")] == ["transmitting"]
    unkeyed = s.loops["D"].keyed.intervals[0][1]
    granted = [e for e in s.told("floor.granted") if e["over"] == over.id]
    assert len(granted) == 1 and float(str(granted[0]["from_s"])) * 8000 >= unkeyed


def test_a_radio_that_receives_somebody_is_not_keyed_over_him_by_another_patch() -> None:
    s = Scene(Patch("p", members("A", "D"), rules=Rules(hang=0)), Handling())
    s.matrix.make(Patch("q", members("C", "D"), rules=Rules(hang=0)))
    s.loops["D"].say(0, noise(16000, 1))
    c = noise(32000, 2)
    s.loops["C"].say(4000, c)
    s.run(48000)
    ((keyed, _),) = s.loops["D"].keyed.intervals
    assert 16000 < keyed < 16000 + 240 + 3 * TICK
    # He is heard from then on, and D's user was heard whole at A and C.
    heard = s.loops["D"].sent()
    heard = heard[heard != 0]
    np.testing.assert_array_equal(heard[40:], c[-len(heard) + 40 :])
    assert np.count_nonzero(s.loops["A"].sent()) == 16000


def test_the_key_is_let_go_in_speech_pauses_and_no_speech_is_lost() -> None:
    said = phrases(20, 1)
    handling = Handling(break_in="pauses", break_in_ms=150)
    s = Scene(Patch("p", members("A", "C", "D"), rules=Rules(hang=0)), handling, access_ms=200)
    s.loops["A"].say(0, said)
    s.run(len(said) + 24000)
    windows = s.told("port.listens")
    assert len(windows) >= 6
    intervals = s.loops["D"].keyed.intervals
    assert len(intervals) == len(windows) + 1
    # Off the air for the window, in which nothing is sent; then the access time, and speech goes on.
    gaps = [b[0] - a[1] for a, b in pairwise(intervals)]
    assert set(gaps) == {8 * TICK}
    got = s.loops["D"].sent()
    np.testing.assert_array_equal(got[got != 0], said[said != 0])
    for (_, off), (on, _) in pairwise(intervals):
        assert not got[off - 160 : on + 1600].any()
    # The others do not notice, and the delay is won back: the last word ends less than 0.5 s late.
    np.testing.assert_array_equal(s.loops["C"].sent()[s.loops["C"].sent() != 0], said[said != 0])
    assert int(np.flatnonzero(got)[-1]) - len(said) < 4000


def test_a_call_sign_that_is_due_is_not_sent_where_the_key_was_let_go_to_listen() -> None:
    said = phrases(20, 1)
    handling = Handling(break_in="pauses", break_in_ms=1000, ident="W1AW", ident_s=5.0)
    s = Scene(Patch("p", members("A", "D"), rules=Rules(hang=0)), handling, access_ms=200)
    s.loops["A"].say(0, said)
    s.run(len(said) + 80_000)
    (ident,) = s.told("port.announced")
    windows = s.told("port.listens")
    assert len([w for w in windows if float(str(w["t_s"])) > 5.0]) >= 3
    keyed = s.loops["D"].keyed.intervals
    for window in windows:
        begin = round(float(str(window["t_s"])) * 8000)
        assert not any(on < begin + 8000 and off > begin for on, off in keyed)
    # It comes when the talker has ended, and he was heard whole.
    at = round(float(str(ident["t_s"])) * 8000)
    got = s.loops["D"].sent()
    np.testing.assert_array_equal(got[:at][got[:at] != 0], said[said != 0])


def test_who_has_timed_out_is_not_heard_again_before_he_unkeys_though_his_radio_transmits_meanwhile() -> None:
    s = Scene(Patch("p", members("A", "C", "D"), rules=Rules(hang=0, timeout=16_000)), Handling())
    stuck = s.loops["D"].say(0, noise(64_000, 1))
    s.loops["A"].say(24_000, noise(4000, 2))
    s.loops["D"].say(72_000, noise(4000, 3))
    s.run(90_000)
    assert [e["over"] for e in s.told("floor.timed_out")] == [stuck.id]
    assert [e["port"] for e in s.told("floor.granted")] == ["D", "A", "D"]
    assert np.count_nonzero(s.loops["C"].sent()) == pytest.approx(16_000 + 2 * 4000, abs=400)


def test_who_breaks_in_during_such_a_window_is_heard_and_takes_the_floor_if_he_may() -> None:
    said = phrases(10, 2)
    s = Scene(Patch("p", members("A", "D"), rules=Rules(hang=0)), Handling(break_in="pauses"), priority=5)
    s.loops["A"].say(0, said)
    while not s.told("port.listens"):
        s.run(s.now + TICK)
    mayday = noise(8000, 3)
    over = s.loops["D"].say(s.now, mayday)
    s.run(s.now + 16000)
    got = s.loops["A"].sent()
    np.testing.assert_array_equal(got[got != 0][: len(mayday)], mayday)
    assert [e["over"] for e in s.told("floor.granted")][1] == over.id
    assert s.told("floor.preempted")


def test_a_channel_hears_for_a_radio_while_it_transmits() -> None:
    handling = Handling(break_in="INPUT")
    s = Scene(Patch("p", members("A", "C", "D"), rules=Rules(hang=0)), handling)
    s.loops["A"].say(0, noise(24000, 1))
    mayday = noise(8000, 2)
    s.loops["INPUT"].say(8000, mayday, Facts(emergency=True))
    s.run(40000)
    granted = s.told("floor.granted")
    assert [(e["port"], e.get("breaks_in_on")) for e in granted][:2] == [("A", None), ("INPUT", "D")]
    got = s.loops["C"].sent()
    at = round(float(str(granted[1]["t_s"])) * 8000)
    after = got[at + 40 :]
    np.testing.assert_array_equal(after[after != 0][:8000], mayday)
    # The radio lets go of the key while its own user is heard.
    assert not s.matrix.keyed("D")
    off = s.loops["D"].keyed.intervals[0][1]
    assert at <= off <= at + 2 * TICK


def test_an_over_that_might_stand_for_a_radio_and_has_ended_is_let_go_of() -> None:
    """It ended unheard just before the radio was keyed: nobody waits for more of it."""
    s = Scene(Patch("p", members("A", "C", "D"), rules=Rules(hang=0)), Handling(break_in="INPUT"))
    for start in range(4000, 5000, 40):
        over = s.loops["INPUT"].say(s.now + start, noise(500, 1))
        s.loops["A"].say(s.now + 4600, noise(800, 2))
        s.run(s.now + 16_000)
        assert over.id in [e["over"] for e in s.told("over.done")]


def test_what_the_radio_hears_itself_is_not_taken_twice() -> None:
    s = Scene(Patch("p", members("A", "C", "D"), rules=Rules(hang=0)), Handling(break_in="INPUT"))
    said = noise(8000, 1)
    # Nobody transmits: the radio hears its user, and the channel is of no account.
    s.loops["D"].say(0, said)
    s.loops["INPUT"].say(0, said)
    s.run(24000)
    assert [e["port"] for e in s.told("floor.granted")] == ["D"]
    got = s.loops["C"].sent()
    np.testing.assert_array_equal(got[got != 0], said)
    # The radio transmits: the channel hears him, waits for him, and the radio hears him as well once it is unkeyed.
    s.loops["A"].say(24000, noise(8000, 2))
    s.loops["INPUT"].say(26000, noise(16000, 3))
    s.run(33600)
    s.loops["D"].say(33600, noise(8400, 3))
    s.run(64000)
    assert [e["port"] for e in s.told("floor.granted")] == ["D", "A", "INPUT"]
    assert 'heard on "INPUT" already' in {e["reason"] for e in s.told("floor.refused")}
