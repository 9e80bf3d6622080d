"""`sdrbridge check SITE`: validates exactly as the daemon would."""

from argparse import Namespace

from sdrbridge.commands.output import print_json, print_table
from sdrbridge.site import load_site


def run(options: Namespace) -> int:
    """Print what the site file sets up, or every problem of it (exit code 78)."""
    site = load_site(options.site)
    if options.json:
        print_json({"site": site.name, "ok": True, **site.to_dict()})
        return 0
    rows = [
        [
            channel.name,
            channel.mode,
            f"{channel.freq_hz / 1e6:.4f}" if channel.freq_hz else "",
            channel.tuner,
            channel.squelch.describe(),
        ]
        for channel in site.channels
    ]
    print_table(f"{site.name}: channels", ["name", "mode", "MHz", "tuner", "squelch"], rows, right=[2])
    if site.ports:
        print_table("ports", ["name", "kind"], [[port.name, port.kind] for port in site.ports])
    if site.patches:
        print_table("patches", ["name", "members"], [[patch.name, " · ".join(patch.ports)] for patch in site.patches])
    print(f"{options.site}: no problems found")
    return 0
