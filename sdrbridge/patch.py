"""A patch: ports that hear each other, and the rules of their talk. A value; every change gives a new one.

Who hears whom inside a patch is the product of three things, in this order:

    member      talks, hears        two-way, or one-way as monitor or as announcer
    muted       the member's speech goes nowhere, and he cannot hold the floor
    leg         gain and mute of one crosspoint, from this talker to that listener

The order in which members were added means nothing: two patches made of the same parts are equal.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from types import MappingProxyType

from dsp.blocks import AUDIO_RATE
from sdrbridge.config import PatchConfig
from sdrbridge.errors import PatchError
from sdrbridge.handling import GAIN_RANGE_DB


@dataclass(frozen=True, slots=True)
class Member:
    """A port's part in a patch: whether he talks, whether he hears, whether he is muted for now.

    mixes: he is heard beside others instead of waiting for the floor; None is what the rules of the patch say.
    """

    talks: bool = True
    hears: bool = True
    muted: bool = False
    mixes: bool | None = None


@dataclass(frozen=True, slots=True)
class Leg:
    """One crosspoint, from a talker to a listener."""

    gain_db: float = 0.0
    muted: bool = False


@dataclass(frozen=True, slots=True)
class Rules:
    """The times of a patch in samples of 8 kHz, and whether a higher priority takes the floor.

    hang: outputs stay keyed that long after a talker. timeout: longest over. lockout: after a port's unkeying, what it
    receives in this time is no talk. min_key: shortest time a transmitter is keyed. mix: every talker is heard beside
    the others. kerchunk: an over that opens the patch has to last that long.
    """

    hang: int = AUDIO_RATE // 2
    timeout: int = 120 * AUDIO_RATE
    lockout: int = 0
    min_key: int = 0
    preempt: bool = True
    mix: bool = False
    kerchunk: int = 0


_AS_SPOKEN = Leg()
"""A crosspoint at which nothing was set."""


@dataclass(frozen=True)
class Patch:
    """Ports that hear each other. Members by name; legs only where they differ from `Leg()`."""

    name: str
    members: Mapping[str, Member] = field(default_factory=lambda: MappingProxyType({}))
    legs: Mapping[tuple[str, str], Leg] = field(default_factory=lambda: MappingProxyType({}))
    rules: Rules = Rules()

    @classmethod
    def from_config(cls, config: PatchConfig) -> "Patch":
        """The patch a site file describes."""
        members = {name: Member(mixes=True if name in config.mixed else None) for name in config.ports}
        members |= {name: Member(talks=False) for name in config.monitors}
        rules = Rules(
            hang=round(config.hang_s * AUDIO_RATE),
            timeout=round(config.timeout_s * AUDIO_RATE),
            lockout=config.lockout_ms * AUDIO_RATE // 1000,
            min_key=config.min_key_ms * AUDIO_RATE // 1000,
            preempt=config.preempt,
            mix=config.mix,
            kerchunk=config.kerchunk_ms * AUDIO_RATE // 1000,
        )
        legs = {(leg.talker, leg.listener): Leg(leg.gain_db, leg.muted) for leg in config.legs}
        return cls(config.name, MappingProxyType(members), MappingProxyType(legs), rules)

    def add(self, port: str, member: Member | None = None) -> "Patch":
        """With one more member. Raises `PatchError` if he is one already."""
        if port in self.members:
            raise PatchError(f'patch "{self.name}": "{port}" is a member already')
        return replace(self, members=MappingProxyType({**self.members, port: member or Member()}))

    def drop(self, port: str) -> "Patch":
        """Without a member, and without the legs he had. Raises `PatchError` if he is none."""
        self._member(port)
        members = {name: m for name, m in self.members.items() if name != port}
        legs = {ends: leg for ends, leg in self.legs.items() if port not in ends}
        return replace(self, members=MappingProxyType(members), legs=MappingProxyType(legs))

    def mute(self, port: str, muted: bool = True) -> "Patch":
        """With a member's speech cut off from the others, or let through again."""
        member = replace(self._member(port), muted=muted)
        return replace(self, members=MappingProxyType({**self.members, port: member}))

    def mute_leg(self, talker: str, listener: str, muted: bool = True) -> "Patch":
        """With one crosspoint cut, or let through again."""
        return self._with_leg(talker, listener, replace(self.leg(talker, listener), muted=muted))

    def set_gain(self, talker: str, listener: str, gain_db: float) -> "Patch":
        """With another gain on one crosspoint. Raises `PatchError` outside `GAIN_RANGE_DB`."""
        low, high = GAIN_RANGE_DB
        if not math.isfinite(gain_db) or not low <= gain_db <= high:
            raise PatchError(
                f'patch "{self.name}": gain = {gain_db} dB from "{talker}" to "{listener}" must lie between {low:g} '
                f"and {high:g}; to silence the leg, mute it"
            )
        return self._with_leg(talker, listener, replace(self.leg(talker, listener), gain_db=float(gain_db)))

    def leg(self, talker: str, listener: str) -> Leg:
        """One crosspoint as it is set."""
        for port in (talker, listener):
            self._member(port)
        return self.legs.get((talker, listener), _AS_SPOKEN)

    def gain(self, talker: str, listener: str) -> float:
        """The factor between a talker and a listener; 0.0 where nothing may pass."""
        if talker == listener:
            return 0.0
        source, target = self.members.get(talker), self.members.get(listener)
        if source is None or target is None or not source.talks or source.muted or not target.hears:
            return 0.0
        leg = self.legs.get((talker, listener), _AS_SPOKEN)
        return 0.0 if leg.muted else float(10 ** (leg.gain_db / 20))

    def hearers(self, talker: str) -> Mapping[str, float]:
        """Who hears a talker, and the factor between them; found once for each."""
        found = self._hearers.get(talker)
        if found is None:
            gains = {member: self.gain(talker, member) for member in self.members}
            found = self._hearers[talker] = {member: gain for member, gain in gains.items() if gain}
        return found

    @cached_property
    def listeners(self) -> frozenset[str]:
        """The members who hear anybody."""
        return frozenset(member for talker in self.members for member in self.hearers(talker))

    @cached_property
    def talkers(self) -> frozenset[str]:
        """The members who talk, muted or not."""
        return frozenset(name for name, member in self.members.items() if member.talks)

    @cached_property
    def _hearers(self) -> dict[str, Mapping[str, float]]:
        return {}

    def _with_leg(self, talker: str, listener: str, leg: Leg) -> "Patch":
        if talker == listener:
            raise PatchError(f'patch "{self.name}": "{talker}" never hears itself; there is no such leg')
        legs = {ends: other for ends, other in self.legs.items() if ends != (talker, listener)}
        if leg != _AS_SPOKEN:
            legs[talker, listener] = leg
        return replace(self, legs=MappingProxyType(legs))

    def _member(self, port: str) -> Member:
        if port not in self.members:
            names = ", ".join(f'"{name}"' for name in self.members) or "none"
            raise PatchError(f'patch "{self.name}": "{port}" is no member; members are {names}')
        return self.members[port]
