"""`sdrbridge top`: the bridge, live. The only asking verb that loads a drawing library."""

import json
import sys
import threading
from argparse import Namespace
from typing import Any

from rich.console import Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from sdrbridge.client import Client
from sdrbridge.commands.asking import client
from sdrbridge.commands.output import console
from sdrbridge.commands.port import state
from sdrbridge.commands.status import headline
from sdrbridge.errors import SdrBridgeError

_FLOOR_DBFS, _BAR = -60.0, 20
"""The level at which the bar is empty, and its length."""


def run(options: Namespace) -> int:
    """Show the bridge until Ctrl-C, or so many times."""
    bridge = client(options)
    if not sys.stdout.isatty() and options.times is None:
        raise SdrBridgeError("top is for a terminal; `sdrbridge status` prints once, `top -n N` N times")
    try:
        if options.json or not sys.stdout.isatty():
            _print(bridge, options)
        else:
            _live(bridge, options)
    except KeyboardInterrupt:
        pass
    return 0


def _print(bridge: Client, options: Namespace) -> None:
    screen = console(120)
    for left in range(options.times or sys.maxsize, 0, -1):
        status = bridge.get("status")
        if options.json:
            print(json.dumps(status, ensure_ascii=False), flush=True)
        else:
            screen.print(picture(status))
        _pause(options.interval, left)


def _live(bridge: Client, options: Namespace) -> None:
    with Live(picture(bridge.get("status")), screen=True, auto_refresh=False) as live:
        for left in range(options.times or sys.maxsize, 0, -1):
            live.update(picture(bridge.get("status")), refresh=True)
            _pause(options.interval, left)


def _pause(interval_s: float, left: int) -> None:
    if left > 1:
        threading.Event().wait(interval_s)


def picture(status: dict[str, Any]) -> RenderableType:
    """The whole screen."""
    ports = Table(box=None, header_style="dim", pad_edge=False)
    for column in ("port", "state", "hears", "level", "SNR dB", "sends", "patches"):
        ports.add_column(column)
    for port in status["ports"]:
        ports.add_row(
            Text(port["name"], style="bold" if port["over"] or port["keyed"] else ""),
            Text(state(port), style="" if port["state"] == "up" and not port["muted"] else "yellow"),
            Text(port["over"] or "", style="green"),
            Text(bar(port["level_dbfs"]), style="green"),
            Text("" if port["snr_db"] is None else f"{port['snr_db']:.0f}"),
            Text("ON AIR" if port["keyed"] else "", style="bold red"),
            Text(", ".join(port["patches"])),
        )
    patches = Table(box=None, header_style="dim", pad_edge=False)
    for column in ("patch", "talks now", "members"):
        patches.add_column(column)
    for patch in status["patches"]:
        members = " · ".join(m["port"] + (" (muted)" if m["muted"] else "") for m in patch["members"])
        patches.add_row(Text(patch["name"]), Text(", ".join(patch["heard"]), style="bold green"), Text(members))
    troubles = [Text(f"{what}: {why}", style="yellow") for what, why in status["degraded"].items()]
    return Group(Text(headline(status), style="bold"), *troubles, Text(), ports, Text(), patches)


def bar(level_dbfs: float | None) -> str:
    """A level as a bar: empty at -60 dBFS, full at 0."""
    if level_dbfs is None:
        return ""
    filled = round(_BAR * min(1.0, max(0.0, 1 - level_dbfs / _FLOOR_DBFS)))
    return "█" * filled + "·" * (_BAR - filled) + f" {level_dbfs:.0f}"
