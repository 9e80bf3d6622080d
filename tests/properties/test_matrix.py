"""What holds whatever technicians and talkers do: nobody hears himself, and down means silent.

Every port speaks a constant of its own, a power of eight, so that the sum at an output tells who is in it, even where
he is heard through several patches at once, or two of his overs are, one of them late.
"""

from dataclasses import dataclass, replace

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from dsp import sounds
from dsp.mix import RAMP
from sdrbridge.announcer import IDENT
from sdrbridge.errors import PatchError, PortError
from sdrbridge.handling import AS_IT_IS, Handling
from sdrbridge.matrix import Event, Matrix
from sdrbridge.patch import Patch, Rules
from sdrbridge.port import Audio, Keyed, Loopback, Port
from sdrbridge.transmission import Facts, Transmission

TICK = 160
NAMES = "ABCDE"
BASE = 8
LEVEL = {name: float(BASE) ** -(i + 1) for i, name in enumerate(NAMES)}

IDENT_S = 0.8
LIVELY = {
    "B": Handling(break_in="pauses", break_in_ms=60, ident="EEE", ident_s=IDENT_S),
    "C": Handling(break_in="D", busy_tone=True),
    "E": Handling(busy_tone=True, ident="EET", ident_s=IDENT_S),
}
"""B and C are half-duplex; B lets go of the key in pauses, D is a channel that hears for C. B and E have call signs."""

OWN = {
    **{(name, IDENT): sounds.call_sign(h.ident) for name, h in LIVELY.items() if h.ident},
    **{(name, "busy tone"): sounds.busy() for name in "CE"},
    **{(name, "alignment tone"): sounds.alignment(0, 2000, 2000, -20.0) for name in NAMES},
}
"""What the bridge says itself, by port."""

WORD, GAP = 2400, 1000

BEHIND = {f'"{name}" holds the floor' for name in NAMES}


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
VERBS += ["mix", "unmix", "kerchunk", "deafen", "free", "key", "unkey", "align", "hush", "restore", "speak", "rest"]
DEEDS = st.lists(
    st.builds(Do, st.sampled_from(VERBS), st.sampled_from("pqr"), st.sampled_from(NAMES), st.sampled_from(NAMES)),
    max_size=60,
)
TALK = [
    *VERBS,
    *["speak"] * 6,
    *["say"] * 4,
    *["rest"] * 12,
    *["wait", "mute", "unmute", "deafen", "free", "drop", "add"] * 2,
]
BUSY = st.lists(
    st.builds(Do, st.sampled_from(TALK), st.sampled_from("pppq"), st.sampled_from(NAMES), st.sampled_from(NAMES)),
    max_size=40,
)
"""The same with more talk, and mostly in one patch: long enough for call signs, pauses and time-outs."""
TICKS = {"wait": 4, "rest": 40}
"""How long it takes until the next deed, where that is not a tick."""


class Scene:
    """Five ports, and somebody who does things with them. lively: as `LIVELY` says; then D only receives."""

    def __init__(self, access: bool, lively: bool = False, timeout: int = 16_000) -> None:
        self.timeout = timeout
        self.inputs = {name: Loopback(name, latency=100, decision=300) for name in NAMES}
        self.outputs = {name: Output() for name in NAMES if not (lively and name == "D")}
        self.handling = LIVELY if lively else {}
        self.half_duplex = set("BC") if lively else set()
        self.access = {name: 560 * i if access else 0 for i, name in enumerate(NAMES)}
        self.events: list[Event] = []
        ports = [
            Port(
                n,
                self.inputs[n],
                self.outputs.get(n),
                priority=i % 2,
                access_ms=self.access[n] // 8,
                half_duplex=n in self.half_duplex,
                handling=self.handling.get(n, AS_IT_IS),
            )
            for i, n in enumerate(NAMES)
        ]
        self.matrix = Matrix(ports, [], self.events.append)
        self.now = 0
        self.spoken = dict.fromkeys(NAMES, 0)
        self.before: dict[str, set[str]] = {name: set() for name in NAMES}
        self.by_hand: set[str] = set()
        self.seen = 0
        # Until when the bridge speaks itself on a port; who owes a call sign; since when a key has no reason yet.
        self.own_until = dict.fromkeys(NAMES, 0)
        self.used: set[str] = set()
        self.unexplained: dict[str, int] = {}
        # Overs that are heard for a port that transmits: patch, who is heard, for whom.
        self.stood: set[tuple[str, str, str]] = set()
        self.overs: dict[str, Transmission] = {}
        # Who is heard in a patch since when, and who was cut off by its time-out.
        self.granted: dict[tuple[str, str], int] = {}
        self.barred: set[tuple[str, str]] = set()

    def do(self, deed: Do) -> None:
        m = self.matrix
        patch = m.patches.get(deed.patch)
        try:
            if deed.verb == "make":
                m.make(Patch(deed.patch, rules=Rules(hang=480, timeout=self.timeout)).add(deed.port))
                self.barred = {barred for barred in self.barred if barred[0] != deed.patch}
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
            elif deed.verb == "hush":
                m.align_stop(deed.port)
            elif deed.verb == "restore":
                m.restore(deed.port)
            elif deed.verb in ("say", "emergency"):
                self.say(deed.port, np.ones(3000, np.float32), deed.verb == "emergency")
            elif deed.verb == "speak":
                word = np.concatenate([np.ones(WORD, np.float32), np.zeros(GAP, np.float32)])
                self.say(deed.port, np.tile(word, 12))
        except (PatchError, PortError):
            pass  # refused: nothing may have changed, and what follows checks that

    def say(self, port: str, shape: Audio, emergency: bool = False) -> None:
        """Somebody talks, as soon as what he said before has ended."""
        start = max(self.now, self.spoken[port])
        self.spoken[port] = start + len(shape)
        over = self.inputs[port].say(start, LEVEL[port] * shape, Facts(emergency=emergency))
        self.overs[over.id] = over

    def may_hear(self) -> dict[str, set[str]]:
        """Whom each port may hear, by the patches as they are set."""
        cut_off = {name for name, mute in self.matrix.muted.items() if mute.tx}
        found: dict[str, set[str]] = {name: set() for name in NAMES}
        for patch in self.matrix.patches.values():
            for name in patch.members.keys() - cut_off:
                for talker in patch.members:
                    if patch.gain(talker, name) == 0.0:
                        continue
                    found[name].add(talker)
                    donor = self.handling.get(talker, AS_IT_IS).break_in or ""
                    if donor in NAMES and (donor not in patch.members or (patch.name, donor, talker) in self.stood):
                        found[name].add(donor)
        return found

    def tick(self) -> None:
        was_keyed = {name: output.keyed for name, output in self.outputs.items()}
        self.matrix.tick(self.now)
        self.now += TICK
        fresh, self.seen = self.events[self.seen :], len(self.events)
        for event in fresh:
            self.take(event, was_keyed)
        self.check_timeouts()
        allowed = self.may_hear()
        muted = self.matrix.muted
        for name, output in self.outputs.items():
            if name in muted and muted[name].tx:
                assert not output.frame[RAMP:].any()
                assert not output.keyed or self.before[name]
                self.own_until[name] = 0
            if not output.keyed:
                assert not output.frame.any()
                self.unexplained.pop(name, None)
            own = self.now <= self.own_until[name]
            if not own:
                # Where the bridge speaks itself, levels tell nothing; everywhere else they tell all.
                self.check_levels(name, output.frame, allowed[name])
            if allowed[name] | self.before[name]:
                if output.keyed:
                    self.used.add(name)
                self.unexplained.pop(name, None)
            elif not own:
                assert not output.frame.any()
                if output.keyed and name not in self.by_hand:
                    # It may be keyed for what the bridge is about to say, and for that only.
                    since = self.unexplained.setdefault(name, self.now)
                    assert self.now - since <= self.access[name] + TICK
        self.before = allowed

    def check_levels(self, name: str, frame: Audio, allowed: set[str]) -> None:
        for value in set(frame[RAMP:].tolist()):
            rest = int(value * BASE ** len(NAMES))
            assert rest == value * BASE ** len(NAMES)
            heard = {n for n in NAMES if rest // int(LEVEL[n] * BASE ** len(NAMES)) % BASE}
            assert heard <= allowed
            assert name not in heard

    def take(self, event: Event, was_keyed: dict[str, bool]) -> None:
        """What was decided in the tick that has just been made."""
        kind, port = event["event"], str(event.get("port", ""))
        if kind == "port.announced":
            own = OWN[port, str(event["what"])]
            self.own_until[port] = self.now - TICK + -(-len(own) // TICK) * TICK
            output = self.outputs[port]
            (keyed, _) = output.history.intervals[-1]
            # Nothing of it before the transmitter carries sound …
            assert self.now - TICK >= keyed + self.access[port]
            self.unexplained.pop(port, None)
            if event["what"] == IDENT:
                # … a call sign only where somebody was heard, and not while somebody is.
                assert port in self.used
                self.used.discard(port)
                np.testing.assert_allclose(output.frame[RAMP:], own[RAMP:TICK], atol=1e-7)
        elif kind == "port.listens":
            # Nothing else needs the transmitter then, and the key is let go.
            assert not self.outputs[port].keyed
        elif kind in ("floor.released", "floor.preempted", "floor.timed_out"):
            place = str(event["patch"]), str(event["over"])
            del self.granted[place]
            if kind == "floor.timed_out":
                self.barred.add(place)
        elif kind == "floor.granted":
            patch = str(event["patch"])
            assert (patch, event["over"]) not in self.barred
            self.granted[patch, str(event["over"])] = self.now - TICK
            stands_for = event.get("breaks_in_on")
            if stands_for is not None:
                assert self.handling[str(stands_for)].break_in == port
                self.stood.add((patch, port, str(stands_for)))
            elif port in self.half_duplex:
                assert not was_keyed[port]

    def check_timeouts(self) -> None:
        """Nobody who talks on is heard longer than the time-out."""
        for (_, over), since in self.granted.items():
            assert self.now - since <= self.timeout + TICK or self.overs[over].end is not None


@settings(max_examples=60, deadline=None)
@given(DEEDS, st.booleans())
def test_down_means_silent_whatever_is_done(deeds: list[Do], access: bool) -> None:
    hold(Scene(access), "AB", deeds, 16_000)


@settings(max_examples=60, deadline=None)
@given(BUSY, st.booleans(), st.sampled_from([16_000, 60_000]))
def test_down_means_silent_where_ports_break_in_and_say_who_they_are(
    deeds: list[Do], access: bool, timeout: int
) -> None:
    hold(Scene(access, True, timeout), "ABCE", deeds, 40_000)


def hold(scene: Scene, members: str, deeds: list[Do], longest: int) -> None:
    """Do it all in a patch of these members, and see that all is silent `longest` samples after the last word."""
    for name in members:
        scene.do(Do("make" if name == "A" else "add", "p", name, name))
    for deed in deeds:
        scene.do(deed)
        for _ in range(TICKS.get(deed.verb, 1)):
            scene.tick()
    # When all is said, nothing stays on the air: the longest access, over and hang time are over by then, and whoever
    # had to say who he is has done so.
    last = max(scene.now, *scene.spoken.values())
    while scene.now < last + longest:
        scene.tick()
    assert not any(scene.matrix.keyed(name) for name in NAMES)


@settings(max_examples=40, deadline=None)
@given(BUSY, st.booleans())
def test_the_same_deeds_give_the_same_decisions(deeds: list[Do], lively: bool) -> None:
    told = []
    for _ in range(2):
        scene = Scene(True, lively)
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
@given(
    st.integers(1000, 60_000),
    st.integers(20_000, 80_000),
    st.integers(0, 500),
    st.integers(60, 1000),
    st.lists(st.tuples(st.integers(0, 700), st.integers(1, 12_000)), max_size=6),
)
def test_who_times_out_stays_silent_until_he_unkeys_whatever_radios_and_call_signs_do_meanwhile(
    timeout: int, length: int, access_ms: int, break_in_ms: int, others: list[tuple[int, int]]
) -> None:
    """A, half-duplex itself, never unkeys; B lets go of the key in his pauses and has a call sign; C talks at times."""
    loops = {n: Loopback(n, latency=100) for n in "AC"}
    outputs = {n: Output() for n in "ABC"}
    events: list[Event] = []
    handling = Handling(break_in="pauses", break_in_ms=break_in_ms, ident="E", ident_s=1.0)
    ports = [
        Port("A", loops["A"], outputs["A"], half_duplex=True),
        Port("B", Loopback("B"), outputs["B"], access_ms=access_ms, half_duplex=True, handling=handling),
        Port("C", loops["C"], outputs["C"]),
    ]
    patch = Patch("p", rules=Rules(timeout=timeout, hang=0)).add("A").add("B").add("C")
    matrix = Matrix(ports, [patch], events.append)
    word = np.concatenate([np.full(WORD, 0.5, np.float32), np.zeros(GAP, np.float32)])
    stuck = loops["A"].say(0, np.tile(word, 1 + length // len(word))[:length])
    at = 0
    for pause, lasting in others:
        loops["C"].say(at + 20 * pause, np.full(lasting, 0.25, np.float32))
        at += 20 * pause + lasting
    # As many idents as there can be, and all that others say, one after the other.
    for now in range(0, max(timeout + length, at) + 60_000, TICK):
        matrix.tick(now)
    mine = [e for e in events if e.get("over") == stuck.id and str(e["event"]).startswith("floor.")]
    granted = [float(str(e["t_s"])) for e in mine if e["event"] == "floor.granted"]
    cut = [float(str(e["t_s"])) for e in mine if e["event"] == "floor.timed_out"]
    assert len(cut) <= 1 and not [t for t in granted if cut and t > cut[0]]
    for since in granted:
        ended = [float(str(e["t_s"])) for e in mine if e["event"] in ("floor.released", "floor.timed_out")]
        until = min(t for t in ended if t > since)
        assert until - since <= timeout / 8000 + 0.02 or (stuck.end is not None and until * 8000 >= stuck.end)
    assert not any(matrix.keyed(name) for name in "ABC")


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
    st.booleans(),
)
def test_one_holder_at_most_and_every_over_is_accounted_for(
    says: list[tuple[str, int, int]], access: bool, lively: bool
) -> None:
    scene = Scene(access, lively)
    scene.do(Do("make", "p", "A", ""))
    # Where D hears for C, it is no member itself.
    for name in "BCE" if lively else "BCDE":
        scene.do(Do("add", "p", name, ""))
    ends = dict.fromkeys(NAMES, 0)
    overs = []
    for name, pause, length in says:
        over = scene.inputs[name].say(ends[name] + pause, np.full(length, LEVEL[name], np.float32))
        scene.overs[over.id] = over
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
    # What D hears while C does not transmit is no business of the patch, and what is received while the port transmits
    # is refused, with that reason.
    assert set(overs) - set(outcome) <= ({o for o in overs if o.startswith("D")} if lively else set())
    assert sorted(str(e["over"]) for e in scene.events if e["event"] == "over.done") == sorted(overs)
    refused = {over for over, event in outcome.items() if event == "floor.refused"}
    why = {str(e["reason"]) for e in scene.events if e.get("over") in refused and e["event"] == "floor.refused"}
    assert not refused or (lively and why <= {"transmitting", 'heard on "D" already'} | BEHIND)
    last = {"floor.released", "floor.gave_up", "floor.timed_out", "floor.preempted", "floor.refused"}
    assert set(outcome.values()) <= last


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
