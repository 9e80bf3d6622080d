"""Prints what the daemon is held to: delay from the antenna to a port, patch change to sound, CPU while it runs.

python -m tests.bench.bench_daemon [SECONDS]
"""

import sys
import tempfile
from pathlib import Path

from tests.support.latency import measure


def main() -> None:
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 60.0
    with tempfile.TemporaryDirectory() as folder:
        seen = measure(Path(folder), seconds, joins=max(2, int(seconds / 4)))
    ranks = " · ".join(f"p{rank} {seen.percentile_ms(rank):.1f}" for rank in (1, 50, 90, 99))
    print(f"antenna to port     {ranks} ms over {len(seen.latencies_s)} windows of 200 ms (p99 limit 60)")
    joins = sorted(1000 * at for at in seen.joined_s)
    print(f"patch change        median {joins[len(joins) // 2]:.1f} ms, worst {joins[-1]:.1f} ms (limit 40)")
    print(f"CPU of the daemon   {seen.idle_ratio:.1%} of a core at rest (limit 5 %), {seen.cpu_ratio:.1%} in speech")
    print(f"ticks               {100 * seen.load:.1f} % of 20 ms, {seen.late} of them more than 10 ms late")


if __name__ == "__main__":
    main()
