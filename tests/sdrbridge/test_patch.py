"""Patches as values, and the graph they make."""

import pytest

from sdrbridge.config import PatchConfig
from sdrbridge.errors import PatchError
from sdrbridge.graph import Cable, Members, find_loop
from sdrbridge.patch import Leg, Member, Patch, Rules


def test_from_the_site_file() -> None:
    patch = Patch.from_config(PatchConfig("p", ("A", "B"), ("C",), hang_s=1.0, timeout_s=60, lockout_ms=100))
    assert patch.members == {"A": Member(), "B": Member(), "C": Member(talks=False)}
    assert patch.rules == Rules(hang=8000, timeout=480_000, lockout=800)


def test_nobody_hears_himself_and_monitors_do_not_talk() -> None:
    patch = Patch.from_config(PatchConfig("p", ("A", "B"), ("C",)))
    heard = {(a, b) for a in "ABCX" for b in "ABCX" if patch.gain(a, b)}
    assert heard == {("A", "B"), ("B", "A"), ("A", "C"), ("B", "C")}


def test_gain_and_mute_of_a_leg_are_independent() -> None:
    patch = Patch("p").add("A").add("B").set_gain("A", "B", -6.0).mute_leg("A", "B")
    assert patch.gain("A", "B") == 0.0
    assert patch.mute_leg("A", "B", False).gain("A", "B") == pytest.approx(0.5012, abs=1e-4)
    assert patch.gain("B", "A") == 1.0
    assert patch.leg("A", "B") == Leg(-6.0, True)


def test_two_patches_of_the_same_parts_are_equal() -> None:
    one = Patch("p").add("A").add("B").mute("A")
    two = Patch("p").add("B").add("X").add("A").set_gain("X", "A", 3).drop("X").mute("A").mute_leg("A", "B")
    assert one == two.mute_leg("A", "B", False)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda p: p.add("A"), "is a member already"),
        (lambda p: p.drop("X"), '"X" is no member; members are "A", "B"'),
        (lambda p: p.mute("X"), "is no member"),
        (lambda p: p.set_gain("A", "X", 0), "is no member"),
        (lambda p: p.set_gain("A", "A", 0), "never hears itself"),
        (lambda p: p.set_gain("A", "B", 40), "between -60 and 20"),
        (lambda p: p.set_gain("A", "B", float("nan")), "between -60 and 20"),
    ],
)
def test_what_cannot_be_is_refused(change: object, said: str) -> None:
    assert callable(change)
    with pytest.raises(PatchError, match=said):
        change(Patch("p").add("A").add("B"))


def test_a_chain_of_patches_is_no_loop_but_a_cable_can_close_one() -> None:
    chain: dict[str, Members] = {"p": (["A", "B"], []), "q": (["B", "C"], [])}
    assert find_loop(chain) is None
    # What is said on A reaches B's transmitter, not C: a port does not repeat.
    assert find_loop(chain, [Cable("C", "A")]) is None
    assert "a loop" in str(find_loop(chain, [Cable("B", "A")]))
    assert "a loop" in str(
        find_loop({"p": (["A", "B"], []), "q": (["C", "D"], [])}, [Cable("B", "C"), Cable("D", "A")])
    )
    assert find_loop({"p": (["A"], ["B"]), "q": (["C", "D"], [])}, [Cable("B", "C")]) is None


def test_a_pair_in_two_patches_is_refused_one_way_too() -> None:
    assert "hear it twice" in str(find_loop({"p": (["A"], ["B"]), "q": (["A", "B"], [])}))
    assert find_loop({"p": (["A"], ["B"]), "q": (["B"], ["A"])}) is None
