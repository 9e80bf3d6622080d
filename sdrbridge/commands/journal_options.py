"""The arguments of `sdrbridge journal …` and `sdrbridge report`. Only the standard library is imported here."""

from argparse import ArgumentParser, ArgumentTypeError
from collections.abc import Callable
from pathlib import Path


def add_journal_verbs(verb: Callable[[str, str], ArgumentParser]) -> None:
    """Add both verbs. verb: makes the parser of one, from its name and a line about it."""
    journal = verb("journal", "the record of everything the bridge did: read it, hand it over, prove it")
    whats = journal.add_subparsers(dest="what", metavar="WHAT", required=True)

    def what(name: str, summary: str) -> ArgumentParser:
        sub = whats.add_parser(name, help=summary, description=summary)
        sub.add_argument("--json", action="store_true", help="print one JSON object")
        _add_folder(sub)
        return sub

    show = what("show", "print entries in plain words")
    _add_filters(show)
    show.add_argument("--last", type=_count, metavar="N", help="only the last N of them")
    export = what("export", "write entries as JSON lines, or as a communications log (ICS 309) in CSV")
    _add_filters(export)
    export.add_argument("--format", choices=["jsonl", "csv"], default="jsonl")
    export.add_argument("--out", type=Path, metavar="FILE", help="where to (default: standard output)")
    verify = what("verify", "find out whether anything was changed, and where; exit 1 if it was")
    verify.add_argument("--key", metavar="KEY", help="public key it must be signed with: a file, or the line itself")
    verify.add_argument("--head", action="append", default=[], metavar="LINE", help="a head that was exported")
    verify.add_argument(
        "--heads", action="append", type=Path, default=[], metavar="FILE", help="file with such heads, a line each"
    )
    verify.add_argument(
        "--recordings", type=Path, metavar="DIR", help="hold the recordings in this folder against the journal too"
    )
    what("head", "print the newest signed head: one line, to keep somewhere else")
    what("key", "print the public key")

    report = verb("report", "an incident in tables: overs and who heard them, who had to wait, patches, trouble")
    _add_folder(report)
    _add_filters(report)


def _add_folder(parser: ArgumentParser) -> None:
    parser.add_argument(
        "folder", type=Path, nargs="?", metavar="FOLDER", help="the journal, or the state folder it lies in"
    )


def _add_filters(parser: ArgumentParser) -> None:
    when = "2026-07-01T14:20 or 14:20 (UTC), or how long ago: 90s, 2h"
    parser.add_argument("--since", metavar="TIME", help=f"from then on: {when}")
    parser.add_argument("--until", metavar="TIME", help="until then")
    parser.add_argument("--event", action="append", default=[], metavar="NAME", help="e.g. patch.made or 'floor.*'")
    parser.add_argument("--port", action="append", default=[], metavar="NAME", help="that is about this port")
    parser.add_argument("--patch", action="append", default=[], metavar="NAME", help="that is about this patch")
    parser.add_argument("--who", metavar="USER", help="that this user asked for")


def _count(text: str) -> int:
    value = int(text)
    if value < 1:
        raise ArgumentTypeError(f"{text} must be 1 or more")
    return value
