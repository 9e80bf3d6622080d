"""Which ports and patches have to do with each other, and that one part does not wait for another."""

import numpy as np

from dsp.blocks import AUDIO_RATE, TICK_SAMPLES
from sdrbridge.handling import Handling
from sdrbridge.matrix import Event, Matrix
from sdrbridge.parts import apart, union, whole
from sdrbridge.patch import Patch
from sdrbridge.port import Audio, Loopback, Port
from tests.support.speech import speech_like


def bridge(*patches: Patch, names: str = "ABCDEFG", break_in: dict[str, str] | None = None) -> Matrix:
    ports = []
    for name in names:
        loop = Loopback(name, keep=60 * AUDIO_RATE, latency=160, decision=320)
        handling = Handling(break_in=(break_in or {}).get(name))
        ports.append(Port(name, loop, loop, half_duplex=name in (break_in or {}), handling=handling))
    return Matrix(ports, patches, lambda event: None)


def parts(matrix: Matrix) -> list[str]:
    row = {port.name: number for number, port in enumerate(matrix.ports)}
    found = apart(matrix.ports, list(matrix._lines.values()), row, matrix._donors)
    return sorted("".join(sorted(matrix.ports[number].name for number in part.rows)) for part in found)


def test_patches_that_share_a_port_are_one_part_and_who_is_in_none_stands_alone() -> None:
    command, tactical = Patch("command").add("A").add("B").add("C"), Patch("tactical").add("C").add("D")
    matrix = bridge(command, tactical, Patch("dispatch").add("E").add("F"))
    assert parts(matrix) == ["ABCD", "EF", "G"]
    matrix.drop("tactical", "C")
    assert parts(matrix) == ["ABC", "D", "EF", "G"]


def test_a_channel_that_hears_for_another_port_belongs_to_it() -> None:
    assert parts(bridge(Patch("p").add("A").add("B"), names="ABC", break_in={"B": "C"})) == ["ABC"]


def test_who_still_fades_out_belongs_to_the_patch_he_was_in() -> None:
    matrix = bridge(Patch("p").add("A").add("B").add("C"), names="ABC")
    first = matrix.ports[0].rx
    assert isinstance(first, Loopback)
    first.say(0, speech_like(4, 1))
    for now in range(0, 8000, TICK_SAMPLES):
        matrix.tick(now)
    matrix.drop("p", "C")
    assert parts(matrix) == ["ABC"]
    matrix.tick(8000)
    assert parts(matrix) == ["AB", "C"]


def test_parts_as_one_keep_the_order_of_ports_and_patches() -> None:
    matrix = bridge(Patch("x").add("D").add("E"), Patch("y").add("A").add("B"))
    lines = list(matrix._lines.values())
    row = {port.name: number for number, port in enumerate(matrix.ports)}
    found = [part for part in apart(matrix.ports, lines, row, {}) if part.lines]
    one = union(matrix.ports, found[::-1], lines)
    assert [number for number, _ in one.hearing] == [0, 1, 3, 4] and list(one.lines) == lines
    assert len(whole(matrix.ports, lines).hearing) == 7


class Counting(Loopback):
    """How often it was asked for its sound and sent some."""

    calls = 0

    def write(self, frame: Audio, index: int, keyed: bool) -> None:
        self.calls += 1
        super().write(frame, index, keyed)


def test_what_happens_in_one_patch_does_not_disturb_another() -> None:
    loops = {name: Counting(name, keep=60 * AUDIO_RATE, latency=160, decision=320) for name in "ABCD"}
    events: list[Event] = []
    patches = [Patch("busy").add("A").add("B"), Patch("idle").add("C").add("D")]
    matrix = Matrix([Port(name, loop, loop) for name, loop in loops.items()], patches, events.append)
    for second in range(0, 30, 2):
        loops["A"].say(second * AUDIO_RATE, speech_like(1, second))
    now = 0
    while now < 30 * AUDIO_RATE:
        now += matrix.stride(now, 50) * TICK_SAMPLES
    matrix.settle()
    assert loops["C"].calls < 40 < 60 < loops["B"].calls
    for loop in loops.values():
        assert loop.end == now
    assert np.any(loops["B"].sent()) and not np.any(loops["D"].sent())
