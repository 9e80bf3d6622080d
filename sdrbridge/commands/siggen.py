"""`sdrbridge siggen SCENE`: makes a recording with known contents."""

from argparse import Namespace

from sdrbridge.commands.output import print_json, progress
from sdrbridge.siggen import make_scene


def run(options: Namespace) -> int:
    """Make the scene and say where it and its truth are."""
    with progress(f"making {options.scene.name}") as advance:
        made = make_scene(options.scene, options.out, progress=lambda done: advance(done, 1.0))
    if options.json:
        print_json({"recording": str(made.recording), "truth": str(made.truth)})
    else:
        print(f"{made.recording}\n{made.truth}")
    return 0
