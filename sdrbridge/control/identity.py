"""Who asks. Every request to the bridge carries an Identity, and every change is written down with it.

On the Unix socket it is what the kernel says of the process at the other end (SO_PEERCRED, socket(7)). A listener on
the network will make one from a client certificate or a token; nothing behind the server sees a difference but `via`.
"""

import os
import pwd
import socket
import struct
from asyncio.trsock import TransportSocket
from dataclasses import dataclass

_CREDENTIALS = struct.Struct("3i")
"""`struct ucred`: process, user and group of the peer, as they were when it connected."""


@dataclass(frozen=True, slots=True)
class Identity:
    """Somebody who asks. user: name for people. uid, pid: of the process, where there is one. via: how he came in."""

    user: str
    uid: int | None = None
    pid: int | None = None
    via: str = "local"

    def to_dict(self) -> dict[str, object]:
        """For an event: `who`, and what else is known."""
        known = {"who": self.user, "uid": self.uid, "pid": self.pid, "via": self.via}
        return {key: value for key, value in known.items() if value is not None}


def of_peer(connection: socket.socket | TransportSocket) -> Identity:
    """The process at the other end of a connected Unix socket."""
    packed = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    pid, uid, _ = _CREDENTIALS.unpack(packed)
    return Identity(user_name(uid), uid, pid, "socket")


def of_this_process(via: str = "local") -> Identity:
    """The bridge itself, or whoever runs a simulation."""
    uid = os.getuid()
    return Identity(user_name(uid), uid, os.getpid(), via)


def user_name(uid: int) -> str:
    """The name of a user; his number where he has none."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"uid {uid}"
