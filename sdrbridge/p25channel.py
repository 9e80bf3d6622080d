"""One P25 channel as a receive port: when it is heard, from which sample, and why.

The frames of a call say whether its speech may be decoded (`dsp.p25.secrecy`) and whether it is for us (`squelch`):

    CLOSED ──a voice frame, nothing against it, NAC · talkgroup · talker as required──▶ OPEN
    CLOSED ──a voice frame, and two indications that the call is encrypted────────────▶ OPEN, silent
    OPEN ──terminator · another call · 0.4 s without a frame · the source ends────────▶ CLOSED

While nothing is known of the encryption, or of the talkgroup where one is required, voice frames are held, up to a
second of them. What opens the channel lets them be heard first, so the over starts with the first frame that was
received. What was held is forgotten when the call is encrypted or not for us. Each voice frame is spoken as it comes.
"""

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from dsp.blocks import AUDIO_RATE
from dsp.events import EventKind
from dsp.p25.encryption import EncryptionSync
from dsp.p25.frame import Frame, VoiceFrame
from dsp.p25.link_control import LinkControl
from dsp.p25.secrecy import Secrecy, SecrecyGate
from dsp.p25.units import Header
from sdrbridge.channel import Signal, Sink
from sdrbridge.config import ChannelConfig
from sdrbridge.p25bank import Heard
from sdrbridge.p25call import Call, Word
from sdrbridge.p25voice import VoiceLine
from sdrbridge.transmission import Transmission

LOST_AFTER = 2 * AUDIO_RATE // 5
"""Audio samples (0.4 s) without a frame after which a call has ended: two voice units and a little."""

HELD = AUDIO_RATE
"""Samples by which an over may begin before it was known to be one, at most."""

ANY_NAC = (0xF7E, 0xF7F)
"""NACs by which a receiver opens for every NAC (TIA-102.BAAC-D clause 2.1)."""

FrameSink = Callable[[Mapping[str, object]], None]
"""Called with each protocol unit decoded, as a line of `frames.jsonl`."""


@dataclass(slots=True)
class P25Channel:
    """The rules of one P25 channel. Signals and the time in, overs and reasons out; has the face of `Channel`.

    config: name and squelch from the site file. sink: told of every decision. voice: speaks what may be heard. frames:
    told of every protocol unit, None where nobody wants to know.
    """

    config: ChannelConfig
    sink: Sink
    voice: VoiceLine
    frames: FrameSink | None = None
    over: Transmission | None = None
    count: int = 0
    """Overs so far, this one included."""
    released: int = 0
    _call: Call | None = None
    _gate: SecrecyGate = field(default_factory=SecrecyGate)
    _last_end: int = 0
    _changed: list[Transmission] = field(default_factory=list)
    _told: str | None = None
    _stranger: tuple[int, int] | None = None
    _queue: deque[Signal] = field(default_factory=deque)

    def put(self, signal: Signal) -> None:
        """Queue a frame, or the end of the source; it is acted on by the first `advance` at or after `known`."""
        self._queue.append(signal)

    @property
    def waiting(self) -> bool:
        """Frames have been received that nobody has been told of."""
        return any(isinstance(signal, Heard) for signal in self._queue)

    def advance(self, now: int) -> list[Transmission]:
        """Act on everything known by `now` (8 kHz samples); returns the overs that began or ended by it, in order."""
        self._changed = []
        due = sorted((s for s in self._queue if s.known <= now), key=lambda s: s.known)
        if due:
            self._queue = deque(s for s in self._queue if s.known > now)
        for signal in due:
            self._expire(signal.known)
            if isinstance(signal, Heard):
                self._hear(signal)
            else:
                self._end_call(signal, "signal gone")
            self._open(signal)
        self._expire(now)
        if self._call is not None and self._call.held:
            # The over before may have kept it closed until now.
            self._open(Signal(EventKind.FRAME, self._call.begun, now))
        return self._changed

    def _hear(self, heard: Heard) -> None:
        frame = heard.received.frame
        self._report(heard, frame)
        if frame.name in ("NID", "TSBK", "PDU") or not self._nac_fits(heard, frame):
            return
        if self._call is not None and self._call.nac != frame.nac:
            self._end_call(heard, "another NAC")
        if frame.name in ("TDU", "TDULC"):
            self._terminator(heard, frame)
            return
        if frame.name == "HDU":
            self._end_call(heard, "a new call")
        if self._call is None:
            self._call = Call(frame.nac, heard.at, heard.known)
            self._tell("call.found", heard, nac=self._call.facts.nac)
        self._call.known = heard.known
        self._call.count(heard.received, heard.tuned)
        match frame.content:
            case Header() if frame.valid:
                self._call.header(frame.content)
            case LinkControl() if frame.valid:
                self._link_control(heard, frame.content)
            case EncryptionSync() if frame.valid:
                self._call.encryption(frame.content)
        self._ask_gate(heard, frame)
        if isinstance(frame.content, VoiceFrame):
            self._voice(heard, frame.content)

    def _voice(self, heard: Heard, frame: VoiceFrame) -> None:
        call = self._call
        assert call is not None
        came = bool(frame.llr.any())
        if not came and not heard.received.frame.valid:
            return  # what is missing of a unit behind the end of the signal
        at = call.place(heard.speaks)
        if self.over is None:
            if self._gate.verdict is not Secrecy.ENCRYPTED:
                call.held.append((at, frame))
        elif self._gate.verdict is Secrecy.CLEAR and not call.facts.encrypted:
            self._speak(call, at, frame)
        else:
            call.spoken(came)

    def _speak(self, call: Call, at: int, frame: VoiceFrame) -> None:
        call.spoken(self.voice.hear(at, frame))
        call.facts.silent = self.voice.silent

    def _terminator(self, heard: Heard, frame: Frame) -> None:
        call = self._call
        if call is not None:
            call.count(heard.received, heard.tuned)
            word = frame.content
            if isinstance(word, LinkControl) and frame.valid and call.judge(word) is Word.SAME:
                call.link_control(word)
        self._end_call(heard, "terminator")

    def _link_control(self, heard: Heard, word: LinkControl) -> None:
        call = self._call
        assert call is not None
        if word.is_voice_user:
            meaning = call.judge(word)
            if meaning is Word.DOUBTED:
                return
            if meaning is Word.OTHER:
                self._end_call(heard, "another talker")
                call = self._call = Call(call.nac, heard.at, heard.known)
        before = call.who, call.facts.emergency
        call.link_control(word)
        facts = call.facts
        if before != (call.who, facts.emergency):
            said = {key: getattr(facts, key) for key in ("talkgroup", "target_id", "source_id", "emergency")}
            self._tell("talker.found", heard, **{key: value for key, value in said.items() if value is not None})
        if self.over is not None and (unfit := self._unfit(call)):
            self._close(heard, unfit)

    def _ask_gate(self, heard: Heard, frame: Frame) -> None:
        """Let the secrecy gate see a frame, and do to the over what it says."""
        before = self._gate.verdict
        verdict, call, over = self._gate.take(frame), self._call, self.over
        assert call is not None
        if verdict is Secrecy.ENCRYPTED:
            call.held.clear()
        if over is None or verdict is before:
            return
        if verdict is Secrecy.CLEAR and over.facts.encrypted:
            self._close(heard, self._gate.reason)
            call.facts = replace(call.facts, encrypted=None)
        elif verdict is Secrecy.CLEAR:
            self._tell("over.unmuted", heard, over=over.id, reason=self._gate.reason)
        else:
            over.facts.encrypted = verdict is Secrecy.ENCRYPTED
            kind = "over.encrypted" if over.facts.encrypted else "over.muted"
            self._tell(kind, heard, over=over.id, reason=self._gate.reason)

    def _open(self, signal: Signal) -> None:
        """Begin an over if there is reason to, or say once why not."""
        call, verdict = self._call, self._gate.verdict
        if self.over is not None or call is None or call.end is None or self.released < self._last_end:
            return
        unfit = self._unfit(call)
        if unfit:
            call.held.clear()
            self._why_not("call.refused", signal, unfit)
        elif verdict is Secrecy.HELD:
            self._why_not("call.held", signal, self._gate.reason)
        elif unfit is None:
            self._why_not("call.held", signal, "talkgroup or talker not known yet")
        elif verdict is Secrecy.ENCRYPTED:
            self._begin(call, signal, max(call.first, call.end - HELD))
        elif call.held:
            self._begin(call, signal, call.held[0][0])

    def _begin(self, call: Call, signal: Signal, start: int) -> None:
        # An over never starts inside what the one before it has already played.
        start = max(start, self._last_end)
        self.count += 1
        over = self.over = Transmission.begin(self.config.name, self.count, start)
        self._changed.append(over)
        over.facts = call.facts
        call.facts.encrypted = self._gate.verdict is Secrecy.ENCRYPTED
        call.facts.silent = self.voice.silent
        self.voice.begin()
        for at, frame in call.held:
            self._speak(call, at, frame)
        call.held.clear()
        self.released = start
        self._tell("over.open", signal, over=over.id, start_s=start / AUDIO_RATE, reason=self._gate.reason)

    def _end_call(self, signal: Signal, reason: str) -> None:
        call, self._call = self._call, None
        if self.over is not None:
            self._close(signal, reason, call)
        elif call is not None and call.end is not None:
            self._tell("call.unheard", signal, reason=self._told)
        self._gate.new_call()
        self._told = None

    def _close(self, signal: Signal, reason: str, call: Call | None = None) -> None:
        call = call or self._call
        assert self.over is not None and call is not None and call.end is not None
        over, self.over = self.over, None
        # What has been released cannot be called back: the over ends there at the earliest.
        over.end = max(call.end, over.start, self.released)
        over.on_air_end = max(call.end, over.start)
        self._last_end = over.end
        if over not in self._changed:
            self._changed.append(over)
        self._tell("over.close", signal, over=over.id, end_s=over.end / AUDIO_RATE, reason=reason)

    def _expire(self, now: int) -> None:
        """End a call of which nothing was received for a while."""
        call = self._call
        if call is not None and now >= call.known + LOST_AFTER:
            at = call.begun if call.end is None else call.end
            self._end_call(Signal(EventKind.CLOSE, at, call.known + LOST_AFTER), "signal lost")

    def _nac_fits(self, heard: Heard, frame: Frame) -> bool:
        wanted = self.config.squelch.nac
        if wanted is None or wanted in ANY_NAC or frame.nac == wanted:
            return True
        if self._stranger is None or self._stranger[0] != frame.nac or heard.known >= self._stranger[1] + LOST_AFTER:
            self._tell("call.refused", heard, reason=f"NAC ${frame.nac:03X} is not ${wanted:03X}")
        self._stranger = frame.nac, heard.known
        return False

    def _unfit(self, call: Call) -> str | None:
        """Why a call is not for this channel; empty if it is, None while that is not known."""
        squelch, facts = self.config.squelch, call.facts
        waits = False
        for wanted, value, what in (
            (squelch.talkgroups, facts.talkgroup, "talkgroup"),
            (squelch.source_ids, facts.source_id, "source id"),
        ):
            if not wanted or value in wanted:
                continue
            if value is None and (what != "talkgroup" or call.who is None):
                waits = True
            elif value is None:
                return "a call to a unit, not to a talkgroup"
            else:
                return f"{what} {value} is not among {', '.join(map(str, wanted))}"
        return None if waits else ""

    def _report(self, heard: Heard, frame: Frame) -> None:
        """Tell of a protocol unit, unless it is one that nobody may believe."""
        if self.frames is None or frame.name == "NID" or (frame.name in ("TSBK", "PDU") and not frame.valid):
            return
        said = dict(frame.fields())
        if "channel" in said:
            said["rf_channel"] = said.pop("channel")
        self.frames({"channel": self.config.name, "t_s": round(heard.t_s, 6), **said})

    def _why_not(self, event: str, signal: Signal, reason: str) -> None:
        """Tell why a call is not heard, each reason once."""
        if self._told != reason:
            self._told = reason
            self._tell(event, signal, reason=reason)

    def _tell(self, event: str, signal: Signal, **fields: object) -> None:
        times = {"t_s": signal.known / AUDIO_RATE, "event": event, "at_s": signal.at / AUDIO_RATE}
        self.sink({**times, "channel": self.config.name, **fields})
