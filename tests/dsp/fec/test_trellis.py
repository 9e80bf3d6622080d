"""The trellis codes: the list decoder against its twin, the list in order, what it gains."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dsp.errors import RangeError, ShapeError
from dsp.fec import soft, trellis
from dsp.fec.trellis import HALF, THREE_QUARTERS, Trellis
from tests.reference import trellis as reference

CODES = [HALF, THREE_QUARTERS]
TABLES = {HALF: trellis._HALF, THREE_QUARTERS: trellis._THREE_QUARTERS}


def received(code: Trellis, data: bytes, rng: np.random.Generator, sigma: float) -> soft.Levels:
    return soft.levels(soft.from_bits(code.encode(data)) + sigma * rng.normal(size=trellis.BITS))


@given(st.sampled_from(CODES), st.binary(min_size=18, max_size=18))
def test_clean_blocks_come_back(code: Trellis, data: bytes) -> None:
    data = data[: code.bytes]
    levels = soft.levels(soft.from_bits(code.encode(data)))
    assert code.decode(levels) == [(data, 32 * trellis.BITS)]


def test_points_of_a_known_block() -> None:
    # Input dibits 0, 1, 2, 3, 0 …: points 0, 15, 8, 14, 9, 0 of the state table.
    bits = HALF.encode(bytes([0b00011011]) + bytes(11))
    assert bits[:24].tolist() == [int(b) for b in "001011001101010001010010"]


@pytest.mark.parametrize("code", CODES, ids=["half", "three quarters"])
@pytest.mark.parametrize("paths", [1, 5, trellis.LONGEST_LIST])
def test_list_agrees_with_its_twin(code: Trellis, paths: int) -> None:
    rng = np.random.default_rng(paths)
    for sigma in (0.0, 0.7, 2.0):
        levels = received(code, rng.bytes(code.bytes), rng, sigma)
        levels.setflags(write=False)
        found = code.decode(levels, paths)
        twin = reference.decode(levels, TABLES[code], paths)
        assert [total for _, total in found] == [total for total, _ in twin]
        assert len({data for data, _ in found}) == paths
        for data, total in found:
            assert int((soft.from_bits(code.encode(data)) * levels).sum()) == total


def test_list_recovers_blocks_the_best_path_loses() -> None:
    rng = np.random.default_rng(8)
    first = listed = 0
    for _ in range(200):
        data = rng.bytes(12)
        found = [block for block, _ in HALF.decode(received(HALF, data, rng, 0.8), 32)]
        first += data == found[0]
        listed += data in found
    assert first < 140
    assert listed > 180


def test_erased_burst_is_bridged() -> None:
    data = bytes(range(12))
    llr = soft.from_bits(HALF.encode(data))
    llr[40:44] = 0
    llr[44] = np.nan
    assert HALF.decode(soft.levels(llr))[0][0] == data


def test_broken_calls_are_refused() -> None:
    with pytest.raises(ShapeError, match="11 bytes; it has 12"):
        HALF.encode(bytes(11))
    with pytest.raises(ShapeError, match=r"\(196,\)"):
        HALF.decode(np.zeros(195, dtype=np.float32))
    with pytest.raises(RangeError, match="1 … 32"):
        HALF.decode(np.zeros(196, dtype=np.float32), 33)
