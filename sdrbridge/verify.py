"""What can be proved of a journal, and where it has been tampered with.

    what was done                         what shows it
    a line changed                        its own hash
    lines taken out, put in, reordered    the numbers, and `prev` of the line behind
    the beginning taken away              the first number is not 1
    the chain computed anew               the signed heads no longer fit
    … and signed with another key         the key is not the one that was exported
    the end cut off                       a head that was exported says how far the journal went
    a stop while writing                  the last line has no end

What nobody can see: the end cut off behind the last head that was exported, and a change behind the last signed head by
somebody who computes the chain anew. The report says how far the signatures reach.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from sdrbridge.chain import GENESIS, Entry, parse_wall, read_line
from sdrbridge.errors import JournalError
from sdrbridge.journal import segments
from sdrbridge.seal import Head, PublicKey

MOST_FINDINGS = 1000
"""A journal of random bytes has a finding on every line; nobody reads more of them."""


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is not as it was written.

    kind: edited · missing · inserted · unreadable · truncated · forged · foreign key · unsigned. file, line: where.
    first, last: the entries it is about.
    """

    kind: str
    text: str
    file: str = ""
    line: int = 0
    first: int = 0
    last: int = 0

    def __str__(self) -> str:
        where = f"{self.file}:{self.line}: " if self.file else ""
        return f"{where}{self.kind}: {self.text}"


@dataclass(slots=True)
class Report:
    """What was found. ok: nothing. signed: entries 1 … signed are covered by a valid head. key: of that head.

    pinned: the key was given from outside, and not taken from the journal itself. notes: worth knowing, proves nothing.
    """

    folder: str
    entries: int = 0
    segments: int = 0
    heads: int = 0
    exported: int = 0
    signed: int = 0
    key: str = ""
    pinned: bool = False
    last_hash: str = ""
    findings: list[Finding] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """Whether everything is as it was written, as far as it can be told."""
        return not self.findings

    def to_dict(self) -> dict[str, Any]:
        """Ready for JSON."""
        return {"ok": self.ok, **asdict(self)}


def verify(folder: Path, key: PublicKey | None = None, heads: Sequence[Head] = ()) -> Report:
    """Check a journal. key: the one it must be signed with. heads: that were exported from it.

    Raises `JournalError` only where there is no journal, or its files may not be read.
    """
    found = segments(folder)
    if not found:
        raise JournalError(f"{folder}: there is no journal here (no journal-….jsonl)")
    checker = _Checker(Report(str(folder), segments=len(found), pinned=key is not None), key, heads)
    for number, path in enumerate(found, 1):
        try:
            with path.open("rb") as stream:
                for line, text in enumerate(stream, 1):
                    checker.take(path.name, line, text, number == len(found))
        except OSError as problem:
            raise JournalError(f"{path}: cannot be read: {problem.strerror or problem}") from problem
    checker.finish()
    return checker.report


class _Checker:
    """Reads a journal line by line, from the first to the last."""

    def __init__(self, report: Report, key: PublicKey | None, heads: Sequence[Head]) -> None:
        self.report = report
        self._key = key
        self._exported: dict[int, list[Head]] = {}
        for head in heads:
            self._exported.setdefault(head.n, []).append(head)
        self._count = len(heads)
        self._identity = ""
        self._last: Entry | None = None
        self._unread = 0
        """Lines since the last entry that could not be read."""
        self._sign_every: int | None = None
        self._place = ("", 0)
        self._matched = 0

    def take(self, file: str, number: int, text: bytes, newest: bool) -> None:
        """The next line."""
        self._place = (file, number)
        if not text.endswith(b"\n"):
            last = self._last.n if self._last else 0
            if newest:
                why = "a stop while writing, which the next start would set aside, or a cut"
                self._find(
                    "truncated", f"the last line has no end ({len(text)} bytes behind entry {last}): {why}", last + 1
                )
            else:
                self._find("truncated", f"the segment ends inside a line behind entry {last}", last + 1)
            self._unread += 1
            return
        try:
            entry, genuine = read_line(text[:-1])
        except ValueError as problem:
            self._find("unreadable", f"this is no entry: {problem}", self._last.n + 1 if self._last else 1)
            self._unread += 1
            return
        if not genuine:
            self._find("edited", f"entry {entry.n} is not as it was written: its hash does not fit", entry.n)
        self._chain(entry)
        self.report.entries += 1
        if genuine:
            self._compare(entry)
            if entry.event == "journal.opened":
                self._opened(entry)
            elif entry.event == "journal.head":
                self._head(entry)
            elif entry.event == "journal.recovered":
                self.report.notes.append(
                    f"entry {entry.n}: {entry.data.get('bytes')} bytes of a torn line were set aside as "
                    f"{entry.data.get('kept')} at {entry.wall}"
                )
            elif entry.event == "journal.lost":
                self.report.notes.append(
                    f"entry {entry.n}: {entry.data.get('lost')} events could not be kept: {entry.data.get('reason')}"
                )
        self._last = entry
        self._unread = 0

    def _chain(self, entry: Entry) -> None:
        """Whether the entry follows the one before it."""
        last = self._last
        expected = last.n + 1 if last else 1
        if last is None and entry.n == 1:
            self._identity = entry.hash[:16]
        if entry.n > expected + self._unread:
            first = expected + self._unread
            gone = f"entry {first} is" if entry.n == first + 1 else f"entries {first} to {entry.n - 1} are"
            where = f"between {last.n} and {entry.n}" if last else "at the beginning"
            self._find("missing", f"{gone} missing {where}", first, entry.n - 1)
        elif entry.n < expected:
            self._find("inserted", f"entry {entry.n} stands behind entry {expected - 1}", entry.n)
        elif entry.n == expected and entry.prev != (last.hash if last else GENESIS):
            before = f"entry {last.n}" if last else "nothing"
            text = f"entry {entry.n} does not continue {before}: one of them was put in its place"
            self._find("forged", text, entry.n)
        if last is not None:
            self._clock(last, entry)

    def _clock(self, last: Entry, entry: Entry) -> None:
        try:
            back = (parse_wall(last.wall) - parse_wall(entry.wall)).total_seconds()
        except ValueError:
            return
        if back > 1.0:
            self.report.notes.append(f"entry {entry.n}: the clock of the machine was set back by {back:.1f} s")

    def _opened(self, entry: Entry) -> None:
        every = entry.data.get("sign_every")
        if isinstance(every, int) and self._sign_every is None:
            self._sign_every = every
        try:
            key = PublicKey.parse(str(entry.data.get("key")))
        except ValueError:
            if self._key is not None:
                self._find("unsigned", f"from entry {entry.n} on the bridge ran without its key", entry.n)
            return
        if self._key is None:
            self._key = key
        elif key != self._key:
            self._find("foreign key", f"from entry {entry.n} on the key is {key.id}…, not {self._key.id}…", entry.n)

    def _head(self, entry: Entry) -> None:
        """A signed head in the chain itself."""
        try:
            head = Head.parse(str(entry.data.get("head")))
        except ValueError:
            self._find("forged", f"entry {entry.n} holds no head that can be read", entry.n)
            return
        if self._key is None:
            self._find("unsigned", f"entry {entry.n} is a head, and nobody says with which key", entry.n)
            return
        since = self.report.signed + 1
        if not self._key.signed(head):
            kind = "forged" if head.key == self._key.id else "foreign key"
            self._find(kind, f"the head in entry {entry.n} is not signed by {self._key.id}…", since, entry.n)
        elif (head.n, head.hash) != (entry.n - 1, entry.prev) or head.journal != (self._identity or head.journal):
            text = f"the signed head in entry {entry.n} is of another chain: entries {since} to {entry.n - 1} were "
            self._find("forged", text + "computed anew without the key", since, entry.n - 1)
        else:
            self.report.heads += 1
            self.report.signed = head.n
            self.report.key = self._key.fingerprint

    def _compare(self, entry: Entry) -> None:
        """Heads that were exported at this entry."""
        for head in self._exported.pop(entry.n, ()):
            self._outside(head)
            if head.hash != entry.hash:
                since = self._matched + 1
                text = f"entry {entry.n} is not the one whose head was exported at {head.wall}: entries {since} to "
                self._find("forged", f"{text}{entry.n} were computed anew", since, entry.n)
            else:
                self._matched = entry.n
                self.report.exported += 1

    def _outside(self, head: Head) -> None:
        """Whether an exported head is what it claims to be."""
        if self._key is None:
            self.report.notes.append(f"the exported head of entry {head.n} cannot be checked: no key")
        elif not self._key.signed(head):
            self._find("foreign key", f"the exported head of entry {head.n} is not signed by {self._key.id}…", head.n)
        elif head.journal != (self._identity or head.journal):
            self._find(
                "forged", f"the exported head of entry {head.n} is of another journal, or entry 1 was replaced", 1
            )

    def finish(self) -> None:
        """What can be said at the end only."""
        report, last = self.report, self._last
        end = last.n if last else 0
        for n, heads in sorted(self._exported.items()):
            for head in heads:
                self._outside(head)
                if n > end:
                    text = (
                        f"entries {end + 1} to {n} are missing at the end: a head over {n} was exported at {head.wall}"
                    )
                    self._find("missing", text, end + 1, n)
                else:
                    self._find("missing", f"entry {n}, whose head was exported, cannot be read", n)
        report.last_hash = last.hash if last else ""
        if last is None:
            self._find("unreadable", "there is no entry in this journal")
        elif report.signed == 0 and self._key is not None:
            self._find(
                "unsigned", "there is no signed head, though the first is written when a journal is opened", 1, end
            )
        elif self._key is None:
            report.notes.append("this journal was written without a key: who may write the file may write it anew")
        elif self._sign_every is not None and end - report.signed > 2 * self._sign_every + 2:
            text = f"entries {report.signed + 1} to {end} bear no signature, though one is due every {self._sign_every}"
            self._find("unsigned", text, report.signed + 1, end)
        elif end - report.signed > 1:
            report.notes.append(f"entries {report.signed + 1} to {end} are not signed yet")
        if not report.pinned and self._key is not None:
            report.notes.append("the key was taken from the journal itself; give the one that was exported with --key")
        if not self._count:
            report.notes.append("whether the end was cut off shows only a head that was exported; give it with --head")

    def _find(self, kind: str, text: str, first: int = 0, last: int | None = None) -> None:
        if len(self.report.findings) < MOST_FINDINGS:
            file, line = self._place
            self.report.findings.append(Finding(kind, text, file, line, first, first if last is None else last))
