"""Our own speech comes back by somebody else's system: the port is cut off and the reason given; nobody else is."""

from collections.abc import Callable

import numpy as np
import pytest

from dsp.blocks import AUDIO_RATE
from dsp.elastic import Stretch
from sdrbridge.handling import Handling
from sdrbridge.loopwatch import REST
from sdrbridge.matrix import Event, Matrix
from sdrbridge.patch import Patch, Rules
from sdrbridge.port import Audio, Loopback, Port
from sdrbridge.reasons import Reasons
from tests.support.elsewhere import Elsewhere, Way, imbe, pcmu, talker, through

TICK = 160
MALE, FEMALE = talker("male"), talker("female")


class Scene:
    """A dispatcher D and ports B and C, all in one patch. What is sent to B comes back at C, if there is a way."""

    def __init__(self, way: Way | None = None, delay: int = 8000, guard: bool = True, level: float = 1.0) -> None:
        self.loops = {name: Loopback(name, latency=160, decision=700) for name in "BCD"}
        handling = Handling(loop_guard=guard)
        b, c = Port("B", self.loops["B"], self.loops["B"]), Port("C", self.loops["C"], self.loops["C"])
        if way is not None:
            system = Elsewhere("C", way, delay, level)
            b, c = Port("B", tx=system), Port("C", rx=system, tx=self.loops["C"], handling=handling)
        self.events: list[Event] = []
        self.reasons = Reasons()
        patch = Patch("p", rules=Rules(hang=0)).add("B").add("C").add("D")
        d = Port("D", self.loops["D"], self.loops["D"], handling=handling)
        self.matrix = Matrix([b, c, d], [patch], self.tell)
        self.now = 0

    def tell(self, event: Event) -> None:
        self.events.append(event)
        self.reasons(event)

    def run(self, seconds: float, longest: int = 1) -> None:
        until = self.now + round(seconds * AUDIO_RATE)
        while self.now < until:
            if longest == 1:
                self.matrix.tick(self.now)
                self.now += TICK
            else:
                self.now += TICK * self.matrix.stride(self.now, min(longest, (until - self.now) // TICK))
        self.matrix.settle()

    def told(self, kind: str) -> list[Event]:
        return [event for event in self.events if event["event"] == kind]


@pytest.mark.parametrize("way", [imbe, pcmu])
@pytest.mark.parametrize("delay_s", [0.2, 1.0, 4.0])
def test_a_loop_is_broken_while_the_talker_still_talks_and_the_reason_given(
    way: Callable[[], Way], delay_s: float
) -> None:
    scene = Scene(way(), round(delay_s * AUDIO_RATE), level=0.3)
    scene.loops["D"].say(800, np.concatenate([MALE, FEMALE]))
    scene.run(30)
    (found,) = scene.told("loop.found")
    assert found["port"] == "C" and found["talker"] == "D" and found["patch"] == "p"
    # A vocoder adds 80 ms of its own.
    assert delay_s - 0.02 <= float(str(found["delay_s"])) <= delay_s + 0.1
    assert float(str(found["t_s"])) < delay_s + 5.0
    assert scene.matrix.looped == {"C": found["reason"]}
    assert "came back here" in str(found["reason"])
    # D hears nothing of himself: what comes back never got the floor.
    assert not np.any(scene.loops["D"].sent())
    assert any("came back" in str(event.get("reason")) for event in scene.reasons.chain("refused", "C"))


@pytest.mark.parametrize("way", [imbe, pcmu])
@pytest.mark.parametrize("delay_s", [1.0, 5.0])
@pytest.mark.parametrize("ppm", [-300.0, 300.0])
def test_an_echo_through_a_system_whose_clock_is_off_is_found_as_soon(
    way: Callable[[], Way], delay_s: float, ppm: float
) -> None:
    # All of it comes back faster or slower: by 2 ms after 7 s, and by 1.5 ms for the delay itself.
    scene = Scene()
    said = through(way(), np.concatenate([MALE, FEMALE]))
    stretch = Stretch(8000, 8000, len(said))
    stretch.push(said)
    stretch.set_ppm(ppm)
    back = np.empty(stretch.possible(), np.float32)
    stretch.pull(back)
    scene.loops["D"].say(800, np.concatenate([MALE, FEMALE]))
    scene.loops["C"].say(800 + round(delay_s * AUDIO_RATE * (1 - ppm * 1e-6)), 0.3 * back)
    scene.run(30)
    (found,) = scene.told("loop.found")
    assert found["port"] == "C" and found["talker"] == "D"
    assert delay_s - 0.1 <= float(str(found["delay_s"])) <= delay_s + 0.1
    assert float(str(found["t_s"])) < delay_s + 5.0


def test_short_overs_that_go_around_are_found_as_well() -> None:
    scene = Scene(pcmu(), 12_000)
    scene.loops["D"].say(800, MALE[8000:16_800])
    scene.run(40)
    (found,) = scene.told("loop.found")
    # Before it is found each round takes two and a half seconds; afterwards everything is quiet.
    assert float(str(found["t_s"])) < 15
    late = [event for event in scene.told("floor.granted") if float(str(event["t_s"])) > float(str(found["t_s"])) + 1]
    assert not late


def test_nothing_is_cut_where_it_is_switched_off() -> None:
    scene = Scene(pcmu(), 8000, guard=False)
    scene.loops["D"].say(800, MALE)
    scene.run(20)
    assert not scene.told("loop.found")
    assert np.any(scene.loops["D"].sent())


def test_different_talkers_are_never_cut() -> None:
    scene = Scene()
    at = 800
    for turn in range(6):
        name, said = (("D", MALE), ("C", FEMALE), ("B", MALE[::-1].copy()))[turn % 3]
        scene.loops[name].say(at, said)
        at += len(said) + 1600
    # And one that talks over the others the whole time.
    scene.run(at / AUDIO_RATE + 2)
    assert not scene.told("loop.found")
    assert len(scene.told("floor.granted")) == 6


def test_one_talker_on_two_channels_at_once_is_no_loop() -> None:
    # What comes in at C was not sent by us: it is there before we send it.
    scene = Scene()
    said = np.concatenate([MALE, FEMALE])
    scene.loops["D"].say(800, said)
    scene.loops["C"].say(900, through(pcmu(), said))
    scene.run(20)
    assert not scene.told("loop.found")


def broken(longest: int = 1) -> Scene:
    """C has been cut off; it is 16 s, and D has just ended."""
    scene = Scene()
    said = np.concatenate([MALE, FEMALE])
    scene.loops["D"].say(800, said)
    scene.loops["C"].say(800 + 9600, 0.5 * through(imbe(), said))
    scene.run(16, longest)
    assert list(scene.matrix.looped) == ["C"]
    return scene


def test_strides_find_it_at_the_same_tick() -> None:
    one, other = broken(), broken(50)
    assert one.events == other.events
    for name in "BCD":
        np.testing.assert_array_equal(one.loops[name].sent(), other.loops[name].sent())


def heard_at(scene: Scene, listener: str, since: int) -> Audio:
    sent = scene.loops[listener].sent()[since:]
    return sent[np.flatnonzero(sent)[0] :] if np.any(sent) else sent[:0]


def test_somebody_else_is_heard_at_once_when_nothing_was_sent_lately() -> None:
    scene = broken()
    scene.run(8)
    begin = scene.now
    scene.loops["C"].say(begin + 160, FEMALE)
    scene.run(10)
    assert list(scene.matrix.looped) == ["C"]
    first = int(np.flatnonzero(FEMALE)[0])
    np.testing.assert_array_equal(heard_at(scene, "D", begin)[:4000], FEMALE[first : first + 4000])
    granted = scene.told("floor.granted")[-1]
    assert granted["port"] == "C" and float(str(granted["t_s"])) < begin / AUDIO_RATE + 0.5


def test_somebody_else_is_heard_from_his_first_sample_when_he_is_known_to_be_no_echo() -> None:
    scene = broken()
    begin = scene.now
    scene.loops["C"].say(begin + 160, MALE[::-1].copy())
    scene.run(12)
    granted = scene.told("floor.granted")[-1]
    assert granted["port"] == "C" and granted["from_s"] == (begin + 160) / AUDIO_RATE
    assert float(str(granted["t_s"])) < begin / AUDIO_RATE + 4
    assert list(scene.matrix.looped) == ["C"]


def test_a_port_is_let_through_again_by_hand_or_after_a_minute() -> None:
    scene = broken()
    assert scene.matrix.restore("C") and not scene.matrix.looped
    assert not scene.matrix.restore("C")
    scene = broken()
    found = float(str(scene.told("loop.found")[0]["t_s"]))
    scene.run(80)
    (restored,) = scene.told("loop.restored")
    assert restored["port"] == "C" and found + REST / AUDIO_RATE <= float(str(restored["t_s"])) < found + 75
    assert not scene.matrix.looped
