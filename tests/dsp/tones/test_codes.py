"""DCS codes as words, and which codes are one signal."""

from typing import Any

from dsp.tones.codes import canonical_code, code_word, equivalent_codes
from dsp.tones.tables import DCS_CODES


def test_word_of_023() -> None:
    # The word that radios send for code 023.
    assert code_word("023N") == 0x763813


def test_words_are_golay_words() -> None:
    words = [code_word(f"{n:03o}N") for n in range(512)]
    # The Golay (23, 12) code has minimum distance 7.
    assert min((words[0] ^ w).bit_count() for w in words[1:]) >= 7


def test_inverted_023_is_047() -> None:
    assert "047I" in equivalent_codes("023N")
    assert "023N" in equivalent_codes("047I")


def test_equivalence_is_symmetric_and_holds_the_code_itself() -> None:
    for code in DCS_CODES:
        for polarity in "NI":
            names = equivalent_codes(code + polarity)
            assert code + polarity in names
            assert all(equivalent_codes(other) == names for other in names)


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
        known = set(equivalent_codes(sorted(names)[0]))
        assert names <= known


def test_words_of_the_corpus(corpus: dict[str, dict[str, Any]]) -> None:
    for name in ("nfm_dcs_a", "nfm_scene_a"):
        for channel in corpus[name]["truth"]["channels"]:
            if "dcs" in channel:
                assert code_word(channel["dcs"][:3] + "N") == int(channel["dcs_code_word_hex_lsb_first_sent"], 16)
                same = channel["same_bit_stream_reads_as"]
                want = tuple(f"{c}N" for c in same["normal"]) + tuple(f"{c}I" for c in same["inverted"])
                assert equivalent_codes(channel["dcs"]) == want


def test_names() -> None:
    assert len(DCS_CODES) == len(set(DCS_CODES)) == 104
    for digits in DCS_CODES:
        for name in (f"{digits}N", f"{digits}I"):
            same = equivalent_codes(name)
            assert name in same
            assert canonical_code(name)[:3] in DCS_CODES
            assert {canonical_code(other) for other in same} == {canonical_code(name)}
    assert canonical_code("023N") == canonical_code("047I") == canonical_code("340N") == "023N"
    # no two codes of one polarity are the same signal
    assert len({canonical_code(f"{c}N") for c in DCS_CODES}) == len(DCS_CODES)
