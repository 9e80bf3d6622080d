"""Numbers as people write them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sdrbridge.units import format_frequency, parse_duration, parse_frequency


@pytest.mark.parametrize(
    ("text", "hertz"),
    [
        ("155.7525M", 155_752_500),
        ("12.5k", 12_500),
        ("-8.09k", -8_090),
        ("8.33k", 8_330),
        ("240000", 240_000),
        ("1.2G", 1_200_000_000),
        ("0", 0),
        (" 151.1375MHz ", 151_137_500),
        ("+25K", 25_000),
    ],
)
def test_frequency(text: str, hertz: int) -> None:
    assert parse_frequency(text) == hertz


@pytest.mark.parametrize("text", ["", "M", "155,7525M", "155.7525 m", "1e6", "12.5kk", "nan", "0x10", "1.0000001k"])
def test_what_is_no_frequency_is_refused_with_its_text(text: str) -> None:
    with pytest.raises(ValueError, match=r"Hz|frequency") as problem:
        parse_frequency(text)
    assert f'"{text}"' in str(problem.value)


@given(st.integers(-(10**11), 10**11))
def test_what_is_written_reads_back(hertz: int) -> None:
    assert parse_frequency(format_frequency(hertz)) == hertz


@pytest.mark.parametrize(
    ("text", "seconds"), [("90", 90), ("1.5s", 1.5), ("2m30s", 150), ("1h30m", 5400), ("1h", 3600), ("0.25", 0.25)]
)
def test_duration(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "h", "1d", "-5", "5m1h", "9" * 400])
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="duration"):
        parse_duration(text)
