"""What holds whatever technicians and talkers do: nobody hears himself, and down means silent.

Every port speaks a constant of its own, a power of four, so that the sum at an output tells who is in it, even where
two overs of one port are heard at once, one of them late.
"""

from dataclasses import dataclass, replace

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from dsp.mix import RAMP
from sdrbridge.errors import PatchError, PortError
from sdrbridge.matrix import Event, Matrix
from sdrbridge.patch import Patch, Rules
from sdrbridge.port import Audio, Keyed, Loopback, Port
from sdrbridge.transmission import Facts

TICK = 160
NAMES = "ABCDE"
LEVEL = {name: 4.0 ** -(i + 1) for i, name in enumerate(NAMES)}


class Output:
    """Keeps the last frame."""

    def __init__(self) -> None:
        self.frame: Audio = np.zeros(TICK, np.float32)
        self.keyed = False
        self.history = Keyed()

    def write(self, frame: Audio, index: int, keyed: bool) -> None:
        self.frame = frame.copy()
        self.keyed = keyed
        self.history.note(index, len(frame), keyed)


@dataclass(frozen=True)
class Do:
    """One thing somebody does before a tick."""

    verb: str
    patch: str
    port: str
    other: str


VERBS = ["make", "unmake", "add", "drop", "mute", "unmute", "cut", "uncut", "say", "emergency", "wait", "wait"]
VERBS += ["mix", "unmix", "kerchunk", "deafen", "free", "key", "unkey", "align", "hush", "restore"]
DEEDS = st.lists(
    st.builds(Do, st.sampled_from(VERBS), st.sampled_from("pqr"), st.sampled_from(NAMES), st.sampled_from(NAMES)),
    max_size=60,
)


class Scene:
    """Five ports, and somebody who does things with them."""

    def __init__(self, access: bool) -> None:
        self.inputs = {name: Loopback(name, latency=100, decision=300) for name in NAMES}
        self.outputs = {name: Output() for name in NAMES}
        self.events: list[Event] = []
        ports = [
            Port(n, self.inputs[n], self.outputs[n], priority=i % 2, access_ms=70 * i if access else 0)
            for i, n in enumerate(NAMES)
        ]
        self.matrix = Matrix(ports, [], self.events.append)
        self.now = 0
        self.spoken = dict.fromkeys(NAMES, 0)
        self.before: dict[str, set[str]] = {name: set() for name in NAMES}
        self.by_hand: set[str] = set()
        self.toned: set[str] = set()

    def do(self, deed: Do) -> None:
        m = self.matrix
        patch = m.patches.get(deed.patch)
        try:
            if deed.verb == "make":
                m.make(Patch(deed.patch, rules=Rules(hang=480, timeout=16_000)).add(deed.port))
            elif deed.verb == "unmake":
                m.unmake(deed.patch)
            elif deed.verb == "add":
                m.add(deed.patch, deed.port)
            elif deed.verb == "drop":
                m.drop(deed.patch, deed.port)
            elif deed.verb in ("mute", "unmute"):
                m.mute(deed.patch, deed.port, deed.verb == "mute")
            elif deed.verb in ("cut", "uncut") and patch is not None:
                m.change(patch.mute_leg(deed.port, deed.other, deed.verb == "cut"))
            elif deed.verb in ("mix", "unmix") and patch is not None:
                m.change(replace(patch, rules=replace(patch.rules, mix=deed.verb == "mix")))
            elif deed.verb == "kerchunk" and patch is not None:
                m.change(replace(patch, rules=replace(patch.rules, kerchunk=1600)))
            elif deed.verb in ("deafen", "free"):
                m.mute_port(deed.port, rx=False, tx=deed.verb == "deafen")
            elif deed.verb == "key":
                m.key(deed.port, 2000)
                self.by_hand.add(deed.port)
            elif deed.verb == "unkey":
                m.unkey(deed.port)
            elif deed.verb == "align":
                m.align(deed.port, -20.0, 2000)
                self.toned.add(deed.port)
            elif deed.verb == "hush":
                m.align_stop(deed.port)
            elif deed.verb == "restore":
                m.restore(deed.port)
            elif deed.verb in ("say", "emergency"):
                start = max(self.now, self.spoken[deed.port])
                self.spoken[deed.port] = start + 3000
                facts = Facts(emergency=deed.verb == "emergency")
                self.inputs[deed.port].say(start, np.full(3000, LEVEL[deed.port], np.float32), facts)
        except (PatchError, PortError):
            pass  # refused: nothing may have changed, and what follows checks that

    def may_hear(self) -> dict[str, set[str]]:
        """Whom each port may hear, by the patches as they are set."""
        cut_off = {name for name, mute in self.matrix.muted.items() if mute.tx}
        return {
            name: {
                a for a in NAMES for p in self.matrix.patches.values() if p.gain(a, name) != 0.0 and name not in cut_off
            }
            for name in NAMES
        }

    def tick(self) -> None:
        self.matrix.tick(self.now)
        self.now += TICK
        allowed = self.may_hear()
        muted = self.matrix.muted
        for name, output in self.outputs.items():
            if name in muted and muted[name].tx:
                assert not output.frame[RAMP:].any()
                assert not output.keyed or self.before[name]
            if not output.keyed:
                assert not output.frame.any()
            if name in self.toned:
                continue  # where the bridge has spoken itself, levels tell nothing
            for value in set(output.frame[RAMP:].tolist()):
                rest = int(value * 4 ** len(NAMES))
                assert rest == value * 4 ** len(NAMES)
                heard = {n for n in NAMES if rest // int(LEVEL[n] * 4 ** len(NAMES)) % 4}
                assert heard <= allowed[name]
                assert name not in heard
            if not allowed[name] | self.before[name]:
                assert not output.frame.any()
                assert not output.keyed or name in self.by_hand
        self.before = allowed


@settings(max_examples=60, deadline=None)
@given(DEEDS, st.booleans())
def test_down_means_silent_whatever_is_done(deeds: list[Do], access: bool) -> None:
    scene = Scene(access)
    for name in "AB":
        scene.do(Do("make" if name == "A" else "add", "p", name, name))
    for deed in deeds:
        scene.do(deed)
        for _ in range(4 if deed.verb == "wait" else 1):
            scene.tick()
    # When all is said, nothing stays on the air: the longest access, over and hang time are over by then.
    last = max(scene.spoken.values())
    while scene.now < last + 16_000:
        scene.tick()
    assert not any(scene.matrix.keyed(name) for name in NAMES)


@settings(max_examples=40, deadline=None)
@given(DEEDS)
def test_the_same_deeds_give_the_same_decisions(deeds: list[Do]) -> None:
    told = []
    for _ in range(2):
        scene = Scene(True)
        for deed in deeds:
            scene.do(deed)
            scene.tick()
        told.append(scene.events)
    assert told[0] == told[1]


@settings(max_examples=40, deadline=None)
@given(st.permutations(NAMES), st.permutations(NAMES), st.sets(st.sampled_from(NAMES), max_size=3))
def test_the_order_of_adding_and_dropping_means_nothing(one: list[str], two: list[str], gone: set[str]) -> None:
    outcomes = []
    for order in (one, two):
        scene = Scene(False)
        scene.do(Do("make", "p", order[0], ""))
        for name in order[1:]:
            scene.do(Do("add", "p", name, ""))
        for name in order:
            if name in gone:
                scene.do(Do("drop", "p", name, ""))
        for name in NAMES:
            scene.do(Do("say", "p", name, ""))
        frames = []
        for _ in range(80):
            scene.tick()
            frames.append([scene.outputs[n].frame.tolist() for n in NAMES])
        outcomes.append((scene.matrix.patches["p"], scene.events, frames))
    assert outcomes[0] == outcomes[1]


@settings(max_examples=40, deadline=None)
@given(st.integers(1000, 20_000), st.integers(1, 40_000), st.integers(0, 500))
def test_a_talker_who_never_unkeys_is_always_cut_off(timeout: int, length: int, access_ms: int) -> None:
    source, output = Loopback("A", latency=100), Output()
    events: list[Event] = []
    ports = [Port("A", source), Port("B", tx=output, access_ms=access_ms)]
    matrix = Matrix(ports, [Patch("p", rules=Rules(timeout=timeout, hang=0)).add("A").add("B")], events.append)
    source.say(0, np.ones(length, np.float32))
    for now in range(0, timeout + 45_000, TICK):
        matrix.tick(now)
    # Who ends in time is played to his end, late by access time and look-ahead; who does not is cut off there and then.
    assert output.history.total_s * 8000 <= min(timeout, length) + 8 * access_ms + 240 + 4 * TICK
    if length > timeout + 4 * TICK:
        assert output.history.total_s * 8000 <= timeout + 2 * TICK
    assert not matrix.keyed("B")


@settings(max_examples=30, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from(NAMES), st.integers(0, 4000), st.integers(1, 6000)), max_size=12),
    st.booleans(),
)
def test_one_holder_at_most_and_every_over_is_accounted_for(says: list[tuple[str, int, int]], access: bool) -> None:
    scene = Scene(access)
    scene.do(Do("make", "p", "A", ""))
    for name in "BCDE":
        scene.do(Do("add", "p", name, ""))
    ends = dict.fromkeys(NAMES, 0)
    overs = []
    for name, pause, length in says:
        over = scene.inputs[name].say(ends[name] + pause, np.full(length, LEVEL[name], np.float32))
        ends[name] = over.start + length
        overs.append(over.id)
    while scene.now < max(ends.values()) + 40_000:
        scene.tick()
    holder = None
    outcome: dict[str, str] = {}
    for event in scene.events:
        if event["event"] == "floor.granted":
            assert holder is None
            holder = event["over"]
        elif event["event"] in ("floor.released", "floor.preempted", "floor.timed_out"):
            assert holder == event["over"]
            holder = None
        if "over" in event and event["event"] != "over.done":
            outcome[str(event["over"])] = str(event["event"])
    assert holder is None
    assert set(outcome) == set(overs)
    assert sorted(str(e["over"]) for e in scene.events if e["event"] == "over.done") == sorted(overs)
    assert set(outcome.values()) <= {"floor.released", "floor.gave_up", "floor.timed_out", "floor.preempted"}


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(0, 5000), min_size=4, max_size=4), st.integers(0, 2000), st.booleans())
def test_the_first_word_is_exact_at_every_output_whatever_its_transmitter_takes(
    access_ms: list[int], decision: int, mix: bool
) -> None:
    source = Loopback("A", latency=100, decision=decision)
    outputs = {name: Loopback(name, keep=1 << 20) for name in "BCDE"}
    ports = [Port("A", source)]
    ports += [Port(n, tx=x, access_ms=ms) for (n, x), ms in zip(outputs.items(), access_ms, strict=True)]
    patch = Patch("p", rules=Rules(mix=mix)).add("A")
    for name in outputs:
        patch = patch.add(name)
    matrix = Matrix(ports, [patch], lambda event: None)
    said = np.random.default_rng(1).uniform(0.1, 0.9, 6000).astype(np.float32)
    source.say(500, said)
    now = 0
    while now < 64_000:
        now += matrix.stride(now, 50) * TICK
    matrix.settle()
    for output, ms in zip(outputs.values(), access_ms, strict=True):
        ((keyed, _),) = output.keyed.intervals
        got = output.sent()
        first = int(np.flatnonzero(got)[0])
        assert first >= keyed + ms * 8
        assert first <= keyed + max(ms * 8, TICK + 180)
        np.testing.assert_array_equal(got[first : first + 6000], said)
