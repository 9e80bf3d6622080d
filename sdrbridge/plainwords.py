"""Events in plain words.

    {"event": "floor.granted", "patch": "command", "port": "VTAC11", …} → command: VTAC11 got the floor: first to talk

Only the standard library is imported here: the command line says events too. An event that has no words of its own is
said by its name and fields, so that nothing is kept back.
"""

from collections.abc import Callable, Mapping
from typing import Any

Event = Mapping[str, Any]

_FRAME = {"t_s", "event", "seq", "at", "at_s"}
"""Fields that say when and what, not about what."""


def say(event: Event) -> str:
    """One event in a sentence, without its time."""
    words = _WORDS.get(str(event.get("event")))
    if words is not None:
        try:
            return words(event)
        except (KeyError, TypeError, ValueError):
            pass  # an event of another version, with other fields
    return _plain(event)


def by_whom(event: Event) -> str:
    """` by alice: "IC request 14:20"` where somebody asked for it."""
    who = f" by {event['who']}" if event.get("who") else ""
    note = f': "{event["note"]}"' if event.get("note") else ""
    return who + note


def listed(names: Any) -> str:
    """`A`, `A and B`, `A, B and C`."""
    words = [str(name) for name in names]
    if len(words) < 2:
        return "".join(words)
    return f"{', '.join(words[:-1])} and {words[-1]}"


def seconds(value: float) -> str:
    """`850 ms`, `2.1 s`, `3 min 05 s`."""
    if value < 1:
        return f"{value * 1000:.0f} ms"
    if value < 60:
        return f"{value:.1f} s"
    minutes, rest = divmod(round(value), 60)
    return f"{minutes} min {rest:02d} s"


def _plain(event: Event) -> str:
    fields = [f"{key} {_value(value)}" for key, value in event.items() if key not in _FRAME and value not in (None, "")]
    name = str(event.get("event", "event")).replace("_", " ").replace(".", ": ")
    return f"{name} ({', '.join(fields)})" if fields else name


def _value(value: Any) -> str:
    return listed(value) if isinstance(value, list | tuple) else str(value)


def _tone(e: Event) -> str:
    return f"CTCSS {e['ctcss_hz']:.1f} Hz" if e.get("ctcss_hz") else f"DCS {e['dcs']}" if e.get("dcs") else "tone"


def _talker(e: Event) -> str:
    who = f"unit {e['source_id']}" if e.get("source_id") else "somebody"
    whom = f" on talkgroup {e['talkgroup']}" if e.get("talkgroup") is not None else ""
    unit = f" to unit {e['target_id']}" if e.get("target_id") else ""
    return f"{e['channel']}: {who} talks{whom}{unit}{', an emergency' if e.get('emergency') else ''}"


def _floor(words: str) -> Callable[[Event], str]:
    def said(e: Event) -> str:
        blocked = f", after {seconds(float(e['blocked_s']))}" if e.get("blocked_s") else ""
        reason = f": {e['reason']}" if e.get("reason") else ""
        return f"{e['patch']}: {e['port']} {words}{blocked}{reason}"

    return said


def _keyed(e: Event) -> str:
    if e.get("patches"):
        return f"{e['port']} was keyed for {listed(e['patches'])}"
    return f"{e['port']} was keyed by hand" if e.get("by_hand") else f"{e['port']} was keyed"


def _unkeyed(e: Event) -> str:
    return f"{e['port']} was unkeyed, after {seconds(float(e['keyed_s']))} on the air"


def _muted(e: Event) -> str:
    what = "cut off" if e["muted"] else "let through again"
    if "patch" in e:
        to = f" to {e['listener']}" if e.get("listener") else ""
        return f"{e['patch']}: {e['port']}{to} was {what}{by_whom(e)}"
    side = {"rx": ", what it says", "tx": ", what it is sent"}.get(str(e.get("direction")), "")
    return f"{e['port']} was {what} everywhere{side}{by_whom(e)}"


def _made(e: Event) -> str:
    monitors = f"; {listed(e['monitors'])} only hear" if e.get("monitors") else ""
    return f"patch {e['patch']} was made of {listed(e['ports'])}{monitors}{by_whom(e)}"


_WORDS: dict[str, Callable[[Event], str]] = {
    "carrier.open": lambda e: f"{e['channel']}: a carrier came up, {e['snr_db']:.0f} dB over the noise",
    "carrier.close": lambda e: f"{e['channel']}: the carrier went down",
    "tone.found": lambda e: f"{e['channel']}: {_tone(e)} was found",
    "tone.lost": lambda e: f"{e['channel']}: the tone or code was lost",
    "tone.end": lambda e: f"{e['channel']}: the talker's radio announced the end of the over",
    "call.found": lambda e: f"{e['channel']}: a call with NAC {e['nac']} was found",
    "call.held": lambda e: f"{e['channel']}: the call is not heard yet: {e['reason']}",
    "call.refused": lambda e: f"{e['channel']}: the call is not for this channel: {e['reason']}",
    "call.unheard": lambda e: f"{e['channel']}: the call ended unheard: {e['reason']}",
    "talker.found": _talker,
    "over.muted": lambda e: f"{e['channel']}: over {e['over']} is silent until it is sure: {e['reason']}",
    "over.unmuted": lambda e: f"{e['channel']}: over {e['over']} is heard again: {e['reason']}",
    "over.encrypted": lambda e: f"{e['channel']}: over {e['over']} is encrypted and stays silent: {e['reason']}",
    "over.open": lambda e: f"{e['channel']}: over {e['over']} began",
    "over.close": lambda e: f"{e['channel']}: over {e['over']} ended: {e['reason']}",
    "over.done": lambda e: (
        f"{e['port']}: over {e['over']} of {seconds(e['end_s'] - e['start_s'])} was heard by "
        + (listed(e["heard_by"]) or "nobody")
    ),
    "recording.closed": lambda e: f"{e['port']}: over {e['over']} was kept as {e['file']}",
    "recording.recovered": lambda e: (
        f"{e['port']}: over {e['over']} was cut short and kept as {e['file']}: {e['reason']}"
    ),
    "recording.removed": lambda e: f"recording {e['file']} was removed {e['reason']}",
    "journal.opened": lambda e: f"{e['site']} was started" + ("" if e["clean"] else ", after a stop without an end"),
    "journal.closed": lambda e: "the bridge was ended",
    "journal.head": lambda e: "signed",
    "journal.lost": lambda e: f"{e['lost']} events could not be kept: {e['reason']}",
    "journal.recovered": lambda e: f"{e['bytes']} bytes were set aside as {e['kept']}: {e['reason']}",
    "dtmf.digits": lambda e: (
        f"{e['port']}: DTMF {e['digits']} was keyed" + (" and kept from the others" if e["muted"] else "")
    ),
    "floor.granted": _floor("got the floor"),
    "floor.refused": _floor("was refused"),
    "floor.preempted": _floor("lost the floor"),
    "floor.timed_out": _floor("timed out"),
    "floor.released": _floor("gave the floor back"),
    "floor.gave_up": _floor("ended without having been heard any further"),
    "floor.idle": lambda e: f"{e['patch']}: {e.get('reason', 'nobody talks')}",
    "port.health": lambda e: f"{e['port']} is {e['state']}" + (f": {e['reason']}" if e.get("reason") else ""),
    "port.gap": lambda e: f"{e['port']}: {seconds(e['missing_s'])} of what it was to send is missing: {e['reason']}",
    "port.keyed": _keyed,
    "port.unkeyed": _unkeyed,
    "patch.made": _made,
    "patch.broken": lambda e: f"patch {e['patch']} was broken{by_whom(e)}",
    "patch.added": lambda e: f"{e['patch']}: {e['port']} was let in{by_whom(e)}",
    "patch.dropped": lambda e: f"{e['patch']}: {e['port']} was taken out{by_whom(e)}",
    "patch.muted": _muted,
    "patch.gain": lambda e: (
        f"{e['patch']}: {e['talker']} is heard by {e['listener']} at {e['gain_db']:+.1f} dB{by_whom(e)}"
    ),
    "port.muted": _muted,
    "port.level": lambda e: (
        f"{e['port']} is at {e['rx_gain_db']:+.1f} dB in and {e['tx_gain_db']:+.1f} dB out{by_whom(e)}"
    ),
    "port.key": lambda e: f"{e['port']} is to be keyed by hand for {seconds(float(e['seconds']))}{by_whom(e)}",
    "port.align": lambda e: (
        f"the tone at {e['port']} was ended{by_whom(e)}"
        if e.get("stop")
        else f"{e['port']} sends 1 kHz at {e['level_dbfs']:g} dBFS for {seconds(float(e['seconds']))}{by_whom(e)}"
    ),
    "loop.found": lambda e: f"{e['port']} was cut off for {seconds(float(e['for_s']))}: {e['reason']}",
    "loop.restored": lambda e: (
        f"{e['port']} was let through again" + (f": {e['reason']}" if e.get("reason") else by_whom(e))
    ),
    "port.unkey": lambda e: f"the hand was taken off {e['port']}{by_whom(e)}",
    "control.asked": lambda e: f"{e['who']} looks at the bridge, {e['verb']} first",
    "control.refused": lambda e: f"{e['verb']}, asked for{by_whom(e)}, was refused: {e['reason']}",
    "degraded": lambda e: f"{e['what']} is degraded: {e['reason']}",
    "restored": lambda e: f"{e['what']} is as it should be again",
    "config.reloaded": lambda e: (
        f"the site file was read again{by_whom(e)}: {'; '.join(map(str, e['did'])) or 'nothing has changed'}"
    ),
    "config.refused": lambda e: (
        f"the site file was read again{by_whom(e)} and not taken: {'; '.join(map(str, e['problems']))}"
    ),
}
