"""A transmitter that tells a test, over a datagram socket, when it is keyed and unkeyed; and the programs that hold it.

    python -m tests.support.standin_keyer guard FD      a keyer guard whose lines are `tell:SOCKET,STATEFILE`
    python -m tests.support.standin_keyer daemon SPEC   something that keys the line and beats, until it is ended

Like rigctld, it stays as it was told when whoever held it dies: the state is in a file.
"""

import json
import os
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

from hw.clock import SystemClock
from sdrbridge import guard
from sdrbridge.guardclient import GuardClient


class TellingKeyer:
    """spec: `tell:SOCKET,STATEFILE`."""

    def __init__(self, spec: str) -> None:
        address, _, state = spec.removeprefix("tell:").partition(",")
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.connect(address)
        self._state = Path(state)
        self.unkey()

    def _tell(self, keyed: bool) -> None:
        self._state.write_text("1" if keyed else "0")
        said: dict[str, object] = {"keyed": keyed, "at": time.monotonic(), "guard": os.getpid(), "daemon": os.getppid()}
        self._socket.send(json.dumps(said).encode())

    def key(self) -> None:
        self._tell(True)

    def unkey(self) -> None:
        self._tell(False)

    def is_keyed(self) -> bool:
        return self._state.read_text() == "1"

    def close(self) -> None:
        if self._socket.fileno() >= 0:
            if self.is_keyed():
                self.unkey()
            self._socket.close()


def tell(spec: str, said: dict[str, object]) -> None:
    """Say something else where the line says how it is."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as end:
        end.sendto(json.dumps(said).encode(), spec.removeprefix("tell:").partition(",")[0])


def start_guard(connection: socket.socket) -> "subprocess.Popen[bytes]":
    """The guard with these lines, as `sdrbridge.guardclient.start_guard` starts the real one."""
    fd = connection.fileno()
    command = [sys.executable, "-m", "tests.support.standin_keyer", "guard", str(fd)]
    return subprocess.Popen(command, pass_fds=[fd], stdin=subprocess.DEVNULL, start_new_session=True)


def main() -> None:
    what, argument = sys.argv[1:]
    if what == "guard":
        with socket.socket(fileno=int(argument)) as connection:
            guard.serve(connection, TellingKeyer)
        os._exit(0)
    client = GuardClient(start_guard)
    handle = client.attach("radio", argument)
    clock, never = SystemClock(), threading.Event()
    spare = None
    while True:
        handle.set(True)
        client.beat()
        if client.spare != spare:
            spare = client.spare
            tell(argument, {"spare": spare})
        clock.wait(never, 0.02)


if __name__ == "__main__":
    main()
