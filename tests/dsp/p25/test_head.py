"""A head whose symbols are known tells its pulse, its frequency and its deviation."""

import numpy as np
import pytest

from dsp.p25.head import compare
from dsp.p25.lsm import POINT_DELAY, Pulse
from dsp.p25.modem import P25Modem
from dsp.p25.modulator import REACH, C4fmModulator, CqpskModulator
from tests.dsp.p25.scenes import Path, heard, scene

STEP = np.pi / 4
MAKERS: dict[Pulse, type[C4fmModulator] | type[CqpskModulator]] = {Pulse.C4FM: C4fmModulator, Pulse.LSM: CqpskModulator}


def place(pulse: Pulse) -> tuple[int, int]:
    """The sample before the point of symbol 0, and the point in eighths after it."""
    at = (REACH + POINT_DELAY[pulse]) * 5
    return int(at), round(at % 1 * 8)


@pytest.mark.parametrize("pulse", list(Pulse))
@pytest.mark.parametrize("path", [Path(4.0), Path(30.0, delay_s=80e-6, doppler_hz=5.0, site_hz=1.5)])
def test_the_pulse_is_told(pulse: Pulse, path: Path) -> None:
    """At 4 dB, and with two rays, where the points alone have it wrong in a third and in most heads."""
    told = []
    for seed in range(30):
        x, _ = scene(MAKERS[pulse], 1, path, seed)
        told += [block.pulse for block in heard(P25Modem(1, 24_000), x)[:1]]
    assert len(told) >= 27 and told.count(pulse) >= len(told) - 1


def _at(pulse: Pulse) -> tuple[int, Pulse, int]:
    first, phase = place(pulse)
    return first, pulse, phase


@pytest.mark.parametrize("misread", [0, 2])
def test_frequency_and_deviation(misread: int) -> None:
    """From a head at 4 dB, also where its status symbol was misread."""
    turns, steps = [], []
    for seed in range(40):
        x, dibits = scene(C4fmModulator, 1, Path(4.0, offset_hz=11.0), seed, deviation_hz=1638.0)
        head = dibits[:57].copy()
        head[35] ^= misread
        turn, step = compare(x, *_at(Pulse.C4FM), head, 0.0, 0.9 * STEP).off(deviates=True)
        turns.append(turn * 4800 / (2 * np.pi))
        steps.append(step / STEP)
    # Both are pulled towards what the sync said, together, as a head that turns more one way than the other lets them.
    assert np.mean(turns) == pytest.approx(11.0, abs=4.0) and np.std(turns) < 9
    assert np.mean(steps) == pytest.approx(0.01, abs=0.006) and np.std(steps) < 0.012


def test_exact_where_there_is_no_noise() -> None:
    for pulse in Pulse:
        x, dibits = scene(MAKERS[pulse], 1, Path(60.0), 1)
        compared = compare(x, *_at(pulse), dibits[:57], 0.0, STEP)
        assert compared.likeness > 0.985
        assert compared.off(deviates=False) == pytest.approx((0.0, 0.0), abs=1e-3)
