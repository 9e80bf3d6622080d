"""The CTCSS kernel decides what its slow twin decides, to the sample."""

import numpy as np
import pytest

from dsp.blocks import RowBlock
from dsp.tones.ctcss import CtcssDetector
from tests.reference.ctcss import ctcss
from tests.support.onair import RATE, discriminated, fm, received, voice


@pytest.mark.parametrize("cn_db", [5.0, 8.0, 20.0])
def test_tones_their_end_and_a_turn_of_phase(cn_db: float) -> None:
    hz = np.array([67.0, 69.3, 100.0, 162.2, 254.1, 123.0])
    t = np.arange(int(1.7 * RATE)) / RATE
    phase = np.where((t > 1.1) & (np.arange(6) % 2 == 0)[:, None], np.pi, 0.0)
    clean = fm(350.0 * np.cos(2 * np.pi * hz[:, None] * t + phase) + voice(6, 1.7, 1))
    clean[:, : RATE // 5] = 0
    clean[:, int(1.25 * RATE) :] = 0
    x = discriminated(received(clean, cn_db, 2))
    events = CtcssDetector(6).process(RowBlock(x, RATE, 0))
    assert len(events) >= 12
    for row in range(6):
        own = [(e.kind.value, e.index, e.decided, e.value) for e in events if e.row == row]
        assert own == ctcss(x[row])
