"""`sdrbridge run SITE`: the daemon."""

from argparse import Namespace

from sdrbridge.daemon import Daemon
from sdrbridge.logs import start_logging


def run(options: Namespace) -> int:
    """Run the bridge until it is told to end."""
    start_logging()
    return Daemon(options.site, options.state, options.socket).run()
