"""Vocoders by name, found by entry point: `imbe`, `dvsi:/dev/ttyUSB0`, or what another package brings.

A package offers one under the group `sdrbridge.vocoders`:

    [project.entry-points."sdrbridge.vocoders"]
    name = "module:open_vocoder"      # open_vocoder(place: str) -> Vocoder; place is what stands behind "name:"

The own codec needs no entry, so that a checkout which nobody installed speaks as well. "none" is no vocoder: channels
then do everything but speak.
"""

import difflib
from importlib.metadata import EntryPoint, entry_points
from typing import cast

from dsp.errors import RangeError
from dsp.vocoder.base import Vocoder

GROUP = "sdrbridge.vocoders"

OWN = "imbe"
"""The project's own full-rate codec, and what is taken where nothing is said."""

NONE = "none"

_OWN = EntryPoint(OWN, "dsp.vocoder.imbe:open_vocoder", GROUP)


def names() -> tuple[str, ...]:
    """All that are installed, in alphabetical order, and `none`."""
    return (*sorted({OWN, *(entry.name for entry in entry_points(group=GROUP))}), NONE)


def problem(spec: str) -> str | None:
    """What is wrong with NAME or NAME:PLACE; None if there is a vocoder of that name. Opens nothing."""
    name = spec.partition(":")[0]
    known = names()
    if name in known:
        return None
    near = difflib.get_close_matches(name, known, 1)
    hint = f'; did you mean "{near[0]}"?' if near else ""
    return f"is no vocoder that is installed; there are {', '.join(known)}{hint}"


def open_vocoder(spec: str) -> Vocoder:
    """One for one stream. spec: NAME or NAME:PLACE.

    Raises `RangeError` for a name nobody has, and for "none"; a vocoder that is not there raises as its module says.
    """
    name, _, place = spec.partition(":")
    wrong = problem(spec)
    if wrong is not None:
        raise RangeError(f'vocoder "{spec}": {wrong}')
    if name == NONE:
        raise RangeError('vocoder "none": no vocoder is wanted, so none can be opened')
    found = list(entry_points(group=GROUP, name=name))
    return cast(Vocoder, (found[0] if found else _OWN).load()(place))
