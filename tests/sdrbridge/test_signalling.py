"""Tones and codes: the tables, and which codes are one signal."""

from typing import Any

import pytest

from dsp.tones.tables import CTCSS_HZ, DCS_CODES
from sdrbridge.signalling import dcs_equivalents, dcs_word, nearest_ctcss


def test_tables_are_complete_and_sorted() -> None:
    assert len(CTCSS_HZ) == len(set(CTCSS_HZ)) == 50
    assert len(DCS_CODES) == len(set(DCS_CODES)) == 104
    assert list(CTCSS_HZ) == sorted(CTCSS_HZ)
    assert list(DCS_CODES) == sorted(DCS_CODES)


def test_word_of_023() -> None:
    # The word that radios send for code 023.
    assert dcs_word("023") == 0x763813


def test_words_are_golay_words() -> None:
    words = [dcs_word(f"{n:03o}") for n in range(512)]
    # The Golay (23, 12) code has minimum distance 7.
    assert min((words[0] ^ w).bit_count() for w in words[1:]) >= 7


def test_inverted_023_is_047() -> None:
    assert "047I" in dcs_equivalents("023N")
    assert "023N" in dcs_equivalents("047I")


def test_equivalence_is_symmetric_and_holds_the_code_itself() -> None:
    for code in DCS_CODES:
        for polarity in "NI":
            names = dcs_equivalents(code + polarity)
            assert code + polarity in names
            assert all(dcs_equivalents(other) == names for other in names)


def test_agrees_with_the_corpus(corpus: dict[str, dict[str, Any]]) -> None:
    tables: list[dict[str, Any]] = []

    def walk(value: Any) -> None:
        if isinstance(value, dict):
            if "same_bit_stream_reads_as" in value:
                tables.append(value)
            for item in value.values():
                walk(item)
        elif isinstance(value, list):
            for item in value:
                walk(item)

    for entry in corpus.values():
        walk({k: v for k, v in entry.items() if k != "path"})
    assert tables
    for table in tables:
        reads = table["same_bit_stream_reads_as"]
        normal, inverted = ({str(c)[:3] for c in reads[k]} for k in ("normal", "inverted"))
        names = {f"{c}N" for c in normal} | {f"{c}I" for c in inverted}
        known = set(dcs_equivalents(sorted(names)[0]))
        assert names <= known


@pytest.mark.parametrize(
    ("hertz", "tones"), [(101.0, (100.0, 103.5)), (10.0, (67.0, 69.3)), (68.0, (67.0, 69.3)), (300.0, (250.3, 254.1))]
)
def test_nearest_tones(hertz: float, tones: tuple[float, ...]) -> None:
    assert nearest_ctcss(hertz) == tones
