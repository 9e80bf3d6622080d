"""Many playouts at once: the same as one after the other, tick by tick or many ticks in one go."""

import numpy as np
import pytest
from numpy.typing import NDArray

from dsp import desk, mix
from dsp.blocks import TICK_SAMPLES
from dsp.desk import Tape
from dsp.errors import RangeError, ShapeError
from dsp.playout import Playout, Speech
from tests.reference import desk as reference
from tests.reference import playout
from tests.support.speech import speech_like

Audio = NDArray[np.float32]

ROWS = 5
OVERS = [speech_like(2, seed)[:length] for seed, length in enumerate((4000, 6000, 3333))]
LAUNCHES = (0, 333, 960)
LISTENERS: tuple[list[int], ...] = ([0, 1], [1, 2, 3], [])
TICKS = 30


def gains(rng: np.random.Generator, n: int) -> Audio:
    return rng.choice(np.array([0.0, 0.5, 1.0, 1.3], np.float32), n)


def test_agrees_with_its_twin() -> None:
    rng = np.random.default_rng(1)
    speeches = [Speech(0) for _ in OVERS]
    legs, twins = [], []
    for speech, launch, listeners in zip(speeches, LAUNCHES, LISTENERS, strict=True):
        rows = np.array(listeners, np.intp)
        level = gains(rng, len(rows))
        legs.append(desk.leg(Playout(speech, reserve=16), launch, rows, level, level))
        legs[-1].tape = Tape(0, 8000)
        twins.append(reference.Leg(playout.Playout(0, 16), launch, rows, level, level))
    frame = np.zeros(TICK_SAMPLES, np.float32)
    for tick in range(TICKS):
        now = tick * TICK_SAMPLES
        for over, speech, leg, twin in zip(OVERS, speeches, legs, twins, strict=True):
            twin.known = over[: now + 400]
            speech.push(twin.known[speech.end :])
            twin.ended = speech.end == len(over)
            if twin.ended:
                speech.flush()
            if tick % 7 == 3:
                twin.target = gains(rng, len(twin.rows))
                desk.hear(leg, leg.rows, leg.gains, twin.target)
        out = rng.standard_normal((ROWS, TICK_SAMPLES)).astype(np.float32)
        expected = out.copy()
        begun = desk.play(legs, now, frame, out)
        assert [legs.index(x) for x in begun] == [
            twins.index(x) for x in reference.play(twins, now, expected, mix.RAMP)
        ]
        np.testing.assert_array_equal(out, expected)
        assert [(x.heard, x.sounds) for x in legs] == [(x.heard, x.sounds) for x in twins]
    for leg, twin in zip(legs, twins, strict=True):
        assert leg.tape is not None and leg.tape.end == TICKS * TICK_SAMPLES
        played = [twin.tape.get(i, np.float32(0)) for i in range(TICKS * TICK_SAMPLES)]
        np.testing.assert_array_equal(leg.tape.read(0), played)


def test_many_ticks_in_one_go_are_the_same() -> None:
    rows, one = np.arange(2), np.ones(2, np.float32)
    found = []
    for step in (1, 6):
        speech = Speech(0)
        speech.push(OVERS[0][:1000])
        leg = desk.leg(Playout(speech, 0), 0, rows, one, one)
        heard = []
        for tick in range(0, 18, step):
            n = step * TICK_SAMPLES
            speech.push(OVERS[0][speech.end : 1000 + tick * TICK_SAMPLES + n])
            out = np.zeros((2, n), np.float32)
            desk.play([leg], tick * TICK_SAMPLES, np.zeros(n, np.float32), out)
            heard.append(out)
        found.append(np.concatenate(heard, axis=1))
    np.testing.assert_array_equal(found[0], found[1])


def test_a_tape_keeps_the_last_and_what_is_left_out_is_silence() -> None:
    rng = np.random.default_rng(2)
    tape, kept, begin = Tape(100, 50), dict[int, np.float32](), 100
    for gap, n in ((0, 20), (0, 1), (7, 30), (0, 0), (0, 200), (60, 10), (10, 49)):
        at = tape.end + gap
        samples = rng.standard_normal(n).astype(np.float32)
        samples.flags.writeable = False
        tape.take(at, samples)
        if n:
            kept.update((at + i, x) for i, x in enumerate(samples))
            assert tape.end == at + n
        begin = max(begin, tape.end - 50)
        assert tape.begin == begin
        np.testing.assert_array_equal(tape.read(begin), [kept.get(i, 0) for i in range(begin, tape.end)])


def test_wrong_use_is_refused() -> None:
    one, row = np.ones(1, np.float32), np.zeros(1, np.intp)
    cursor = Playout(Speech(0))
    for bad in ((row, one, np.ones(2, np.float32)), (row.astype(np.int32), one, one), (row, np.ones(1), one)):
        with pytest.raises(ShapeError, match="two gains"):
            desk.leg(cursor, 0, *bad)
    leg = desk.leg(cursor, 0, row, one, one)
    for n in (0, 80):
        with pytest.raises(ShapeError, match="does not fit"):
            desk.play([leg], 0, np.zeros(n, np.float32), np.zeros((2, n and 160), np.float32))
    for bad_row in (-1, 2):
        desk.hear(leg, np.array([bad_row], np.intp), one, one)
        with pytest.raises(RangeError, match=r"outside 0 … 1"):
            desk.play([leg], 0, np.zeros(160, np.float32), np.zeros((2, 160), np.float32))


def test_nothing_to_play() -> None:
    out = np.ones((2, 160), np.float32)
    assert desk.play([], 0, np.zeros(160, np.float32), out) == []
    assert (out == 1).all()
