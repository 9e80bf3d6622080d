"""The picture of a band: where the power is, whatever the chunking, at any length."""

import numpy as np
import pytest
from numpy.typing import NDArray

from dsp.blocks import IqBlock
from dsp.waterfall import Waterfall

RATE = 64_000


def tone(hz: float, n: int, amplitude: float = 0.5) -> NDArray[np.complex64]:
    samples: NDArray[np.complex64] = (amplitude * np.exp(2j * np.pi * hz / RATE * np.arange(n))).astype(np.complex64)
    return samples


def test_a_tone_shows_its_power_at_its_frequency() -> None:
    waterfall = Waterfall(RATE, columns=256)
    waterfall.process(IqBlock(tone(10_000, RATE), RATE, 0))
    image = waterfall.image_db()
    assert (image.argmax(axis=1) == 128 + 10_000 * 256 // RATE).all()
    # The window spreads a line over some columns; its whole power is 0.25 = −6.02 dBFS.
    assert 10 * np.log10((10 ** (image[3] / 10)).sum()) == pytest.approx(-6.02, abs=0.1)


@pytest.mark.parametrize("seed", range(3))
def test_any_chunking_gives_the_same_picture(seed: int) -> None:
    rng = np.random.default_rng(seed)
    samples = (rng.standard_normal(20_000) + 1j * rng.standard_normal(20_000)).astype(np.complex64)
    whole, cut = Waterfall(RATE, columns=128, skip=3), Waterfall(RATE, columns=128, skip=3)
    whole.process(IqBlock(samples, RATE, 0))
    cuts = sorted(rng.integers(0, samples.size, 40).tolist())
    for start, stop in zip([0, *cuts], [*cuts, samples.size], strict=True):
        cut.process(IqBlock(samples[start:stop], RATE, start))
    np.testing.assert_array_equal(whole.image_db(), cut.image_db())


def test_a_long_recording_keeps_a_small_picture() -> None:
    waterfall = Waterfall(RATE, columns=64, max_rows=50)
    samples = tone(-8_000, 64 * 50 * 7)
    waterfall.process(IqBlock(samples, RATE, 0))
    image = waterfall.image_db()
    assert 40 <= image.shape[0] <= 100
    assert image.shape[0] * waterfall.seconds_per_row == pytest.approx(samples.size / RATE, rel=0.05)


def test_a_gap_leaves_its_rows_empty() -> None:
    waterfall = Waterfall(RATE, columns=64)
    waterfall.process(IqBlock(tone(0, 640), RATE, 0))
    waterfall.process(IqBlock(tone(0, 640), RATE, 1280))
    image = waterfall.image_db()
    assert image.shape[0] == 30
    assert np.isneginf(image[10:20]).all()
    assert np.isfinite(image[[9, 20]]).any(axis=1).all()
