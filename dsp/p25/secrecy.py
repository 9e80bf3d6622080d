"""May this speech be decoded? A pure rule, fed with frames in the order of the air.

    HELD        nothing certain is known: speech is kept, not decoded
    CLEAR       speech passes, what was held first
    ENCRYPTED   speech is thrown away

    from        on                                                                        to
    HELD        a header or encryption sync that says clear                               CLEAR
    HELD        link control of an unprotected call on a talkgroup heard clear before     CLEAR
    HELD        a second indication of encryption                                         ENCRYPTED
    CLEAR       an indication of encryption                                               HELD
    ENCRYPTED   two headers or encryption syncs in a row that say clear                   CLEAR
    any         a new call                                                                HELD

Indications of encryption are a header or an encryption sync with an algorithm other than clear, and link control whose
service options say protected. One alone may be a wrong decoding, so it stops the speech but does not condemn the call;
two make it certain. Fields that were not decoded with certainty say nothing.
"""

from collections import OrderedDict
from enum import Enum

from dsp.p25.encryption import EncryptionSync
from dsp.p25.frame import Frame
from dsp.p25.link_control import LinkControl
from dsp.p25.units import Header

REMEMBERED_TALKGROUPS = 1024
"""Talkgroups heard clear that are remembered; the one longest unheard is forgotten first."""


class Secrecy(Enum):
    """What may be done with the speech, see above."""

    HELD = "held"
    CLEAR = "clear"
    ENCRYPTED = "encrypted"


class SecrecyGate:
    """The rule for one channel. `verdict` and `reason` change only in `take` and `new_call`."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Back to the constructed state; talkgroups heard clear are forgotten too."""
        self._heard_clear: OrderedDict[tuple[int, int], None] = OrderedDict()
        self.new_call()

    def new_call(self) -> None:
        """A transmission begins or ends: nothing is known of the next one."""
        self.verdict = Secrecy.HELD
        self.reason = "nothing known yet"
        self._against = 0
        self._clear_in_a_row = 0
        self._talkgroup: tuple[int, int] | None = None

    def take(self, frame: Frame) -> Secrecy:
        """The verdict with this frame taken into account."""
        if frame.name in ("TDU", "TDULC"):
            self.new_call()
        elif frame.valid and not frame.coasting:
            match frame.content:
                case Header(encryption=EncryptionSync() as sync):
                    self.new_call()
                    self._talkgroup = (frame.nac, frame.content.talkgroup)
                    self._sync(sync, "header")
                case EncryptionSync() as sync:
                    self._sync(sync, "encryption sync")
                case LinkControl():
                    self._link_control(frame.nac, frame.content)
        return self.verdict

    def _sync(self, sync: EncryptionSync, where: str) -> None:
        if not sync.clear:
            self._suspect(f"{where} says {sync.algorithm_name}, key {sync.key}")
            return
        self._clear_in_a_row += 1
        if self.verdict != Secrecy.ENCRYPTED or self._clear_in_a_row >= 2:
            self._release(f"{where} says clear")

    def _link_control(self, nac: int, word: LinkControl) -> None:
        if word.talkgroup is not None:
            self._talkgroup = (nac, word.talkgroup)
        if word.encrypted:
            self._suspect("link control says protected")
        elif self.verdict == Secrecy.CLEAR:
            self._remember()
        elif word.encrypted is False and self._against == 0 and self._talkgroup in self._heard_clear:
            self._release(f"talkgroup {word.talkgroup} was clear before")

    def _suspect(self, reason: str) -> None:
        self._against += 1
        self._clear_in_a_row = 0
        self.verdict = Secrecy.ENCRYPTED if self._against >= 2 else Secrecy.HELD
        self.reason = reason
        if self.verdict == Secrecy.ENCRYPTED and self._talkgroup is not None:
            self._heard_clear.pop(self._talkgroup, None)

    def _release(self, reason: str) -> None:
        self._against = 0
        self.verdict, self.reason = Secrecy.CLEAR, reason
        self._remember()

    def _remember(self) -> None:
        if self._talkgroup is None:
            return
        self._heard_clear[self._talkgroup] = None
        self._heard_clear.move_to_end(self._talkgroup)
        if len(self._heard_clear) > REMEMBERED_TALKGROUPS:
            self._heard_clear.popitem(last=False)
