"""The look-back ring gives back what was written where it was on the air, and says what is missing."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dsp.blocks import RowBlock
from dsp.errors import RangeError, RateError, ShapeError
from dsp.lookback import LookBack


def ramp(rows: int, start: int, n: int) -> np.ndarray:
    """Sample value says its row and index, so a misplaced one shows."""
    return (np.arange(start, start + n)[None, :] + 1 + 100_000 * np.arange(rows)[:, None]).astype(np.float32)


@settings(deadline=None, max_examples=60)
@given(
    st.lists(st.tuples(st.integers(0, 40), st.integers(0, 70)), min_size=1, max_size=12),
    st.integers(1, 100),
    st.integers(-20, 500),
    st.integers(0, 120),
    st.integers(-50, 30),
)
def test_reads_what_was_written(blocks: list[tuple[int, int]], length: int, start: int, count: int, first: int) -> None:
    ring, truth, index = LookBack(2, length), {}, first
    for gap, n in blocks:
        index += gap
        ring.write(RowBlock(ramp(2, index, n), 8000, index))
        truth.update({i: i + 1 + 100_000 for i in range(index, index + n)})
        index += n
        if n == 0:
            index -= gap
    want = [truth.get(i, 0) if ring.oldest <= i < ring.end else 0 for i in range(start, start + count)]
    assert ring.read(1, start, count).tolist() == want
    assert ring.missing(start, count) == sum(
        not (ring.oldest <= i < ring.end and i in truth) for i in range(start, start + count)
    )


def test_a_gap_is_counted_and_a_restart_drops_everything() -> None:
    ring = LookBack(1, 1000)
    ring.write(RowBlock(ramp(1, 0, 100), 8000, 0))
    ring.write(RowBlock(ramp(1, 150, 100), 8000, 150))
    assert (ring.statistics().lost, ring.statistics().gaps, ring.missing(0, 250)) == (50, 1, 50)
    ring.write(RowBlock(ramp(1, 20, 10), 8000, 20))
    assert (ring.oldest, ring.end, ring.statistics().restarts) == (20, 30, 1)
    assert ring.read(0, 0, 100)[30:].tolist() == [0.0] * 70


def test_a_row_reset_leaves_the_others() -> None:
    ring = LookBack(2, 50)
    ring.write(RowBlock(ramp(2, 0, 40), 8000, 0))
    ring.reset_row(0)
    ring.write(RowBlock(ramp(2, 40, 10), 8000, 40))
    assert not ring.read(0, 0, 40).any()
    assert np.array_equal(ring.read(1, 0, 50), ramp(2, 0, 50)[1])


def test_a_fresh_ring_reads_zeros() -> None:
    ring = LookBack(1, 10)
    assert (ring.oldest, ring.end, ring.delay) == (0, 0, 0)
    assert ring.read(0, 0, 5).tolist() == [0.0] * 5
    assert ring.missing(0, 5) == 5


def test_reset_equals_a_fresh_ring() -> None:
    ring = LookBack(1, 10)
    ring.write(RowBlock(ramp(1, 5, 30), 8000, 5))
    ring.reset()
    assert (ring.oldest, ring.end, ring.missing(0, 5)) == (0, 0, 5)
    assert ring.statistics() == LookBack(1, 10).statistics()


def test_wrong_calls_are_named() -> None:
    ring = LookBack(2, 10)
    with pytest.raises(ShapeError, match=r"\(2, n\)"):
        ring.write(RowBlock(ramp(1, 0, 5), 8000, 0))
    with pytest.raises(RateError, match="24000"):
        ring.write(RowBlock(ramp(2, 0, 5), 24000, 0))
    with pytest.raises(RangeError, match="rows 0"):
        ring.read(2, 0, 1)
    with pytest.raises(RangeError):
        ring.read(0, 0, -1)
    with pytest.raises(RangeError):
        LookBack(0, 10)
    with pytest.raises(RangeError):
        LookBack(1, 0)
