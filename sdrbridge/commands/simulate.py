"""`sdrbridge simulate`: hours of a busy bridge in minutes, with faults, and its invariants watched."""

import tempfile
import time
from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path

from sdrbridge.commands.output import note, print_json, print_table, progress
from sdrbridge.errors import SdrBridgeError
from sdrbridge.simulation import script as scripts
from sdrbridge.simulation.house import House, make_house
from sdrbridge.simulation.script import Deed, Plan
from sdrbridge.simulation.shrink import shrink
from sdrbridge.simulation.watch import Broken
from sdrbridge.simulation.world import Outcome, World


def run(options: Namespace) -> int:
    """Run the script of a seed, or one that was written down."""
    try:
        house = make_house(options.ports)
    except ValueError as problem:
        raise SdrBridgeError(str(problem)) from None
    if options.script is None:
        talkers = [station.name for station in house.stations]
        script = scripts.make(options.seed, options.hours, talkers, Plan(talk=options.talk), house.roles)
    else:
        script = _read(options.script)
    try:
        began = time.process_time()
        outcome = _once(house, script, options, "simulating")
        took = time.process_time() - began
        if options.twice:
            again = _once(house, script, options, "once more")
            if again.digest != outcome.digest:
                raise Broken(1, 0, f"two runs of one script differ: {outcome.digest[:16]} and {again.digest[:16]}")
    except Broken as broken:
        return _broken(house, script, broken, options)
    _tell(outcome, took, options)
    return 0


def _once(house: House, script: Sequence[Deed], options: Namespace, title: str) -> Outcome:
    with progress(f"{title} {options.hours:g} h") as advance, tempfile.TemporaryDirectory() as folder:
        world = World(house, Path(folder) / "journal")
        return world.run(script, options.hours, lambda done: advance(done, options.hours * 3600, ""))


def _broken(house: House, script: Sequence[Deed], broken: Broken, options: Namespace) -> int:
    note(f"seed {options.seed}: {broken}")
    if broken.number == 1:
        return 1
    note("looking for the shortest script that does the same …")

    def breaks(deeds: Sequence[Deed]) -> Broken | None:
        until = (deeds[-1].at / 8000 + 150) / 3600 if deeds else 0.01
        try:
            World(house).run(deeds, until)
        except Broken as found:
            return found
        return None

    shortest, found = shrink(script, broken, breaks)
    trace = [deed.to_json() for deed in shortest]
    if options.json:
        print_json({"seed": options.seed, "broken": str(found), "invariant": found.number, "trace": trace})
    else:
        print("\n".join(trace))
        note(f"seed {options.seed}: {found}; write these {len(trace)} lines to a file and give it with --script")
    return 1


def _read(path: Path) -> list[Deed]:
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except OSError as problem:
        raise SdrBridgeError(f"{path}: {problem.strerror or problem}") from problem
    except UnicodeDecodeError:
        raise SdrBridgeError(f"{path}: is not text; a script is a deed a line, in JSON") from None
    found = []
    for number, line in enumerate(lines, 1):
        try:
            found.append(Deed.from_json(line))
        except (ValueError, KeyError, AttributeError, TypeError, RecursionError) as problem:
            raise SdrBridgeError(
                f'{path}:{number}: is no deed ({problem}); one is {{"at_s": 1.0, "what": "talk", …}}'
            ) from None
    return sorted(found, key=lambda deed: deed.at)


def _tell(outcome: Outcome, took: float, options: Namespace) -> None:
    """took: seconds of CPU."""
    pace = outcome.seconds / 60 / took if took else 0.0
    if options.json:
        print_json({"seed": options.seed, **outcome.to_dict(), "hours_per_cpu_minute": round(pace, 1)})
        return
    tally = outcome.tally
    rows = [
        ["simulated", f"{outcome.seconds / 3600:g} h"],
        ["overs", str(tally.overs)],
        ["granted the floor", str(tally.granted)],
        ["refused", str(tally.refused)],
        ["first syllables checked", str(tally.first_syllables)],
        ["sounds followed through a card", str(tally.followed)],
        ["recordings compared", str(tally.recorded)],
        ["transmitters on the air", f"{tally.keyed_s / 3600:.2f} h"],
        ["each port busy", f"{100 * outcome.busy:.0f} % of the time"],
        *([fault, str(count)] for fault, count in outcome.faults.items()),
        ["process started again", str(outcome.restarts)],
        ["events", str(tally.events)],
        ["journal entries", f"{outcome.journal_written}, {outcome.journal_lost} lost and counted"],
        ["hours per CPU-minute", f"{pace:.1f}"],
        ["digest", outcome.digest[:16]],
    ]
    print_table(f"seed {options.seed}: every invariant held", ["what", "how much"], rows, right=[1])
