"""Tables and questions for verbs that have to answer at once: the standard library only, no colours to load.

A terminal gets columns as wide as they need and a bold head; a pipe gets the same without the bold.
"""

import os
import sys
from collections.abc import Iterable, Sequence

_BOLD, _PLAIN = "\x1b[1m", "\x1b[0m"


def print_rows(columns: Sequence[str], rows: Iterable[Sequence[str]], right: Iterable[int] = ()) -> None:
    """A table on stdout; columns in `right` are right-aligned."""
    lines = [list(columns), *(list(row) for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(columns))]
    to_right = set(right)
    for number, line in enumerate(lines):
        cells = [
            cell.rjust(width) if column in to_right else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(line, widths, strict=True))
        ]
        text = "  ".join(cells).rstrip()
        print(f"{_BOLD}{text}{_PLAIN}" if number == 0 and _fancy() else text)


def confirm(question: str) -> bool | None:
    """Ask somebody at a terminal; None where nobody is there to answer. What is not a yes is a no."""
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        return None
    print(f"{question} [y/N] ", end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def number(value: float | None, digits: int = 0) -> str:
    """A number, or nothing where there is none."""
    return "" if value is None else f"{value:.{digits}f}"


def clock_time(at: str) -> str:
    """The time of day at this place of `2026-11-23T14:20:05.123Z`: `15:20:05.123`."""
    from datetime import datetime

    try:
        moment = datetime.fromisoformat(at).astimezone()
    except ValueError:
        return at
    return f"{moment:%H:%M:%S}.{moment.microsecond // 1000:03d}"


def _fancy() -> bool:
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
