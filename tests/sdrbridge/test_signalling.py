"""Tones and codes: the tables, and what is nearest."""

import pytest

from dsp.tones.tables import CTCSS_HZ, DCS_CODES
from sdrbridge.signalling import nearest_ctcss


def test_tables_are_complete_and_sorted() -> None:
    assert len(CTCSS_HZ) == len(set(CTCSS_HZ)) == 50
    assert len(DCS_CODES) == len(set(DCS_CODES)) == 104
    assert list(CTCSS_HZ) == sorted(CTCSS_HZ)
    assert list(DCS_CODES) == sorted(DCS_CODES)


@pytest.mark.parametrize(
    ("hertz", "tones"), [(101.0, (100.0, 103.5)), (10.0, (67.0, 69.3)), (68.0, (67.0, 69.3)), (300.0, (250.3, 254.1))]
)
def test_nearest_tones(hertz: float, tones: tuple[float, ...]) -> None:
    assert nearest_ctcss(hertz) == tones
