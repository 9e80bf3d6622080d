"""Many ticks at once are the same as one after the other: decisions, keying, sound and totals."""

from dataclasses import dataclass

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from dsp.blocks import AUDIO_RATE, TICK_SAMPLES
from sdrbridge.errors import PatchError
from sdrbridge.handling import AS_IT_IS, Handling
from sdrbridge.matrix import Event, Matrix
from sdrbridge.patch import Member, Patch, Rules
from sdrbridge.port import Audio, Loopback, Port
from sdrbridge.transmission import Facts
from tests.support.speech import speech_like

NAMES = "ABCDEF"
SPEECH = {name: speech_like(12, i) for i, name in enumerate(NAMES)}
LENGTH = 20 * AUDIO_RATE


@dataclass(frozen=True)
class Over:
    """Something said: by whom, how long after his last over, how long, and whether in an emergency."""

    name: str
    pause: int
    length: int
    emergency: bool


@dataclass(frozen=True)
class Change:
    """What a technician does at some tick."""

    tick: int
    verb: str
    name: str


OVERS = st.lists(
    st.builds(
        Over,
        st.sampled_from(NAMES),
        st.integers(0, 40_000),
        st.integers(1, 60_000),
        st.integers(0, 9).map(lambda i: not i),
    ),
    max_size=14,
)
CHANGES = st.lists(
    st.builds(
        Change,
        st.integers(0, LENGTH // TICK_SAMPLES),
        st.sampled_from(["mute", "unmute", "drop", "add", "gain", "unmake", "deafen", "free"]),
        st.sampled_from(NAMES),
    ),
    max_size=4,
)
RULES = st.builds(
    Rules,
    hang=st.sampled_from([0, 480, 4000]),
    timeout=st.sampled_from([9_000, 30_000, 960_000]),
    lockout=st.sampled_from([0, 1, 1600]),
    min_key=st.sampled_from([0, 5000]),
    mix=st.booleans(),
    kerchunk=st.sampled_from([0, 3000]),
)


LIVELY = {
    "B": Handling(ident="ET", ident_s=2.0),
    "C": Handling(busy_tone=True),
    "D": Handling(break_in="pauses", break_in_ms=100, ident="E", ident_s=1.5),
}
"""Call signs, busy tones and break-in in pauses."""


class Scene:
    """Six ports in two patches, three of them slow, one of them half-duplex."""

    def __init__(self, rules: Rules, overs: list[Over], lively: bool = False) -> None:
        handling = LIVELY if lively else {}
        self.loops = {n: Loopback(n, keep=LENGTH + AUDIO_RATE, latency=252, decision=700) for n in NAMES}
        self.events: list[Event] = []
        access = {"B": 300, "C": 1000, "F": 33}
        setup = [
            Port(
                n,
                x,
                x,
                priority=int(n == "E"),
                access_ms=access.get(n, 0),
                half_duplex=n == "D",
                handling=handling.get(n, AS_IT_IS),
            )
            for n, x in self.loops.items()
        ]
        patches = [
            Patch("p", {n: Member() for n in "ABCD"}, rules=rules),
            Patch("q", {"E": Member(), "F": Member(), "A": Member(talks=False)}, rules=Rules(hang=800)),
        ]
        self.matrix = Matrix(setup, patches, self.events.append)
        at = dict.fromkeys(NAMES, 0)
        for over in overs:
            start = at[over.name] + over.pause
            said = SPEECH[over.name][: over.length]
            at[over.name] = start + len(said)
            self.loops[over.name].say(start, said, Facts(emergency=over.emergency))

    def change(self, change: Change) -> None:
        m = self.matrix
        try:
            match change.verb:
                case "mute" | "unmute":
                    m.mute("p", change.name, change.verb == "mute")
                case "drop":
                    m.drop("p", change.name)
                case "add":
                    m.add("p", change.name)
                case "gain":
                    m.set_gain("p", change.name, "B", -6.0)
                case "deafen" | "free":
                    m.mute_port(change.name, rx=False, tx=change.verb == "deafen")
                case "unmake":
                    m.unmake("q")
        except PatchError:
            pass

    def run(self, changes: list[Change], longest: int) -> int:
        """Play it; returns how many calls it took."""
        calls = now = 0
        due = sorted((c.tick * TICK_SAMPLES, i, c) for i, c in enumerate(changes))
        while now < LENGTH:
            while due and due[0][0] <= now:
                self.change(due.pop(0)[2])
            until = min(LENGTH, due[0][0]) if due else LENGTH
            limit = max(1, min(longest, (until - now) // TICK_SAMPLES))
            if longest == 1:
                self.matrix.tick(now)
                now += TICK_SAMPLES
            else:
                now += self.matrix.stride(now, limit) * TICK_SAMPLES
            calls += 1
        self.matrix.settle()
        return calls


@settings(max_examples=60, deadline=None)
@given(RULES, OVERS, CHANGES, st.sampled_from([2, 7, 50, 1000]), st.booleans())
def test_strides_are_ticks(rules: Rules, overs: list[Over], changes: list[Change], longest: int, lively: bool) -> None:
    ticks, strides = Scene(rules, overs, lively), Scene(rules, overs, lively)
    ticks.run(changes, 1)
    strides.run(changes, longest)
    assert strides.events == ticks.events
    for name in NAMES:
        one, other = ticks.loops[name], strides.loops[name]
        assert other.keyed.intervals == one.keyed.intervals
        assert other.end == one.end
        np.testing.assert_array_equal(other.sent(), one.sent())


def test_a_quiet_bridge_takes_long_strides() -> None:
    scene = Scene(Rules(), [Over("A", 8000, 60_000, False)])
    # 20 s are 1000 ticks: the over begins, is launched for three kinds of listeners, ends and is over.
    assert scene.run([], 50) < 60


def test_a_receiver_that_cannot_say_what_comes_is_played_tick_by_tick() -> None:
    class Live:
        def __init__(self) -> None:
            self.now = 0

        def advance(self, now: int) -> None:
            self.now = now

        def begun(self) -> list[object]:
            return []

        def available(self) -> int:
            return self.now

        def read(self, start: int, n: int) -> Audio:
            return np.zeros(n, np.float32)

    matrix = Matrix([Port("A", Live()), Port("B", tx=Loopback("B"))], [], lambda event: None)  # type: ignore[arg-type]
    assert matrix.stride(0, 50) == 1
