"""The journal of a running bridge: told of every event, makes nobody wait, survives a full disk.

    engine.add_sink(writer)          any thread ─event, stamped with the time of day─▶ queue ─▶ one thread ─▶ Journal

While the journal cannot be written (disk full, folder gone, key unreadable) events wait in the queue and are written
once it can; `health` says degraded and why. Events that find no room are counted, and when there is room again an entry
`journal.lost` says how many. A head is signed a minute after the first entry that has none, at the latest, and kept a
second time in another place if one is named: a USB stick, another machine's folder.
"""

import threading
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path

from hw.clock import Clock
from sdrbridge.backlog import Backlog
from sdrbridge.errors import JournalError
from sdrbridge.journal import KEY_NAME, ROTATE, SIGN_EVERY, Journal
from sdrbridge.ports.live import Health, State
from sdrbridge.seal import Head, PublicKey, Seal

BOUND = 8192
"""Events that may wait: more than ten minutes of a busy bridge."""

SIGN_S = 60.0
"""Seconds after which entries are signed."""

_Stamped = tuple[Mapping[str, object], datetime]


class JournalWriter:
    """A sink for events. folder: the journal's, made if need be; the key lies in it. site: the bridge's name.

    heads: file that every head is added to as well. bound: events that may wait. sign_every, sign_s: entries and
    seconds between heads. Call `start` for a thread of its own, or `work` by hand; `close` in both cases.
    """

    def __init__(
        self,
        folder: Path,
        site: str,
        clock: Clock,
        *,
        heads: Path | None = None,
        rotate: int = ROTATE,
        sign_every: int = SIGN_EVERY,
        sign_s: float = SIGN_S,
        bound: int = BOUND,
    ) -> None:
        self.folder = folder
        self._site = site
        self._clock = clock
        self._rotate = rotate
        self._sign_every = sign_every
        self._sign_s = sign_s
        self._journal: Journal | None = None
        self._trouble = ""
        self._key_trouble = ""
        self._copy_trouble = ""
        self._due: float | None = None
        self._written = self._lost = self._missing = 0
        self._lock = threading.Lock()
        self._queue: Backlog[_Stamped] = Backlog("journal", self._write, clock, bound=bound, idle=self._look_after)
        self._copies: Backlog[Head] | None = None
        self._public: PublicKey | None = None
        if heads is not None:
            # A stick that hangs must not stop the journal, so the copies have a thread of their own.
            copy = _Copy(heads, self._copied)
            self._copies = Backlog("journal-heads", lambda head: copy(head, self._public), clock, bound=64)

    def __call__(self, event: Mapping[str, object]) -> None:
        """Take an event. Never waits, never raises; from any thread."""
        stamped = (event, self._clock.now())
        with self._lock:
            if self._missing and len(self._queue) < self._queue.bound - 1:
                self._say_missing()
            if not self._queue.put(stamped):
                self._missing += 1
                self._lost += 1

    def start(self) -> None:
        """Write in a thread."""
        self._queue.start()
        if self._copies is not None:
            self._copies.start()

    def work(self) -> None:
        """Write what waits, where there is no thread."""
        self._queue.drain()
        if self._copies is not None:
            self._copies.drain()

    def close(self, bound_s: float = 10.0) -> None:
        """Write what waits, sign it, and end. What could not be written within `bound_s` is given up.

        The folder is free for another writer then, but where the disk still hangs in the middle of a write.
        """
        with self._lock:
            if self._missing:
                self._say_missing()
        done = self._queue.close(bound_s)
        if self._journal is not None and not self._queue.running:
            try:
                if done:
                    self._journal.close(self._clock.now())
                else:
                    self._journal.release()
            except JournalError as problem:
                self._trouble = str(problem)
        if self._copies is not None:
            self._copies.close(bound_s)

    @property
    def head(self) -> Head | None:
        """The head signed last."""
        return None if self._journal is None else self._journal.head

    def health(self) -> Health:
        """Up, or degraded and why; from any thread. waiting: events not written yet. lost: those without room."""
        reasons = [reason for reason in (self._trouble, self._key_trouble, self._copy_trouble) if reason]
        counters = {"written": self._written, "waiting": len(self._queue), "lost": self._lost}
        return Health(State.DEGRADED if reasons else State.UP, "; ".join(reasons), counters)

    def _say_missing(self) -> None:
        reason = "they came faster than the disk took them, or it was full"
        lost = {"event": "journal.lost", "lost": self._missing, "reason": reason}
        if self._queue.put((lost, self._clock.now())):
            self._missing = 0

    def _write(self, stamped: _Stamped) -> bool:
        event, wall = stamped
        try:
            self._opened(wall).append(event, wall)
        except JournalError as problem:
            self._trouble = str(problem)
            return False
        self._trouble = ""
        self._written += 1
        if self._due is None:
            self._due = self._clock.monotonic() + self._sign_s
        return True

    def _opened(self, wall: datetime) -> Journal:
        if self._journal is not None:
            return self._journal
        seal = None
        try:
            seal = Seal.open(self.folder / KEY_NAME)
            self._public = seal.public
            self._key_trouble = ""
        except JournalError as problem:
            # An unsigned journal is worth more than none.
            self._key_trouble = str(problem)
        self._journal = Journal(
            self.folder,
            site=self._site,
            wall=wall,
            seal=seal,
            rotate=self._rotate,
            sign_every=self._sign_every,
            on_head=self._exported,
        )
        return self._journal

    def _look_after(self) -> None:
        """Open the journal as soon as it can be, and sign what has waited long enough."""
        due = self._due is not None and self._clock.monotonic() >= self._due
        if self._journal is not None and not due:
            return
        try:
            journal = self._opened(self._clock.now())
            if not due:
                return
            if journal.unsigned:
                journal.sign(self._clock.now())
            else:
                journal.sync()
        except JournalError as problem:
            self._trouble = str(problem)
            return
        self._due = None

    def _exported(self, head: Head) -> None:
        if self._copies is not None:
            self._copies.put(head)

    def _copied(self, trouble: str) -> None:
        self._copy_trouble = trouble


class _Copy:
    """Adds heads to a file in another place. told: gets "" or what is wrong."""

    def __init__(self, path: Path, told: Callable[[str], None]) -> None:
        self._path = path
        self._told = told

    def __call__(self, head: Head, public: PublicKey | None) -> bool:
        try:
            fresh = not self._path.exists()
            with self._path.open("a", encoding="ascii") as stream:
                if fresh and public is not None:
                    stream.write(f"# {public.line}\n")
                stream.write(f"{head}\n")
        except OSError as problem:
            self._told(f"{self._path}: heads cannot be kept there: {problem.strerror or problem}")
            return False
        self._told("")
        return True
