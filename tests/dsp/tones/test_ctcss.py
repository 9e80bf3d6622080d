"""CTCSS: the right tone, in time, whatever the cut of the blocks; its end and the turn of its phase."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from dsp.blocks import RowBlock
from dsp.errors import RangeError, RateError, ShapeError
from dsp.events import EventKind, RowEvent
from dsp.tones.ctcss import CtcssDetector
from dsp.tones.tables import CTCSS_HZ
from tests.support.onair import RATE, channels, discriminated, fm, idle, received, voice

KEYED = int(0.3 * RATE)


def tone(hz: NDArray[np.float64] | float, rows: int, seconds: float, deviation_hz: float, seed: int = 1) -> Any:
    """Deviation of a tone under something like speech, (rows, n)."""
    t = np.arange(int(seconds * RATE)) / RATE
    phase = np.random.default_rng(seed).uniform(0, 2 * np.pi, (rows, 1))
    w = 2 * np.pi * np.broadcast_to(np.asarray(hz, float), (rows,))[:, None]
    return deviation_hz * np.cos(w * t + phase) + voice(rows, seconds, seed)


def keyed(deviation_hz: Any, cn_db: float, seed: int, first: int = KEYED, last: int | None = None) -> RowBlock:
    """As demodulated: hiss before `first` and after `last`."""
    clean = fm(deviation_hz)
    clean[:, :first] = 0
    if last is not None:
        clean[:, last:] = 0
    return RowBlock(discriminated(received(clean, cn_db, seed)), RATE, 0)


def told(events: list[RowEvent], kind: EventKind = EventKind.CTCSS) -> list[tuple[int, Any]]:
    return [(e.row, e.value) for e in events if e.kind is kind]


def test_every_standard_tone_within_150_ms_at_12_db_sinad() -> None:
    # C/N 6 dB in 12.5 kHz is 12 dB SINAD of a plain discriminator; 350 Hz of tone under 1.5 kHz of speech.
    rows = len(CTCSS_HZ)
    events = CtcssDetector(rows).process(keyed(tone(np.array(CTCSS_HZ), rows, 0.8, 350.0), 6.0, 2))
    assert sorted(told(events)) == list(enumerate(CTCSS_HZ))
    late = np.array([e.decided - KEYED for e in events]) / RATE
    # one row in ten may need one window more: a click in the last of the 16 sub-blocks
    assert np.percentile(late, 90) <= 0.150
    assert late.max() <= 0.175
    begun = np.array([e.index - KEYED for e in events]) / RATE
    assert begun.min() > -0.07
    assert begun.max() < 0.04


@pytest.mark.parametrize("off", [-0.005, 0.005])
def test_half_a_percent_off_is_taken(off: float) -> None:
    rows = len(CTCSS_HZ)
    events = CtcssDetector(rows).process(keyed(tone(np.array(CTCSS_HZ) * (1 + off), rows, 0.8, 350.0), 20.0, 3))
    assert sorted(told(events)) == list(enumerate(CTCSS_HZ))


def test_between_two_tones_is_neither() -> None:
    between = np.array([68.15, 161.0, 198.05, 245.9, 87.0, 105.3])
    events = CtcssDetector(6).process(keyed(tone(between, 6, 2.0, 350.0), 20.0, 4))
    assert events == []


def test_neither_hiss_nor_speech_nor_a_bare_carrier_is_a_tone() -> None:
    detector = CtcssDetector(8)
    assert detector.process(RowBlock(discriminated(idle(8, 20.0, 5)), RATE, 0)) == []
    speech = keyed(voice(8, 10.0, 6), 12.0, 7, first=0)
    assert CtcssDetector(8).process(speech) == []
    assert CtcssDetector(8).process(keyed(np.full((8, 5 * RATE), 700.0), 10.0, 8)) == []


def test_the_end_is_told_where_it_was() -> None:
    last = 2 * RATE
    block = keyed(tone(100.0, 6, 3.0, 350.0), 15.0, 9, last=last)
    events = CtcssDetector(6).process(block)
    ends = [e for e in events if e.kind is EventKind.CTCSS_LOST]
    assert sorted(told(events, EventKind.CTCSS_LOST)) == [(r, 100.0) for r in range(6)]
    assert all(abs(e.index - last) < 0.03 * RATE for e in ends)
    assert all(e.decided - last < 0.25 * RATE for e in ends)
    assert not told(events, EventKind.REVERSE_BURST)


@pytest.mark.parametrize("degrees", [120, 180, -120])
@pytest.mark.parametrize("hz", [67.0, 100.0, 156.7, 254.1])
def test_a_turn_of_the_phase_is_understood_within_60_ms(hz: float, degrees: float) -> None:
    turn, last, rows = int(1.2 * RATE), int(1.38 * RATE), 8
    t = np.arange(int(1.8 * RATE)) / RATE
    phase = np.where(t >= turn / RATE, np.radians(degrees), 0.0)
    deviation = 500.0 * np.cos(2 * np.pi * hz * t + phase + np.arange(rows)[:, None])
    deviation[:, :turn] += voice(rows, 1.2, 10)
    events = CtcssDetector(rows).process(keyed(deviation, 9.0, 11, last=last))
    bursts = [e for e in events if e.kind is EventKind.REVERSE_BURST]
    assert sorted(told(events, EventKind.REVERSE_BURST)) == [(r, hz) for r in range(rows)]
    assert all(abs(e.index - turn) < 0.02 * RATE for e in bursts)
    assert all(0 < e.decided - turn <= 0.060 * RATE for e in bursts)
    assert len(told(events)) == rows
    assert len(told(events, EventKind.CTCSS_LOST)) == rows


def test_a_configured_tone_is_found() -> None:
    events = CtcssDetector(1, extra_hz=[64.7]).process(keyed(tone(64.7, 1, 1.0, 400.0), 20.0, 12))
    assert told(events) == [(0, 64.7)]


def cut(block: RowBlock, seed: int) -> list[RowBlock]:
    rng = np.random.default_rng(seed)
    at, parts = 0, []
    while at < block.samples.shape[1]:
        n = int((0, 1, 2, rng.integers(1, 900), rng.integers(1, 9000))[rng.integers(5)])
        part = block.samples[:, at : at + n].copy()
        part.flags.writeable = False
        parts.append(RowBlock(part, block.rate, block.index + at))
        at += n
    return parts


def test_the_cut_of_the_blocks_does_not_matter() -> None:
    block = keyed(tone(np.array([67.0, 69.3, 254.1]), 3, 2.0, 350.0), 7.0, 13, last=int(1.6 * RATE))
    whole = CtcssDetector(3).process(block)
    assert len(whole) >= 6
    for seed in range(5):
        detector = CtcssDetector(3)
        assert [e for part in cut(block, seed) for e in detector.process(part)] == whole


def test_rows_do_not_influence_each_other() -> None:
    block = keyed(tone(np.array([67.0, 123.0]), 2, 1.0, 350.0), 7.0, 14)
    both = CtcssDetector(2).process(block)
    alone = CtcssDetector(1).process(RowBlock(block.samples[1:], RATE, 0))
    assert [(e.index, e.decided, e.value) for e in both if e.row == 1] == [(e.index, e.decided, e.value) for e in alone]


def test_reset_equals_a_fresh_detector() -> None:
    block = keyed(tone(88.5, 2, 1.0, 350.0), 10.0, 15)
    detector = CtcssDetector(2)
    first = detector.process(block)
    detector.reset()
    assert detector.process(block) == first
    detector.reset_row(0)
    assert detector.tone_hz.tolist() == [0.0, 88.5]
    assert detector.deviation_hz[1] == pytest.approx(350.0, rel=0.1)


def test_a_short_gap_keeps_the_tone_and_a_long_one_ends_it() -> None:
    block = keyed(tone(88.5, 1, 2.0, 350.0), 15.0, 16)
    for gap, kinds in ((0.05, [EventKind.CTCSS]), (0.3, [EventKind.CTCSS, EventKind.CTCSS_LOST, EventKind.CTCSS])):
        detector, half, after = CtcssDetector(1), RATE, int((1 + gap) * RATE)
        events = detector.process(RowBlock(block.samples[:, :half], RATE, 0))
        events += detector.process(RowBlock(np.ascontiguousarray(block.samples[:, after:]), RATE, after))
        assert [e.kind for e in events] == kinds
        if len(kinds) == 3:
            assert (events[1].index, events[1].decided) == (half, after)


def test_without_a_carrier_nothing_is_found() -> None:
    detector = CtcssDetector(1)
    detector.gate(0, False)
    block = keyed(tone(88.5, 1, 1.0, 350.0), 15.0, 17)
    assert detector.process(block) == []
    detector.gate(0, True)
    events = detector.process(RowBlock(block.samples[:, KEYED:], RATE, RATE))
    assert told(events) == [(0, 88.5)]
    # the sub-blocks gathered behind the closed gate count: no need to wait for a whole window
    assert events[0].decided < RATE + 0.05 * RATE
    detector.gate(0, False)
    assert told(detector.process(RowBlock(block.samples, RATE, RATE + block.end - KEYED)), EventKind.CTCSS_LOST) == [
        (0, 88.5)
    ]


def test_rubbish_does_not_poison() -> None:
    block = keyed(tone(88.5, 1, 1.5, 350.0), 15.0, 18)
    bad = block.samples.copy()
    bad[0, 1000:1010] = np.nan
    bad[0, 1010:1020] = np.inf
    bad[0, 1020:1030] = -3e38
    assert told(CtcssDetector(1).process(RowBlock(bad, RATE, 0))) == [(0, 88.5)]


def test_wrong_calls_are_named() -> None:
    with pytest.raises(RateError, match="24000"):
        CtcssDetector(1, 11_025)
    with pytest.raises(RangeError, match="60"):
        CtcssDetector(1, extra_hz=[20.0])
    with pytest.raises(RangeError, match="apart"):
        CtcssDetector(1, extra_hz=[67.5])
    with pytest.raises(ShapeError, match=r"\(2, n\)"):
        CtcssDetector(2).process(RowBlock(np.zeros((1, 5), np.float32), RATE, 0))
    with pytest.raises(RateError):
        CtcssDetector(1).process(RowBlock(np.zeros((1, 5), np.float32), 48_000, 0))
    with pytest.raises(RangeError):
        CtcssDetector(1).gate(1, True)


def test_the_corpus(corpus: dict[str, dict[str, Any]]) -> None:
    entry = corpus["nfm_ctcss_steps_a"]
    events = CtcssDetector(1).process(RowBlock(discriminated(channels(entry, 11_000.0)), RATE, 0))
    steps = entry["truth"]["channels"][0]["ctcss_sequence_start_stop_hz"]
    found = [e for e in events if e.kind is EventKind.CTCSS]
    lost = [e for e in events if e.kind is EventKind.CTCSS_LOST]
    assert [e.value for e in found] == [e.value for e in lost] == [s[2] for s in steps]
    for (start, stop, _), a, b in zip(steps, found, lost):
        assert abs(a.index / RATE - start) < 0.03
        assert a.decided / RATE - start < 0.150
        assert abs(b.index / RATE - stop) < 0.03
    entry = corpus["nfm_scene_a"]
    events = CtcssDetector(5).process(RowBlock(discriminated(channels(entry, 11_000.0)), RATE, 0))
    want = [(r, c["ctcss_hz"]) for r, c in enumerate(entry["truth"]["channels"]) if "ctcss_hz" in c]
    assert sorted(told(events)) == want
    entry = corpus["nfm_dcs_a"]
    assert CtcssDetector(2).process(RowBlock(discriminated(channels(entry, 11_000.0)), RATE, 0)) == []
