"""The command line: parses arguments and calls one function per verb.

Only the standard library is imported here, so that a command answers at once on a slow machine; each verb imports what
it needs when it runs. Data goes to stdout, messages and progress to stderr. Exit codes: 0 ok, 1 failed, 2 usage,
3 no daemon answers, 78 bad configuration, 130 interrupted.
"""

import argparse
import io
import os
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from sdrbridge import __version__
from sdrbridge.commands.arguments import add_verbs, bounded
from sdrbridge.commands.journal_options import add_journal_verbs
from sdrbridge.errors import SdrBridgeError

if TYPE_CHECKING:
    from _typeshed import SupportsWrite


def main(arguments: Sequence[str] | None = None) -> None:
    """Entry point of the program `sdrbridge`."""
    _open_streams()
    sys.exit(run(sys.argv[1:] if arguments is None else arguments))


def run(arguments: Sequence[str]) -> int:
    """Run one command and return its exit code. Raises SystemExit as argparse does."""
    try:
        return _run(arguments)
    except SdrBridgeError as problem:
        _complain(str(problem))
        return problem.exit_code
    except BrokenPipeError:
        return 0  # the reader of our output went away (`| head`): not an error
    except OSError as problem:
        _complain(f"{problem.filename or 'standard output'}: {problem.strerror or problem}")
        return 1
    except KeyboardInterrupt:
        _complain("interrupted")
        return 130
    finally:
        try:
            sys.stdout.flush()
        except OSError:
            # Python would try again at exit, and complain.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _run(arguments: Sequence[str]) -> int:
    """Whatever cannot be printed is found out within it."""
    try:
        code = int(_call(make_parser().parse_args(arguments)))
    except SystemExit:
        sys.stdout.flush()
        raise
    sys.stdout.flush()
    return code


def _open_streams() -> None:
    """Streams that can be printed to, whoever closed them, and that have a spelling for every letter."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, open(os.devnull, "w"))  # noqa: SIM115, PTH123 - for as long as the program runs
        elif isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _complain(message: str) -> None:
    for line in message.splitlines():
        print(f"sdrbridge: {line}", file=sys.stderr)


def _call(options: argparse.Namespace) -> int:
    from importlib import import_module

    module = import_module(f"sdrbridge.commands.{options.verb.replace('-', '_')}")
    result = module.run(options)
    assert isinstance(result, int)
    return result


def _count(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text} must be 1 or more")
    return value


def _hours(text: str) -> float:
    value = float(text)
    if not 0 < value <= 10_000:
        raise argparse.ArgumentTypeError(f"{text} must lie between 0 and 10000")
    return value


def _share(text: str) -> float:
    value = float(text)
    if not 0 < value <= 0.9:
        raise argparse.ArgumentTypeError(f"{text} is no share between 0 and 0.9")
    return value


def _duration(text: str) -> float:
    from sdrbridge.units import parse_duration

    try:
        return parse_duration(text)
    except ValueError as problem:
        raise argparse.ArgumentTypeError(str(problem)) from None


def _frequency(text: str) -> int:
    from sdrbridge.units import parse_frequency

    try:
        hertz = parse_frequency(text)
    except (ValueError, ArithmeticError) as problem:
        raise argparse.ArgumentTypeError(str(problem)) from None
    if not 0 <= hertz <= _HIGHEST_HZ:
        raise argparse.ArgumentTypeError(f"{text[:40]} must lie between 0 and {_HIGHEST_HZ // 10**9} GHz")
    return hertz


_HIGHEST_HZ = 300 * 10**9
"""Where radio ends (ITU Radio Regulations, article 2: below 3000 GHz; nothing here comes near a tenth of that)."""


def _port(text: str) -> int:
    if not text.isascii() or not text.isdigit() or int(text[:6]) > 65535:
        raise argparse.ArgumentTypeError(f"{text[:40]} must be a port, 0 to 65535; 0 takes any that is free")
    return int(text)


class _Parser(argparse.ArgumentParser):
    """Says the nearest right word where there is a choice of them, and does not hide what cannot be printed."""

    def _print_message(self, message: str, file: "SupportsWrite[str] | None" = None) -> None:
        if message:
            (file or sys.stderr).write(message)

    def error(self, message: str) -> NoReturn:
        from difflib import get_close_matches

        wrong = re.search(r"invalid choice: '(.*?)' \(choose from (.*)\)", message)
        if wrong is not None:
            close = get_close_matches(wrong[1], re.findall(r"[\w-]+", wrong[2]), n=1)
            message += f"; did you mean {close[0]}?" if close else ""
        super().error(message)


def make_parser() -> argparse.ArgumentParser:
    """The whole command line, for those who write about it, too."""
    parser = _Parser(
        prog="sdrbridge",
        description="Hears radios that cannot hear each other, and patches them together.",
        epilog="`sdrbridge VERB --help` says more about each.",
    )
    parser.add_argument("--version", action="version", version=f"sdrbridge {__version__}")
    verbs = parser.add_subparsers(dest="verb", metavar="VERB", required=True)

    def verb(name: str, summary: str) -> argparse.ArgumentParser:
        sub = verbs.add_parser(name, help=summary, description=summary)
        sub.add_argument("--json", action="store_true", help="print one JSON object instead of tables")
        return sub

    replay = verb("replay", "run the whole bridge over the recordings of one or more site files")
    replay.add_argument("site", type=Path, nargs="+", metavar="SITE", help="site file (TOML)")
    replay.add_argument(
        "--out", type=Path, metavar="DIR", help="folder for audio, events and the page (default: NAME-out)"
    )
    replay.add_argument("--speed", choices=["max", "1"], default="max", help="as fast as possible, or as it happened")
    replay.add_argument(
        "--expect", type=Path, metavar="FILE", help="compare with what was expected; exit 1 if it differs"
    )
    replay.add_argument("--save-expect", type=Path, metavar="FILE", help="write what was heard as an expectation")
    replay.add_argument("--jobs", type=_count, default=1, metavar="N", help="replay that many site files at once")
    replay.add_argument("--threads", type=_count, default=1, metavar="N", help="threads for the tuners of one site")
    replay.add_argument(
        "--block", type=_count, metavar="N", help="samples read at a time (the result does not depend on it)"
    )
    replay.add_argument("--frames", action="store_true", help="write each protocol unit decoded to frames.jsonl")
    replay.add_argument("--no-report", action="store_true", help="leave out the page with waterfall and players")

    run = verb("run", "run the bridge as a service: live receivers, ports and control")
    run.add_argument("site", type=Path, metavar="SITE", help="site file (TOML)")
    run.add_argument("--state", type=Path, metavar="DIR", help="folder for what survives a restart (default: by site)")
    run.add_argument("--socket", type=Path, metavar="PATH", help="control socket (default: in the runtime folder)")

    check = verb("check", "validate a site file exactly as the daemon would")
    check.add_argument("site", type=Path, metavar="SITE", help="site file (TOML)")

    record = verb("record", "capture IQ of a source as SigMF")
    record.add_argument("source", metavar="SOURCE", help="rtlsdr:… · rtltcp:HOST:PORT · soapy:… · file:PATH")
    record.add_argument(
        "--out", type=Path, metavar="NAME", help="recording to write (default: recordings/ and the time)"
    )
    record.add_argument("--center", type=_frequency, metavar="HZ", help="centre frequency, e.g. 155.4M")
    record.add_argument("--rate", type=_frequency, metavar="HZ", help="sample rate, e.g. 2.4M")
    record.add_argument("--gain", default="auto", metavar="DB", help="gain in dB, or auto")
    record.add_argument(
        "--ppm", type=bounded(-1000, 1000, "ppm"), default=0.0, help="frequency correction in parts per million"
    )
    record.add_argument(
        "--seconds", type=_duration, metavar="T", help="how long, e.g. 90 or 1h30m (default: until Ctrl-C)"
    )
    record.add_argument(
        "--label", action="append", default=[], metavar="TEXT", help="annotation over the whole recording"
    )

    simulate = verb("simulate", "hours of a busy bridge with faults under a virtual clock, its invariants watched")
    simulate.add_argument("--seed", type=int, default=1, metavar="N", help="which script (default: 1)")
    simulate.add_argument("--hours", type=_hours, default=1.0, metavar="H", help="how long (default: 1)")
    simulate.add_argument("--ports", type=_count, default=16, metavar="N", help="ports of the bridge (default: 16)")
    simulate.add_argument(
        "--talk",
        type=_share,
        default=0.12,
        metavar="SHARE",
        help="share of the time in which each port talks (default: 0.12, which keeps it busy a fifth of the time)",
    )
    simulate.add_argument("--script", type=Path, metavar="FILE", help="run these deeds, a JSON line each, instead")
    simulate.add_argument("--twice", action="store_true", help="run it twice and compare every event")

    siggen = verb("siggen", "make a recording from a scene description, with the truth beside it")
    siggen.add_argument("scene", type=Path, metavar="SCENE", help="scene (TOML)")
    siggen.add_argument(
        "--out", type=Path, default=Path("recordings"), metavar="DIR", help="folder to write to (default: recordings)"
    )

    serve = verb("serve-rtltcp", "play a recording to rtl_tcp clients")
    serve.add_argument("source", metavar="SOURCE", help="file:PATH, or the path of a recording")
    serve.add_argument("--host", default="127.0.0.1", help="address to listen at (default: 127.0.0.1, not the network)")
    serve.add_argument("--port", type=_port, default=1234, help="port to listen at (default: 1234)")
    serve.add_argument("--rate", type=_frequency, metavar="HZ", help="sample rate, where the file does not say it")
    serve.add_argument("--format", help="sample type, where the suffix does not say it: cu8, ci16_le, cf32_le …")
    serve.add_argument("--loop", action="store_true", help="begin again at the end")
    serve.add_argument(
        "--pace", choices=["real", "max"], default="real", help="as it happened (default), or as fast as it is taken"
    )

    add_verbs(verbs)
    add_journal_verbs(verb)
    verb("devices", "list the radios, sound cards and serial ports that are attached")
    verb("doctor", "check the installation: drivers, libraries, permissions, CPU")
    return parser
