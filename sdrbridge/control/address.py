"""Where the control socket is. The daemon and its clients look in the same places, in the same order.

    --socket PATH
    $SDRBRIDGE_SOCKET
    $RUNTIME_DIRECTORY/control.sock            daemon only: the folder systemd made for the unit
    $XDG_RUNTIME_DIR/sdrbridge/control.sock    a daemon that an ordinary user runs
    /run/sdrbridge/control.sock                a daemon of the system

A client takes the first that exists; the daemon the first that is set, and the last only when it runs as a system unit.
"""

import os
from collections.abc import Mapping
from pathlib import Path

VERSION = "v1"
"""First part of every path of the interface."""

SYSTEM_SOCKET = Path("/run/sdrbridge/control.sock")

LONGEST_PATH = 107
"""Bytes of a socket's path (`sun_path` of unix(7) has 108, the last is zero)."""


def to_serve(given: Path | None = None, environment: Mapping[str, str] = os.environ) -> Path:
    """The socket a daemon listens on."""
    candidates = _set(given, environment, served=True)
    return candidates[0] if candidates else SYSTEM_SOCKET


def to_ask(given: Path | None = None, environment: Mapping[str, str] = os.environ) -> Path:
    """The socket a client connects to: what it was told, else the first that is there."""
    if given is not None or environment.get("SDRBRIDGE_SOCKET"):
        return _set(given, environment, served=False)[0]
    candidates = [*_set(None, environment, served=False), SYSTEM_SOCKET]
    return next((path for path in candidates if path.exists()), candidates[0])


def _set(given: Path | None, environment: Mapping[str, str], served: bool) -> list[Path]:
    found = [] if given is None else [given]
    if environment.get("SDRBRIDGE_SOCKET"):
        found.append(Path(environment["SDRBRIDGE_SOCKET"]))
    if served and environment.get("RUNTIME_DIRECTORY"):
        # systemd lists several folders with colons between; the first is ours.
        found.append(Path(environment["RUNTIME_DIRECTORY"].split(":")[0]) / "control.sock")
    if environment.get("XDG_RUNTIME_DIR"):
        found.append(Path(environment["XDG_RUNTIME_DIR"]) / "sdrbridge" / "control.sock")
    return found
