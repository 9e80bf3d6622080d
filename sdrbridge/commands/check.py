"""`sdrbridge check SITE`: validates exactly as the daemon would."""

from argparse import Namespace

from hw.keyer import parse_keyer
from sdrbridge.commands.output import note, print_json, print_table
from sdrbridge.config import Site
from sdrbridge.site import load_site


def run(options: Namespace) -> int:
    """Print what the site file sets up, or every problem of it (exit code 78)."""
    site = load_site(options.site)
    if options.json:
        print_json({"site": site.name, "ok": True, "warnings": warnings(site), **site.to_dict()})
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
    for warning in warnings(site):
        note(f"{options.site}: warning: {warning}")
    print(f"{options.site}: no problems found")
    return 0


def warnings(site: Site) -> list[str]:
    """What is allowed and may go wrong all the same."""
    found = []
    for port in site.ports:
        spec = getattr(port.settings, "keyer", "none:")
        keyer = parse_keyer(spec)
        if keyer.kind == "serial" and not keyer.active_high:
            found.append(
                f'port "{port.name}": with {spec} the transmitter is on the air whenever nobody drives '
                f"{keyer.line.upper()}: the machine is off or starting, the cable pulled, or the keyer guard died "
                "while it was keyed; wire it for active=high if the interface allows"
            )
    return found
