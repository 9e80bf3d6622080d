"""`sdrbridge patch …`: the matrix of a running bridge."""

from argparse import Namespace
from typing import Any

from sdrbridge.commands.asking import change, client
from sdrbridge.commands.output import print_json
from sdrbridge.commands.plain import print_rows


def run(options: Namespace) -> int:
    """Do one thing to the patches."""
    act = options.act
    if act == "ls":
        return _show(options)
    if act == "make":
        return _make(options)
    if act == "break":
        return change(options, "patch break", {"name": options.name})
    if act == "gain":
        ends = {"patch": options.patch, "talker": options.talker, "listener": options.listener}
        return change(options, "patch gain", {**ends, "gain_db": options.gain_db})
    member: dict[str, object] = {"patch": options.patch, "port": options.port}
    if act == "add":
        member |= {"talks": not options.hear_only, "hears": not options.talk_only}
    elif act in ("mute", "unmute"):
        member |= {"listener": options.to, "muted": act == "mute"}
        act = "mute"
    return change(options, f"patch {act}", member)


def _make(options: Namespace) -> int:
    body = {
        "name": options.name,
        "ports": options.ports,
        "monitors": options.monitor,
        "hang_s": options.hang,
        "timeout_s": options.timeout,
        "lockout_ms": options.lockout,
        "min_key_ms": options.min_key,
        "kerchunk_ms": options.kerchunk,
        "preempt": False if options.no_preempt else None,
        "mix": True if options.mix else None,
    }
    return change(options, "patch make", body)


def _show(options: Namespace) -> int:
    answer = client(options).get("patch ls", name=options.name)
    if options.json:
        print_json(answer)
        return 0
    patches = answer["patches"]
    if not patches:
        print("There is no patch. `sdrbridge patch make NAME PORT PORT` makes one.")
        return 0
    rows = [[p["name"], ", ".join(p["heard"]), " · ".join(map(_member, p["members"])), _rules(p)] for p in patches]
    print_rows(["patch", "talks now", "members", "rules"], rows)
    for patch in patches:
        for leg in patch["legs"]:
            how = "muted" if leg["muted"] else f"{leg['gain_db']:+.1f} dB"
            print(f"{patch['name']}: {leg['talker']} to {leg['listener']}: {how}")
    return 0


def _member(member: dict[str, Any]) -> str:
    marks = [] if member["talks"] else ["hears"]
    marks += [] if member["hears"] else ["talks"]
    marks += ["muted"] if member["muted"] else []
    marks += ["mixed"] if member["mixes"] else []
    return f"{member['port']} ({', '.join(marks)})" if marks else str(member["port"])


def _rules(patch: dict[str, Any]) -> str:
    rules = [f"hang {patch['hang_s']:g} s", f"time-out {patch['timeout_s']:g} s"]
    rules += [f"lock-out {patch['lockout_ms']} ms"] if patch["lockout_ms"] else []
    rules += [f"min key {patch['min_key_ms']} ms"] if patch["min_key_ms"] else []
    rules += [f"kerchunk {patch['kerchunk_ms']} ms"] if patch["kerchunk_ms"] else []
    rules += [] if patch["preempt"] else ["no pre-emption"]
    return ", ".join(rules)
