"""`sdrbridge events [-f]`: what the bridge decided and did, as lines for people or as JSON lines."""

import json
from argparse import Namespace
from collections.abc import Iterable
from typing import Any

from sdrbridge.commands.asking import client
from sdrbridge.commands.output import note
from sdrbridge.commands.plain import clock_time
from sdrbridge.errors import SdrBridgeError
from sdrbridge.plainwords import say


def run(options: Namespace) -> int:
    """Print the last events; with -f, go on until Ctrl-C."""
    bridge = client(options)
    if not options.follow:
        _print(bridge.get("events", last=options.last)["events"], options)
        return 0
    try:
        _print(bridge.events(options.last), options)
    except KeyboardInterrupt:
        return 0
    raise SdrBridgeError("the bridge ended the stream: it was stopped, or these events were not read fast enough")


def _print(events: Iterable[dict[str, Any]], options: Namespace) -> None:
    expected: int | None = None
    for event in events:
        seq = event.get("seq")
        if isinstance(seq, int):
            if expected is not None and seq > expected:
                note(f"{seq - expected} events are missing here")
            expected = seq + 1
        if options.about and options.about not in _names(event):
            continue
        if options.json:
            print(json.dumps(event, ensure_ascii=False), flush=True)
        else:
            print(f"{clock_time(str(event.get('at', '')))}  {say(event)}", flush=True)


def _names(event: dict[str, Any]) -> set[str]:
    found = {
        str(event[key]) for key in ("channel", "port", "patch", "tuner", "what", "talker", "listener") if key in event
    }
    return found.union(*(map(str, event.get(key) or ()) for key in ("ports", "patches", "monitors")))
