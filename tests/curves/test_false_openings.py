"""An hour of nothing but noise on 32 channels: no tone, no code, at most one opening in carrier squelch."""

import numpy as np
import pytest

from dsp.blocks import IqBlock
from dsp.events import EventKind
from sdrbridge.modes import PRESETS
from sdrbridge.receiver import Receiver, Tuned

RATE = 480_000


def openings(preset_of: list[str], seconds: int, seed: int) -> dict[EventKind, int]:
    channels = [Tuned(PRESETS[mode][0], (i - 15.5) * 14_000.0) for i, mode in enumerate(preset_of)]
    receiver = Receiver(RATE, channels)
    rng = np.random.default_rng(seed)
    counts: dict[EventKind, int] = {}
    for number in range(seconds * 5):
        samples = rng.standard_normal(2 * RATE // 5, np.float32).view(np.complex64)
        samples *= np.float32(0.05)
        for found in receiver.process(IqBlock(samples, RATE, number * RATE // 5)):
            counts[found.signal.kind] = counts.get(found.signal.kind, 0) + 1
    return counts


@pytest.mark.parametrize(
    ("modes", "seconds"),
    [
        (["nfm"] * 20 + ["am"] * 6 + ["usb"] * 3 + ["lsb"] * 3, 20),
        pytest.param(["nfm"] * 32, 3600, marks=pytest.mark.slow),
        pytest.param(["am"] * 32, 1200, marks=pytest.mark.slow),
        pytest.param(["usb"] * 32, 1200, marks=pytest.mark.slow),
    ],
    ids=["20-seconds-of-all", "an-hour-of-fm", "20-minutes-of-am", "20-minutes-of-usb"],
)
def test_noise_opens_nothing(modes: list[str], seconds: int) -> None:
    counts = openings(modes, seconds, seed=12)
    assert counts.get(EventKind.OPEN, 0) <= (1 if seconds >= 3600 else 0)
    assert counts.get(EventKind.CTCSS, 0) == 0
    assert counts.get(EventKind.DCS, 0) == 0
