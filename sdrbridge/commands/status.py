"""`sdrbridge status`: what is up, who is talking, levels."""

from argparse import Namespace
from typing import Any

from sdrbridge.commands.asking import client
from sdrbridge.commands.output import print_json
from sdrbridge.commands.plain import print_rows
from sdrbridge.commands.port import print_ports
from sdrbridge.plainwords import seconds


def run(options: Namespace) -> int:
    """Print the whole bridge as it is."""
    status = client(options).get("status")
    if options.json:
        print_json(status)
        return 0
    print(headline(status))
    for what, reason in status["degraded"].items():
        print(f"degraded: {what}: {reason}")
    print()
    print_ports(status["ports"])
    if status["patches"]:
        rows = [
            [p["name"], ", ".join(p["heard"]), " · ".join(m["port"] for m in p["members"])] for p in status["patches"]
        ]
        print()
        print_rows(["patch", "talks now", "members"], rows)
    if status["tuners"]:
        rows = [
            [t["name"], t["state"], f"{t['rate'] / 1e6:g}", str(t["lost"]), str(t["restarts"]), t["reason"]]
            for t in status["tuners"]
        ]
        print()
        print_rows(["tuner", "state", "MS/s", "lost", "restarts", "why"], rows, right=[2, 3, 4])
    return 0


def headline(status: dict[str, Any]) -> str:
    """One line on the whole."""
    sound = "degraded" if status["degraded"] else "all well"
    return f"{status['site']}: up {seconds(status['t_s'])}, {sound}; sdrbridge {status['version']}"
