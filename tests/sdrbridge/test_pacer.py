"""Late ticks are made good up to a point; after a long stop the beat begins anew. And what is shed, and when."""

import random

import pytest

from sdrbridge.pacer import MOST_LATE_S, Pacer
from sdrbridge.shed import DOWN, UP, Ladder, Rung


def test_on_time_nothing_is_counted() -> None:
    pacer = Pacer(10.0)
    now = 10.0
    for _ in range(1000):
        now += pacer.wait(now)
        assert pacer.ticked(now + 0.001) == 0.0
    assert now == pytest.approx(10.0 + 999 * 0.02)
    assert (pacer.late, pacer.skipped_s) == (0, 0.0)


def test_a_hiccup_is_made_good_at_once() -> None:
    pacer = Pacer(0.0)
    pacer.ticked(0.0)
    made = 0
    while pacer.wait(0.15) == 0.0:
        pacer.ticked(0.15)
        made += 1
    assert made == 7
    assert pacer.late >= 6 and pacer.skipped_s == 0.0
    assert pacer.wait(0.15) == pytest.approx(0.01)


def test_after_a_long_stop_the_beat_begins_anew() -> None:
    pacer = Pacer(0.0)
    pacer.ticked(0.0)
    assert pacer.ticked(30.02) == pytest.approx(30.0)
    assert pacer.wait(30.02) == pytest.approx(0.02)
    assert pacer.skipped_s == pytest.approx(30.0)


def test_in_the_long_run_as_many_ticks_as_time_has_passed() -> None:
    pacer, draw, now, ticks = Pacer(0.0), random.Random(3), 0.0, 0
    while now < 100.0:
        now += pacer.wait(now) + draw.expovariate(1 / 0.004)
        pacer.ticked(now)
        ticks += 1
        now += draw.choice([0.001, 0.002, 0.1])
        assert pacer.lateness_s < MOST_LATE_S or pacer.skipped_s > 0
    assert ticks * 0.02 + pacer.skipped_s == pytest.approx(now, abs=MOST_LATE_S + 0.1)


def test_the_ladder_goes_down_step_by_step_and_back_slowly() -> None:
    ladder = Ladder()
    rungs = [rung for _ in range(10 * DOWN) if (rung := ladder.tick(0.9, False)) is not None]
    assert rungs == [Rung.PICTURES, Rung.REPORTS, Rung.RECORDINGS, Rung.MONITORS]
    assert ladder.given_up == "pictures, reports, recordings, channels in no patch"
    assert ladder.sheds(Rung.RECORDINGS)
    back = [n for n in range(5 * UP) if ladder.tick(0.1, False) is not None]
    assert back == [UP - 1, 2 * UP - 1, 3 * UP - 1, 4 * UP - 1]
    assert ladder.given_up == "" and not ladder.sheds(Rung.PICTURES)


def test_single_late_ticks_shed_nothing() -> None:
    ladder = Ladder()
    assert all(ladder.tick(0.2, n % 10 == 0) is None for n in range(10_000))
    assert ladder.rung is Rung.NOTHING


def test_a_rung_is_not_given_back_while_there_is_no_room() -> None:
    ladder = Ladder()
    for _ in range(DOWN):
        ladder.tick(1.2, True)
    assert ladder.rung is Rung.PICTURES
    assert all(ladder.tick(0.5, False) is None for _ in range(3 * UP))


def test_the_beat_comes_just_after_the_blocks_and_follows_their_clock() -> None:
    pacer, now, draw = Pacer(0.0), 0.0, random.Random(1)
    block_s = 0.01 * (1 + 100e-6)
    ages = []
    for _ in range(20_000):
        now += pacer.wait(now)
        pacer.ticked(now)
        ages.append((now - 0.0021) % block_s)
        pacer.follow(ages[-1] + draw.uniform(0, 0.0005), 1)
    assert abs(ages[0] - 0.004) > 0.002
    assert all(abs(age - 0.004) < 0.0006 for age in ages[100:])
    # Ten ticks more or less in so many are no faster than a sound card can follow.
    assert now == pytest.approx(19_999 * 0.02 * (1 + 100e-6), abs=0.006)
