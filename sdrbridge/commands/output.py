"""What commands print: tables on a terminal, one JSON object for machines, progress that stays quiet in a pipe."""

import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from rich.console import Console


class Advance(Protocol):
    """Reports progress: `done` of `total` (any unit; total None if nobody knows) and a word on what is going on."""

    def __call__(self, done: float, total: float | None, note: str = "") -> None:
        """Show it."""
        ...


def note(message: str) -> None:
    """A line for people, on stderr."""
    print(f"sdrbridge: {message}", file=sys.stderr)


def print_json(value: object) -> None:
    """One JSON object on stdout."""
    print(json.dumps(value, ensure_ascii=False, indent=2, default=str))


def print_table(title: str, columns: Sequence[str], rows: Iterable[Sequence[str]], right: Iterable[int] = ()) -> None:
    """A table on stdout; columns in `right` are right-aligned."""
    from rich.table import Table

    table = Table(title=title, title_justify="left", title_style="bold", header_style="dim")
    align_right = set(right)
    for number, column in enumerate(columns):
        table.add_column(column, justify="right" if number in align_right else "left")
    for row in rows:
        table.add_row(*row)
    # In a pipe there is no width to respect: a table cut at 80 columns would lose what it says.
    console(None if sys.stdout.isatty() else 160).print(table)


def console(width: int | None) -> "Console":
    """A console of rich on stdout that leaves it to the program what to do when nobody reads any more."""
    from rich.console import Console

    class Ours(Console):
        def on_broken_pipe(self) -> None:
            raise BrokenPipeError

    return Ours(width=width)


@contextmanager
def progress(title: str) -> Iterator[Advance]:
    """A progress bar on stderr while the block runs, if stderr is a terminal."""
    if not sys.stderr.isatty():
        yield lambda done, total, note="": None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f} %"),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}"),
        console=Console(stderr=True),
        transient=True,
    )
    with bar:
        task = bar.add_task(title, total=None, note="")
        yield lambda done, total, note="": bar.update(task, completed=done, total=total, note=note)
