"""What a listener does not get to see of a talker, and transmitters that are told who talks."""

from sdrbridge.facts import FACTS, GIVES, SHOWS, Ability, lost, lost_in
from sdrbridge.matrix import Matrix
from sdrbridge.modes import LATER_MODES, PRESETS
from sdrbridge.patch import Member, Patch
from sdrbridge.port import Loopback, Port
from sdrbridge.ports.kinds import KINDS, LATER_KINDS
from sdrbridge.transmission import Facts
from tests.sdrbridge.test_matrix import noise

P25 = Ability(GIVES["p25"], SHOWS["modulator"])
FM = Ability(frozenset({"signal"}))
DONOR = Ability()


def test_kinds_and_modes_are_those_of_the_site_file() -> None:
    assert SHOWS.keys() <= {*KINDS, *LATER_KINDS} and KINDS.keys() <= SHOWS.keys()
    assert GIVES.keys() <= {*PRESETS, *LATER_MODES}
    assert set().union(*SHOWS.values(), *GIVES.values()) <= set(FACTS)


def test_lost_is_what_is_given_and_not_shown() -> None:
    assert lost(P25, DONOR) == FACTS
    assert lost(P25, P25) == ("encrypted", "signal")
    assert lost(FM, DONOR) == ("signal",)
    assert lost(DONOR, P25) == ()


def test_a_patch_says_what_each_member_loses_of_each_other() -> None:
    patch = Patch("p", {"digital": Member(), "radio": Member(), "ear": Member(talks=False)}).mute_leg("radio", "ear")
    known = {"digital": P25, "radio": FM, "ear": DONOR}
    assert lost_in(patch, known) == {
        ("digital", "radio"): FACTS,
        ("digital", "ear"): FACTS,
        ("radio", "digital"): ("signal",),
    }


def test_a_transmitter_that_can_show_it_is_told_who_talks() -> None:
    loops = {n: Loopback(n, latency=240) for n in "ABC"}
    matrix = Matrix(
        [Port(n, x, x) for n, x in loops.items()], [Patch("p", {n: Member() for n in "ABC"})], lambda e: None
    )
    one = loops["A"].say(0, noise(4000, 1), Facts(source_id=1234))
    two = loops["C"].say(8000, noise(4000, 2))
    for now in range(0, 24000, 160):
        matrix.tick(now)
    talkers = loops["B"].talkers
    assert [over for _, over in talkers] == [one, None, two, None]
    # Told before the first frame that carries it is written, and again when the last has been.
    first = next(i for i, x in enumerate(loops["B"].sent()) if x)
    assert talkers[0][0] <= first < talkers[0][0] + 160
    assert talkers[0][0] + 4000 <= talkers[1][0] <= first + 4000 + 320
    assert [over for _, over in loops["A"].talkers] == [two, None]
