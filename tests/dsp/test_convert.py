"""Sample conversion: the kernel is its twin, 8 and 16 bits survive both ways, bad values are counted."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dsp import _convert
from dsp.convert import (
    COMPLEX_TYPES,
    WRITABLE_TYPES,
    Counts,
    from_complex,
    sample_type,
    to_complex,
    to_real,
)
from dsp.errors import RangeError, ShapeError
from tests.reference.convert import unpack as twin

ALL_COMPLEX = [*COMPLEX_TYPES, "ci24_le"]


def random_bytes(name: str, n: int, seed: int = 1) -> np.ndarray[tuple[int], np.dtype[np.uint8]]:
    """Random bytes: for integers every value comes, for floats NaN, infinity and absurd values come too."""
    rng = np.random.default_rng(seed)
    return rng.integers(0, 256, n * sample_type(name).size, dtype=np.uint8)


@pytest.mark.parametrize("name", ALL_COMPLEX)
@pytest.mark.parametrize("n", [0, 1, 2, 15, 2047, 2048, 2049, 10007])
def test_whole_block_is_its_twin(name: str, n: int) -> None:
    kind = sample_type(name)
    raw = random_bytes(name, n)
    out = np.empty(n, np.complex64)
    counts = to_complex(raw, kind, out)
    wanted, hit = twin(raw.tobytes(), kind.component, 2)
    np.testing.assert_array_equal(out.view(np.float32), wanted)
    assert counts == (Counts(clipped=hit) if kind.is_integer else Counts(invalid=hit))


@pytest.mark.parametrize("component", _convert.UNPACK_FORMATS)
def test_real_samples_are_their_twin(component: str) -> None:
    kind = sample_type("r" + component)
    raw = random_bytes(kind.name, 5001)
    out = np.empty(5001, np.float32)
    counts = to_real(raw, kind, out)
    wanted, hit = twin(raw.tobytes(), component, 1)
    np.testing.assert_array_equal(out, wanted)
    assert counts.clipped + counts.invalid == hit


@given(cuts=st.lists(st.integers(0, 3000), max_size=8), name=st.sampled_from(ALL_COMPLEX))
def test_any_chunking_gives_the_same_bits(cuts: list[int], name: str) -> None:
    kind = sample_type(name)
    raw = random_bytes(name, 3000)
    whole, pieces = np.empty(3000, np.complex64), np.empty(3000, np.complex64)
    total = to_complex(raw, kind, whole)
    edges = [0, *sorted(cuts), 3000]
    clipped = invalid = 0
    for a, b in itertools.pairwise(edges):
        counts = to_complex(raw[a * kind.size : b * kind.size], kind, pieces[a:b])
        clipped, invalid = clipped + counts.clipped, invalid + counts.invalid
    assert whole.tobytes() == pieces.tobytes()
    assert total == Counts(clipped, invalid)


def test_read_only_and_unaligned_input() -> None:
    kind = sample_type("cf32")
    samples = np.arange(100, dtype=np.float32).view(np.complex64)
    raw = np.frombuffer(b"x" + samples.tobytes(), np.uint8)[1:]
    assert not raw.flags.writeable
    out = np.empty(50, np.complex64)
    to_complex(raw, kind, out)
    np.testing.assert_array_equal(out, samples)


def test_zero_and_full_scale_of_cu8() -> None:
    out = np.empty(2, np.complex64)
    counts = to_complex(np.array([127, 128, 0, 255], np.uint8), sample_type("cu8"), out)
    assert out.tolist() == [complex(-1 / 256, 1 / 256), complex(-255 / 256, 255 / 256)]
    assert counts == Counts(clipped=1)


def test_a_sample_with_one_bad_half_is_set_to_zero_whole() -> None:
    values = np.array([0.5, np.nan, np.inf, 0.5, 0.25, -0.25, 2.0**31, 0, 2.0**30, -(2.0**30)], "<f4")
    out = np.empty(5, np.complex64)
    counts = to_complex(values.view(np.uint8), sample_type("cf32"), out)
    assert out.tolist() == [0, 0, 0.25 - 0.25j, 0, 2.0**30 - 2.0**30 * 1j]
    assert counts == Counts(invalid=3)


@pytest.mark.parametrize("name", ["cu8", "ci8", "ci16_le"])
def test_integers_survive_both_ways(name: str) -> None:
    kind = sample_type(name)
    raw = random_bytes(name, 70000)
    out = np.empty(70000, np.complex64)
    to_complex(raw, kind, out)
    back, clipped = from_complex(out, kind)
    assert back.tobytes() == raw.tobytes()
    assert clipped == 0


def test_floats_survive_both_ways() -> None:
    samples = (np.random.default_rng(2).standard_normal(1000).astype(np.float32)).view(np.complex64)
    raw, clipped = from_complex(samples, sample_type("cf32"))
    assert raw.tobytes() == samples.tobytes() and clipped == 0


@pytest.mark.parametrize(("name", "zero", "low", "high"), [("cu8", 128, 0, 255), ("ci8", 0, -128, 127)])
def test_writing_limits_what_is_beyond_full_scale(name: str, zero: int, low: int, high: int) -> None:
    samples = np.array([1.5 + 0j, complex(-1.5, np.inf), complex(np.nan, 0), 0.5 + 0.5j], np.complex64)
    raw, clipped = from_complex(samples, sample_type(name))
    assert clipped == 2
    values = raw.astype(int) if name == "cu8" else raw.view(np.int8).astype(int)
    assert values[:6].tolist() == [high, zero, low, high, zero, zero]


@pytest.mark.parametrize(
    ("written", "meant"),
    [("cs16", "ci16_le"), ("CU8", "cu8"), ("cf32", "cf32_le"), ("fc32", "cf32_le"), ("cs8", "ci8"), ("ci8_le", "ci8")],
)
def test_names_people_write(written: str, meant: str) -> None:
    assert sample_type(written).name == meant


@pytest.mark.parametrize("name", ["", "cu7", "c", "le", "cu16_", "cf32_le_le", "cf32_xx", "int", "x" * 100000])
def test_unknown_name_lists_the_known(name: str) -> None:
    with pytest.raises(RangeError, match="cu8, ci8, cu16_le"):
        sample_type(name)


def test_wrong_arrays_are_refused() -> None:
    kind, out = sample_type("cu8"), np.empty(4, np.complex64)
    with pytest.raises(ShapeError, match=r"7 bytes of cu8 do not fill 4 samples"):
        to_complex(np.zeros(7, np.uint8), kind, out)
    with pytest.raises(ShapeError, match=r"need .bytes,. uint8"):
        to_complex(np.zeros(8, np.int8), kind, out)
    with pytest.raises(ShapeError, match=r"need .bytes,. uint8"):
        to_complex(np.zeros(16, np.uint8)[::2], kind, out)
    with pytest.raises(ShapeError, match="complex64"):
        to_complex(np.zeros(8, np.uint8), kind, np.empty(4, np.complex128))
    with pytest.raises(RangeError, match="real"):
        to_complex(np.zeros(8, np.uint8), sample_type("ru8"), out)
    with pytest.raises(RangeError, match="complex"):
        to_real(np.zeros(8, np.uint8), kind, np.empty(4, np.float32))
    with pytest.raises(RangeError, match=", ".join(WRITABLE_TYPES)):
        from_complex(out, sample_type("cf64_be"))
    with pytest.raises(ShapeError, match="contiguous"):
        from_complex(np.zeros(8, np.complex64)[::2], kind)
