"""Prints how long a transmitter stays keyed after what held it was killed or stopped: the limit is 500 ms.

python -m tests.bench.bench_guard [TIMES]
"""

import json
import os
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any


def once(whom: str, how: signal.Signals) -> float:
    """Seconds from the signal to the line being unkeyed. whom: guard or daemon."""
    with tempfile.TemporaryDirectory() as folder, socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as radio:
        radio.bind(f"{folder}/s")

        def until(good: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
            while not good(said := json.loads(radio.recv(1000))):
                pass
            return dict(said)

        spec = f"tell:{folder}/s,{folder}/state"
        command = [sys.executable, "-m", "tests.support.standin_keyer", "daemon", spec]
        daemon = subprocess.Popen(command, cwd=Path(__file__).parents[2], stderr=subprocess.DEVNULL)
        try:
            guard = int(until(lambda said: said.get("keyed") is True)["guard"])
            until(lambda said: bool(said.get("spare")))
            began = time.monotonic()
            os.kill(guard if whom == "guard" else daemon.pid, how)
            return float(until(lambda said: said.get("keyed") is False)["at"]) - began
        finally:
            daemon.kill()
            daemon.wait()


def main() -> None:
    times = int(sys.argv[1]) if len(sys.argv) > 1 else 10
    for whom in ("daemon", "guard"):
        for how in (signal.SIGKILL, signal.SIGSTOP):
            took = sorted(1000 * once(whom, how) for _ in range(times))
            print(f"{whom:6s} {how.name:7s} median {statistics.median(took):5.0f} ms, worst {took[-1]:5.0f} ms")


if __name__ == "__main__":
    main()
