"""What can be asked of the bridge: a method for each verb, with who asks.

    request struct · Identity ─▶ Operations ─▶ Matrix, and an event with who and why ─▶ answer struct

Methods run between two ticks (`Engine.perform`), or directly where one thread does everything. They check first and
change then, so a refused request leaves everything as it was; a change is in force from the tick that follows. Refusals
are `sdrbridge.errors.OperationError`s and are written down like changes.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from dsp.blocks import AUDIO_RATE, TICK_SAMPLES
from hw.clock import Clock
from sdrbridge import delays, explain, facts, names, view
from sdrbridge.config import PatchConfig
from sdrbridge.control import types
from sdrbridge.control.identity import Identity
from sdrbridge.engine import Engine
from sdrbridge.errors import NeedsConfirmation, NotFound, PatchError, PortError, Refused
from sdrbridge.patch import Member, Patch
from sdrbridge.plainwords import listed, seconds
from sdrbridge.reasons import Reasons

ASKED = 3600 * AUDIO_RATE
"""Samples after which somebody who only asks questions is written down again: an hour."""

MOST_ASKING = 256
"""Who is remembered to have asked; the one written down first is forgotten first."""


class Operations:
    """Verbs over an engine. clock: for the time of day in answers.

    reasons: what is remembered; made, and attached to the engine, if left out.
    """

    def __init__(self, engine: Engine, clock: Clock, reasons: Reasons | None = None) -> None:
        self.engine = engine
        self.clock = clock
        if reasons is None:
            reasons = Reasons()
            engine.add_sink(reasons)
        self.reasons = reasons
        self._asking: dict[tuple[str, int | None, str], int] = {}

    # Questions.

    def asks(self, verb: str, who: Identity) -> None:
        """Write down who looks at the bridge, once an hour: `top` asks twice a second."""
        name = who.user, who.uid, who.via
        last = self._asking.get(name)
        if last is not None and self.engine.now - last < ASKED:
            return
        self._asking.pop(name, None)
        self._asking[name] = self.engine.now
        if len(self._asking) > MOST_ASKING:
            del self._asking[next(iter(self._asking))]
        self._tell("control.asked", who, "", verb=verb)

    def status(self, request: types.Nothing, who: Identity) -> types.StatusInfo:
        """What is up, who is talking, levels."""
        return view.status(self.engine, self.clock.now())

    def patch_ls(self, request: types.PatchList, who: Identity) -> types.PatchListed:
        """The patches as they are."""
        found = view.patches(self.engine)
        if request.name is not None:
            wanted = self._patch(request.name).name
            found = [p for p in found if p.name == wanted]
        return types.PatchListed(patches=found)

    def port_ls(self, request: types.PortList, who: Identity) -> types.PortListed:
        """The ports as they are."""
        found = view.ports(self.engine, self.engine.snapshot())
        if request.name is not None:
            wanted = self._port(request.name)
            found = [p for p in found if p.name == wanted]
        return types.PortListed(ports=found)

    def why(self, request: types.WhyAsked, who: Identity) -> types.WhyAnswer:
        """The last chain of decisions about a port or patch."""
        known = [*self.engine.ports, *self.engine.matrix.patches]
        name = names.find(request.name, known, "port or patch", self.engine.site.name)
        found = explain.why(self.engine, self.reasons, request.question, name)
        now = self.clock.now()
        here = self.engine.now / AUDIO_RATE
        chain = [
            types.Step(t_s=t, at=view.wall_of(t, self.engine, now), ago_s=round(here - t, 3), says=says)
            for t, says in found.chain
        ]
        return types.WhyAnswer(question=request.question, name=name, answer=found.answer, now=found.now, chain=chain)

    def delay(self, request: types.DelayAsked, who: Identity) -> types.DelayAnswer:
        """The delay ledger of a path."""
        source, target = self._port(request.source), self._port(request.target)
        if self.engine.ports[source].rx is None:
            raise Refused(f'nothing comes in at "{source}"; a path begins at a port that receives')
        if self.engine.ports[target].tx is None:
            raise Refused(f'nothing goes out at "{target}"; a path ends at a port that transmits')
        if source == target:
            raise Refused(f'"{source}" never hears itself; there is no such path')
        found = delays.ledger(self.engine, source, target)
        return types.DelayAnswer(
            source=source,
            target=target,
            stages=[types.DelayStage(stage=s.name, delay_ms=round(s.delay_s * 1000, 3)) for s in found.stages],
            declared_ms=round(found.declared_s * 1000, 3),
            launch_ms=round(found.launch_s * 1000, 3),
            measured_ms=None if found.measured_s is None else round(found.measured_s * 1000, 3),
            unknown=found.unknown,
        )

    # Patches.

    def patch_make(self, request: types.PatchMake, who: Identity) -> types.Changed:
        """Make a patch."""
        with self._asked("patch make", request.name, request.note, who):
            name = names.local(request.name, self.engine.site.name)
            wrong = names.name_problem(name)
            if wrong is not None:
                raise Refused(f'patch "{name}": the name {wrong}')
            patch = Patch.from_config(self._config(name, request))
            self.engine.matrix.make(patch)
            talking = [n for n, m in patch.members.items() if m.talks]
            monitors = [n for n, m in patch.members.items() if not m.talks]
            self._tell("patch.made", who, request.note, patch=name, ports=talking, monitors=monitors)
            did = [f'made patch "{name}" of {listed(talking)}']
            did += [f"{listed(monitors)} only {'hears' if len(monitors) == 1 else 'hear'}"] if monitors else []
            return self._patched(name, did, list(patch.members))

    def patch_break(self, request: types.PatchBreak, who: Identity) -> types.Changed:
        """Break a patch."""
        with self._asked("patch break", request.name, request.note, who):
            patch = self._patch(request.name)
            heard = self.engine.matrix.heard(patch.name)
            if heard and not request.confirm:
                others = listed(m for m in patch.members if any(patch.gain(talker, m) != 0.0 for talker in heard))
                raise NeedsConfirmation(
                    f'patch "{patch.name}" is active: {listed(heard)} {_is(heard)} heard by {others or "nobody"}'
                )
            self.engine.matrix.unmake(patch.name)
            self._tell("patch.broken", who, request.note, patch=patch.name, ports=list(patch.members))
            did = [f'broke patch "{patch.name}"; {listed(patch.members)} are apart']
            return types.Changed(did=did, in_force_s=self._in_force())

    def patch_add(self, request: types.PatchAdd, who: Identity) -> types.Changed:
        """Let a port into a patch."""
        with self._asked("patch add", request.patch, request.note, who):
            patch, port = self._patch(request.patch), self._port(request.port)
            if not request.talks and not request.hears:
                raise Refused(f'"{port}" would neither talk nor hear in patch "{patch.name}"')
            self.engine.matrix.add(patch.name, port, Member(talks=request.talks, hears=request.hears))
            part = {"talks": request.talks, "hears": request.hears}
            self._tell("patch.added", who, request.note, patch=patch.name, port=port, **part)
            how = "" if request.talks and request.hears else "; it only talks" if request.talks else "; it only hears"
            return self._patched(patch.name, [f'let {port} into patch "{patch.name}"{how}'], [port])

    def patch_drop(self, request: types.PatchDrop, who: Identity) -> types.Changed:
        """Take a port out of a patch."""
        with self._asked("patch drop", request.patch, request.note, who):
            patch = self._patch(request.patch)
            port = self._member(patch, request.port)
            self.engine.matrix.drop(patch.name, port)
            self._tell("patch.dropped", who, request.note, patch=patch.name, port=port)
            did = [f'took {port} out of patch "{patch.name}"']
            left = len(patch.members) - 1
            did += (
                ["nobody is left in it"] if not left else ["one port is left in it, with nobody to hear"] * (left == 1)
            )
            return self._patched(patch.name, did, [])

    def patch_mute(self, request: types.PatchMute, who: Identity) -> types.Changed:
        """Cut a member of a patch off, or let him through again."""
        with self._asked("patch mute", request.patch, request.note, who):
            patch = self._patch(request.patch)
            port = self._member(patch, request.port)
            listener = None if request.listener is None else self._member(patch, request.listener)
            if listener is None:
                changed = patch.mute(port, request.muted)
            else:
                changed = patch.mute_leg(port, listener, request.muted)
            self.engine.matrix.change(changed)
            about = {"patch": patch.name, "port": port, "muted": request.muted}
            self._tell("patch.muted", who, request.note, **about, **({"listener": listener} if listener else {}))
            to = "" if listener is None else f" for {listener}"
            verb = "cut off" if request.muted else "let through again"
            return self._patched(patch.name, [f'{verb} what {port} says in patch "{patch.name}"{to}'], [])

    def patch_gain(self, request: types.PatchGain, who: Identity) -> types.Changed:
        """Set the gain of one crosspoint."""
        with self._asked("patch gain", request.patch, request.note, who):
            patch = self._patch(request.patch)
            talker, listener = self._member(patch, request.talker), self._member(patch, request.listener)
            self.engine.matrix.change(patch.set_gain(talker, listener, request.gain_db))
            about = {"patch": patch.name, "talker": talker, "listener": listener, "gain_db": request.gain_db}
            self._tell("patch.gain", who, request.note, **about)
            did = [f'{listener} hears {talker} at {request.gain_db:+.1f} dB in patch "{patch.name}"']
            return self._patched(patch.name, did, [])

    # Ports.

    def port_key(self, request: types.PortKey, who: Identity) -> types.Changed:
        """Key a transmitter by hand, for a bounded time."""
        with self._asked("port key", request.port, request.note, who):
            port = self._port(request.port)
            if self.engine.ports[port].tx is None:
                raise Refused(f'port "{port}" has no transmitter to key')
            for_s = seconds(request.seconds)
            if not request.confirm:
                raise NeedsConfirmation(f"this puts {port} on the air for {for_s}")
            self.engine.matrix.key(port, round(request.seconds * AUDIO_RATE / TICK_SAMPLES) * TICK_SAMPLES)
            self._tell("port.key", who, request.note, port=port, seconds=request.seconds)
            return self._ported(port, [f"keyed {port} by hand for {for_s}"])

    def port_unkey(self, request: types.PortUnkey, who: Identity) -> types.Changed:
        """Take the hand off a transmitter."""
        with self._asked("port unkey", request.port, request.note, who):
            port = self._port(request.port)
            was = self.engine.matrix.unkey(port)
            self._tell("port.unkey", who, request.note, port=port)
            did = [f"took the hand off {port}" if was else f"{port} was not keyed by hand"]
            for patch in self.engine.matrix.keying(port):
                did.append(f'patch "{patch}" keeps it on the air; `sdrbridge port mute {port} --tx` takes it off')
            return self._ported(port, did)

    def port_mute(self, request: types.PortMute, who: Identity) -> types.Changed:
        """Cut a port off from every patch, or let it through again."""
        with self._asked("port mute", request.port, request.note, who):
            port = self._port(request.port)
            ends = self.engine.ports[port]
            before = self.engine.matrix.muted.get(port)
            rx, tx = (before.rx, before.tx) if before is not None else (False, False)
            if request.direction == "rx" and ends.rx is None:
                raise Refused(f'nothing comes in at port "{port}"')
            if request.direction == "tx" and ends.tx is None:
                raise Refused(f'port "{port}" has no transmitter to cut off')
            if request.direction in ("both", "rx"):
                rx = request.muted and ends.rx is not None
            if request.direction in ("both", "tx"):
                tx = request.muted and ends.tx is not None
            self.engine.matrix.mute_port(port, rx, tx)
            about = {"port": port, "direction": request.direction, "muted": request.muted}
            self._tell("port.muted", who, request.note, **about)
            side = {"rx": "what it says", "tx": "what it is sent", "both": "both ways"}[request.direction]
            verb = "cut off" if request.muted else "let through again"
            return self._ported(port, [f"{port} is {verb}, {side}, in every patch"])

    def port_level(self, request: types.PortLevel, who: Identity) -> types.Changed:
        """Set how loud a port is, in or out."""
        with self._asked("port level", request.port, request.note, who):
            port = self._port(request.port)
            ends = self.engine.ports[port]
            if request.rx_gain_db is None and request.tx_gain_db is None:
                raise Refused(f'port "{port}": say which gain to set, rx or tx')
            if request.rx_gain_db is not None and ends.rx is None:
                raise Refused(f'nothing comes in at port "{port}"')
            if request.tx_gain_db is not None and ends.tx is None:
                raise Refused(f'port "{port}" has no transmitter')
            self.engine.matrix.set_level(port, request.rx_gain_db, request.tx_gain_db)
            rx, tx = self.engine.matrix.levels(port)
            self._tell("port.level", who, request.note, port=port, rx_gain_db=round(rx, 2), tx_gain_db=round(tx, 2))
            return self._ported(port, [f"{port}: what comes in at {rx:+.1f} dB, what goes out at {tx:+.1f} dB"])

    def port_align(self, request: types.PortAlign, who: Identity) -> types.Changed:
        """Send a tone to set levels by, or end it."""
        with self._asked("port align", request.port, request.note, who):
            port = self._port(request.port)
            if request.stop:
                was = self.engine.matrix.align_stop(port)
                self._tell("port.align", who, request.note, port=port, stop=True)
                return self._ported(port, [f"ended the tone at {port}" if was else f"{port} had no tone to end"])
            for_s, level = seconds(request.seconds), request.level_dbfs
            if self.engine.ports[port].tx is not None and not request.confirm:
                raise NeedsConfirmation(f"this puts {port} on the air with a tone for {for_s}")
            self.engine.matrix.align(port, level, round(request.seconds * AUDIO_RATE))
            self._tell("port.align", who, request.note, port=port, level_dbfs=level, seconds=request.seconds)
            return self._ported(port, [f"{port} sends 1 kHz at {level:g} dBFS for {for_s}"])

    def port_restore(self, request: types.PortRestore, who: Identity) -> types.Changed:
        """Let a port through again that was cut off for a loop."""
        with self._asked("port restore", request.port, request.note, who):
            port = self._port(request.port)
            if not self.engine.matrix.restore(port):
                raise Refused(f'port "{port}" is not cut off for a loop')
            self._tell("loop.restored", who, request.note, port=port)
            return self._ported(port, [f"{port} is let through again"])

    # What they share.

    @contextmanager
    def _asked(self, verb: str, about: str, note: str, who: Identity) -> Iterator[None]:
        """Write down what is refused; the matrix's errors become refusals."""
        try:
            try:
                yield
            except (PatchError, PortError) as problem:
                raise Refused(str(problem)) from problem
        except (NotFound, Refused) as problem:
            self._tell("control.refused", who, note, verb=verb, about=about, reason=str(problem))
            raise

    def _tell(self, event: str, who: Identity, note: str, **fields: object) -> None:
        self.engine.tell({"event": event, **fields, **who.to_dict(), **({"note": note} if note else {})})

    def _config(self, name: str, request: types.PatchMake) -> PatchConfig:
        ports = tuple(self._port(port) for port in request.ports)
        monitors = tuple(self._port(port) for port in request.monitors)
        both = [*ports, *monitors]
        for port in both:
            if both.count(port) > 1:
                raise Refused(f'patch "{name}": "{port}" is named twice; a port is never patched to itself')
        if len(both) < 2:
            raise Refused(f'patch "{name}": a patch joins at least two ports, not {listed(both)} alone')
        return PatchConfig(
            name,
            ports,
            monitors,
            hang_s=request.hang_s,
            timeout_s=request.timeout_s,
            lockout_ms=request.lockout_ms,
            min_key_ms=request.min_key_ms,
            preempt=request.preempt,
            mix=request.mix,
            kerchunk_ms=request.kerchunk_ms,
        )

    def _port(self, name: str) -> str:
        return names.find(name, self.engine.ports, "port", self.engine.site.name)

    def _patch(self, name: str) -> Patch:
        patches = self.engine.matrix.patches
        return patches[names.find(name, patches, "patch", self.engine.site.name)]

    def _member(self, patch: Patch, name: str) -> str:
        port = self._port(name)
        if port not in patch.members:
            raise Refused(f'"{port}" is no member of patch "{patch.name}"; members are {listed(patch.members)}')
        return port

    def _in_force(self) -> float:
        return self.engine.now / AUDIO_RATE

    def _patched(self, name: str, did: list[str], new: list[str]) -> types.Changed:
        return types.Changed(
            did=did, in_force_s=self._in_force(), patch=view.patch(self.engine, name), losses=self._losses(name, new)
        )

    def _losses(self, patch: str, new: list[str]) -> list[types.Loss]:
        """What pairs of members, one of them new, lose of each other beside speech."""
        lost = facts.lost_in(self.engine.matrix.patches[patch], facts.abilities(self.engine.site))
        return [
            types.Loss(talker=talker, listener=listener, lost=list(what))
            for (talker, listener), what in lost.items()
            if talker in new or listener in new
        ]

    def _ported(self, name: str, did: list[str]) -> types.Changed:
        return types.Changed(did=did, in_force_s=self._in_force(), port=view.port(self.engine, name))


def _is(names: Sequence[str]) -> str:
    return "is" if len(names) == 1 else "are"
