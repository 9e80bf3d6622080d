"""`sdrbridge reload`: has the daemon read its site file again; with errors in it the old one stays."""

from argparse import Namespace

from sdrbridge.commands.asking import client
from sdrbridge.commands.output import print_json


def run(options: Namespace) -> int:
    """Print what changed; exit code 78 and every problem where the file cannot be used."""
    answer = client(options).post("reload", {}, options.wait is not None)
    if options.json:
        print_json(answer)
        return 0
    for line in answer["did"] or ["nothing has changed"]:
        print(line)
    return 0
