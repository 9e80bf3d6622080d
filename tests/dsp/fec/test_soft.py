"""The levels all decoders add: the kernel against the formula."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from dsp.fec import soft
from tests.reference import soft as reference


@pytest.mark.parametrize("shape", [(1,), (7,), (64,), (32, 2), (144,), (98, 2), (24, 10), (0,), (3, 0)])
def test_agrees_with_the_formula(shape: tuple[int, ...]) -> None:
    rng = np.random.default_rng(1)
    for power in range(-9, 10):
        llr = (10.0**power * rng.normal(size=shape)).astype(np.float32)
        llr.setflags(write=False)
        found = soft.levels(llr)
        assert found.dtype == np.float32
        assert np.array_equal(found, reference.levels(llr))


@given(hnp.arrays(np.float32, st.integers(0, 200), elements=st.floats(width=32)))
def test_agrees_with_the_formula_whatever_comes(llr: np.ndarray[tuple[int], np.dtype[np.float32]]) -> None:
    found = soft.levels(llr)
    assert np.array_equal(found, reference.levels(llr))
    assert np.array_equal(found, np.rint(found))
    assert found.size == 0 or np.abs(found).max() <= soft.LIMIT


def test_ties_go_to_the_even_number() -> None:
    # The mean is 4, so a level is an eighth.
    llr = np.array([0.0625, 0.1875, 0.3125, -0.0625, -0.1875, 4.0, 11.1875, 16.0], dtype=np.float32)
    assert soft.levels(llr).tolist() == [0, 2, 2, 0, -2, 32, 90, 96]


def test_other_types_and_layouts_say_the_same() -> None:
    llr = np.arange(-12, 12).reshape(6, 4)
    expected = soft.levels(llr.astype(np.float32))
    assert expected.shape == (6, 4)
    for dtype in (np.int8, np.int64, np.float64, np.float16):
        assert np.array_equal(soft.levels(llr.astype(dtype)), expected)
    assert np.array_equal(soft.levels(llr.astype(np.float32).T), expected.T)
    assert np.array_equal(soft.levels(np.repeat(llr, 2, axis=1).astype(np.float32)[:, ::2]), expected)
    assert soft.levels(np.array([1e300, -1e300, 0.0])).tolist() == [48, -48, 0]
