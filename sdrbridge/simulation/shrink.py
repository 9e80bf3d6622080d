"""The shortest script that still breaks an invariant: halves are left out, then ever smaller parts, then single deeds.

After the delta debugging of Zeller and Hildebrandt (2002), bounded: after `most` runs the shortest so far is given.
"""

from collections.abc import Callable, Sequence

from dsp.blocks import AUDIO_RATE
from sdrbridge.simulation.script import Deed
from sdrbridge.simulation.watch import Broken

SINCE = AUDIO_RATE
"""Samples between the last tick, which dates what broke, and the moment at which it was seen to be broken."""

Breaks = Callable[[Sequence[Deed]], Broken | None]
"""Runs a script; what breaks in it, if anything."""


def shrink(script: Sequence[Deed], broken: Broken, breaks: Breaks, most: int = 300) -> tuple[list[Deed], Broken]:
    """A shorter script that breaks the same invariant, and how. breaks: runs a script."""
    left = [deed for deed in script if deed.at <= broken.at + SINCE]
    runs = 0

    def same(deeds: Sequence[Deed]) -> Broken | None:
        nonlocal runs
        runs += 1
        found = breaks(deeds)
        return found if found is not None and found.number == broken.number else None

    # The trouble is most often of the last minutes.
    keep = 64
    while keep < len(left) and runs < most:
        found = same(left[-keep:])
        if found is not None:
            left, broken = left[-keep:], found
            break
        keep *= 4
    size = -(-len(left) // 2)
    while size and runs < most:
        # From the back: what is left out there makes the runs shorter.
        start, shorter = len(left) - size, False
        while start > -size and runs < most:
            rest = left[: max(0, start)] + left[start + size :]
            found = same(rest)
            if found is not None:
                left, broken, shorter = [deed for deed in rest if deed.at <= found.at + SINCE], found, True
            start = min(start, len(left)) - size
        if size == 1 and not shorter:
            break
        size = max(1, size // 2)
    return left, broken
