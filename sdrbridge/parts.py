"""Which ports and patches have to do with each other: a bridge in parts that can be played one after the other.

    patch "command":  A B C ──┐
    patch "tactical":     C D ┴─▶ one part: C carries what both say
    patch "dispatch": E F ──────▶ another
    G, in no patch ─────────────▶ a third

What is decided in one part changes nothing in another. So a simulation plays each when something happens there, and
puts off until then what passes without a decision (`Matrix.stride`).
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from sdrbridge.line import Line, Voice
from sdrbridge.port import NEVER, Port, RxPort, TxPort


@dataclass(slots=True, eq=False)
class Part:
    """Ports by their rows, and the patches among them.

    hearing, sending: its receivers and transmitters, in the order of their rows. quiet: asks each receiver until when
    nothing changes (`QuietPort`); None where one of them cannot say. done: bridge time up to which it has been played.
    until: the first tick at which something may be decided, if no receiver knows of an earlier one. bound: then it is
    only time to look again. foreseen: when the first receiver has something new to say. due: the earlier of both.
    """

    rows: frozenset[int]
    hearing: Sequence[tuple[int, RxPort]]
    sending: Sequence[tuple[int, TxPort]]
    lines: Sequence[Line]
    quiet: Sequence[Callable[[int], int]] | None
    done: int = 0
    until: int = 0
    bound: bool = False
    foreseen: int = 0
    due: int = 0

    def voices(self, voices: Mapping[str, Voice]) -> list[Voice]:
        """Those of the voices that come in here."""
        return [voice for voice in voices.values() if voice.port in self.rows]

    def lags(self, now: int) -> bool:
        """Whether a receiver has something new to say at `now`, or it is only time to look again."""
        return self.foreseen <= now or (self.bound and self.until <= now)

    def ask(self, now: int) -> None:
        """Ask its receivers when something may be decided, from `now` on."""
        foreseen = now if self.quiet is None else min([quiet_until(now) for quiet_until in self.quiet], default=NEVER)
        self.foreseen, self.due = foreseen, min(self.until, foreseen)


def whole(ports: Sequence[Port], lines: Iterable[Line]) -> Part:
    """All of it as one part."""
    return _part(ports, range(len(ports)), list(lines))


def apart(
    ports: Sequence[Port], lines: Sequence[Line], row: Mapping[str, int], donors: Mapping[int, Iterable[int]]
) -> list[Part]:
    """The parts. row: of each name. donors: channels that hear for ports in other rows."""
    part_of = {number: {number} for number in range(len(ports))}

    def join(rows: Iterable[int]) -> None:
        joined: set[int] = set().union(*(part_of[number] for number in rows))
        part_of.update(dict.fromkeys(joined, joined))

    for line in lines:
        join(_rows_of(line, row))
    for channel, rows in donors.items():
        join([channel, *rows])
    found = []
    for joined in {id(rows): rows for rows in part_of.values()}.values():
        found.append(_part(ports, joined, [line for line in lines if not joined.isdisjoint(_rows_of(line, row))]))
    return found


def union(ports: Sequence[Port], parts: Sequence[Part], lines: Iterable[Line]) -> Part:
    """Several parts as one. lines: of all, in their order."""
    own = {line for part in parts for line in part.lines}
    return _part(ports, {row for part in parts for row in part.rows}, [line for line in lines if line in own])


def _rows_of(line: Line, row: Mapping[str, int]) -> set[int]:
    """The members of a patch, and who still hears what was said there before it was changed."""
    groups = {int(number) for group in (*line.groups, *line.dropped) for number in group.leg.rows}
    return {row[name] for name in line.patch.members if name in row} | groups | line.keying


def _part(ports: Sequence[Port], rows: Iterable[int], lines: Sequence[Line]) -> Part:
    ordered = sorted(rows)
    hearing = [(row, rx) for row in ordered if (rx := ports[row].rx) is not None]
    sending = [(row, tx) for row in ordered if (tx := ports[row].tx) is not None]
    quiet = [ask for _, rx in hearing if (ask := getattr(rx, "quiet_until", None)) is not None]
    return Part(frozenset(ordered), hearing, sending, lines, quiet if len(quiet) == len(hearing) else None)
