"""What is known of one P25 call: who talks to whom, how well he is received, and what is held of his speech.

Every frame of the call is counted; link control words say who it is. A word that names another call is believed at
once where only the talker differs, the second time where the talkgroup does: a wrongly decoded word differs in both.
"""

import math
from collections import deque
from dataclasses import dataclass, field
from enum import Enum

from dsp.blocks import AUDIO_RATE
from dsp.p25.encryption import EncryptionSync
from dsp.p25.frame import VoiceFrame
from dsp.p25.link_control import LinkControl
from dsp.p25.receiver import Received
from dsp.p25.units import Header
from dsp.vocoder.base import FRAME_SAMPLES
from sdrbridge.transmission import Facts

MOST_HELD = AUDIO_RATE // FRAME_SAMPLES
"""Voice frames (1 s) kept while nobody may hear them; an over that opens begins with the oldest."""


LEAST = 0.01
"""Carrier-to-noise ratio that counts as none: -20 dB."""


class Word(Enum):
    """What a link control word means for the call that is there."""

    SAME = "same"
    DOUBTED = "doubted"
    OTHER = "other"


@dataclass(slots=True)
class Call:
    """One call. nac: of its units. begun: on-air index of its first frame. known: when its last frame was known.

    end: index after the speech of its last voice frame; None before the first. first: where its speech begins. held:
    frames not yet spoken, with their places. who: talkgroup, unit called, talker, as the last word said.
    """

    nac: int
    begun: int
    known: int
    first: int = 0
    end: int | None = None
    held: deque[tuple[int, VoiceFrame]] = field(default_factory=lambda: deque(maxlen=MOST_HELD))
    facts: Facts = field(default_factory=Facts)
    who: tuple[int | None, int | None, int] | None = None
    _doubt: tuple[int | None, int | None, int] | None = None
    _frames: int = 0
    _errors: int = 0
    _bits: int = 0
    _noise: float = 0.0
    _carrier: float = 0.0
    _measured: int = 0
    _frequency: float = 0.0
    _voice: int = 0
    _alias: dict[int, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.facts.nac = f"${self.nac:03X}"

    def count(self, received: Received, tuned: bool) -> None:
        """Take what was measured of one of its frames. tuned: the frequency means something."""
        frame, facts = received.frame, self.facts
        self._frames += 1
        if frame.valid:
            self._errors += frame.errors
            self._bits += frame.bits
        self._noise += received.noise
        self._frequency += received.frequency_hz
        facts.ber = self._errors / max(1, self._bits)
        facts.evm = math.sqrt(self._noise / self._frames)
        if received.carrier is not None:
            self._carrier += received.carrier
            self._measured += 1
            facts.snr_db = 10 * math.log10(max(self._carrier / self._measured, LEAST))
        if tuned:
            facts.frequency_error_hz = self._frequency / self._frames

    def place(self, speaks: int) -> int:
        """Where the speech of the next voice frame belongs: right behind the one before, or as many frames later as
        were lost. The clock of the talker's radio and ours may differ, his speech has no seams all the same."""
        if self.end is None:
            self.first = self.end = speaks
        at = self.end + FRAME_SAMPLES * max(0, round((speaks - self.end) / FRAME_SAMPLES))
        self.end = at + FRAME_SAMPLES
        self._voice += 1
        self.facts.frame_loss = 1 - self._voice * FRAME_SAMPLES / (self.end - self.first)
        return at

    def spoken(self, as_sent: bool) -> None:
        """A voice frame was spoken as it was sent, or had to be replaced."""
        self.facts.erasures = (self.facts.erasures or 0) + (not as_sent)

    def encryption(self, sync: EncryptionSync) -> None:
        """A header or voice unit says which algorithm and key."""
        self.facts.algid, self.facts.keyid = sync.algorithm, sync.key

    def header(self, header: Header) -> None:
        """The call began with this."""
        if header.encryption is not None:
            self.encryption(header.encryption)
            self.facts.talkgroup = header.talkgroup

    def judge(self, word: LinkControl) -> Word:
        """Whether a word about a call on this channel is about this one."""
        who = word.talkgroup, word.target, word.source or 0
        if self.who is None or self.who == who or who[2] == 0:
            return Word.SAME
        if self.who[:2] == who[:2]:
            return Word.SAME if self.who[2] == 0 else Word.OTHER
        doubted, self._doubt = self._doubt, who
        return Word.OTHER if doubted == who else Word.DOUBTED

    def link_control(self, word: LinkControl) -> None:
        """Believe a word of this call."""
        facts = self.facts
        if word.is_voice_user:
            self.who, self._doubt = (word.talkgroup, word.target, word.source or 0), None
            facts.talkgroup, facts.target_id = word.talkgroup, word.target
            facts.source_id = word.source or facts.source_id
            facts.emergency = word.emergency
        if word.alias is not None:
            self._alias[word.opcode] = word.alias
            facts.alias = "".join(self._alias[part] for part in sorted(self._alias)).strip()
        if word.position is not None:
            facts.latitude, facts.longitude = word.position
