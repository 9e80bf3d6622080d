"""The bridge as it is shown: engine state in, answer structs out. Runs between two ticks; changes nothing."""

from datetime import datetime, timedelta

from dsp.blocks import AUDIO_RATE
from sdrbridge import __version__
from sdrbridge.control import types
from sdrbridge.engine import Engine, PortState, Snapshot
from sdrbridge.transmitters import PortMute


def status(engine: Engine, now: datetime) -> types.StatusInfo:
    """Everything."""
    seen = engine.snapshot()
    return types.StatusInfo(
        site=seen.site,
        version=__version__,
        t_s=seen.t_s,
        at=wall(now),
        ports=ports(engine, seen),
        patches=patches(engine),
        tuners=[
            types.TunerInfo(
                name=t.name,
                state=str(t.state),
                reason=t.reason,
                description=t.description,
                rate=t.rate,
                center_hz=t.center_hz,
                lost=t.lost,
                clipped=t.clipped,
                restarts=t.restarts,
            )
            for t in seen.tuners.values()
        ],
        degraded=dict(seen.degraded),
        counters={name: float(value) for name, value in seen.counters.items()},
    )


def ports(engine: Engine, seen: Snapshot) -> list[types.PortInfo]:
    """Every port, in the order of the site file."""
    member_of: dict[str, list[str]] = {}
    for name, state in seen.patches.items():
        for member in state.patch.members:
            member_of.setdefault(member, []).append(name)
    muted = engine.matrix.muted
    return [_port(engine, p, muted.get(name), member_of.get(name, [])) for name, p in seen.ports.items()]


def port(engine: Engine, name: str) -> types.PortInfo:
    """One port."""
    return next(p for p in ports(engine, engine.snapshot()) if p.name == name)


def patches(engine: Engine) -> list[types.PatchInfo]:
    """Every patch, in the order in which they were made."""
    return [patch(engine, name) for name in engine.matrix.patches]


def patch(engine: Engine, name: str) -> types.PatchInfo:
    """One patch."""
    matrix = engine.matrix
    found = matrix.patches[name]
    rules = found.rules
    return types.PatchInfo(
        name=name,
        holder=matrix.holder(name),
        heard=list(matrix.heard(name)),
        members=[
            types.MemberInfo(
                port=port, talks=m.talks, hears=m.hears, muted=m.muted, mixes=rules.mix if m.mixes is None else m.mixes
            )
            for port, m in found.members.items()
        ],
        legs=[
            types.LegInfo(talker=a, listener=b, gain_db=leg.gain_db, muted=leg.muted)
            for (a, b), leg in found.legs.items()
        ],
        hang_s=rules.hang / AUDIO_RATE,
        timeout_s=rules.timeout / AUDIO_RATE,
        lockout_ms=rules.lockout * 1000 // AUDIO_RATE,
        min_key_ms=rules.min_key * 1000 // AUDIO_RATE,
        kerchunk_ms=rules.kerchunk * 1000 // AUDIO_RATE,
        preempt=rules.preempt,
        mix=rules.mix,
    )


def wall(moment: datetime) -> str:
    """A time of day as the interface writes it: 2026-11-23T14:20:05.123Z."""
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03d}Z"


def wall_of(t_s: float, engine: Engine, now: datetime) -> str:
    """The time of day of a moment of bridge time, by the clock as it goes now."""
    return wall(now - timedelta(seconds=engine.now / AUDIO_RATE - t_s))


def mute_of(mute: PortMute | None) -> types.Direction | None:
    """Which way a port is cut off; None if it is not."""
    if mute is None:
        return None
    return "both" if mute.rx and mute.tx else "rx" if mute.rx else "tx"


def _port(engine: Engine, state: PortState, mute: PortMute | None, member_of: list[str]) -> types.PortInfo:
    port = engine.ports[state.name]
    rx_gain, tx_gain = engine.matrix.levels(state.name)
    return types.PortInfo(
        name=state.name,
        kind=state.kind,
        receives=state.receives,
        transmits=state.transmits,
        priority=port.priority,
        access_ms=port.access_ms,
        state=str(state.state),
        reason=state.reason,
        keyed=state.keyed,
        keyed_by=engine.matrix.keying(state.name) if state.keyed else [],
        muted=mute_of(mute) or "",
        loop=engine.matrix.looped.get(state.name, ""),
        rx_gain_db=round(rx_gain, 2),
        tx_gain_db=round(tx_gain, 2),
        over=state.over,
        level_dbfs=state.level_dbfs,
        snr_db=state.snr_db,
        patches=member_of,
        counters={name: float(value) for name, value in state.counters.items()},
    )
