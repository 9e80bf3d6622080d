"""Is encrypted speech never passed, clear speech soon, and one wrong decoding forgiven?"""

import pytest

from dsp.p25.encryption import EncryptionSync
from dsp.p25.frame import Content, Frame
from dsp.p25.link_control import LinkControl
from dsp.p25.nid import Duid
from dsp.p25.secrecy import REMEMBERED_TALKGROUPS, Secrecy, SecrecyGate
from dsp.p25.units import Header

CLEAR = EncryptionSync()
SECRET = EncryptionSync(bytes(range(9)), 0x84, 7)
GROUP = LinkControl.group_voice(1001, 1)
PROTECTED = LinkControl.group_voice(1001, 1, encrypted=True)
NAMES = {Header: "HDU", EncryptionSync: "LDU2", LinkControl: "LDU1", type(None): "TDU"}
HELD, PASSED, MUTED = Secrecy.HELD, Secrecy.CLEAR, Secrecy.ENCRYPTED


def frame(content: Content, *, valid: bool = True, coasting: bool = False) -> Frame:
    return Frame(NAMES[type(content)], 0x293, Duid.LDU1, content, 0, 0, 0, 0, valid, coasting)


def verdicts(*contents: Content) -> list[Secrecy]:
    gate = SecrecyGate()
    return [gate.take(frame(content)) for content in contents]


@pytest.mark.parametrize(
    ("contents", "expected"),
    [
        # A whole clear call, and one entered late: held until the first encryption sync.
        ([Header(0x293, CLEAR), GROUP, CLEAR], [PASSED, PASSED, PASSED]),
        ([GROUP, CLEAR, GROUP], [HELD, PASSED, PASSED]),
        # The next over of a talkgroup that was clear is heard with its first link control.
        ([GROUP, CLEAR, None, GROUP], [HELD, PASSED, HELD, PASSED]),
        # But not another talkgroup, nor one that now says protected.
        ([GROUP, CLEAR, None, LinkControl.group_voice(1002, 1)], [HELD, PASSED, HELD, HELD]),
        ([GROUP, CLEAR, None, PROTECTED], [HELD, PASSED, HELD, HELD]),
        # Encrypted: never passed, certain with the second indication of whatever kind.
        ([Header(0x293, SECRET), PROTECTED, SECRET], [HELD, MUTED, MUTED]),
        ([PROTECTED, SECRET, SECRET], [HELD, MUTED, MUTED]),
        # One wrong sync in a clear call stops it until the next says clear again.
        ([GROUP, CLEAR, SECRET, GROUP, CLEAR], [HELD, PASSED, HELD, HELD, PASSED]),
        # A call that turns out encrypted is stopped at once.
        ([GROUP, CLEAR, SECRET, SECRET], [HELD, PASSED, HELD, MUTED]),
        # One wrong clear in an encrypted call releases nothing.
        ([SECRET, SECRET, CLEAR, SECRET], [HELD, MUTED, MUTED, MUTED]),
        ([SECRET, SECRET, CLEAR, CLEAR], [HELD, MUTED, MUTED, PASSED]),
        # A talkgroup that was encrypted has lost its good name.
        (
            [GROUP, CLEAR, None, GROUP, SECRET, SECRET, None, GROUP],
            [HELD, PASSED, HELD, PASSED, HELD, MUTED, HELD, HELD],
        ),
    ],
)
def test_calls(contents: list[Content], expected: list[Secrecy]) -> None:
    assert verdicts(*contents) == expected


def test_what_was_not_read_with_certainty_says_nothing() -> None:
    gate = SecrecyGate()
    assert gate.take(frame(CLEAR, valid=False)) == HELD
    assert gate.take(frame(CLEAR, coasting=True)) == HELD
    assert gate.take(frame(CLEAR)) == PASSED
    assert gate.take(frame(SECRET, valid=False)) == PASSED


def test_every_verdict_has_its_reason() -> None:
    gate = SecrecyGate()
    assert gate.reason == "nothing known yet"
    gate.take(frame(SECRET))
    assert gate.reason == "encryption sync says AES-256, key 7"
    gate.take(frame(CLEAR))
    assert gate.reason == "encryption sync says clear"
    gate.take(frame(GROUP))
    gate.take(frame(None))
    gate.take(frame(GROUP))
    assert gate.reason == "talkgroup 1001 was clear before"


def test_memory_is_bounded_and_forgets_the_oldest() -> None:
    gate = SecrecyGate()
    for group in range(REMEMBERED_TALKGROUPS + 1):
        for content in (LinkControl.group_voice(group, 1), CLEAR, None):
            gate.take(frame(content))
    assert gate.take(frame(LinkControl.group_voice(0, 1))) == HELD
    gate.new_call()
    assert gate.take(frame(LinkControl.group_voice(1, 1))) == PASSED
    gate.reset()
    assert gate.take(frame(LinkControl.group_voice(1, 1))) == HELD
