"""`sdrbridge delay FROM TO`: the delay ledger of a path: declared by stage, and measured."""

from argparse import Namespace

from sdrbridge.commands.asking import client
from sdrbridge.commands.output import print_json
from sdrbridge.commands.plain import number, print_rows


def run(options: Namespace) -> int:
    """Print what each stage holds back, the sum, and what is measured."""
    answer = client(options).get("delay", source=options.source, target=options.target)
    if options.json:
        print_json(answer)
        return 0
    rows = [[stage["stage"], number(stage["delay_ms"], 2)] for stage in answer["stages"]]
    print_rows(["stage", "ms"], [*rows, ["declared in all", number(answer["declared_ms"], 2)]], right=[1])
    if answer["unknown"]:
        print(answer["unknown"])
    measured = answer["measured_ms"]
    nothing = f"nothing of {answer['source']} is sent to {answer['target']} now, so nothing is measured"
    print(nothing if measured is None else f"measured now: {measured:.1f} ms")
    if answer["launch_ms"]:
        print(f"and {answer['launch_ms']:g} ms of access time at the beginning of an over, won back in pauses")
    return 0
