"""`sdrbridge completion bash|zsh`: what a shell needs to complete the command line.

The scripts are made from the arguments (`scripts/make-interface`) and lie in `sdrbridge/completion/`. They ask
`sdrbridge completion ports` for the names that are there, which prints nothing when no bridge runs.
"""

from argparse import Namespace
from importlib.resources import files

from sdrbridge.commands.asking import client
from sdrbridge.commands.output import print_json
from sdrbridge.errors import SdrBridgeError

SCRIPTS = {"bash": "sdrbridge.bash", "zsh": "_sdrbridge"}


def run(options: Namespace) -> int:
    """Print a script, or names one a line."""
    if options.what in SCRIPTS:
        script = files("sdrbridge").joinpath("completion", SCRIPTS[options.what]).read_text(encoding="utf-8")
        if options.json:
            print_json({"shell": options.what, "script": script})
        else:
            print(script, end="")
        return 0
    names = _names(options)
    if options.json:
        print_json({options.what: names})
    else:
        print("".join(f"{name}\n" for name in names), end="")
    return 0


def _names(options: Namespace) -> list[str]:
    kind = {"ports": "port ls", "patches": "patch ls"}[options.what]
    try:
        return [str(entry["name"]) for entry in client(options).get(kind)[options.what]]
    except SdrBridgeError:
        return []  # in the middle of a line nobody wants to read of it
