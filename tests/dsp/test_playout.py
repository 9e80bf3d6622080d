"""The launch buffer: exact from the first sample, faster than the air only in pauses, and nothing unaccounted for."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from dsp.errors import RangeError, ShapeError
from dsp.playout import HOP_SAMPLES, Playout, Speech
from tests.reference import playout as reference

Audio = NDArray[np.float32]


def speech(seconds: float, seed: int, noise: float = 1e-3, talk_s: float = 1.2, pause_s: float = 0.4) -> Audio:
    """Bursts of modulated noise, with pauses of about `pause_s` that hold only the noise floor."""
    rng = np.random.default_rng(seed)
    parts: list[NDArray[np.float64]] = []
    n = 0
    while n < seconds * 8000:
        for length, level in ((talk_s, 0.2), (pause_s, 0.0)):
            m = int(8000 * length * rng.uniform(0.6, 1.4))
            # Syllables at 4 Hz that never fall to silence within a phrase.
            envelope = level * (0.6 + 0.4 * np.sin(2 * np.pi * 4 * np.arange(m) / 8000))
            parts.append(envelope * rng.standard_normal(m) + noise * rng.standard_normal(m))
            n += m
    return np.concatenate(parts)[: int(seconds * 8000)].astype(np.float32)


def play(x: Audio, lag: int, reserve: int = 80, tick: int = 160) -> tuple[Audio, Playout, list[int]]:
    """Play `x` as it comes in, beginning `lag` samples late, to its end; also the lag after every tick."""
    source, frames, lags = Speech(0), [], []
    cursor = Playout(source, reserve=reserve)
    at = 0
    while not cursor.drained:
        fed = min(at + lag + tick, len(x))
        source.push(x[source.end : fed])
        if fed == len(x):
            source.flush()
        frame = np.zeros(tick, np.float32)
        cursor.pull(frame)
        frames.append(frame)
        lags.append(cursor.lag)
        at += tick
    return np.concatenate(frames), cursor, lags


def test_without_delay_it_is_the_input() -> None:
    x = speech(3, 1)
    y, cursor, _ = play(x, 80)
    np.testing.assert_array_equal(y[: len(x)], x)
    assert (cursor.played, cursor.skipped, cursor.waited) == (len(x), 0, 0)


@pytest.mark.parametrize("lag_ms", [200, 500, 1000])
def test_delay_is_won_back_within_seconds_of_speech_with_pauses(lag_ms: int) -> None:
    x = speech(20, 2)
    y, cursor, lags = play(x, lag_ms * 8)
    # Every pause of 0.4 s gives up to 0.25 s; there is one in 1.6 s.
    seconds = next(t for t, lag in enumerate(lags) if lag < 150 * 8) / 50
    assert seconds < 2.0 + lag_ms / 1000 * 7
    assert all(later <= 150 * 8 for later in lags[int(seconds * 50) :])
    assert cursor.played + cursor.skipped == len(x)
    assert len(np.trim_zeros(y, "b")) <= len(x)


def test_only_pauses_are_shortened_and_never_by_more_than_their_middle() -> None:
    x = speech(20, 3)
    marked = reference.pauses(x)
    source = Speech(0, keep=len(x))
    source.push(x)
    cursor = Playout(source)
    hop = np.zeros(HOP_SAMPLES, np.float32)
    jumps = 0
    while cursor.lag > HOP_SAMPLES:
        at, skipped = cursor.position, cursor.skipped
        cursor.pull(hop)
        jump = cursor.skipped - skipped
        if not jump:
            continue
        jumps += 1
        np.testing.assert_allclose(hop[0], x[at], atol=2e-4)  # the fade begins where it left
        # 30 ms of pause before the jump, the fade, and 30 ms of pause after it all remain.
        assert all(marked[(at - 240) // HOP_SAMPLES : (at + jump + 40 + 240) // HOP_SAMPLES])
    assert jumps >= 8
    assert cursor.skipped > 8000


def test_speech_without_pauses_is_not_touched() -> None:
    x = np.random.default_rng(4).uniform(-0.5, 0.5, 40000).astype(np.float32)
    y, cursor, _ = play(x, 4000)
    np.testing.assert_array_equal(y[:40000], x)
    assert cursor.skipped == 0


def test_digital_silence_and_a_noisy_channel_are_pauses_too() -> None:
    for noise in (0.0, 0.03):
        x = speech(10, 5, noise=noise)
        _, cursor, lags = play(x, 4000)
        assert cursor.skipped >= 2800, noise
        assert lags[400] < 150 * 8


@pytest.mark.parametrize("lag", [0, 40, 1000, 4001])
@pytest.mark.parametrize("reserve", [0, 80])
def test_agrees_with_its_twin(lag: int, reserve: int) -> None:
    x = speech(2.5, 6, talk_s=0.4, pause_s=0.3)
    x[3000] = np.nan
    source = Speech(0, keep=32768)
    cursor, twin = Playout(source, reserve=reserve), reference.Playout(0, reserve)
    fed = lag
    source.push(x[:fed])
    while fed < len(x):
        frame = np.zeros(160, np.float32)
        cursor.pull(frame)
        np.testing.assert_array_equal(frame, twin.pull(x[:fed], 160, ended=False))
        source.push(x[fed : fed + 160])
        fed += 160
    assert source.pauses().tolist() == reference.pauses(x)
    assert (cursor.position, cursor.played, cursor.skipped, cursor.waited) == (
        twin.position, twin.played, twin.skipped, twin.waited
    )  # fmt: skip


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(0, 400), min_size=1, max_size=60), st.randoms(use_true_random=False))
def test_neither_the_cut_of_the_pushes_nor_of_the_pulls_matters(sizes: list[int], random: object) -> None:
    x = speech(1.5, 7, talk_s=0.3, pause_s=0.3)
    whole = Speech(0)
    whole.push(x)
    pieces = Speech(0)
    at = 0
    for n in [*sizes, len(x)]:
        pieces.push(x[at : at + n])
        at = min(at + n, len(x))
    assert whole.pauses().tolist() == pieces.pauses().tolist()
    # With everything known, one long pull and many short ones differ only by what is still due at the end.
    one, many = Playout(whole, reserve=len(x)), Playout(pieces, reserve=len(x))
    long = np.zeros(len(x), np.float32)
    one.pull(long)
    short = []
    for n in [*sizes, len(x)]:
        part = np.zeros(n, np.float32)
        many.pull(part)
        short.append(part)
    np.testing.assert_array_equal(np.concatenate(short)[: len(x)], long)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 3000), st.integers(0, 700)), max_size=40), st.integers(0, 500))
def test_every_sample_is_accounted_for(steps: list[tuple[int, int]], start: int) -> None:
    x = speech(6, 8, talk_s=0.3, pause_s=0.3)
    source = Speech(1000, keep=4096)
    source.push(x[:500])
    cursor = Playout(source, 1000 + start)
    pulled = 0
    for push, pull in steps:
        at = source.end - 1000
        source.push(x[at : at + push])
        cursor.pull(np.zeros(pull, np.float32))
        pulled += pull
        assert cursor.played + cursor.skipped + cursor.lost == cursor.position - (1000 + start)
        assert cursor.played + cursor.waited == pulled
        assert cursor.lag >= 0


def test_what_was_overwritten_is_counted_as_lost() -> None:
    source = Speech(0, keep=1024)
    cursor = Playout(source)
    source.push(np.arange(3000, dtype=np.float32))
    frame = np.zeros(160, np.float32)
    cursor.pull(frame)
    assert cursor.lost == 3000 - 1024
    np.testing.assert_array_equal(frame, np.arange(1976, 2136, dtype=np.float32))


def test_one_sample_and_empty_blocks_and_reset() -> None:
    x = speech(1, 9)
    x.flags.writeable = False
    source = Speech(5)
    source.push(x[:0])
    source.push(x[:1])
    assert source.end == 6
    source.push(x[1:])
    cursor = Playout(source)
    cursor.pull(np.zeros(0, np.float32))
    first, again = np.zeros(4000, np.float32), np.zeros(4000, np.float32)
    cursor.pull(first)
    cursor.reset()
    assert (cursor.position, cursor.played, cursor.skipped) == (5, 0, 0)
    cursor.pull(again)
    np.testing.assert_array_equal(first, again)
    source.reset()
    assert source.end == 5


def test_wrong_use_is_refused() -> None:
    with pytest.raises(RangeError, match="160 or more"):
        Speech(0, keep=10)
    source = Speech(100)
    with pytest.raises(ShapeError, match="float64"):
        source.push(np.zeros(10))  # type: ignore[arg-type]
    with pytest.raises(ShapeError, match=r"\(1, 10\)"):
        source.push(np.zeros((1, 10), np.float32))
    for start in (99, 101):
        with pytest.raises(RangeError, match="100 … 100 is known"):
            Playout(source, start)
    with pytest.raises(RangeError, match="reserve"):
        Playout(source, reserve=-1)
