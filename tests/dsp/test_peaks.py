"""The look at a frame against its twin."""

import numpy as np
import pytest

from dsp.errors import RangeError
from dsp.peaks import peaks, silent
from tests.reference import peaks as reference

SIZES = [0, 1, 15, 16, 17, 40, 41, 160, 1023, 1024, 1025, 16_000]


@pytest.mark.parametrize("n", SIZES)
@pytest.mark.parametrize("shift", [-9, -0.5, 0, 9])
def test_agrees_with_its_twin(n: int, shift: float) -> None:
    rng = np.random.default_rng(n)
    x = (rng.standard_normal(n) + shift).astype(np.float32)
    x[rng.random(n) < 0.2] = 0
    x.flags.writeable = False
    for first, step in ((0, 1), (40, 8), (3, 7), (n, 1), (2 * n, 3), (0, n + 1)):
        assert peaks(x, first, step) == reference.peaks(x, first, step)
    assert silent(x) == reference.silent(x)


@pytest.mark.parametrize("n", SIZES[1:])
def test_a_single_sample_is_seen_wherever_it_is(n: int) -> None:
    for value in (1e-45, -0.25, np.inf):
        for at in {0, n // 3, n // 2, n - 1}:
            x = np.zeros(n, np.float32)
            assert silent(x) and peaks(x, 0, 1) == (0, 0, np.inf)
            x[at] = value
            assert not silent(x)
            assert peaks(x, 0, 1) == reference.peaks(x, 0, 1)
            assert peaks(x, 0, 1)[0] == abs(x[at])


def test_minus_zero_is_silence_and_nan_is_not() -> None:
    assert silent(np.full(20, -0.0, np.float32))
    x = np.full(20, np.nan, np.float32)
    assert not silent(x)
    assert peaks(x, 0, 1) == (0, 0, np.inf)
    x[3], x[17] = -0.5, 0.25
    assert peaks(x, 0, 1) == reference.peaks(x, 0, 1) == (0.5, 0.25, 0.25)


def test_wrong_use_is_refused() -> None:
    x = np.zeros(160, np.float32)
    for first, step in ((-1, 8), (40, 0), (40, -8)):
        with pytest.raises(RangeError, match="must be 0 or more"):
            peaks(x, first, step)
    with pytest.raises(ValueError, match="contiguous"):
        silent(x[::2])
