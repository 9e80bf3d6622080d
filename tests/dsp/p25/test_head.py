"""A head whose symbols are known tells its pulse, its frequency and its deviation."""

import numpy as np
import pytest

from dsp.p25 import _head
from dsp.p25.head import compare, responses
from dsp.p25.lsm import POINT_DELAY, Pulse
from dsp.p25.modem import P25Modem
from dsp.p25.modulator import REACH, C4fmModulator, CqpskModulator
from tests.dsp.p25.scenes import Path, heard, scene
from tests.reference import p25_head

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


@pytest.mark.parametrize("pulse", list(Pulse))
@pytest.mark.parametrize("deviates", [False, True])
def test_kernel_is_its_twin(pulse: Pulse, deviates: bool) -> None:
    for seed in range(8):
        x, dibits = scene(MAKERS[pulse], 1, Path(4.0, offset_hz=9.0), seed, 1700.0)
        x.flags.writeable = False
        got = compare(x, *_at(pulse), dibits[:57], 0.01, 0.95 * STEP)
        of, likeness = p25_head.compare(x.astype(np.complex128), *_at(pulse), dibits[:57], 0.01, 0.95 * STEP)
        assert np.allclose(got.of, of, atol=1e-4)
        assert got.likeness == pytest.approx(likeness, abs=1e-5)
        # No frequency and deviation around is likelier than the one found.
        turn, step = got.off(deviates=deviates)
        turned = got.turned.astype(np.float64)
        best = p25_head.likelihood(of, turned, got.certainty, turn, step)
        for more in np.linspace(-0.05, 0.05, 21):
            for wider in np.linspace(-0.03, 0.03, 9) if deviates else [0.0]:
                assert best > p25_head.likelihood(of, turned, got.certainty, turn + more, step + wider) - 0.05


def test_what_is_not_there_is_refused() -> None:
    x, dibits = np.zeros(300, np.complex64), np.zeros(57, np.uint8)
    response, of = responses(Pulse.C4FM, 0), np.zeros(51, np.complex64)
    with pytest.raises(ValueError, match="not among the samples"):
        _head.compare(x, 46, response, True, dibits, 0.0, STEP, of)
    with pytest.raises(ValueError, match="57 dibits"):
        _head.compare(x, 0, response, True, dibits[:56], 0.0, STEP, of)
    with pytest.raises(ValueError, match="0 … 3"):
        _head.compare(x, 0, response, True, dibits + np.uint8(4), 0.0, STEP, of)
    assert compare(x, 0, Pulse.C4FM, 0, dibits, 0.0, STEP).likeness == 0
