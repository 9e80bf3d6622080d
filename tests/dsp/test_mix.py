"""The sum of the matrix against its twin, and what silence means."""

import numpy as np
import pytest

from dsp import mix
from dsp.errors import RangeError, ShapeError
from tests.reference import mix as reference


@pytest.mark.parametrize("n", [0, 1, 39, 40, 160])
def test_agrees_with_its_twin(n: int) -> None:
    rng = np.random.default_rng(n)
    frame = rng.standard_normal(n).astype(np.float32)
    frame.flags.writeable = False
    rows = np.array([3, 0, 5, 0], np.intp)
    before = np.array([0, 1, 0.5, 0], np.float32)
    after = np.array([1, 0, 0.5, 0], np.float32)
    out = rng.standard_normal((6, n)).astype(np.float32)
    twin = out.copy()
    mix.add(frame, rows, before, after, out)
    reference.add(frame, rows, before, after, mix.RAMP, twin)
    np.testing.assert_array_equal(out, twin)


def test_gain_zero_adds_nothing_at_all() -> None:
    out = np.zeros((2, 160), np.float32)
    zero = np.zeros(2, np.float32)
    mix.add(np.full(160, np.nan, np.float32), np.arange(2), zero, zero, out)
    assert not out.any()


def test_no_rows() -> None:
    out = np.ones((2, 160), np.float32)
    none = np.zeros(0, np.float32)
    mix.add(np.ones(160, np.float32), np.zeros(0, np.intp), none, none, out)
    assert (out == 1).all()


def test_wrong_use_is_refused() -> None:
    out = np.zeros((2, 160), np.float32)
    one = np.ones(1, np.float32)
    row = np.zeros(1, np.intp)
    with pytest.raises(ShapeError, match="does not fit"):
        mix.add(np.zeros(80, np.float32), row, one, one, out)
    with pytest.raises(ShapeError, match="two gains"):
        mix.add(np.zeros(160, np.float32), row, one, np.ones(2, np.float32), out)
    for bad in (-1, 2):
        with pytest.raises(RangeError, match=r"outside 0 … 1"):
            mix.add(np.zeros(160, np.float32), np.array([bad], np.intp), one, one, out)
    assert not out.any()
