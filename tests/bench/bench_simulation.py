"""CPU time of the whole simulation: hours that `sdrbridge simulate` plays in a CPU-minute, as it is run by people.

A port is busy while it receives and while it is on the air. How often that is follows from how much each port talks,
how the patches are, and what operators make of them; it is measured in the run.

    scripts/bench simulation
"""

import tempfile
import time
from pathlib import Path
from statistics import median

from sdrbridge.simulation import script as scripts
from sdrbridge.simulation.house import make_house
from sdrbridge.simulation.script import Plan
from sdrbridge.simulation.world import World

HOURS = 5.0
SEEDS = (1, 2, 3, 4)
PLANS = {"ports busy a fifth of the time": Plan(), "each port talks a fifth of the time": Plan(talk=0.2)}


def main() -> None:
    house = make_house(16)
    talkers = [station.name for station in house.stations]
    print(f"16 ports, {HOURS:g} h of each of {len(SEEDS)} seeds    busy    hours a CPU-minute: median, all")
    for title, plan in PLANS.items():
        paces, busy = [], []
        for seed in SEEDS:
            script = scripts.make(seed, HOURS, talkers, plan, house.roles)
            with tempfile.TemporaryDirectory() as folder:
                world = World(house, Path(folder) / "journal")
                begun = time.process_time()
                outcome = world.run(script, HOURS)
                paces.append(HOURS * 60 / (time.process_time() - begun))
            busy.append(outcome.busy)
        each = " ".join(f"{pace:.1f}" for pace in sorted(paces))
        print(f"{title:<38} {100 * median(busy):4.0f} %   {median(paces):5.1f}   {each}", flush=True)


if __name__ == "__main__":
    main()
