"""Discriminator audio: hiss is no signal, quieted hiss is, whatever scale, polarity and offset the jack has."""

from itertools import pairwise

import numpy as np
import pytest
from numpy.typing import NDArray

from dsp.blocks import IqBlock, RowBlock
from dsp.errors import RateError, ShapeError
from dsp.events import EventKind, RowEvent
from dsp.noisesquelch import RATE, NoiseSquelch
from dsp.resample import Resampler
from tests.support.discriminator import jack


def at_24k(audio: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.ascontiguousarray(
        Resampler(48_000, RATE).process(IqBlock(audio.astype(np.complex64), 48_000, 0)).samples.real
    )


def run(audio: NDArray[np.float32], cuts: list[int] | None = None) -> list[RowEvent]:
    squelch = NoiseSquelch()
    edges = [0, *(cuts or []), len(audio)]
    events = []
    for start, stop in pairwise(edges):
        events += squelch.process(RowBlock(audio[None, start:stop], RATE, start))
    return events


def times(events: list[RowEvent]) -> list[tuple[str, float]]:
    return [(e.kind.value, e.index / RATE) for e in events]


@pytest.mark.parametrize("cn_db", [12.0, 20.0, 35.0])
@pytest.mark.parametrize("speech_hz", [None, 1000.0])
def test_a_carrier_is_found_and_lost_where_it_began_and_ended(cn_db: float, speech_hz: float | None) -> None:
    events = run(at_24k(jack(2.0, (0.5, 1.5), cn_db, speech_hz=speech_hz)))
    assert [e.kind for e in events] == [EventKind.OPEN, EventKind.CLOSE]
    assert 0.485 <= events[0].index / RATE <= 0.5
    assert events[1].index / RATE == pytest.approx(1.5, abs=0.006)
    assert events[0].decided - 0.5 * RATE <= 0.05 * RATE
    assert events[1].decided - 1.5 * RATE <= 0.02 * RATE


@pytest.mark.parametrize(("scale", "offset"), [(0.05, 0.0), (-1.0, 0.3), (20.0, -0.9)])
def test_scale_polarity_and_offset_do_not_matter(scale: float, offset: float) -> None:
    audio = at_24k(jack(2.0, (0.5, 1.5)))
    assert times(run((audio * scale + offset).astype(np.float32))) == times(run(audio))


@pytest.mark.parametrize("seed", range(8))
def test_hiss_alone_never_opens(seed: int) -> None:
    assert run(at_24k(jack(20.0, (30.0, 30.0), seed=seed))) == []


def test_a_carrier_from_the_first_sample_is_open_from_there() -> None:
    events = run(at_24k(jack(1.0, (0.0, 0.6), 25.0)))
    assert events[0].kind is EventKind.OPEN and events[0].index == 0
    assert events[1].index / RATE == pytest.approx(0.6, abs=0.006)


def test_digital_silence_is_no_carrier() -> None:
    audio = at_24k(jack(1.0, (0.3, 0.7), 30.0))
    audio[: int(0.3 * RATE)] = 0
    audio[int(0.7 * RATE) :] = 0
    events = run(audio)
    assert [e.kind for e in events] == [EventKind.OPEN, EventKind.CLOSE]
    assert events[1].index / RATE == pytest.approx(0.7, abs=0.01)


def test_a_carrier_that_never_ends_stays_open() -> None:
    audio = at_24k(jack(3.0, (0.5, 3.0), 20.0, speech_hz=None))
    assert [e.kind for e in run(np.concatenate([audio, *[audio[RATE:]] * 20]))] == [EventKind.OPEN]


@pytest.mark.parametrize("seed", range(3))
def test_any_chunking_gives_the_same_events(seed: int) -> None:
    audio = at_24k(jack(1.5, (0.4, 1.0)))
    cuts = sorted(np.random.default_rng(seed).integers(0, len(audio), 60).tolist())
    assert run(audio, cuts) == run(audio)


def test_a_short_gap_stays_open_and_a_long_one_closes() -> None:
    audio = at_24k(jack(2.0, (0.2, 2.0)))
    half = RATE // 2
    for lost, wanted in ((int(0.05 * RATE), 1), (int(0.5 * RATE), 3)):
        squelch = NoiseSquelch()
        events = squelch.process(RowBlock(audio[None, :half], RATE, 0))
        events += squelch.process(RowBlock(audio[None, half + lost :], RATE, half + lost))
        assert len(events) == wanted


def test_not_a_number_is_silence() -> None:
    audio = at_24k(jack(1.0, (0.3, 0.7)))
    audio[5_000:5_010] = np.nan
    assert [e.kind for e in run(audio)] == [EventKind.OPEN, EventKind.CLOSE]


def test_wrong_input_is_refused() -> None:
    with pytest.raises(ShapeError):
        NoiseSquelch().process(RowBlock(np.zeros((2, 10), np.float32), RATE, 0))
    with pytest.raises(RateError):
        NoiseSquelch().process(RowBlock(np.zeros((1, 10), np.float32), 8_000, 0))
