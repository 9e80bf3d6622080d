"""Whoever changes a journal is found, and told where: edits, deletions, cuts, chains computed anew."""

import json
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sdrbridge.chain import GENESIS, canonical, parse_wall, plain, read_line, write_line
from sdrbridge.journal import read_entries, segments
from sdrbridge.seal import Head, PublicKey, Seal
from sdrbridge.verify import Report, verify
from tests.sdrbridge.test_journal import keep

Lines = list[bytes]


@pytest.fixture
def journal(tmp_path: Path) -> tuple[Path, list[Head], PublicKey]:
    """A journal in one file, the heads that were exported, and the key."""
    folder = tmp_path / "journal"
    heads = keep(folder, 35)
    return folder, heads, PublicKey.parse((folder / "key.pub").read_text())


def changed(folder: Path, change: Callable[[Lines], Lines], **known: Any) -> Report:
    """The report after a change to the lines of the journal."""
    path = segments(folder)[0]
    path.write_bytes(b"".join(change(path.read_bytes().splitlines(keepends=True))))
    return verify(folder, **known)


def reforged(lines: Sequence[bytes], seal: Seal | None = None, drop_heads: bool = False) -> Lines:
    """The chain computed anew over what the lines say; heads signed anew with another key, or left as they were."""
    out: Lines = []
    prev, identity = GENESIS, ""
    for line in lines:
        data = dict(read_line(line.rstrip(b"\n"))[0].data)
        wall = parse_wall(read_line(line.rstrip(b"\n"))[0].wall)
        if data["event"] == "journal.head":
            if drop_heads:
                continue
            if seal is not None:
                data["head"] = str(seal.sign(identity, len(out), prev, wall))
        if data["event"] == "journal.opened" and seal is not None:
            data["key"] = seal.public.line
        text, entry = write_line(len(out) + 1, wall, prev, data)
        out.append(text)
        prev, identity = entry.hash, identity or entry.hash[:16]
    return out


def say(lines: Lines, index: int, word: bytes = b"refused") -> Lines:
    return [*lines[:index], lines[index].replace(b"granted", word), *lines[index + 1 :]]


def test_an_edit_is_found_where_it_is(journal: tuple[Path, list[Head], PublicKey]) -> None:
    report = changed(journal[0], lambda lines: say(lines, 9))
    assert [(f.kind, f.line, f.first) for f in report.findings] == [("edited", 10, 10)]
    assert str(report.findings[0]).startswith("journal-0000000001.jsonl:10: edited: entry 10 ")


def test_the_same_words_with_another_space_are_an_edit(journal: tuple[Path, list[Head], PublicKey]) -> None:
    report = changed(journal[0], lambda ls: [*ls[:5], ls[5].replace(b'":"', b'": "', 1), *ls[6:]])
    assert [(f.kind, f.line) for f in report.findings] == [("edited", 6)]


@pytest.mark.parametrize(("first", "count"), [(1, 1), (1, 5), (2, 1), (12, 1), (12, 9)])
def test_a_deletion_at_the_beginning_or_in_the_middle_is_found(
    journal: tuple[Path, list[Head], PublicKey], first: int, count: int
) -> None:
    report = changed(journal[0], lambda ls: ls[: first - 1] + ls[first - 1 + count :])
    found = [f for f in report.findings if f.kind == "missing"]
    assert [(f.line, f.first, f.last) for f in found] == [(first, first, first + count - 1)]


def test_a_missing_segment_is_found(tmp_path: Path) -> None:
    keep(tmp_path, 200, rotate=8000)
    gone, after = segments(tmp_path)[2:4]
    first, last = int(gone.stem[8:]), int(after.stem[8:]) - 1
    gone.unlink()
    (found,) = verify(tmp_path).findings
    assert (found.kind, found.file, found.line, found.first, found.last) == ("missing", after.name, 1, first, last)


def test_a_cut_end_is_found_by_an_exported_head(journal: tuple[Path, list[Head], PublicKey]) -> None:
    folder, heads, _ = journal
    report = changed(folder, lambda ls: ls[:-4], heads=heads)
    (found,) = report.findings
    assert found.kind == "missing" and (found.first, found.last) == (len(list(read_entries(folder))) + 1, heads[-1].n)
    assert report.exported == len(heads) - 1


def test_without_an_exported_head_the_report_says_that_a_cut_cannot_be_seen(
    journal: tuple[Path, list[Head], PublicKey],
) -> None:
    report = changed(journal[0], lambda ls: ls[:-4])
    assert report.ok and any("cut off" in note for note in report.notes)


def test_a_cut_inside_a_line_is_found(journal: tuple[Path, list[Head], PublicKey]) -> None:
    report = changed(journal[0], lambda ls: [*ls[:-1], ls[-1][:50]])
    assert [(f.kind, f.first) for f in report.findings] == [("truncated", len(list(read_entries(journal[0]))) + 1)]


def test_lines_put_in_or_swapped_are_found(journal: tuple[Path, list[Head], PublicKey]) -> None:
    report = changed(journal[0], lambda ls: [*ls[:8], ls[5], *ls[8:]])
    found = report.findings[0]
    assert (found.kind, found.line, found.first) == ("inserted", 9, 6)


def test_a_chain_computed_anew_without_the_key_is_found(journal: tuple[Path, list[Head], PublicKey]) -> None:
    report = changed(journal[0], lambda ls: reforged(say(ls, 20)))
    first = report.findings[0]
    assert first.kind == "forged" and first.first <= 21 <= first.last
    assert report.signed < 21


def test_a_chain_computed_anew_without_its_heads_is_found(journal: tuple[Path, list[Head], PublicKey]) -> None:
    report = changed(journal[0], lambda ls: reforged(say(ls, 20), drop_heads=True))
    assert [f.kind for f in report.findings] == ["unsigned"]


@pytest.mark.parametrize("known", ["key", "heads", "both"])
def test_a_chain_signed_anew_with_another_key_is_found_by_who_knows_the_key_or_a_head(
    journal: tuple[Path, list[Head], PublicKey], tmp_path: Path, known: str
) -> None:
    folder, heads, key = journal
    thief = Seal.open(tmp_path / "thief.pem")
    facts: dict[str, dict[str, Any]] = {
        "key": {"key": key},
        "heads": {"heads": heads},
        "both": {"key": key, "heads": heads},
    }
    report = changed(folder, lambda ls: reforged(say(ls, 20), thief), **facts[known])
    kinds = {f.kind for f in report.findings}
    assert "foreign key" in kinds
    if known != "key":
        assert any(f.kind == "forged" and f.first <= 21 <= f.last for f in report.findings)


def test_a_chain_signed_anew_says_with_which_key_where_nobody_knows_better(
    journal: tuple[Path, list[Head], PublicKey], tmp_path: Path
) -> None:
    thief = Seal.open(tmp_path / "thief.pem")
    report = changed(journal[0], lambda ls: reforged(say(ls, 20), thief))
    assert report.ok and not report.pinned
    assert report.key == thief.public.fingerprint
    assert any("taken from the journal itself" in note for note in report.notes)


def test_a_head_of_another_journal_does_not_fit(journal: tuple[Path, list[Head], PublicKey], tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "key.pem").write_bytes((journal[0] / "key.pem").read_bytes())
    (tmp_path / "other" / "key.pem").chmod(0o600)
    other = keep(tmp_path / "other", 36)
    report = verify(journal[0], heads=[other[-1]])
    assert {f.kind for f in report.findings} >= {"forged"}


@pytest.fixture(scope="module")
def clean(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, bytes, list[Head]]:
    folder = tmp_path_factory.mktemp("clean")
    heads = keep(folder, 30)
    return folder, segments(folder)[0].read_bytes(), heads


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_edit_is_found(clean: tuple[Path, bytes, list[Head]], data: st.DataObject) -> None:
    folder, text, heads = clean
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, min(len(text), start + 600)))
    put = data.draw(st.binary(max_size=80) | st.sampled_from([b"\n", text[:300], text[end : end + 200]]))
    edited = text[:start] + put + text[end:]
    segments(folder)[0].write_bytes(edited)
    assert verify(folder, heads=heads).ok == (edited == text)


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    text=st.binary(max_size=400)
    | st.lists(st.binary(max_size=60) | st.sampled_from([b"{}", b"[" * 5000, b'{"n":1e999}', b"\xff\xfe"])).map(
        b"\n".join
    )
)
def test_random_bytes_are_reported_and_never_raise(tmp_path_factory: pytest.TempPathFactory, text: bytes) -> None:
    folder = tmp_path_factory.mktemp("random")
    (folder / "journal-0000000001.jsonl").write_bytes(text)
    report = verify(folder)
    assert not report.ok and report.entries == 0
    assert list(read_entries(folder)) == []
    assert json.dumps(report.to_dict())


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(codec=None)),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@settings(max_examples=100, deadline=None)
@given(event=st.dictionaries(st.text(st.characters(codec=None)), JSON, max_size=6), n=st.integers(1, 10**17))
def test_every_event_becomes_a_line_that_reads_back(event: dict[str, object], n: int) -> None:
    wall = datetime(2026, 7, 1, 12, 0, 0, 123000, UTC)
    line, entry = write_line(n, wall, GENESIS, event)
    assert line.count(b"\n") == 1 and line.endswith(b"\n")
    again, genuine = read_line(line[:-1])
    assert genuine and again == entry
    assert parse_wall(entry.wall) == wall


@settings(max_examples=100, deadline=None)
@given(value=JSON)
def test_canonical_is_the_same_after_a_round_trip(value: object) -> None:
    text = canonical(plain(value))
    assert canonical(json.loads(text)) == text


@given(text=st.text())
@settings(max_examples=100, deadline=None)
def test_heads_and_keys_of_random_text_are_refused(text: str) -> None:
    for read in (Head.parse, PublicKey.parse):
        with pytest.raises(ValueError):
            read(text)
