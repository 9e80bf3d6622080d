"""The store of symbols against lists: the same answers whatever the cut, whatever was forgotten."""

import numpy as np
import pytest

from dsp.p25 import stream, symbols
from dsp.p25.nid import Duid, Nid
from dsp.p25.sync import known_head
from tests.reference import p25_stream as reference

RATE = 24_000
STEP = RATE // symbols.SYMBOL_RATE


def some_symbols(rng: np.random.Generator, count: int) -> np.ndarray[tuple[int, int], np.dtype[np.float32]]:
    """Noise with a head of either polarity now and then, some of its bits wrong and some erased."""
    llr = rng.normal(size=(count, 2)).astype(np.float32)
    for place in range(int(rng.integers(200)), count - 60, 300):
        head = symbols.soft_dibits(known_head(Nid(0x293, Duid.LDU1)))
        llr[place : place + 56] = (head * rng.choice([1, -1], size=2) + 0.5 * rng.normal(size=head.shape)) * 3
        llr[place + rng.integers(56, size=2)] = rng.choice([0.0, np.nan])
    return llr


@pytest.mark.parametrize("seed", range(6))
def test_agrees_with_lists(seed: int) -> None:
    rng = np.random.default_rng(seed)
    llr = some_symbols(rng, 9000)
    llr.setflags(write=False)
    at = 7 + STEP * np.arange(len(llr), dtype=np.int64)
    own, slow = stream.SymbolStream(RATE), reference.SymbolStream(RATE)
    first, kept, syncs = 0, 0, 0
    while first < len(llr):
        n = min(int(rng.integers(1, 1 + rng.choice([4, 60, stream.PIECE]))), len(llr) - first)
        piece = slice(first, first + n)
        found = own.append(llr[piece], at[piece])
        if found is None:
            # No room any more: what is far behind may go, or more room is made.
            kept = max(kept, first - int(rng.choice([200, 3000])))
            found = own.extend(llr[piece], at[piece], kept)
        assert [(p.place, p.inverted) for p in found] == slow.append(llr[piece], at[piece])
        syncs += len(found)
        first += n
        assert own.count == first
        if rng.random() < 0.02:
            own.forget()
            slow.forgotten = kept = first
            assert own.empty
            continue
        start = int(rng.integers(kept, first))
        span, inverted = first - start, bool(rng.random() < 0.5)
        assert own.when(start) == at[start]
        assert own.status(start, span, inverted) == slow.status(start, span, inverted)
        places = np.flatnonzero(rng.random(span) < 0.5).astype(np.int32)
        if len(places):
            places.setflags(write=False)
            gathered = own.gather(start, places, inverted)
            assert np.array_equal(gathered, np.array(slow.gather(start, places, inverted), np.float32), equal_nan=True)
        expected = llr[start:first] * ([-1, 1] if inverted else [1, 1])
        assert np.array_equal(own.symbols(start, span, inverted), expected, equal_nan=True)
    assert syncs > 15


def test_what_does_not_follow_is_not_taken() -> None:
    rng = np.random.default_rng(1)
    for _ in range(300):
        own, slow = stream.SymbolStream(RATE), reference.SymbolStream(RATE)
        steps = rng.choice([4, 5, 5, 5, 6, 7, 8, 10], size=12)
        at = np.cumsum(steps).astype(np.int64)
        llr = np.ones((len(at), 2), dtype=np.float32)
        own.append(llr[:1], at[:1])
        slow.append(llr[:1], at[:1])
        taken = own.append(llr[1:], at[1:])
        assert (taken is not None) == slow.follows(at[1:])
        assert own.count == (1 if taken is None else len(at))
        own.forget()
        # Nothing is left that it could follow.
        assert own.append(llr[:1], at[:1] + 10_000) == []


def test_a_gap_is_one_and_a_half_symbols() -> None:
    own = stream.SymbolStream(48_000)
    one = np.ones((1, 2), dtype=np.float32)
    assert own.append(one, np.array([0])) == []
    assert own.append(one, np.array([14])) == []
    assert own.append(one, np.array([14 + 15])) is None
    assert own.append(np.ones((2, 2), dtype=np.float32), np.array([24, 24 + 15])) == []
    assert own.append(np.ones((2, 2), dtype=np.float32), np.array([49, 49 + 16])) is None
    assert own.extend(one, np.array([1000]), 0) == []
    assert own.count == 5


def test_symbols_that_are_not_kept_are_refused() -> None:
    own = stream.SymbolStream(RATE)
    at = STEP * np.arange(100, dtype=np.int64)
    own.append(np.ones((100, 2), dtype=np.float32), at)
    places = np.arange(10, dtype=np.int32)
    own.gather(90, places, False)
    for start in (-1, 91):
        with pytest.raises(IndexError, match="not kept"):
            own.gather(start, places, False)
    with pytest.raises(IndexError, match="not kept"):
        own.status(60, 41, False)
    with pytest.raises(IndexError, match="not kept"):
        own.when(100)
    own.forget()
    with pytest.raises(IndexError, match="not kept"):
        own.when(99)


def test_reset_is_a_fresh_start() -> None:
    own = stream.SymbolStream(RATE)
    own.append(np.ones((100, 2), dtype=np.float32), STEP * np.arange(100, dtype=np.int64))
    own.reset()
    assert own.empty
    assert own.count == 0
