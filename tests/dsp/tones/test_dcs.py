"""DCS: the right code in time under any of its names, its turn-off tone, and nothing where there is none."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from dsp.blocks import RowBlock
from dsp.design import lowpass
from dsp.errors import RangeError, RateError, ShapeError
from dsp.events import EventKind, RowEvent
from dsp.tones.codes import code_word, equivalent_codes
from dsp.tones.ctcss import CtcssDetector
from dsp.tones.dcs import DcsDetector
from dsp.tones.subaudible import SubaudibleFilter
from dsp.tones.tables import CTCSS_HZ, DCS_CODES
from tests.support.onair import RATE, channels, discriminated, filtered, fm, idle, received, voice

KEYED = int(0.3 * RATE)
Hz = NDArray[np.float64]


def code(names: list[str], seconds: float, deviation_hz: float, seed: int = 1, clock: float = 134.4) -> Hz:
    """Deviation of codes, each beginning somewhere in its word, (rows, n)."""
    t = np.arange(int(seconds * RATE)) / RATE
    begin = np.random.default_rng(seed).uniform(0, 23, len(names))
    bits = np.array([[2.0 * (code_word(c) >> k & 1) - 1 for k in range(23)] for c in names])
    out = np.stack([b[np.floor(t * clock + s).astype(int) % 23] for b, s in zip(bits, begin)])
    return np.asarray(deviation_hz * filtered(out, lowpass(250.0, RATE, 193, 40.0)))


def keyed(deviation_hz: Hz, cn_db: float, seed: int, first: int = KEYED, last: int | None = None) -> RowBlock:
    clean = fm(deviation_hz)
    clean[:, :first] = 0
    if last is not None:
        clean[:, last:] = 0
    return RowBlock(discriminated(received(clean, cn_db, seed)), RATE, 0)


def told(events: list[RowEvent], kind: EventKind = EventKind.DCS) -> list[tuple[int, Any]]:
    return [(e.row, e.value) for e in events if e.kind is kind]


@pytest.mark.parametrize("polarity", ["N", "I"])
def test_every_code_within_350_ms_at_12_db_sinad(polarity: str) -> None:
    names = [c + polarity for c in DCS_CODES]
    speech = np.tile(voice(8, 0.75, 2), (13, 1))
    block = keyed(code(names, 0.75, 450.0) + speech, 6.0, 3)
    events = DcsDetector(104, expected=names).process(block)
    assert sorted(told(events)) == list(enumerate(names))
    late = np.array([e.decided - KEYED for e in events]) / RATE
    assert late.max() <= 0.350
    begun = np.array([e.index - KEYED for e in events]) / RATE
    assert begun.min() > -0.12
    assert begun.max() < 0.06


@pytest.mark.parametrize(
    ("deviation_hz", "offset_hz", "clock"),
    [(250.0, 0.0, 134.4), (700.0, 0.0, 134.4), (450.0, 1500.0, 134.4), (450.0, -1500.0, 134.3), (450.0, 0.0, 134.53)],
)
def test_weak_strong_mistuned_and_a_clock_that_is_off(deviation_hz: float, offset_hz: float, clock: float) -> None:
    names = ["023N", "754I", "245N", "025I", "411N", "131I"]
    block = keyed(code(names, 3.0, deviation_hz, 4, clock) + voice(6, 3.0, 5) + offset_hz, 9.0, 6)
    detector = DcsDetector(6, expected=names)
    events = detector.process(block)
    assert sorted(told(events)) == list(enumerate(names))
    assert len(events) == 6
    assert all(e.decided - KEYED <= 0.350 * RATE for e in events)
    assert detector.code == names
    # the low-pass and the filter of the transmitter take their share of the deviation
    assert np.allclose(detector.deviation_hz, 0.85 * deviation_hz, rtol=0.15)


def test_the_turn_off_tone_and_the_bare_end() -> None:
    turn, last, names = int(1.2 * RATE), int(1.38 * RATE), ["023N", "754I", "245N", "025I"]
    t = np.arange(int(2.0 * RATE)) / RATE
    bare = code(names, 2.0, 450.0) + voice(4, 2.0, 7)
    tone = bare.copy()
    tone[:, turn:] = 450.0 * np.sin(2 * np.pi * 134.4 * t[turn:])
    events = DcsDetector(4, expected=names).process(keyed(tone, 9.0, 8, last=last))
    off = [e for e in events if e.kind is EventKind.DCS_TURN_OFF]
    assert sorted(told(events, EventKind.DCS_TURN_OFF)) == list(enumerate(names))
    assert all(abs(e.index - turn) < 0.02 * RATE and e.decided - turn <= 0.150 * RATE for e in off)
    assert sorted(told(events, EventKind.DCS_LOST)) == list(enumerate(names))
    assert len(told(events)) == 4
    events = DcsDetector(4, expected=names).process(keyed(bare, 9.0, 9, last=last))
    assert not told(events, EventKind.DCS_TURN_OFF)
    lost = [e for e in events if e.kind is EventKind.DCS_LOST]
    assert len(lost) == 4
    assert all(abs(e.index - last) < 0.05 * RATE and e.decided - last < 0.35 * RATE for e in lost)


def test_a_weak_turn_off_tone_is_understood_and_a_weak_code_is_none() -> None:
    # 250 Hz of deviation at 5 dB C/N: about 10 dB SINAD
    turn, last, rows = RATE, int(1.18 * RATE), 60
    names = [DCS_CODES[k] + "NI"[k % 2] for k in range(rows)]
    bare = code(names, 1.5, 250.0) + voice(rows, 1.5, 7)
    tone = bare.copy()
    tone[:, turn:] = 250.0 * np.sin(2 * np.pi * 134.4 * np.arange(bare.shape[1] - turn) / RATE)
    events = DcsDetector(rows).process(keyed(tone, 5.0, 8, last=last))
    off = [e for e in events if e.kind is EventKind.DCS_TURN_OFF]
    assert len({e.row for e in off}) >= 58
    assert all(e.decided > turn for e in off)
    assert not told(DcsDetector(rows).process(keyed(bare, 5.0, 9, last=last)), EventKind.DCS_TURN_OFF)


@pytest.mark.parametrize("hz", [131.8, 136.5])
def test_a_tone_beside_the_turn_off_tone_is_not_taken_for_it(hz: float) -> None:
    turn = int(1.2 * RATE)
    t = np.arange(int(1.8 * RATE)) / RATE
    deviation = code(["023N", "754I"], 1.8, 450.0)
    deviation[:, turn:] = 450.0 * np.sin(2 * np.pi * hz * t[turn:])
    events = DcsDetector(2).process(keyed(deviation, 20.0, 10))
    assert not told(events, EventKind.DCS_TURN_OFF)
    assert len(told(events, EventKind.DCS_LOST)) == 2


def test_neither_hiss_nor_speech_nor_tones_are_codes_nor_codes_tones() -> None:
    assert DcsDetector(16).process(RowBlock(discriminated(idle(16, 15.0, 11)), RATE, 0)) == []
    assert DcsDetector(8).process(keyed(voice(8, 8.0, 12), 12.0, 13, first=0)) == []
    t = np.arange(2 * RATE) / RATE
    tones = 500.0 * np.cos(2 * np.pi * np.array([*CTCSS_HZ, 67.2, 134.4])[:, None] * t)
    assert DcsDetector(52).process(RowBlock(discriminated(fm(tones).astype(np.complex64)), RATE, 0)) == []
    codes = code([c + "N" for c in DCS_CODES], 2.0, 600.0)
    assert CtcssDetector(104).process(RowBlock(discriminated(fm(codes).astype(np.complex64)), RATE, 0)) == []


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
    block = keyed(code(["023N", "754I", "245N"], 2.0, 350.0) + voice(3, 2.0, 14), 6.0, 15, last=int(1.4 * RATE))
    whole = DcsDetector(3).process(block)
    assert len(whole) == 6
    for seed in range(5):
        detector = DcsDetector(3)
        assert [e for part in cut(block, seed) for e in detector.process(part)] == whole


def test_rows_do_not_influence_each_other_and_reset_is_a_fresh_start() -> None:
    block = keyed(code(["023N", "754I"], 1.0, 450.0), 10.0, 16)
    detector = DcsDetector(2)
    both = detector.process(block)
    alone = DcsDetector(1).process(RowBlock(block.samples[1:], RATE, 0))
    assert [(e.index, e.decided, e.value) for e in both if e.row == 1] == [(e.index, e.decided, e.value) for e in alone]
    detector.reset_row(0)
    assert detector.code == [None, alone[0].value]
    # a whole verdict's worth of new bits is needed before the row knows again
    more = RowBlock(np.ascontiguousarray(block.samples[:, KEYED:]), RATE, block.end)
    assert [(e.row, e.decided - block.end > 0.2 * RATE) for e in detector.process(more)] == [(0, True)]
    detector.reset()
    assert detector.process(block) == both


def test_a_short_gap_keeps_the_code_and_a_long_one_ends_it() -> None:
    block = keyed(code(["023N"], 3.0, 450.0), 15.0, 17)
    for gap, kinds in ((0.08, [EventKind.DCS]), (0.3, [EventKind.DCS, EventKind.DCS_LOST, EventKind.DCS])):
        detector, after = DcsDetector(1), int((1 + gap) * RATE)
        events = detector.process(RowBlock(block.samples[:, :RATE], RATE, 0))
        events += detector.process(RowBlock(np.ascontiguousarray(block.samples[:, after:]), RATE, after))
        assert [e.kind for e in events] == kinds


def test_without_a_carrier_nothing_is_found() -> None:
    block = keyed(code(["023N"], 1.0, 450.0), 15.0, 18)
    detector = DcsDetector(1)
    detector.gate(0, False)
    assert detector.process(block) == []
    detector.gate(0, True)
    events = detector.process(RowBlock(block.samples[:, KEYED:], RATE, block.end))
    assert told(events) == [(0, "023N")]
    detector.gate(0, False)
    events = detector.process(RowBlock(block.samples, RATE, block.end + block.end - KEYED))
    assert told(events, EventKind.DCS_LOST) == [(0, "023N")]


def test_rubbish_does_not_poison() -> None:
    block = keyed(code(["023N"], 1.5, 450.0), 15.0, 19)
    bad = block.samples.copy()
    bad[0, 1000:1010] = np.nan
    bad[0, 1010:1020] = np.inf
    bad[0, 1020:1030] = -3e38
    assert told(DcsDetector(1).process(RowBlock(bad, RATE, 0))) == [(0, "023N")]


def test_wrong_calls_are_named() -> None:
    with pytest.raises(RateError, match="24000"):
        DcsDetector(1, 11_025)
    with pytest.raises(ShapeError, match="1 codes for 2 rows"):
        DcsDetector(2, expected=["023N"])
    with pytest.raises(RangeError, match="023N"):
        DcsDetector(1, expected=["23"])
    with pytest.raises(RangeError, match="no standard code"):
        DcsDetector(1).expect(0, "000N")
    with pytest.raises(ShapeError, match=r"\(2, n\)"):
        DcsDetector(2).process(RowBlock(np.zeros((1, 5), np.float32), RATE, 0))
    with pytest.raises(RateError):
        DcsDetector(1).process(RowBlock(np.zeros((1, 5), np.float32), 48_000, 0))


def test_the_corpus(corpus: dict[str, dict[str, Any]]) -> None:
    for name, bandwidth in (("nfm_dcs_a", 11_000.0), ("nfm_scene_a", 11_000.0), ("nfm_ctcss_steps_a", 11_000.0)):
        entry = corpus[name]
        x = channels(entry, bandwidth)
        events = DcsDetector(len(x)).process(RowBlock(discriminated(x), RATE, 0))
        truth = {r: c["dcs"] for r, c in enumerate(entry["truth"]["channels"]) if "dcs" in c}
        assert {r: truth[r] in equivalent_codes(v) for r, v in told(events)} == dict.fromkeys(truth, True)
        assert len(events) == len(truth)
        assert all(e.decided <= 0.350 * RATE and e.index <= 240 for e in events)


def test_a_shared_front_end_gives_the_same() -> None:
    n = int(1.2 * RATE)
    deviation = np.stack([400.0 * np.cos(2 * np.pi * 100.0 * np.arange(n) / RATE), code(["023N"], 1.2, 450.0)[0]])
    block = RowBlock(deviation.astype(np.float32), RATE, 0)
    ctcss, dcs, front = CtcssDetector(2), DcsDetector(2), SubaudibleFilter(2)
    told: list[RowEvent] = []
    for part in cut(block, 3):
        low = front.process(part)
        told += ctcss.detect(low) + dcs.detect(low)
    want = CtcssDetector(2).process(block) + DcsDetector(2).process(block)
    assert {(e.kind, e.row) for e in want} == {(EventKind.CTCSS, 0), (EventKind.DCS, 1)}
    assert sorted(told, key=lambda e: e.decided) == sorted(want, key=lambda e: e.decided)
