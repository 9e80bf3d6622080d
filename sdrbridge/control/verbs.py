"""The interface in one declaration: routes, request checks and the OpenAPI document are made from it.

Paths are the words of the command line: `sdrbridge patch make` is POST /v1/patch/make. Questions are GET with a query,
everything that changes something is POST with a JSON object; so a name with a slash in it needs no care in a path.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from msgspec import Struct

from sdrbridge.control import types
from sdrbridge.control.address import VERSION
from sdrbridge.control.identity import Identity
from sdrbridge.operations import Operations


@dataclass(frozen=True, slots=True)
class Verb:
    """One thing that can be asked. words: of the command line. operation: runs between two ticks; None for what the
    daemon does outside of them.
    """

    words: str
    method: Literal["GET", "POST"]
    request: type[Struct]
    answer: type[Struct]
    operation: Callable[[Operations, Any, Identity], Struct] | None
    summary: str

    @property
    def path(self) -> str:
        """Where it is served."""
        return f"/{VERSION}/{self.words.replace(' ', '/')}"


VERBS = (
    Verb("status", "GET", types.Nothing, types.StatusInfo, Operations.status, "What is up, who is talking, levels."),
    Verb("patch ls", "GET", types.PatchList, types.PatchListed, Operations.patch_ls, "The patches as they are."),
    Verb("patch make", "POST", types.PatchMake, types.Changed, Operations.patch_make, "Make a patch."),
    Verb("patch break", "POST", types.PatchBreak, types.Changed, Operations.patch_break, "Break a patch."),
    Verb("patch add", "POST", types.PatchAdd, types.Changed, Operations.patch_add, "Let a port into a patch."),
    Verb("patch drop", "POST", types.PatchDrop, types.Changed, Operations.patch_drop, "Take a port out of a patch."),
    Verb(
        "patch mute",
        "POST",
        types.PatchMute,
        types.Changed,
        Operations.patch_mute,
        "Cut a member of a patch off, or let it through again.",
    ),
    Verb("patch gain", "POST", types.PatchGain, types.Changed, Operations.patch_gain, "Set the gain of a crosspoint."),
    Verb("port ls", "GET", types.PortList, types.PortListed, Operations.port_ls, "The ports as they are."),
    Verb("port key", "POST", types.PortKey, types.Changed, Operations.port_key, "Key a transmitter for a while."),
    Verb("port unkey", "POST", types.PortUnkey, types.Changed, Operations.port_unkey, "Take the hand off it."),
    Verb(
        "port mute",
        "POST",
        types.PortMute,
        types.Changed,
        Operations.port_mute,
        "Cut a port off from every patch, or let it through again.",
    ),
    Verb("port level", "POST", types.PortLevel, types.Changed, Operations.port_level, "Set how loud a port is."),
    Verb("port align", "POST", types.PortAlign, types.Changed, Operations.port_align, "Send a tone to set levels by."),
    Verb(
        "port restore",
        "POST",
        types.PortRestore,
        types.Changed,
        Operations.port_restore,
        "Let a port through again that was cut off for a loop.",
    ),
    Verb("why", "GET", types.WhyAsked, types.WhyAnswer, Operations.why, "The last chain of decisions, with times."),
    Verb("delay", "GET", types.DelayAsked, types.DelayAnswer, Operations.delay, "The delay ledger of a path."),
    Verb("events", "GET", types.EventsAsked, types.EventsAnswer, None, "The last events."),
    Verb("reload", "POST", types.Nothing, types.Reloaded, None, "Read the site file again; with errors the old stays."),
)
"""Every verb, in the order of the documentation."""

STREAM_PATH = f"/{VERSION}/events/stream"
"""Events as JSON lines, for as long as the client reads."""

WEBSOCKET_PATH = f"/{VERSION}/events/ws"
"""The same, a text message each."""
