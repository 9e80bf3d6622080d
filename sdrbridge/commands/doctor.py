"""`sdrbridge doctor`: checks the installation and says what to do about it."""

from argparse import Namespace

from hw.doctor import examine
from hw.machine import Status
from sdrbridge.commands.output import print_json, print_table


def run(options: Namespace) -> int:
    """Print each check; exit code 1 if one failed."""
    checks = examine()
    failed = any(check.status is Status.FAIL for check in checks)
    if options.json:
        entries = [{"name": c.name, "status": c.status.value, "finding": c.finding, "remedy": c.remedy} for c in checks]
        print_json({"ok": not failed, "checks": entries})
    else:
        rows = [[check.status.value, check.name, check.finding, check.remedy or ""] for check in checks]
        print_table("installation", ["", "what", "found", "what to do"], rows)
    return 1 if failed else 0
