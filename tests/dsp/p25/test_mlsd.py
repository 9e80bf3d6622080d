"""The sequence detector against its twin, and what it is better at than the fixed filter."""

import numpy as np
import pytest

from dsp.p25.c4fm import FRAME_SYNC_DIBITS
from dsp.p25.lsm import POINT_DELAY, Pulse
from dsp.p25.mlsd import SequenceDetector
from dsp.p25.modulator import REACH, C4fmModulator
from tests.dsp.p25.scenes import Path, scene
from tests.reference import p25_mlsd

POINT = (REACH + POINT_DELAY[Pulse.C4FM]) * 5
START, PHASE = int(POINT), round(POINT % 1 * 8)
STEP = np.pi / 4


def wrong(llr: np.ndarray, dibits: np.ndarray) -> float:
    """Share of wrong bits."""
    return float(np.mean((llr > 0) != np.stack([dibits >> 1, dibits & 1], axis=1)))


@pytest.mark.parametrize("deviation_hz", [1800.0, 1530.0])
@pytest.mark.parametrize("offset_hz", [0.0, 9.0])
def test_kernel_is_its_twin(deviation_hz: float, offset_hz: float) -> None:
    x, dibits = scene(C4fmModulator, 1, Path(5.0, offset_hz=offset_hz), 3, deviation_hz)
    step, turn = STEP * deviation_hz / 1800, 2 * np.pi * offset_hz / 4800
    detector = SequenceDetector(START, PHASE)
    detector.begin(x, 0, 0, dibits[:24], turn, step)
    detector.run(x, 0, 120, turn, step)
    got = detector.soft(24, 100)
    first = START - 4
    metric = p25_mlsd.detect(x[first:].astype(np.complex128), PHASE, dibits[:24], 97, turn, step)[1:77]
    ones, zeros = metric[:, [[2, 3], [1, 3]]].max(-1), metric[:, [[0, 1], [0, 2]]].max(-1)
    scale = np.median(got / (ones - zeros))
    assert scale > 0 and np.allclose(got, np.clip(scale * (ones - zeros), -60, 60), rtol=1e-3, atol=0.05)


def test_pieces_do_not_matter() -> None:
    x, dibits = scene(C4fmModulator, 1, Path(4.0), 4)
    whole, cut = SequenceDetector(START, PHASE), SequenceDetector(START, PHASE)
    for detector in (whole, cut):
        detector.begin(x, 0, 0, dibits[:24], 0.0, STEP)
    whole.run(x, 0, 200, 0.0, STEP)
    for until in range(30, 201, 7):
        base = max(0, 5 * (until - 40))
        cut.run(x[base : base + 400], base, until, 0.0, STEP)
    cut.run(x, 0, 200, 0.0, STEP)
    assert np.array_equal(whole.soft(100, 170), cut.soft(100, 170))


@pytest.mark.parametrize(("deviation_hz", "most"), [(1530.0, 0.07), (1800.0, 0.045), (2070.0, 0.045)])
def test_few_errors_at_4_db(deviation_hz: float, most: float) -> None:
    """Points alone have 7 %, 8.5 % and 7.5 %."""
    shares = []
    for seed in range(12):
        x, dibits = scene(C4fmModulator, 1, Path(4.0), seed, deviation_hz)
        detector = SequenceDetector(START, PHASE)
        detector.begin(x, 0, 0, dibits[:24], 0.0, STEP * deviation_hz / 1800)
        for first in range(24, 824, 40):
            detector.run(x, 0, first + 40 + 24, 0.0, STEP * deviation_hz / 1800)
            shares.append(wrong(detector.soft(first, first + 40), dibits[first : first + 40]))
    assert np.mean(shares) < most


def test_nothing_received_says_nothing() -> None:
    x = np.zeros(1000, np.complex64)
    detector = SequenceDetector(START, PHASE)
    detector.begin(x, 0, 0, FRAME_SYNC_DIBITS, 0.0, STEP)
    detector.run(x, 0, 100, 0.0, STEP)
    assert not detector.soft(24, 100).any()


def test_what_is_not_there_is_refused() -> None:
    x, dibits = scene(C4fmModulator, 1, Path(20.0), 5)
    detector = SequenceDetector(START, PHASE)
    with pytest.raises(ValueError, match="not among the samples"):
        detector.begin(x[:100], 0, 0, dibits[:24], 0.0, STEP)
    detector.begin(x, 0, 0, dibits[:24], 0.0, STEP)
    with pytest.raises(ValueError, match="not among the samples"):
        detector.run(x[:200], 0, 100, 0.0, STEP)
    detector.run(x, 0, 60, 0.0, STEP)
    with pytest.raises(ValueError, match="not gone through"):
        detector.soft(24, 70)
