"""`sdrbridge why keyed|silent|refused NAME`: the last chain of decisions, with times."""

from argparse import Namespace

from sdrbridge.commands.asking import client
from sdrbridge.commands.output import print_json
from sdrbridge.commands.plain import clock_time
from sdrbridge.plainwords import seconds


def run(options: Namespace) -> int:
    """Print the answer, then what led to it, the first cause first."""
    answer = client(options).get("why", question=options.question, name=options.name)
    if options.json:
        print_json(answer)
        return 0
    print(answer["answer"])
    for step in answer["chain"]:
        print(f"  {clock_time(step['at'])}  {seconds(max(0.0, step['ago_s'])):>12} ago  {step['says']}")
    return 0
