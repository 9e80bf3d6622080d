"""Why keyed, why silent, why refused: what is remembered, put beside how the bridge stands now, in plain words.

Each answer is a sentence and the chain of decisions behind it, the first cause first.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from dsp.blocks import AUDIO_RATE
from sdrbridge.config import ChannelConfig
from sdrbridge.engine import Engine, PortState
from sdrbridge.patch import Patch
from sdrbridge.plainwords import listed, say, seconds
from sdrbridge.reasons import Event, Reasons
from sdrbridge.transmitters import PortMute


@dataclass(frozen=True, slots=True)
class Why:
    """answer: the whole of it in a sentence. now: whether it is so at this moment. chain: bridge time and words."""

    answer: str
    now: bool
    chain: tuple[tuple[float, str], ...]


def why(engine: Engine, reasons: Reasons, question: str, name: str) -> Why:
    """Answer one question about a port or patch of the engine. question: keyed, silent or refused."""
    case = _Case(engine, reasons, name)
    if question == "refused":
        return case.refused()
    if name in engine.ports:
        return case.port_keyed() if question == "keyed" else case.port_silent()
    return case.patch_keyed() if question == "keyed" else case.patch_silent()


class _Case:
    """One question about one name."""

    def __init__(self, engine: Engine, reasons: Reasons, name: str) -> None:
        self.engine, self.reasons, self.name = engine, reasons, name
        self.here = engine.now / AUDIO_RATE
        self.matrix = engine.matrix
        self._channels = {channel.name: channel for channel in engine.site.channels}

    def refused(self) -> Why:
        chain = self.reasons.chain("refused", self.name)
        if not chain:
            return self._why(f"nothing of {self.name} has been refused since the bridge started", False, ())
        last = chain[-1]
        blocked = last["event"] in ("floor.refused", "floor.preempted")
        still = blocked and any(over.id == last.get("over") for over in self.matrix.talking().values())
        return self._why(say(last), still, chain)

    def port_keyed(self) -> Why:
        name, port = self.name, self.engine.ports[self.name]
        if port.tx is None:
            return self._why(f"{name} only receives; it has no transmitter", False, ())
        chain = list(self.reasons.chain("keyed", name))
        if not self.matrix.keyed(name):
            ended = self.reasons.last(name, "port.unkeyed")
            if ended is None:
                return self._why(f"{name} is not keyed, and has not been since the bridge started", False, ())
            ago = seconds(self.here - float(ended["t_s"]))
            return self._why(f"{name} is not keyed; {_last_time(ended)}, {ago} ago", False, [*chain, ended])
        by = self.matrix.keying(name)
        causes = []
        for patch in by:
            chain += self.reasons.grant(patch)
            heard = self.matrix.heard(patch)
            causes.append(f"{_talk(heard)} in {patch}" if heard else f"{patch} is in its hang time")
        answer = f"{name} is keyed: {listed(causes)}" if causes else f"{name} is keyed by hand"
        return self._why(answer, True, chain)

    def patch_keyed(self) -> Why:
        patch = self.matrix.patches[self.name]
        keyed = [m for m in patch.members if self.name in self.matrix.keying(m)]
        chain = self.reasons.grant(self.name)
        heard = self.matrix.heard(self.name)
        if heard:
            to = f", heard by {listed(keyed)}" if keyed else ", and no transmitter is keyed for it"
            return self._why(f"{self.name} carries {listed(heard)}{to}", True, chain)
        if keyed:
            return self._why(f"{self.name} keeps {listed(keyed)} on the air for its hang time", True, chain)
        return self._why(f"{self.name} keys nobody; nobody talks in it", False, chain)

    def port_silent(self) -> Why:
        port = self.engine.ports[self.name]
        found: list[str] = []
        chain: list[Event] = []
        mute = self.matrix.muted.get(self.name)
        patches = [p for p in self.matrix.patches.values() if self.name in p.members]
        state = self.engine.snapshot().ports[self.name]
        if not patches:
            found.append(f"{self.name} is in no patch")
        if state.state != "up":
            found.append(f"{self.name} is {state.state}: {state.reason}")
        silent = True
        if port.rx is not None:
            silent = self._unheard(patches, state, mute, found, chain)
        if port.tx is not None:
            silent = self._unsent(patches, mute, found, chain) and silent
        return self._why("; ".join(found) or f"{self.name} is not silent", silent, chain)

    def patch_silent(self) -> Why:
        patch = self.matrix.patches[self.name]
        heard = self.matrix.heard(self.name)
        chain: list[Event] = list(self.reasons.grant(self.name))
        if heard:
            hearing = [m for m in patch.members if any(patch.gain(talker, m) != 0.0 for talker in heard)]
            says = f"{self.name} is not silent: {_talk(heard)}, heard by {listed(hearing) or 'nobody'}"
            return self._why(says, False, chain)
        found, talking = [], self.matrix.talking()
        for member, part in patch.members.items():
            if member in talking:
                refused = self.reasons.chain("refused", member)
                reason = f": {refused[-1].get('reason', 'refused')}" if refused else ""
                found.append(f"{member} talks and is not heard{reason}")
                chain += refused
            elif part.talks and self.engine.ports[member].rx is not None:
                found.append(f"{member} is silent")
        last = self.reasons.last(self.name, "floor.idle", "floor.released", "floor.timed_out", "patch.made")
        return self._why("; ".join(found) or "nobody in it can talk", True, [*chain, *([last] if last else [])])

    def _unheard(
        self, patches: Iterable[Patch], state: PortState, mute: PortMute | None, found: list[str], chain: list[Event]
    ) -> bool:
        """Why nobody hears what comes in; returns whether it is so."""
        name = self.name
        if mute is not None and mute.rx:
            found.append(f"what {name} says is cut off in every patch")
            self._add(chain, self.reasons.last(name, "port.muted"))
        if name in self.matrix.looped:
            found.append(f"what {name} says is cut off: {self.matrix.looped[name]}")
            self._add(chain, self.reasons.last(name, "loop.found"))
        over = self.matrix.talking().get(name)
        if name in self._channels and state.state == "degraded":
            # It has been said that nothing is received; what was received last says nothing of now.
            chain += self.reasons.origin(name) if over is not None else self.reasons.chain("silent", name)
            return True
        if over is None:
            found.append(self._quiet(state.name, chain))
            return True
        chain += self.reasons.origin(name)
        heard = [p.name for p in patches if name in self.matrix.heard(p.name)]
        for patch in patches:
            if patch.name in heard:
                hearing = [m for m in patch.members if patch.gain(name, m) != 0.0]
                found.append(f"{name} is heard in {patch.name} by {listed(hearing) or 'nobody'}")
            else:
                refused = [e for e in self.reasons.chain("refused", name) if e.get("patch") == patch.name]
                reason = f": {refused[-1].get('reason', '')}" if refused else ""
                found.append(f"{name} talks and is not heard in {patch.name}{reason}")
                chain += refused
        return not heard

    def _quiet(self, name: str, chain: list[Event]) -> str:
        """Why nothing comes in."""
        chain += self.reasons.chain("silent", name)
        channel = self._channels.get(name)
        if channel is None:
            return f"nothing comes in at {name}"
        opened, closed = self.reasons.last(name, "carrier.open"), self.reasons.last(name, "carrier.close")
        if opened is None or (closed is not None and closed["t_s"] >= opened["t_s"]):
            return f"{name} receives no carrier"
        self._add(chain, opened)
        tone = self.reasons.last(name, "tone.found", "tone.lost", "tone.end")
        self._add(chain, tone)
        return f"{name} receives a carrier, but {_missing(channel, tone)}"

    def _unsent(self, patches: Iterable[Patch], mute: PortMute | None, found: list[str], chain: list[Event]) -> bool:
        """Why nothing is sent; returns whether it is so."""
        name = self.name
        if mute is not None and mute.tx:
            found.append(f"what {name} would be sent is cut off, and it is not keyed")
            self._add(chain, self.reasons.last(name, "port.muted"))
            return True
        sent = False
        for patch in patches:
            part, heard = patch.members[name], self.matrix.heard(patch.name)
            others = [talker for talker in heard if patch.gain(talker, name) != 0.0]
            if not part.hears:
                found.append(f"{name} only talks in {patch.name}")
            elif not heard:
                hang = patch.name in self.matrix.keying(name)
                found.append(f"nobody talks in {patch.name}" + (", which is in its hang time" if hang else ""))
            elif tuple(heard) == (name,):
                found.append(f"{name} holds the floor of {patch.name} itself")
            elif not others:
                found.append(f"{_talk(heard)} in {patch.name}, and the leg from there to {name} is muted")
            else:
                sent = True
                ready = any(self.matrix.lag(talker, name) is not None for talker in others)
                waits = "" if ready else " as soon as its transmitter is ready"
                found.append(f"{name} is sent what {listed(others)} says in {patch.name}{waits}")
                chain += self.reasons.grant(patch.name)
        return not sent

    @staticmethod
    def _add(chain: list[Event], event: Event | None) -> None:
        if event is not None:
            chain.append(event)

    def _why(self, answer: str, now: bool, events: Iterable[Event]) -> Why:
        unique = {id(event): event for event in events}
        ordered = sorted(unique.values(), key=lambda e: float(e["t_s"]))
        return Why(answer, now, tuple((float(e["t_s"]), say(e)) for e in ordered))


def _talk(names: Sequence[str]) -> str:
    return f"{listed(names)} {'talks' if len(names) == 1 else 'talk'}"


def _last_time(unkeyed: Event) -> str:
    return f"it was unkeyed after {seconds(float(unkeyed.get('keyed_s', 0.0)))} on the air"


def _missing(channel: ChannelConfig, tone: Event | None) -> str:
    """What a carrier lacks that does not open a channel."""
    squelch = channel.squelch
    if not squelch.selective:
        return "the over has ended"
    wanted = squelch.describe()
    if tone is not None and tone["event"] == "tone.found":
        found = f"CTCSS {tone['ctcss_hz']:.1f} Hz" if tone.get("ctcss_hz") else f"DCS {tone.get('dcs')}"
        if found != wanted:
            return f"with {found}, not with {wanted}"
    return f"not (or not any more) with {wanted}"
