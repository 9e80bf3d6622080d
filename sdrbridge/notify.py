"""What systemd wants to hear of a `Type=notify` service: ready, reloading, alive, and a line about its state.

    notify("READY=1", "STATUS=12 channels, 3 patches")

See sd_notify(3): a datagram of lines to the socket in `NOTIFY_SOCKET`; where there is none, nobody listens.
"""

import contextlib
import os
import socket


def notify(*lines: str) -> bool:
    """Tell systemd. Returns whether there was somebody to tell; never raises, never waits."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address:
        return False
    if address.startswith("@"):
        address = "\0" + address[1:]
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sender:
        sender.setblocking(False)
        sender.sendto("\n".join(lines).encode(), address)
        return True
    return False


def watchdog_s() -> float | None:
    """Seconds within which systemd wants to hear `WATCHDOG=1`; None if it does not."""
    wanted, pid = os.environ.get("WATCHDOG_USEC", ""), os.environ.get("WATCHDOG_PID", "")
    if not wanted.isdigit() or (pid and pid != str(os.getpid())):
        return None
    return int(wanted) / 1e6
