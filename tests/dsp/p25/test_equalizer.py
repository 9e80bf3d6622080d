"""The burst kernel against its twin, and what a burst promises."""

import numpy as np
import pytest

from dsp.errors import RangeError, ShapeError
from dsp.p25.c4fm import FRAME_SYNC_DIBITS
from dsp.p25.equalizer import EQUALIZED, FIXED, Burst
from dsp.p25.lsm import POINT_DELAY, Pulse, filters, pulses
from dsp.p25.modulator import REACH, C4fmModulator, CqpskModulator
from dsp.p25.timing import SyncHit
from tests.dsp.p25.scenes import Path, scene
from tests.reference import p25_equalizer

SYNC = FRAME_SYNC_DIBITS
MAKERS: dict[Pulse, type[C4fmModulator] | type[CqpskModulator]] = {Pulse.C4FM: C4fmModulator, Pulse.LSM: CqpskModulator}


def hit_of(pulse: Pulse, turn: float = 0.0) -> SyncHit:
    """The sync of a scene, as it is known to be."""
    place = (REACH + 23 + POINT_DELAY[pulse]) * 5
    return SyncHit(1.0, pulse, int(place), round(place % 1 * 8), turn, np.pi / 4)


@pytest.mark.parametrize("pulse", list(Pulse))
@pytest.mark.parametrize(
    "path", [Path(7.0), Path(25.0, offset_hz=5.0), Path(30.0, delay_s=80e-6, doppler_hz=20.0, site_hz=1.5)]
)
def test_first_pass_is_its_twin(pulse: Pulse, path: Path) -> None:
    x, dibits = scene(MAKERS[pulse], 1, path, seed=3)
    hit = hit_of(pulse, turn=0.004)
    burst = Burst(hit)
    known, n = dibits[:57], 150
    burst.train(x, 0, known)
    burst.run(x[: burst.start + 5 * (n - 1) + 9], 0)
    assert burst.decided == n
    twin = p25_equalizer.Burst(filters(pulse)[hit.phase], pulses(pulse)[hit.phase], burst.start, hit.turn, hit.step)
    wanted = twin.run(x.astype(np.complex128), known, n).clip(-60, 60)
    for route in (FIXED, EQUALIZED):
        got = burst.soft(0, n, route)
        assert np.allclose(got, wanted[route], rtol=1e-3, atol=1e-3)


def test_pieces_do_not_matter() -> None:
    x, _ = scene(CqpskModulator, 1, Path(20.0, delay_s=50e-6), seed=4)
    x.flags.writeable = False
    whole, cut = Burst(hit_of(Pulse.LSM)), Burst(hit_of(Pulse.LSM))
    for burst in (whole, cut):
        burst.train(x, 0, SYNC)
    whole.run(x, 0)
    for end in range(400, len(x), 37):
        cut.run(x[:end], 0)
        cut.run(x[: end - 30], 0)
    cut.run(x, 0)
    first = whole.decided - 200
    assert np.array_equal(whole.soft(first, 200, EQUALIZED), cut.soft(first, 200, EQUALIZED))
    assert np.array_equal(whole.soft(first, 200, FIXED), cut.soft(first, 200, FIXED))


def test_training_again_is_a_fresh_start() -> None:
    x, _ = scene(C4fmModulator, 1, Path(12.0), seed=5)
    used, fresh = Burst(hit_of(Pulse.C4FM)), Burst(hit_of(Pulse.C4FM))
    used.train(x, 0, SYNC)
    used.run(x, 0)
    for burst in (used, fresh):
        burst.train(x, 0, SYNC)
        burst.run(x[:1500], 0)
    assert used.decided == fresh.decided
    assert np.array_equal(used.soft(50, 100, EQUALIZED), fresh.soft(50, 100, EQUALIZED))


def test_preferred_path_is_taken() -> None:
    x, _ = scene(CqpskModulator, 1, Path(15.0), seed=6)
    for path in (FIXED, EQUALIZED):
        burst = Burst(hit_of(Pulse.LSM))
        burst.prefer(path)
        burst.train(x, 0, SYNC)
        burst.run(x[:1000], 0)
        llr, taken = burst.emit(x, 0, 100)
        assert (taken == path).all()
        assert llr.shape == (100, 2)
        assert burst.emitted == 100
    assert burst.emit(x, 0, 100)[0].shape == (0, 2)


def test_the_equaliser_sleeps_on_a_clean_signal_and_wakes_for_a_second_ray() -> None:
    x, _ = scene(CqpskModulator, 1, Path(25.0), seed=8)
    late = np.concatenate([np.zeros(2, np.complex64), x[:-2]])
    second = (np.arange(len(x)) > 1500).astype(np.float32) * np.complex64(0.8j)
    burst = Burst(hit_of(Pulse.LSM))
    burst.train(x, 0, SYNC)
    both = x + second * late
    for end in (1000, 1480):
        burst.run(both[:end], 0)
        assert burst.noise[FIXED] == burst.noise[EQUALIZED] < 0.04
        assert not burst.emit(both, 0, burst.decided)[1].any()
    burst.run(both[:2400], 0)
    assert burst.noise[EQUALIZED] < 0.3 * burst.noise[FIXED]
    assert burst.emit(both, 0, burst.decided)[1][90:].all()


def test_a_channel_that_was_lost_is_learnt_anew_from_the_fixed_filter() -> None:
    """Another second ray from one symbol to the next, 12 symbols of noise between: no prediction carries over that."""
    x, dibits = scene(CqpskModulator, 1, Path(25.0), seed=9)
    late = np.concatenate([np.zeros(2, np.complex64), x[:-2]])
    noise = np.random.default_rng(9).standard_normal((2, 60)) * 0.7
    both = np.concatenate([(x + 0.5j * late)[:2000], noise[0] + 1j * noise[1], (x - 0.5j * late)[2060:]])
    both = both.astype(np.complex64)
    burst = Burst(hit_of(Pulse.LSM))
    burst.train(both, 0, dibits[:57])
    burst.run(both[:3200], 0)
    first = burst.decided - 60
    llr = burst.soft(first, 60, EQUALIZED)
    assert np.array_equal(llr[:, 0] > 0, dibits[first : first + 60] >> 1 > 0)
    assert np.array_equal(llr[:, 1] > 0, dibits[first : first + 60] & 1 > 0)
    assert burst.noise[EQUALIZED] < 0.5 * burst.noise[FIXED]


def test_fading_of_50_hz_is_followed() -> None:
    """Two rays 80 µs apart: the fixed filter has a tenth of the bits wrong."""
    x, dibits = scene(CqpskModulator, 1, Path(40.0, delay_s=80e-6, doppler_hz=50.0), seed=11)
    burst = Burst(hit_of(Pulse.LSM))
    burst.train(x, 0, dibits[:57])
    wrong = np.zeros(2)
    for first in range(57, 657, 100):
        burst.run(x[: burst.start + 5 * (first + 99) + 9], 0)
        for path in (FIXED, EQUALIZED):
            bits = burst.soft(first, 100, path) > 0
            sent = dibits[first : first + 100]
            wrong[path] += (bits[:, 0] != sent >> 1).sum() + (bits[:, 1] != (sent & 1)).sum()
    assert wrong[FIXED] > 60
    assert wrong[EQUALIZED] < 12


def test_silence_gives_nothing_to_believe() -> None:
    x = np.zeros(2000, np.complex64)
    burst = Burst(hit_of(Pulse.LSM))
    burst.train(x, 0, SYNC)
    burst.run(x, 0)
    for path in (FIXED, EQUALIZED):
        soft = burst.soft(burst.decided - 100, 100, path)
        assert np.isfinite(soft).all()
        assert np.abs(soft).max() < 1e-3


def test_wrong_calls_say_what_is_there() -> None:
    x, _ = scene(CqpskModulator, 1, Path(30.0), seed=7)
    burst = Burst(hit_of(Pulse.LSM))
    with pytest.raises(ShapeError, match="the known symbols"):
        burst.train(x[:100], 0, SYNC)
    with pytest.raises(ShapeError, match="the known symbols"):
        burst.train(x, 0, SYNC[:10])
    burst.train(x, 0, SYNC)
    burst.run(x[:1000], 0)
    with pytest.raises(RangeError, match="not among the last 256"):
        burst.soft(0, burst.decided + 1, FIXED)
    with pytest.raises(RangeError, match="not decided yet"):
        burst.emit(x, 0, 10_000)
    burst.run(x, 0)
    with pytest.raises(RangeError, match="not among the last 256"):
        burst.emit(x, 0, burst.decided)
