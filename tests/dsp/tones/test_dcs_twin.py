"""The DCS kernel decides what its slow twin decides, to the sample."""

import numpy as np
import pytest

from dsp.blocks import RowBlock
from dsp.tones.codes import code_word
from dsp.tones.dcs import DcsDetector
from tests.reference.dcs import dcs
from tests.support.onair import RATE, discriminated, fm, received, voice


@pytest.mark.parametrize("cn_db", [5.0, 8.0, 20.0])
def test_codes_their_end_and_the_turn_off_tone(cn_db: float) -> None:
    names = ["023N", "754I", "245N", "025I", "411N", "662I"]
    t = np.arange(int(1.9 * RATE)) / RATE
    bits = np.array([[2.0 * (code_word(c) >> k & 1) - 1 for k in range(23)] for c in names])
    deviation = 350.0 * bits[:, (np.floor(t * 134.4) % 23).astype(int)]
    deviation[:3, int(1.2 * RATE) :] = 350.0 * np.sin(2 * np.pi * 134.4 * t[int(1.2 * RATE) :])
    clean = fm(deviation + voice(6, 1.9, 3))
    clean[:, : RATE // 5] = 0
    clean[:, int(1.4 * RATE) :] = 0
    x = discriminated(received(clean, cn_db, 4))
    events = DcsDetector(6).process(RowBlock(x, RATE, 0))
    assert len(events) >= 12
    for row in range(6):
        own = [(e.kind.value, e.index, e.decided, e.value) for e in events if e.row == row]
        assert own == dcs(x[row])
