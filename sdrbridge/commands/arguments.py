"""The arguments of the verbs that ask a running bridge. Standard library only: read to answer `--help`, too.

Bounds are those of `sdrbridge.control.types`; a value outside is a usage error here, before anybody is asked.
"""

import argparse
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

PORTS = {"bash": "_sdrbridge_ports", "zsh": "_sdrbridge_ports"}
"""How a shell completes the name of a port; see `sdrbridge.commands.completion`."""

PATCHES = {"bash": "_sdrbridge_patches", "zsh": "_sdrbridge_patches"}

WAIT_S = 10.0
"""Seconds that `--wait` waits for a daemon, where it is not said."""

Subparsers = Any
"""What `add_subparsers` returns; argparse keeps its type to itself."""


def add_verbs(verbs: Subparsers) -> None:
    """Add every asking verb to the program."""
    _leaf(verbs, "status", "what is up, who is talking, levels")
    top = _leaf(verbs, "top", "the bridge, live")
    top.add_argument("--interval", type=bounded(0.1, 60, "s"), default=0.5, metavar="S", help="between two looks")
    top.add_argument("-n", "--times", type=_whole(1, 1_000_000), metavar="N", help="look N times and stop")
    _add_patch(_branch(verbs, "patch", "who hears whom: show, make, break and change patches"))
    _add_port(_branch(verbs, "port", "show, key and cut off ports"))
    why = _leaf(verbs, "why", "the last chain of decisions about a port or patch, with times")
    why.add_argument("question", choices=["keyed", "silent", "refused"], help="what to explain")
    _name(why, "name", "NAME", "port or patch", PORTS)
    delay = _leaf(verbs, "delay", "the delay ledger of a path: declared by stage, and measured")
    _name(delay, "source", "FROM", "port where it comes in", PORTS)
    _name(delay, "target", "TO", "port where it goes out", PORTS)
    events = _leaf(verbs, "events", "what the bridge decided and did")
    events.add_argument("-f", "--follow", action="store_true", help="go on with those to come, until Ctrl-C")
    events.add_argument("--last", type=_whole(0, 1000), default=20, metavar="N", help="begin with the last N")
    _name(events, "--about", "NAME", "only those about this port, patch or tuner", PORTS)
    _leaf(verbs, "reload", "have the daemon read its site file again; with errors in it the old one stays")
    completion = verbs.add_parser("completion", help="print the completion for a shell", description=_COMPLETION)
    completion.add_argument("what", choices=["bash", "zsh", "ports", "patches"], help="shell, or names to complete")
    completion.add_argument("--json", action="store_true", help="print one JSON object")
    _bridge(completion)


_COMPLETION = (
    "Prints the completion for a shell: `sdrbridge completion bash > /etc/bash_completion.d/sdrbridge`; for zsh, write "
    "it to a file _sdrbridge in a folder of $fpath. Names of ports and patches are asked of the bridge that runs."
)


def _add_patch(acts: Subparsers) -> None:
    show = _leaf(acts, "ls", "the patches as they are")
    _name(show, "name", "PATCH", "only this one", PATCHES, nargs="?")

    make = _change(acts, "make", "make a patch; it takes effect at the next tick")
    make.add_argument("name", metavar="NAME", help="of the new patch")
    _name(make, "ports", "PORT", "members that talk and hear", PORTS, nargs="+")
    _name(make, "--monitor", "PORT", "a member that only hears", PORTS, action="append", default=[])
    make.add_argument("--hang", type=bounded(0, 30, "s"), metavar="S", help="outputs stay keyed after a talker (0.5)")
    make.add_argument("--timeout", type=bounded(1, 3600, "s"), metavar="S", help="longest over (120)")
    make.add_argument("--lockout", type=_whole(0, 5000), metavar="MS", help="ping-pong lock-out after unkeying (0)")
    make.add_argument("--min-key", type=_whole(0, 5000), metavar="MS", help="shortest time on the air (0)")
    make.add_argument("--kerchunk", type=_whole(0, 5000), metavar="MS", help="an over that opens it lasts so long (0)")
    make.add_argument("--mix", action="store_true", help="every talker is heard beside the others; for full duplex")
    make.add_argument("--no-preempt", action="store_true", help="priority does not take the floor")

    broken = _change(acts, "break", "take a patch away; asks first if somebody is heard in it")
    _name(broken, "name", "PATCH", "to break", PATCHES)
    broken.add_argument("--yes", action="store_true", help="do not ask")

    add = _change(acts, "add", "let one more port into a patch")
    _member(add)
    part = add.add_mutually_exclusive_group()
    part.add_argument("--hear-only", action="store_true", help="it hears, and is not heard")
    part.add_argument("--talk-only", action="store_true", help="it is heard, and hears nothing")

    _member(_change(acts, "drop", "take a port out of a patch"))
    for act, summary in (("mute", "cut off what a member says"), ("unmute", "let it through again")):
        mute = _change(acts, act, summary)
        _member(mute)
        _name(mute, "--to", "PORT", "for this listener only", PORTS)

    gain = _change(acts, "gain", "set how loud one member hears another")
    _name(gain, "patch", "PATCH", "the patch", PATCHES)
    _name(gain, "talker", "TALKER", "who is heard", PORTS)
    _name(gain, "listener", "LISTENER", "who hears", PORTS)
    gain.add_argument("gain_db", type=bounded(-60, 20, "dB"), metavar="DB", help="gain in dB, -60 to 20")


def _add_port(acts: Subparsers) -> None:
    _leaf(acts, "ls", "the ports as they are").set_defaults(name=None)
    _name(_leaf(acts, "show", "everything about one port"), "name", "PORT", "to show", PORTS)

    key = _change(acts, "key", "put a transmitter on the air by hand, for a bounded time; asks first")
    _name(key, "name", "PORT", "to key", PORTS)
    key.add_argument("--seconds", type=bounded(0.02, 60, "s"), default=5.0, metavar="S", help="how long, to 60 (5)")
    key.add_argument("--yes", action="store_true", help="do not ask")

    level = _change(acts, "level", "set how loud a port is in every patch")
    _name(level, "name", "PORT", "the port", PORTS)
    level.add_argument("--rx", type=bounded(-60, 20, "dB"), metavar="DB", help="what comes in")
    level.add_argument("--tx", type=bounded(-60, 20, "dB"), metavar="DB", help="what goes out")

    align = _change(acts, "align", "send a tone of 1 kHz to set levels by; asks first, it puts the port on the air")
    _name(align, "name", "PORT", "to send it from", PORTS)
    align.add_argument("--level", type=bounded(-60, 0, "dBFS"), default=-20.0, metavar="DBFS", help="of the tone (-20)")
    align.add_argument("--seconds", type=bounded(0.02, 60, "s"), default=10.0, metavar="S", help="how long, to 60 (10)")
    align.add_argument("--stop", action="store_true", help="end the tone there is")
    align.add_argument("--yes", action="store_true", help="do not ask")

    restore = _change(
        acts, "restore", "let a port through again that was cut off because our own speech came back there"
    )
    _name(restore, "name", "PORT", "the port", PORTS)

    _name(_change(acts, "unkey", "take the hand off a transmitter"), "name", "PORT", "to unkey", PORTS)
    for act, summary in (("mute", "cut a port off from every patch"), ("unmute", "let it through again")):
        mute = _change(acts, act, summary)
        _name(mute, "name", "PORT", "the port", PORTS)
        side = mute.add_mutually_exclusive_group()
        side.add_argument("--rx", action="store_true", help="only what it says")
        side.add_argument("--tx", action="store_true", help="only what it is sent")


def _branch(verbs: Subparsers, name: str, summary: str) -> Subparsers:
    parser = verbs.add_parser(name, help=summary, description=summary)
    return parser.add_subparsers(dest="act", metavar="ACT", required=True)


def _leaf(verbs: Subparsers, name: str, summary: str) -> argparse.ArgumentParser:
    parser = verbs.add_parser(name, help=summary, description=summary)
    assert isinstance(parser, argparse.ArgumentParser)
    parser.add_argument("--json", action="store_true", help="print JSON instead of tables")
    _bridge(parser)
    return parser


def _bridge(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--socket", type=Path, metavar="PATH", help="control socket (default: where a daemon puts it)")
    parser.add_argument(
        "--wait",
        type=bounded(0, 3600, "s"),
        nargs="?",
        const=WAIT_S,
        metavar="S",
        help=f"wait until the daemon is up, S seconds at most ({WAIT_S:g}), and until a change is in force",
    )


def _change(acts: Subparsers, name: str, summary: str) -> argparse.ArgumentParser:
    parser = _leaf(acts, name, summary)
    parser.add_argument("--note", default="", metavar="TEXT", help="why; goes into the journal")
    return parser


def _member(parser: argparse.ArgumentParser) -> None:
    _name(parser, "patch", "PATCH", "the patch", PATCHES)
    _name(parser, "port", "PORT", "the port", PORTS)


def _name(
    parser: argparse.ArgumentParser, dest: str, metavar: str, summary: str, complete: dict[str, str], **more: Any
) -> None:
    action = parser.add_argument(dest, metavar=metavar, help=summary, **more)
    action.complete = complete  # type: ignore[attr-defined]


def bounded(low: float, high: float, unit: str) -> Callable[[str], float]:
    """An argument that is a number between two, in words: `--hang 31` must lie between 0 and 30 s."""

    def number(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not low <= value <= high:
            raise argparse.ArgumentTypeError(f"{text} must be a number between {low:g} and {high:g} ({unit})")
        return value

    return number


def _whole(low: int, high: int) -> Callable[[str], int]:
    def whole(text: str) -> int:
        if not text.isascii() or not text.isdigit() or not low <= int(text) <= high:
            raise argparse.ArgumentTypeError(f"{text} must be a whole number between {low} and {high}")
        return int(text)

    return whole
