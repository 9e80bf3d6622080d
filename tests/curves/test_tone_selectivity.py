"""How often a tone is late, missed or taken for its neighbour: tables over C/N, all 50 tones under speech.

C/N is in 12.5 kHz; 6 dB is about 12 dB SINAD of a plain discriminator. Neighbours lie 1.1 … 3.7 % apart.
"""

import numpy as np
import pytest

from dsp.blocks import RowBlock
from dsp.events import EventKind
from dsp.tones.ctcss import CtcssDetector
from dsp.tones.tables import CTCSS_HZ
from tests.support.onair import RATE, discriminated, fm, received, voice


def trials(cn_db: float, deviation_hz: float, rounds: int, seed: int) -> tuple[int, int, int, int]:
    """(overs, wrong tones, overs without the tone after 0.3 s, overs later than 150 ms)."""
    hz = np.array(CTCSS_HZ)
    n, first = int(0.55 * RATE), int(0.2 * RATE)
    t = np.arange(n) / RATE
    rng = np.random.default_rng(seed)
    speech = voice(len(hz), 0.55, seed)
    overs = wrong = missed = late = 0
    for number in range(rounds):
        phase = rng.uniform(0, 2 * np.pi, (len(hz), 1))
        first_now = first + int(rng.integers(0, 192))
        clean = fm(deviation_hz * np.cos(2 * np.pi * hz[:, None] * t + phase) + rng.permutation(speech))
        clean[:, :first_now] = 0
        events = CtcssDetector(len(hz)).process(
            RowBlock(discriminated(received(clean, cn_db, seed + number + 1)), RATE, 0)
        )
        found = [e for e in events if e.kind is EventKind.CTCSS]
        wrong += sum(e.value != hz[e.row] for e in found)
        right = {e.row: e.decided - first_now for e in reversed(found) if e.value == hz[e.row]}
        overs += len(hz)
        missed += len(hz) - len(right)
        late += sum(d > 0.150 * RATE for d in right.values())
    return overs, wrong, missed, late


def test_one_round() -> None:
    overs, wrong, missed, late = trials(6.0, 350.0, 2, 1)
    assert (overs, wrong, missed) == (100, 0, 0)
    assert late <= 10


@pytest.mark.curve
@pytest.mark.parametrize(
    ("cn_db", "deviation_hz", "most_missed", "most_late"),
    # shares of all overs
    [(6.0, 350.0, 1e-3, 0.02), (9.0, 350.0, 1e-3, 0.001), (12.0, 250.0, 1e-3, 0.001)],
)
def test_wrong_missed_and_late(cn_db: float, deviation_hz: float, most_missed: float, most_late: float) -> None:
    overs, wrong, missed, late = trials(cn_db, deviation_hz, 1200, 100)
    print(f"\nC/N {cn_db:4.1f} dB, {deviation_hz:.0f} Hz: {overs} overs, {wrong} wrong, {missed} missed, {late} late")
    # asked for is a neighbour less often than 1e-4; one in 60,000 is below 8e-5 with 95 % confidence, and none was
    # seen; tests/curves/tones.md has the same with a seed drawn by chance
    assert wrong <= 1
    assert missed <= most_missed * overs
    assert late <= most_late * overs
