"""What is given up when the machine is overloaded, the least important first; never speech that is patched.

    rung 0   nothing
    rung 1   pictures      waterfalls, spectra
    rung 2   reports       pages, statistics of links
    rung 3   recordings    audio files; the journal goes on
    rung 4   monitors      tuners none of whose channels is in a patch

Pure. One rung down when the last `DOWN` ticks were busy or late; one up again when `UP` ticks had room, so that a rung
is not taken and left all the time.
"""

from dataclasses import dataclass
from enum import IntEnum

BUSY = 0.75
"""Share of a tick's 20 ms that its work may take; above that there is no room for a hiccup."""

ROOM = 0.4
"""Share below which there is room for more."""

DOWN = 25
"""Busy ticks within the window of as many that take a rung: half a second."""

UP = 1500
"""Ticks in a row with room that give one back: 30 s."""


class Rung(IntEnum):
    """What is given up, and everything above it."""

    NOTHING = 0
    PICTURES = 1
    REPORTS = 2
    RECORDINGS = 3
    MONITORS = 4


NAMES = {
    Rung.PICTURES: "pictures",
    Rung.REPORTS: "reports",
    Rung.RECORDINGS: "recordings",
    Rung.MONITORS: "channels in no patch",
}


@dataclass(slots=True)
class Ladder:
    """Where the bridge stands."""

    rung: Rung = Rung.NOTHING
    _busy: float = 0.0
    _room: int = 0

    def tick(self, load: float, late: bool) -> Rung | None:
        """One tick has been made. load: its work as a share of 20 ms. late: whether it began late.

        Returns the new rung where it has changed.
        """
        busy = late or load > BUSY
        # Half a second of nothing but busy ticks, or the same number among three times as many.
        self._busy = self._busy + 1 if busy else max(0.0, self._busy - 0.5)
        self._room = 0 if busy or load > ROOM else self._room + 1
        if self._busy >= DOWN and self.rung < Rung.MONITORS:
            self.rung = Rung(self.rung + 1)
            self._busy, self._room = 0.0, 0
            return self.rung
        if self._room >= UP and self.rung > Rung.NOTHING:
            self.rung = Rung(self.rung - 1)
            self._room = 0
            return self.rung
        return None

    def sheds(self, rung: Rung) -> bool:
        """Whether this is given up now."""
        return self.rung >= rung

    @property
    def given_up(self) -> str:
        """In words; "" for nothing."""
        return ", ".join(NAMES[rung] for rung in Rung if Rung.NOTHING < rung <= self.rung)
