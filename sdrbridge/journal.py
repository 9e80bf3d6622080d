"""The journal: every decision with its reason, in files that only grow and that show it when somebody changes them.

    journal = Journal(folder, site="command-post", wall=clock.now(), seal=Seal.open(folder / "key.pem"))
    journal.append({"t_s": 12.5, "event": "patch.made", "patch": "command", "who": "anna"}, clock.now())
    print(journal.sign(clock.now()))          # a head, to keep somewhere else
    journal.close(clock.now())

A folder holds segments, `journal-0000000001.jsonl` and so on, named by the number of their first entry; the line is
described in `sdrbridge.chain`, heads in `sdrbridge.seal`, what can be proved with them in `sdrbridge.verify`.
Entries of the journal's own: `journal.opened` (first of each run), `journal.head` (a signed head), `journal.recovered`
(the last line was torn; it is kept in `torn-….bin`), `journal.closed`, and from the writer thread `journal.lost`.

Nothing here starts a thread or reads a clock; the daemon uses `sdrbridge.journalwriter`, which makes nobody wait.
A write that fails leaves the file as it was before it and may be tried again.
"""

import fcntl
import hashlib
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from datetime import datetime
from pathlib import Path

import sdrbridge
from sdrbridge.chain import GENESIS, Entry, read_line, write_line
from sdrbridge.errors import JournalError
from sdrbridge.seal import Head, Seal

ROTATE = 16 << 20
"""Bytes of a segment, about."""

SIGN_EVERY = 1000
"""Entries after which a head is signed without being asked for."""

KEY_NAME = "key.pem"
"""The private key in the journal's folder; `key.pub` beside it."""


def segments(folder: Path) -> list[Path]:
    """The segments of a journal, oldest first."""
    return sorted(folder.glob("journal-*.jsonl"))


def read_entries(folder: Path) -> Iterator[Entry]:
    """Every entry that can be read, oldest first; whether they are genuine is for `sdrbridge.verify` to say.

    Raises `JournalError` where there is no journal or it may not be read.
    """
    found = segments(folder)
    if not found:
        raise JournalError(f"{folder}: there is no journal here (no journal-….jsonl)")
    for path in found:
        try:
            with path.open("rb") as stream:
                for line in stream:
                    with suppress(ValueError):
                        yield read_line(line.rstrip(b"\n"))[0]
        except OSError as problem:
            raise JournalError(f"{path}: cannot be read: {problem.strerror or problem}") from problem


class Journal:
    """A journal open for writing; one at a time for a folder.

    site: the bridge's name. wall: the time of day of opening. seal: signs heads; None for a journal without signatures.
    rotate: bytes of a segment. sign_every: entries between heads. on_head: gets every head that is signed.
    Raises `JournalError`.
    """

    def __init__(
        self,
        folder: Path,
        *,
        site: str,
        wall: datetime,
        seal: Seal | None,
        rotate: int = ROTATE,
        sign_every: int = SIGN_EVERY,
        on_head: Callable[[Head], None] | None = None,
    ) -> None:
        self.folder = folder
        self.n = 0
        """Number of the newest entry."""
        self.hash = GENESIS
        """Its hash."""
        self._seal = seal
        self._rotate = rotate
        self._sign_every = sign_every
        self._on_head = on_head
        self._last_head: Head | None = None
        self._unsigned = 0
        self._size = 0
        self._file = self._lock = -1
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._lock = _locked(folder)
            self._open(site, wall)
        except OSError as problem:
            self.release()
            raise JournalError(f"{folder}: the journal cannot be opened: {problem.strerror or problem}") from problem
        except JournalError:
            self.release()
            raise

    @property
    def head(self) -> Head | None:
        """The head signed last."""
        return self._last_head

    @property
    def unsigned(self) -> int:
        """Entries since then."""
        return self._unsigned

    def append(self, event: Mapping[str, object], wall: datetime) -> Entry:
        """Write an event. Raises `JournalError` if it could not be written; then it is as if nothing had been asked."""
        entry = self._write(event, wall)
        self._unsigned += 1
        if self._unsigned >= self._sign_every:
            # The entry is safe. A head that cannot be written now is tried again at the next one.
            with suppress(JournalError):
                self.sign(wall)
        return entry

    def sign(self, wall: datetime, **more: object) -> Head | None:
        """Sign a head over all entries, write it down and bring everything to the disk. None without a seal."""
        head = None
        if self._seal is not None:
            head = self._seal.sign(self.journal, self.n, self.hash, wall)
            self._write({"event": "journal.head", "head": str(head), **more}, wall)
            self._last_head = head
            self._unsigned = 0
        self.sync()
        if head is not None and self._on_head is not None:
            self._on_head(head)
        return head

    def sync(self) -> None:
        """Wait until the disk has it. Raises `JournalError`."""
        try:
            os.fsync(self._file)
        except OSError as problem:
            raise self._failed(problem) from problem

    def close(self, wall: datetime) -> None:
        """Write that this was the end, sign it, and let go. May be called twice. Raises `JournalError`."""
        if self._file < 0:
            return
        try:
            self._write({"event": "journal.closed"}, wall)
            self.sign(wall, closing=True)
        finally:
            self.release()

    def _open(self, site: str, wall: datetime) -> None:
        found = segments(self.folder)
        self.journal = _identity(found)
        torn = b""
        cut: list[tuple[Path, int]] = []
        last: Entry | None = None
        for path in reversed(found):
            rest, last = _tail(path)
            torn = rest + torn
            cut.append((path, path.stat().st_size - len(rest)))
            if last is not None:
                self.n, self.hash = last.n, last.hash
                break
        kept = self._put_aside(torn) if torn else None
        for path, size in cut:
            if size == 0:
                path.unlink()
            else:
                self._use(path, size)
        if self._file < 0:
            self._use(self._name(1), 0)
        if kept is not None:
            reason = "the last line was incomplete: the program or the machine was stopped while writing"
            digest = hashlib.sha256(torn).hexdigest()
            self._write(
                {"event": "journal.recovered", "reason": reason, "bytes": len(torn), "kept": kept, "sha256": digest},
                wall,
            )
        opened: dict[str, object] = {"event": "journal.opened", "site": site, "version": sdrbridge.__version__}
        if self._seal is not None:
            opened |= {"key": self._seal.public.line, "sign_every": self._sign_every}
        clean = last is None or last.data.get("closing") is True
        self._write({**opened, "clean": clean}, wall)
        self.journal = self.journal or _identity(segments(self.folder))
        self._unsigned = 1
        self.sign(wall)

    def _name(self, n: int) -> Path:
        return self.folder / f"journal-{n:010d}.jsonl"

    def _put_aside(self, torn: bytes) -> str:
        """Keep what cannot be read, under a name of its own."""
        number = self.n + 1
        path = self.folder / f"torn-{number:010d}.bin"
        while path.exists() and path.read_bytes() != torn:
            number += 1
            path = self.folder / f"torn-{number:010d}.bin"
        path.write_bytes(torn)
        return path.name

    def _use(self, path: Path, size: int) -> None:
        file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o640)
        try:
            os.ftruncate(file, size)
            os.fsync(self._lock)  # the folder: the name of a new segment
        except OSError:
            os.close(file)
            raise
        if self._file >= 0:
            os.close(self._file)
        self._file, self._size = file, size

    def _write(self, event: Mapping[str, object], wall: datetime) -> Entry:
        if self._file < 0:
            raise JournalError(f"{self.folder}: the journal is closed")
        line, entry = write_line(self.n + 1, wall, self.hash, event)
        try:
            if self._size and self._size + len(line) > self._rotate:
                os.fsync(self._file)
                self._use(self._name(entry.n), 0)
            written = 0
            while written < len(line):
                written += os.write(self._file, line[written:])
        except OSError as problem:
            # Half a line must not stay: what comes next has to begin on a line of its own.
            with suppress(OSError):
                os.ftruncate(self._file, self._size)
            raise self._failed(problem) from problem
        self._size += len(line)
        self.n, self.hash = entry.n, entry.hash
        return entry

    def _failed(self, problem: OSError) -> JournalError:
        return JournalError(f"{self.folder}: the journal cannot be written: {problem.strerror or problem}")

    def release(self) -> None:
        """Let go of the folder without a word, as the death of a process does."""
        for file in (self._file, self._lock):
            if file >= 0:
                with suppress(OSError):
                    os.close(file)
        self._file = self._lock = -1


def _locked(folder: Path) -> int:
    """The folder, held for this process alone as long as it is open."""
    file = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(file)
        raise JournalError(
            f"{folder}: another sdrbridge is writing this journal; one folder serves one bridge"
        ) from None
    return file


def _tail(path: Path) -> tuple[bytes, Entry | None]:
    """The last genuine entry of a segment, and what lies behind it."""
    data = path.read_bytes()
    end = len(data)
    while True:
        end = data.rfind(b"\n", 0, end) + 1
        if end == 0:
            return data, None
        start = data.rfind(b"\n", 0, end - 1) + 1
        with suppress(ValueError):
            entry, genuine = read_line(data[start : end - 1])
            if genuine:
                return data[end:], entry
        end -= 1


def _identity(found: list[Path]) -> str:
    """The first digits of the hash of the first entry; empty where there is none."""
    for path in found:
        with path.open("rb") as stream:
            for line in stream:
                with suppress(ValueError):
                    return read_line(line.rstrip(b"\n"))[0].hash[:16]
    return ""
