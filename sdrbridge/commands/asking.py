"""What the verbs that ask a running bridge have in common: reach it, ask, confirm, print what was done."""

from argparse import Namespace
from collections.abc import Mapping
from typing import Any

from sdrbridge.client import Client, Rejected
from sdrbridge.commands.output import print_json
from sdrbridge.commands.plain import confirm
from sdrbridge.errors import SdrBridgeError
from sdrbridge.plainwords import listed


def client(options: Namespace) -> Client:
    """The bridge that is meant."""
    return Client(options.socket, options.wait or 0.0)


def change(options: Namespace, words: str, body: Mapping[str, object]) -> int:
    """Have something changed, asking at the terminal where the bridge wants it confirmed, and say what was done."""
    bridge = client(options)
    sent = {key: value for key, value in body.items() if value is not None}
    if options.note:
        sent["note"] = options.note
    if getattr(options, "yes", False):
        sent["confirm"] = True
    wait = options.wait is not None
    try:
        answer = bridge.post(words, sent, wait)
    except Rejected as problem:
        if problem.kind != "needs_confirmation":
            raise
        agreed = confirm(f"{problem}. Do it?")
        if agreed is None:
            raise SdrBridgeError(f"{problem}; nothing was done; --yes does it") from problem
        if not agreed:
            raise SdrBridgeError("nothing was done") from problem
        answer = bridge.post(words, {**sent, "confirm": True}, wait)
    if options.json:
        print_json(answer)
    else:
        tell(answer)
    return 0


def tell(answer: Mapping[str, Any]) -> None:
    """What was done, and what is lost on the way."""
    for line in answer["did"]:
        print(line)
    by_loss: dict[tuple[str, tuple[str, ...]], list[str]] = {}
    for loss in answer.get("losses", []):
        by_loss.setdefault((loss["listener"], tuple(loss["lost"])), []).append(loss["talker"])
    for (listener, lost), talkers in by_loss.items():
        print(f"{listener} will not get the {listed(lost)} of {listed(talkers)}")
