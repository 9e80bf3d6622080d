"""The machine under a simulated bridge: its clock, the lines of its transmitters, and a disk that can be full."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from threading import Event as ThreadEvent

from dsp.blocks import AUDIO_RATE
from hw.keyer import Keyer
from sdrbridge.guard import Guard, LineState
from sdrbridge.journalwriter import JournalWriter
from sdrbridge.state import Saved, State


class CountedClock:
    """A clock that counts what it is given. stepped: seconds the time of day is wrong by."""

    def __init__(self) -> None:
        self.elapsed = 0
        self.stepped = 0.0
        self._start = datetime(2026, 1, 1, tzinfo=UTC)

    def monotonic(self) -> float:
        return self.elapsed / AUDIO_RATE

    def now(self) -> datetime:
        return self._start + timedelta(seconds=self.elapsed / AUDIO_RATE + self.stepped)

    def wait(self, stop: ThreadEvent, seconds: float) -> bool:
        return stop.is_set()


class PttLine:
    """One PTT line, without a thread: keyed or not."""

    def __init__(self, name: str, spec: str, opener: object, changed: object) -> None:
        self.name, self.spec = name, spec
        self.state = LineState(keyed=False)

    def set(self, keyed: bool) -> None:
        if keyed != self.state.keyed:
            self.state = LineState(keyed)

    def close(self) -> None:
        self.set(False)

    def join(self, timeout_s: float) -> None:
        """Nothing to wait for."""


def _no_keyer(spec: str) -> Keyer:
    raise AssertionError(spec)


class Lines:
    """The keyer guard with the PTT lines of the radios, and what the bridge tells it at every tick."""

    def __init__(self, names: Sequence[str]) -> None:
        self.guard = Guard(_no_keyer, line=PttLine)
        self._all = dict.fromkeys(names, "none:")
        self._wanted: set[str] = set()
        self._number = 0

    def set(self, name: str, keyed: bool) -> None:
        """What a port wants."""
        if keyed:
            self._wanted.add(name)
        else:
            self._wanted.discard(name)

    def start(self, now: float) -> None:
        """A process begins and names its lines; none is keyed."""
        self._wanted.clear()
        self.guard.hear({"n": 0, "lines": self._all, "keyed": []}, now)

    def beat(self, now: float) -> None:
        """The message of a tick."""
        self._number += 1
        self.guard.hear({"n": self._number, "keyed": list(self._wanted)}, now)

    @property
    def keyed(self) -> list[str]:
        """The lines that are keyed now."""
        return [name for name, line in self.guard.lines.items() if line.state.keyed]


class DiskJournal(JournalWriter):
    """The journal's writer on a disk that can be full."""

    full = False
    own = 0
    """Entries that nobody told it: those that say how many are missing."""

    def _write(self, stamped: tuple[Mapping[str, object], datetime]) -> bool:
        if self.full:
            self._trouble = "no space left on device"
            return False
        written = super()._write(stamped)
        self.own += written and stamped[0]["event"] == "journal.lost"
        return written


class DiskState(State):
    """The file of what survives, on a disk that can be full."""

    full = False

    def _write(self, saved: Saved) -> bool:
        if self.full:
            self.problem = "no space left on device"
            return False
        return super()._write(saved)
