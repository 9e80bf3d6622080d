"""One channel of a receiver as a receive port: when it is heard, from which sample, and why.

The squelch and tone detectors say what is on the air; this machine decides when that is speech for a patch.

    CLOSED ──carrier, and the tone or code if one is required──▶ OPEN
    OPEN ──carrier gone · required tone lost · reverse burst · turn-off code · gap──▶ CLOSED

Opening looks back: the decision comes up to 350 ms after the carrier (a DCS word takes 171 ms), and the over starts
where the carrier started, not where the decision fell. Closing looks ahead: audio is released `LOOK_AHEAD` late, so
that the squelch has seen the carrier drop before the noise after it is passed on.

A tone or code belongs to the carrier it came with: when the carrier goes, what was known of the tone goes too.
"""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from dsp.blocks import AUDIO_RATE
from dsp.events import EventKind
from sdrbridge.config import ChannelConfig
from sdrbridge.transmission import Transmission

LOOK_AHEAD = 120
"""Audio samples (15 ms) that an open channel holds back, so that a tail is cut before it is heard."""

TONE_WITH_CARRIER = int(0.3 * AUDIO_RATE)
"""A tone found to start within this time of its carrier was there all along; the over starts at the carrier."""


@dataclass(frozen=True, slots=True)
class Signal:
    """A detector's event, in bridge time.

    at: on-air time, known: when the bridge could know it, both in samples of 8 kHz; value: see `EventKind`.
    """

    kind: EventKind
    at: int
    known: int
    value: float | str | None = None


@dataclass(slots=True)
class _Carrier:
    """The carrier that is on the air now. announced_end: its end was announced; only a new tone opens again."""

    at: int
    snr_db: float
    announced_end: bool = False


@dataclass(slots=True)
class _Tone:
    """A tone or code that is there now: CTCSS frequency in Hz or DCS code, and since when."""

    value: float | str
    at: int


Sink = Callable[[dict[str, object]], None]
"""Called with every decision: `t_s` (bridge time), `event`, and what it is about."""


@dataclass(slots=True)
class Channel:
    """The rules of one channel. Pure: signals and the time in, overs and reasons out.

    config: name and squelch from the site file. sink: told of every decision.
    """

    config: ChannelConfig
    sink: Sink
    over: Transmission | None = None
    count: int = 0
    """Overs so far, this one included."""
    released: int = 0
    _carrier: _Carrier | None = None
    _ctcss: _Tone | None = None
    _dcs: _Tone | None = None
    _last_end: int = 0
    _queue: deque[Signal] = field(default_factory=deque)

    @property
    def waiting(self) -> bool:
        """Nothing that is still to come has to be seen before a replay may end."""
        return False

    def put(self, signal: Signal) -> None:
        """Queue what a detector said; it is acted on by the first `advance` at or after `signal.known`."""
        self._queue.append(signal)

    def advance(self, now: int) -> list[Transmission]:
        """Act on everything known by `now` (8 kHz samples); returns the overs that began or ended by it, in order."""
        due = sorted((s for s in self._queue if s.known <= now), key=lambda s: (s.known, s.at))
        if not due:
            return []
        self._queue = deque(s for s in self._queue if s.known > now)
        changed: list[Transmission] = []
        for signal in due:
            before = self.over
            self._act(signal)
            changed += [over for over in (before, self.over) if over is not None and over not in changed]
        return changed

    def _act(self, signal: Signal) -> None:
        kind = signal.kind
        if kind is EventKind.OPEN:
            assert isinstance(signal.value, float)
            self._carrier = _Carrier(signal.at, signal.value)
            self._tell("carrier.open", signal, snr_db=round(signal.value, 1))
        elif kind is EventKind.CLOSE:
            if self._carrier is None:
                return
            self._tell("carrier.close", signal)
            self._close(signal, "carrier gone", signal.value)
            self._carrier = self._ctcss = self._dcs = None
        elif kind in (EventKind.CTCSS, EventKind.DCS):
            assert signal.value is not None
            self._take_tone(signal, _Tone(signal.value, signal.at))
        elif kind in (EventKind.CTCSS_LOST, EventKind.DCS_LOST):
            self._tell("tone.lost", signal)
            if kind is EventKind.CTCSS_LOST:
                self._ctcss = None
            else:
                self._dcs = None
            if not self._fits():
                self._close(signal, "tone lost" if kind is EventKind.CTCSS_LOST else "code lost")
        elif kind in (EventKind.REVERSE_BURST, EventKind.DCS_TURN_OFF):
            self._tell("tone.end", signal)
            if self._carrier is not None:
                self._carrier.announced_end = True
            self._close(signal, "reverse burst" if kind is EventKind.REVERSE_BURST else "turn-off code")
        self._open(signal)

    def _take_tone(self, signal: Signal, tone: _Tone) -> None:
        if signal.kind is EventKind.CTCSS:
            self._ctcss = tone
            self._tell("tone.found", signal, ctcss_hz=tone.value)
        else:
            self._dcs = tone
            self._tell("tone.found", signal, dcs=tone.value)
        if self._carrier is not None:
            self._carrier.announced_end = False
        if not self._fits():
            self._close(signal, f"the tone changed to {tone.value}")
        if self.over is not None:
            self._note_tones(self.over)

    def _fits(self) -> bool:
        """Whether the tone or code that is required is there."""
        squelch = self.config.squelch
        if squelch.ctcss_hz is not None:
            return self._ctcss is not None and self._ctcss.value == squelch.ctcss_hz
        if squelch.dcs is not None:
            return self._dcs is not None and self._dcs.value in squelch.dcs_codes
        return True

    def _open(self, signal: Signal) -> None:
        """Begin an over if there is reason to."""
        carrier = self._carrier
        if self.over is not None or carrier is None or carrier.announced_end or not self._fits():
            return
        start = carrier.at
        required = self._ctcss if self.config.squelch.ctcss_hz is not None else self._dcs
        if self.config.squelch.selective and required is not None and required.at - carrier.at > TONE_WITH_CARRIER:
            start = required.at
        # An over never starts before the recording, nor inside what the one before it has already played.
        start = max(start, self._last_end)
        self.count += 1
        self.over = Transmission.begin(self.config.name, self.count, start)
        self.over.facts.snr_db = carrier.snr_db
        self._note_tones(self.over)
        self.released = start
        self._tell("over.open", signal, over=self.over.id, start_s=start / AUDIO_RATE)

    def _note_tones(self, over: Transmission) -> None:
        if self._ctcss is not None:
            over.facts.ctcss_hz = float(self._ctcss.value)
        if self._dcs is not None:
            # One signal has several names; call it what the site file calls it.
            wanted = self.config.squelch
            over.facts.dcs = wanted.dcs if self._dcs.value in wanted.dcs_codes else str(self._dcs.value)

    def _close(self, signal: Signal, reason: str, snr_db: float | str | None = None) -> None:
        if self.over is None:
            return
        if isinstance(snr_db, float):
            self.over.facts.snr_db = snr_db
        # What has been released cannot be called back: the over ends there at the earliest.
        self.over.end = max(signal.at, self.over.start, self.released)
        self.over.on_air_end = max(signal.at, self.over.start)
        self._last_end = self.over.end
        self._tell("over.close", signal, over=self.over.id, end_s=self.over.end / AUDIO_RATE, reason=reason)
        self.over = None

    def _tell(self, event: str, signal: Signal, **fields: object) -> None:
        times = {"t_s": signal.known / AUDIO_RATE, "event": event, "at_s": signal.at / AUDIO_RATE}
        self.sink({**times, "channel": self.config.name, **fields})
