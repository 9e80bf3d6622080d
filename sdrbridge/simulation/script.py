"""What happens to a bridge from outside, as a list of deeds with times: made from a seed, written down, read again.

    {"at_s": 12.5, "what": "talk", "who": "ch1", "for_s": 3.2}
    {"at_s": 14.0, "what": "patch", "who": "COML", "verb": "drop", "patch": "command", "port": "radio2"}

A script is data: a broken run is told by its deeds, and any part of a script can be run again.
"""

import json
import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from dsp.blocks import AUDIO_RATE, TICK_SAMPLES

WORKER_FAULTS = ("dies", "hangs", "leaks", "loses its device", "is late")
"""What a worker may do; the last two for a while."""

LINK_FAULTS = ("lose", "late", "double", "reorder", "stall")
"""What a network may do with packets."""

FAULT_KINDS = 8
"""Kinds of faults, each about as often as any other."""

Facts = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Deed:
    """One thing that happens. at: bridge time in samples of 8 kHz. what: the kind of deed. args: of that kind."""

    at: int
    what: str
    args: Facts = field(default_factory=dict)

    def to_json(self) -> str:
        """On one line, for people and for `from_json`."""
        return json.dumps({"at_s": self.at / AUDIO_RATE, "what": self.what, **self.args}, ensure_ascii=False)

    @classmethod
    def from_json(cls, line: str) -> "Deed":
        """Raises `ValueError` or `KeyError` for what is no deed."""
        args = json.loads(line)
        return cls(round(args.pop("at_s") * AUDIO_RATE), args.pop("what"), args)


@dataclass(frozen=True, slots=True)
class Plan:
    """How lively a script is.

    talk: share of the time in which each port talks. over_s: mean length of an over. between operator deeds and faults
    lie `operator_s` and `fault_s` on average. In the patches of `make_house`, ports that talk for an eighth of the time
    are busy for a fifth of it: they receive, or are on the air.
    """

    talk: float = 0.12
    over_s: float = 4.0
    operator_s: float = 90.0
    fault_s: float = 300.0
    stuck: float = 0.002
    emergency: float = 0.01
    encrypted: float = 0.03


def make(seed: int, hours: float, talkers: Sequence[str], plan: Plan, roles: "Roles") -> list[Deed]:
    """A script of so many hours. The same arguments give the same script."""
    end = round(hours * 3600 * AUDIO_RATE)
    deeds: list[Deed] = []
    for name in talkers:
        deeds += _talk(random.Random(f"{seed}/talk/{name}"), name, end, plan)
    deeds += _operate(random.Random(f"{seed}/operate"), end, plan, roles)
    deeds += _fail(random.Random(f"{seed}/fail"), end, plan, roles)
    deeds += _drift(random.Random(f"{seed}/drift"), end, plan, roles)
    return sorted(deeds, key=lambda deed: deed.at)


@dataclass(frozen=True, slots=True)
class Roles:
    """What operators and faults choose from."""

    ports: Sequence[str]
    patches: Sequence[str]
    tuners: Sequence[str]
    links: Sequence[str]
    radios: Sequence[str]


def _talk(rng: random.Random, name: str, end: int, plan: Plan) -> Iterable[Deed]:
    pause_s = plan.over_s * (1 - plan.talk) / plan.talk
    at = 0.0
    while True:
        at += 0.3 + rng.expovariate(1 / max(pause_s - 0.3, 0.1))
        length = 600.0 if rng.random() < plan.stuck else min(0.2 + rng.expovariate(1 / plan.over_s), 60.0)
        start = round(at * AUDIO_RATE)
        if start >= end:
            return
        args: Facts = {"who": name, "for_s": round(length, 3)}
        if rng.random() < plan.emergency:
            args["emergency"] = True
        if rng.random() < plan.encrypted:
            # said at once, or found out in the middle of the over
            args["encrypted_after_s"] = rng.choice([0.0, round(rng.uniform(0.1, 2.0), 2)])
        yield Deed(start, "talk", args)
        at += length


def _operate(rng: random.Random, end: int, plan: Plan, roles: Roles) -> Iterable[Deed]:
    at = 0.0
    while True:
        at += rng.expovariate(1 / plan.operator_s)
        tick = round(at * AUDIO_RATE) // TICK_SAMPLES * TICK_SAMPLES
        if tick >= end:
            return
        verb = rng.choice(
            ["make", "break", "add", "drop", "mute", "unmute", "mute_port", "unmute_port", "key", "unkey"]
        )
        args: Facts = {"who": rng.choice(["coml", "tech"]), "verb": verb}
        if verb in ("mute_port", "unmute_port", "key", "unkey"):
            args["port"] = rng.choice(roles.radios if "key" in verb else roles.ports)
        else:
            args["patch"] = rng.choice(roles.patches)
            args["port"] = rng.choice(roles.ports)
            args["others"] = rng.sample(list(roles.ports), 3)
        if verb == "key":
            args["for_s"] = round(rng.uniform(0.5, 5.0), 2)
        yield Deed(tick, "operate", args)


def _fail(rng: random.Random, end: int, plan: Plan, roles: Roles) -> Iterable[Deed]:
    at = 0.0
    while True:
        at += rng.expovariate(1 / plan.fault_s)
        start = round(at * AUDIO_RATE)
        if start >= end:
            return
        match rng.choice(["worker", "link", "kill", "hang", "disk", "clock", "device"]):
            case "worker":
                how = rng.choice(WORKER_FAULTS)
                args = {"tuner": rng.choice(roles.tuners), "how": how, "for_s": round(rng.uniform(0.5, 20), 2)}
                yield Deed(start, "worker", args)
            case "device":
                yield Deed(start, "device", {"port": rng.choice(roles.radios), "for_s": round(rng.uniform(0.5, 20), 2)})
            case "link":
                fault = rng.choice(LINK_FAULTS)
                args = {"port": rng.choice(roles.links), "fault": fault, "for_s": round(rng.uniform(1, 30), 2)}
                yield Deed(start, "link", args)
            case "kill":
                yield Deed(start, "kill", {"for_s": round(rng.uniform(0.5, 2.5), 2)})
            case "hang":
                yield Deed(start, "hang", {"for_s": round(rng.uniform(0.05, 5.0), 2)})
            case "disk":
                yield Deed(start, "disk", {"for_s": round(rng.uniform(5, 120), 1)})
            case "clock":
                yield Deed(start, "clock", {"step_s": rng.choice([-3600.0, -1.0, 0.5, 86400.0])})
        at += 5.0


def _drift(rng: random.Random, end: int, plan: Plan, roles: Roles) -> Iterable[Deed]:
    """Sound cards whose clock runs up to 300 ppm beside the bridge's. Of its own dice: what else happens stays."""
    at = 0.0
    while True:
        at += rng.expovariate(1 / (FAULT_KINDS * plan.fault_s))
        start = round(at * AUDIO_RATE)
        if start >= end:
            return
        ppm = rng.choice([-1, 1]) * rng.choice([300.0, round(rng.uniform(20, 300), 1)])
        yield Deed(
            start, "drift", {"port": rng.choice(roles.radios), "ppm": ppm, "for_s": round(rng.uniform(20, 60), 1)}
        )
        at += 5.0
