"""`sdrbridge port …`: the ports of a running bridge."""

from argparse import Namespace
from collections.abc import Iterable
from typing import Any

from sdrbridge.commands.asking import change, client
from sdrbridge.commands.output import print_json
from sdrbridge.commands.plain import number, print_rows


def run(options: Namespace) -> int:
    """Show ports, or do one thing to one of them."""
    act = options.act
    if act in ("ls", "show"):
        return _show(options)
    body: dict[str, object] = {"port": options.name}
    if act == "key":
        body["seconds"] = options.seconds
    elif act == "level":
        body |= {"rx_gain_db": options.rx, "tx_gain_db": options.tx}
    elif act == "align":
        body |= {"level_dbfs": options.level, "seconds": options.seconds, "stop": options.stop}
    elif act in ("mute", "unmute"):
        body |= {"direction": "rx" if options.rx else "tx" if options.tx else "both", "muted": act == "mute"}
        act = "mute"
    return change(options, f"port {act}", body)


def _show(options: Namespace) -> int:
    answer = client(options).get("port ls", name=options.name)
    if options.json:
        print_json(answer if options.act == "ls" else answer["ports"][0])
    elif options.act == "ls":
        print_ports(answer["ports"])
    else:
        _details(answer["ports"][0])
    return 0


def print_ports(ports: Iterable[dict[str, Any]]) -> None:
    """A table of ports."""
    rows = [
        [
            port["name"],
            port["kind"],
            state(port),
            port["over"] or "",
            number(port["level_dbfs"]),
            number(port["snr_db"]),
            "keyed" if port["keyed"] else "",
            ", ".join(port["patches"]),
        ]
        for port in ports
    ]
    print_rows(["port", "kind", "state", "hears", "dBFS", "SNR dB", "sends", "patches"], rows, right=[4, 5])


def state(port: dict[str, Any]) -> str:
    """How a port is, in a word or two."""
    words = [] if port["state"] == "up" and port["muted"] else [port["state"]]
    words += [f"muted {port['muted']}" if port["muted"] != "both" else "muted"] if port["muted"] else []
    words += ["loop"] if port["loop"] else []
    return ", ".join(words)


def _details(port: dict[str, Any]) -> None:
    ways = [way for way, there in (("receives", port["receives"]), ("transmits", port["transmits"])) if there]
    rows = [
        ["name", port["name"]],
        ["kind", port["kind"]],
        ["does", " and ".join(ways)],
        ["state", state(port) + (f": {port['reason']}" if port["reason"] else "")],
        ["hears", port["over"] or "nothing"],
        ["sends", f"keyed for {', '.join(port['keyed_by']) or 'a hand'}" if port["keyed"] else "nothing"],
        ["patches", ", ".join(port["patches"]) or "none"],
        ["priority", str(port["priority"])],
        ["levels", f"{port['rx_gain_db']:+g} dB in, {port['tx_gain_db']:+g} dB out"],
        *([["cut off", port["loop"]]] if port["loop"] else []),
        ["access time", f"{port['access_ms']} ms"],
        *([name, f"{value:g}"] for name, value in port["counters"].items()),
    ]
    for name, value in rows:
        print(f"{name:<12} {value}")
