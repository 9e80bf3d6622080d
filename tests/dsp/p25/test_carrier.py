"""Is the carrier-to-noise ratio of a sync what was put into the channel?"""

import math

import numpy as np
import pytest

from dsp.p25.modulator import C4fmModulator, CqpskModulator
from tests.dsp.p25.scenes import Path, as_ebn0_db, carrier_db, scene

Make = type[C4fmModulator] | type[CqpskModulator]


def measured_db(make: Make, cn_db: float, deviation_hz: float = 1800.0, **path: float) -> float:
    """What the receiver says of twelve voice units at a known ratio in 12.5 kHz."""
    x, _ = scene(make, 12, Path(as_ebn0_db(cn_db), **path), 5, deviation_hz)
    return carrier_db(x)


@pytest.mark.parametrize("make", [C4fmModulator, CqpskModulator])
@pytest.mark.parametrize("cn_db", [5, 10, 15, 20, 25, 30])
def test_ratio_is_that_of_the_channel(make: Make, cn_db: float) -> None:
    assert measured_db(make, cn_db) == pytest.approx(cn_db, abs=0.8)


@pytest.mark.parametrize("cn_db", [7, 30])
def test_neither_offset_nor_deviation_matter(cn_db: float) -> None:
    found = [
        measured_db(C4fmModulator, cn_db, offset_hz=1500.0),
        measured_db(C4fmModulator, cn_db, offset_hz=-730.0),
        measured_db(C4fmModulator, cn_db, 1530.0),
        measured_db(C4fmModulator, cn_db, 2070.0),
        measured_db(CqpskModulator, cn_db, offset_hz=-1500.0),
    ]
    assert found == pytest.approx([cn_db] * 5, abs=1.0)


@pytest.mark.parametrize("cn_db", [10, 25])
def test_a_second_ray_is_no_noise(cn_db: float) -> None:
    # The mean of fading is known to a decibel or two from twelve units; a ray taken for noise would leave 0 dB.
    found = measured_db(CqpskModulator, cn_db, delay_s=50e-6, site_hz=1.5)
    assert found == pytest.approx(cn_db, abs=3.0)


def test_rate_does_not_matter() -> None:
    x, _ = scene(C4fmModulator, 12, Path(60.0), 5)
    fine = np.fft.fft(x)
    half = len(x) // 2
    wide = np.fft.ifft(np.concatenate([fine[:half], np.zeros(len(x)), fine[half:]])) * 2
    rng = np.random.default_rng(6)
    noise = math.sqrt(48_000 / 12_500 / 100 / 2) * (rng.standard_normal((len(wide), 2)) @ np.array([1, 1j]))
    assert carrier_db((wide + noise).astype(np.complex64), 48_000) == pytest.approx(20.0, abs=0.8)


def test_what_has_no_noise_is_40_db_at_most() -> None:
    x, _ = scene(CqpskModulator, 12, Path(90.0), 5)
    assert carrier_db(x) == pytest.approx(40.0)
