"""One over: from the moment a signal begins to the moment it ends, with who, how strong, and who heard it.

Times are on-air sample indices at 8 kHz. `start` and `end` bound what the patches play. `on_air_end` is where the
signal really ended; it lies before `end` where the end became known only after a little of the tail had been passed on.
"""

from dataclasses import dataclass, field, fields
from operator import attrgetter
from typing import Any

from dsp.blocks import AUDIO_RATE


@dataclass(slots=True)
class Facts:
    """What is known of an over beside its sound; None where it does not apply or is not known yet.

    snr_db, level_dbfs: signal-to-noise ratio in the channel and speech level. ctcss_hz, dcs: tone and code found. dtmf:
    digits keyed in it, on a port where they are looked for.

    Of digital modes: nac ("$293"), talkgroup, source_id (who talks), target_id (the unit he calls), alias (his name),
    latitude and longitude, emergency, encrypted, algid and keyid (of the encryption). ber: share of wrong bits. evm:
    error vector magnitude at the points of a linear receiver, 1 is 100 % (a perfect C4FM signal has 0.14).
    frequency_error_hz: of the carrier. frame_loss: share of voice frames that never came. erasures: voice frames that
    came and could not be spoken. silent: why nothing of it is heard.
    """

    snr_db: float | None = None
    level_dbfs: float | None = None
    ctcss_hz: float | None = None
    dcs: str | None = None
    nac: str | None = None
    talkgroup: int | None = None
    source_id: int | None = None
    emergency: bool | None = None
    encrypted: bool | None = None
    ber: float | None = None
    target_id: int | None = None
    alias: str | None = None
    latitude: float | None = None
    longitude: float | None = None
    algid: int | None = None
    keyid: int | None = None
    evm: float | None = None
    frequency_error_hz: float | None = None
    frame_loss: float | None = None
    erasures: int | None = None
    silent: str | None = None
    dtmf: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """What is known, ready for JSON."""
        known = [(name, value) for name, value in zip(_FACTS, _all_of(self), strict=True) if value is not None]
        return {name: round(value, 4) if isinstance(value, float) else value for name, value in known}


_FACTS = [field.name for field in fields(Facts)]
_all_of = attrgetter(*_FACTS)


@dataclass(slots=True, eq=False)
class Transmission:
    """One over of one port. Whoever receives it fills it in while it lasts; everybody else reads.

    id: port and number, "VTAC11-0003", the same in every replay. start, end: on-air samples; end is None while it
    lasts. heard_by: ports that got any of it, in the order in which they did.
    """

    id: str
    port: str
    start: int
    end: int | None = None
    on_air_end: int | None = None
    facts: Facts = field(default_factory=Facts)
    heard_by: list[str] = field(default_factory=list)

    @classmethod
    def begin(cls, port: str, number: int, start: int) -> "Transmission":
        """A new over, the `number`th of its port (from 1)."""
        return cls(f"{port}-{number:04d}", port, start)

    def heard(self, port: str) -> None:
        """Note that a port got some of it."""
        if port not in self.heard_by:
            self.heard_by.append(port)

    def to_dict(self) -> dict[str, Any]:
        """Times in seconds and the facts that are known, ready for JSON."""
        times: dict[str, Any] = {"id": self.id, "start_s": self.start / AUDIO_RATE}
        end = self.end if self.on_air_end is None else self.on_air_end
        if end is not None:
            times["end_s"] = end / AUDIO_RATE
        return {**times, **self.facts.to_dict(), "heard_by": list(self.heard_by)}
