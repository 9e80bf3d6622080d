"""Who may talk, tick by tick, and what is said about it."""

from dataclasses import replace

from sdrbridge.floor import Decision, Floor, FloorState, Talker, Verdict
from sdrbridge.patch import Rules

TICK = 160


def state(floor: Floor) -> FloorState:
    return floor.state


def verdicts(found: list[Decision]) -> list[tuple[str, str]]:
    return [(d.verdict.value, d.over) for d in found]


A = Talker("A-1", "A", 0, order=0)
B = Talker("B-1", "B", 0, order=1)


def test_ties_go_by_emergency_then_priority_then_start_then_site_order() -> None:
    for talkers, winner in [
        ([B, A], "A-1"),
        ([replace(A, start=1), B], "B-1"),
        ([A, replace(B, start=50, priority=1)], "B-1"),
        ([replace(A, priority=9), replace(B, start=50, emergency=True)], "B-1"),
    ]:
        floor = Floor(Rules())
        found = floor.step(0, talkers)
        assert found[0].verdict is Verdict.GRANTED
        assert found[0].over == winner
        assert [d.verdict for d in found[1:]] == [Verdict.REFUSED]


def test_hang_then_idle() -> None:
    floor = Floor(Rules(hang=320))
    floor.step(0, [A])
    floor.step(160, [replace(A, end=100)])
    assert state(floor) is FloorState.HELD
    assert verdicts(floor.step(320, [])) == [("released", "A-1")]
    assert state(floor) is FloorState.HANG
    assert not floor.due(480)
    assert floor.step(480, []) == []
    assert floor.due(640)
    assert verdicts(floor.step(640, [])) == [("idle", "")]
    assert state(floor) is FloorState.IDLE


def test_anybody_may_talk_in_the_hang_time() -> None:
    floor = Floor(Rules(hang=1600))
    floor.step(0, [A])
    floor.step(160, [])
    (granted,) = floor.step(320, [replace(B, start=300)])
    assert (granted.verdict, granted.play_from) == (Verdict.GRANTED, 300)


def test_a_refused_talker_is_told_once_and_his_wait_is_counted() -> None:
    floor = Floor(Rules())
    floor.step(0, [A])
    assert verdicts(floor.step(160, [A, replace(B, start=100)])) == [("refused", "B-1")]
    assert floor.step(320, [A, replace(B, start=100)]) == []
    floor.step(480, [replace(A, end=400), replace(B, start=100)])
    released, granted = floor.step(640, [replace(B, start=100)])
    assert released.verdict is Verdict.RELEASED
    assert (granted.play_from, granted.blocked, granted.reason) == (400, 480, 'waited while "A" holds the floor')


def test_who_ends_while_he_waits_is_written_down() -> None:
    floor = Floor(Rules())
    floor.step(0, [A])
    floor.step(160, [A, B])
    (gone,) = floor.step(800, [A, replace(B, end=700)])
    assert (gone.verdict, gone.over, gone.blocked) == (Verdict.GAVE_UP, "B-1", 640)
    assert floor.step(960, [A]) == []


def test_what_a_waiting_talker_said_after_the_holder_ended_is_still_heard() -> None:
    floor = Floor(Rules())
    floor.step(0, [A])
    floor.step(160, [A, B])
    assert floor.step(800, [replace(A, end=600), replace(B, end=700)]) == []
    granted = floor.step(960, [replace(B, end=700)])[1]
    assert (granted.verdict, granted.play_from) == (Verdict.GRANTED, 600)


def test_priority_takes_the_floor_only_where_the_patch_says_so() -> None:
    boss = replace(B, start=900, priority=1)
    floor = Floor(Rules(preempt=False))
    floor.step(0, [A])
    assert verdicts(floor.step(960, [A, boss])) == [("refused", "B-1")]
    floor = Floor(Rules())
    floor.step(0, [A])
    assert verdicts(floor.step(960, [A, boss])) == [("preempted", "A-1"), ("granted", "B-1")]
    released, granted = floor.step(2000, [A])
    assert released.over == "B-1"
    assert (granted.over, granted.blocked) == ("A-1", 1040)


def test_the_last_words_of_an_ended_over_yield_to_an_emergency_only() -> None:
    ended = replace(A, end=800)
    for other, taken in [(replace(B, start=850, priority=1), False), (replace(B, start=850, emergency=True), True)]:
        floor = Floor(Rules())
        floor.step(0, [A])
        found = floor.step(960, [ended, other])
        assert any(d.verdict is Verdict.PREEMPTED for d in found) is taken


def test_an_emergency_declared_while_waiting_is_heard_from_then_on() -> None:
    floor = Floor(Rules())
    floor.step(0, [A])
    floor.step(160, [A, B])
    found = floor.step(1600, [A, replace(B, emergency=True)])
    assert verdicts(found) == [("preempted", "A-1"), ("granted", "B-1")]
    assert found[1].play_from == 1600


def test_time_out_passes_the_floor_on_and_bars_until_the_over_ends() -> None:
    floor = Floor(Rules(timeout=1600))
    floor.step(0, [A])
    floor.step(160, [A, B])
    assert floor.due(1600)
    found = floor.step(1600, [A, B])
    assert verdicts(found) == [("timed_out", "A-1"), ("granted", "B-1")]
    assert found[1].play_from == 1600
    floor.step(1760, [A, replace(B, end=1700)])
    assert verdicts(floor.step(1920, [A])) == [("released", "B-1")]
    assert floor.holder is None
    again = replace(A, over="A-2", start=2000)
    assert verdicts(floor.step(2080, [again])) == [("granted", "A-2")]


def test_reset_is_a_new_floor() -> None:
    floor = Floor(Rules(timeout=1600))
    floor.step(0, [A])
    floor.step(1600, [A, B])
    floor.reset()
    assert state(floor) is FloorState.IDLE
    assert floor.holder is None
    assert verdicts(floor.step(1760, [A])) == [("granted", "A-1")]
