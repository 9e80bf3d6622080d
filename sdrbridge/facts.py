"""What is known of a talker beside his voice, which port can show it, and what a patch loses on the way.

    talker        who: a unit's number or name
    talkgroup     to whom
    emergency     he pressed the button
    encrypted     his speech was not in the clear
    signal        how well he is received

A channel gives what its mode carries, a port shows what its kind can carry on. What a talker gives and a listener
cannot show is lost between the two; the journal has it all the same.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from sdrbridge.config import Site
from sdrbridge.patch import Patch
from sdrbridge.ports.modulation import ModulatorSettings, P25Settings

FACTS = ("talker", "talkgroup", "emergency", "encrypted", "signal")
"""All of them, in the order in which they are named."""

_DIGITAL = frozenset(FACTS)
_ANALOG = frozenset({"signal"})

GIVES: dict[str, frozenset[str]] = {"p25": _DIGITAL}
"""Mode → what a channel of it tells of a talker; analog modes tell how well he is received, no more."""

SHOWS: dict[str, frozenset[str]] = {
    "loopback": _DIGITAL,
    "file": frozenset(),
    "soundcard": frozenset(),
    "rtp": frozenset(),
    "modulator": frozenset({"talker", "talkgroup", "emergency"}),
}
"""Kind of port → what it can pass on. A donor radio on a sound card and plain RTP carry sound and nothing else."""


@dataclass(frozen=True, slots=True)
class Ability:
    """What a port gives of its talkers, and what it can show of others."""

    gives: frozenset[str] = frozenset()
    shows: frozenset[str] = frozenset()


def abilities(site: Site) -> dict[str, Ability]:
    """What every channel and port of a site can do with facts, by name."""
    found = {c.name: Ability(gives=GIVES.get(c.mode, _ANALOG)) for c in site.channels}
    # What comes in over a link or a donor radio is known by what goes out the same way.
    for port in site.ports:
        shows = SHOWS.get(port.kind, frozenset())
        if isinstance(port.settings, ModulatorSettings):
            found[port.name] = Ability(shows=shows & _on_air(port.settings))
        else:
            found[port.name] = Ability(shows, shows)
    return found


def _on_air(settings: ModulatorSettings) -> frozenset[str]:
    """What a modulator shows as it is set up: a number of his own or a talkgroup of his own takes a table."""
    signal = settings.signal
    if not isinstance(signal, P25Settings):
        return frozenset()
    shown = {"talker": signal.source_ids.entries, "talkgroup": signal.talkgroups.entries, "emergency": signal.emergency}
    return frozenset(fact for fact, given in shown.items() if given)


def lost(talker: Ability, listener: Ability) -> tuple[str, ...]:
    """What `listener` does not get to see of `talker`, though it is known."""
    return tuple(fact for fact in FACTS if fact in talker.gives - listener.shows)


def lost_in(patch: Patch, known: Mapping[str, Ability]) -> dict[tuple[str, str], tuple[str, ...]]:
    """Talker and listener → what is lost between them; only pairs that hear each other and lose something."""
    nothing = Ability()
    found = {}
    for talker in patch.members:
        for listener in patch.members:
            if patch.gain(talker, listener) == 0.0:
                continue
            facts = lost(known.get(talker, nothing), known.get(listener, nothing))
            if facts:
                found[talker, listener] = facts
    return found
