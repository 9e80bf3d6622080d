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
    burst.run(both[:1480], 0)
    assert burst.noise[FIXED] == burst.noise[EQUALIZED] < 0.04
    assert not burst.emit(both, 0, burst.decided)[1].any()
    burst.run(both[:2400], 0)
    assert burst.noise[EQUALIZED] < 0.3 * burst.noise[FIXED]
    assert burst.emit(both, 0, burst.decided)[1][60:].all()


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
