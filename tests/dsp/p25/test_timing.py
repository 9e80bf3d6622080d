"""The sync kernels against their twins, and what they find in signals."""

import numpy as np
import pytest
from numpy.typing import NDArray

from dsp.errors import ShapeError
from dsp.p25 import _timing
from dsp.p25.lsm import POINT_DELAY, Pulse, filters
from dsp.p25.modulator import REACH as PULSE_REACH
from dsp.p25.modulator import C4fmModulator, CqpskModulator
from dsp.p25.timing import LOOK_AHEAD, LOOK_BACK, REACH, SyncCorrelator, acquire, acquire_all, peaks
from tests.dsp.p25.scenes import Path, scene
from tests.reference import p25_timing


def noise(n: int, seed: int) -> NDArray[np.complex64]:
    rng = np.random.default_rng(seed)
    return (rng.standard_normal(n) + 1j * rng.standard_normal(n)).astype(np.complex64)


def test_correlator_is_its_twin() -> None:
    signal, _ = scene(C4fmModulator, 1, Path(10.0, offset_hz=800.0), seed=1)
    x = np.stack([noise(500, 2), signal[:500], np.zeros(500, np.complex64)])
    x.flags.writeable = False
    got = SyncCorrelator(3).shares(x, REACH)
    for row in range(3):
        assert np.allclose(got[row], p25_timing.shares(x[row].astype(np.complex128), REACH), atol=2e-5)
    assert not got[2].any()


def test_correlator_does_not_depend_on_how_much_it_is_given() -> None:
    x = noise(400, 3)[None]
    whole = SyncCorrelator(1).shares(x, REACH)
    bank = SyncCorrelator(1)
    parts = [bank.shares(np.ascontiguousarray(x[:, n - REACH : n + 1]), REACH) for n in range(REACH, 400)]
    assert np.array_equal(np.concatenate(parts, axis=1), whole)
    assert bank.shares(np.ascontiguousarray(x[:, :REACH]), REACH).shape == (1, 0)


@pytest.mark.parametrize("step", [1, 2])
def test_low_pass_is_its_twin(step: int) -> None:
    taps = np.hanning(15)[1:-1].astype(np.float32)
    x = np.stack([noise(200, 4), noise(200, 5)])
    out = np.zeros((2, 90), np.complex64)
    _timing.low_pass(x, taps, step, out[:, 10:80])
    assert not out[:, :10].any() and not out[:, 80:].any()
    for row in range(2):
        wanted = p25_timing.low_pass(x[row].astype(np.complex128), taps.astype(np.float64), step, 70)
        assert np.allclose(out[row, 10:80], wanted, atol=1e-4)
    with pytest.raises(ValueError, match="not enough samples"):
        _timing.low_pass(x[:, :80], taps, step, out[:, 10:80])
    with pytest.raises(ValueError, match="not in rows"):
        _timing.low_pass(x, taps, step, out[:, 10:80:2])


@pytest.mark.parametrize(("make", "pulse"), [(C4fmModulator, Pulse.C4FM), (CqpskModulator, Pulse.LSM)])
@pytest.mark.parametrize("offset_hz", [-1400.0, 35.0])
def test_acquired_sync_has_the_match_its_parameters_give(
    make: type[C4fmModulator] | type[CqpskModulator], pulse: Pulse, offset_hz: float
) -> None:
    x, _ = scene(make, 1, Path(12.0, offset_hz=offset_hz), seed=6)
    true = (PULSE_REACH + 23 + POINT_DELAY[pulse]) * 5
    hit = next(h for h in acquire(x, int(true)) if h.pulse is pulse)
    place = hit.sample + hit.phase / 8
    assert place == pytest.approx(true, abs=0.4)
    assert hit.frequency_hz == pytest.approx(offset_hz, abs=20)
    twin = p25_timing.match(x.astype(np.complex128), place, hit.turn, hit.step, filters(pulse))
    assert hit.match == pytest.approx(twin, abs=0.01)  # the kernel filters at the coarse frequency, 100 Hz off at most
    assert hit.match > 0.8


@pytest.mark.parametrize("deviation_hz", [1530.0, 2070.0])
def test_deviation_is_measured_on_the_sync(deviation_hz: float) -> None:
    x, _ = scene(C4fmModulator, 1, Path(20.0), seed=7, deviation_hz=deviation_hz)
    hit = acquire(x, int((PULSE_REACH + 23.5) * 5))[0]
    assert hit.step / (np.pi / 4) == pytest.approx(deviation_hz / 1800, rel=0.03)


def test_a_run_of_equal_symbols_is_no_sync() -> None:
    """Its symbols turn all alike, and the outer two are nearly alike at a third more deviation and 1600 Hz off."""
    dibits = np.zeros(200, np.uint8)
    modulator = C4fmModulator(24_000)
    x = np.concatenate([modulator.process(dibits).samples, modulator.flush().samples])
    for at in range(LOOK_BACK, len(x) - LOOK_AHEAD):
        assert all(hit.match < 0.75 or abs(hit.frequency_hz) > 1650 for hit in acquire(x, at))


def test_a_bank_is_looked_at_in_one_call() -> None:
    signal, _ = scene(C4fmModulator, 1, Path(12.0, offset_hz=200.0), seed=7)
    x = np.stack([noise(600, 9), signal[:600], signal[20:620]])
    x.flags.writeable = False
    at = round((PULSE_REACH + 23 + POINT_DELAY[Pulse.C4FM]) * 5)
    places = np.array([[0, 300], [1, at], [2, at - 20], [1, at + 40]], np.int32)
    assert acquire_all(x, places, 0.6) == [(1, acquire(x[1], at)), (2, acquire(x[2], at - 20))]
    assert acquire_all(x, places[:0]) == []
    with pytest.raises(ShapeError, match="outside"):
        acquire_all(x, np.array([[0, 590]], np.int32))
    with pytest.raises(ShapeError, match="complex64"):
        acquire_all(x[0], places)


def test_peaks_are_local_and_above_the_threshold() -> None:
    shares = np.zeros((2, 20), np.float32)
    shares[0, [5, 6, 12]] = 0.8, 0.9, 0.7
    shares[1, 10] = 0.4
    assert peaks(shares).tolist() == [[0, 6], [0, 12]]
    assert not len(peaks(shares[:, :4]))


def test_silence_and_noise_are_no_sync() -> None:
    assert acquire(np.zeros(400, np.complex64), 200) == []
    x = noise(24_000, 8)
    matches = [h.match for at in range(LOOK_BACK, 23_000, 7) for h in acquire(x, at)[:1]]
    assert max(matches) < 0.66


def test_wrong_input_says_what_is_right() -> None:
    with pytest.raises(ShapeError, match="complex64"):
        SyncCorrelator(2).shares(np.zeros((1, 300), np.complex64), REACH)
    with pytest.raises(ShapeError, match="first = 3"):
        SyncCorrelator(1).shares(np.zeros((1, 300), np.complex64), 3)
    with pytest.raises(ShapeError, match="complex64"):
        acquire(np.zeros((1, 400), np.complex64), 200)
    with pytest.raises(ShapeError, match="at = 10"):
        acquire(np.zeros(400, np.complex64), 10)
