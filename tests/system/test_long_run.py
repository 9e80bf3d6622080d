"""A day of traffic: nothing grows, nothing drifts, no over is missed or added."""

import resource
from pathlib import Path

import numpy as np
import pytest

from dsp.blocks import AUDIO_RATE, TICK_SAMPLES, IqBlock
from hw.base import SourceInfo
from sdrbridge import config
from sdrbridge.bridge import Bridge
from sdrbridge.port import Keyed
from sdrbridge.receiver import Receiver
from sdrbridge.transmission import Transmission
from tests.support.site import RATE, carrier

PERIOD_S = 10
"""An over every ten seconds, keyed from a quarter to three quarters."""

SITE = """
[bridge]
name = "day"
[[tuner]]
name = "t"
source = "file:none.cu8"
center = "155.0M"
rate = "48k"
[[channel]]
name = "A"
tuner = "t"
offset = "0k"
mode = "nfm"
[[port]]
name = "out"
kind = "loopback"
[[patch]]
name = "p"
ports = ["A", "out"]
"""


class Counting:
    """A transmitter that only counts."""

    def __init__(self) -> None:
        self.keyed = Keyed()

    def write(self, frame: np.ndarray[tuple[int, ...], np.dtype[np.float32]], index: int, keyed: bool) -> None:
        self.keyed.note(index, len(frame), keyed)


def peak_kib() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


@pytest.mark.parametrize("hours", [0.1, pytest.param(24.0, marks=pytest.mark.slow)])
def test_nothing_grows_and_no_over_is_missed(tmp_path: Path, hours: float) -> None:
    (tmp_path / "site.toml").write_text(SITE)
    site = config.load(tmp_path / "site.toml")
    info = SourceInfo("made", "iq", RATE, 155_000_000, None, None, "cf32_le")
    overs = 0
    last: Transmission | None = None

    def count(over: Transmission) -> None:
        nonlocal overs, last
        overs, last = overs + 1, over

    out = Counting()
    bridge = Bridge(site, {"t": info}, {"out": out}, lambda event: None, count)
    (line,) = bridge.tuners
    assert isinstance(line.receiver, Receiver)
    period = carrier(PERIOD_S)
    block = len(period) // 100
    periods = int(hours * 3600 / PERIOD_S)
    warm = 0
    now = 0
    for number in range(periods):
        for at in range(0, len(period), block):
            index = number * len(period) + at
            line.deliver(line.receiver.process(IqBlock(period[at : at + block], RATE, index)))
            while now + TICK_SAMPLES <= line.receiver.time:
                bridge.tick(now)
                now += TICK_SAMPLES
        if number == min(30, periods // 2):
            warm = peak_kib()
    assert overs == periods
    assert last is not None
    start = (last.start / AUDIO_RATE) % PERIOD_S
    assert start == pytest.approx(PERIOD_S / 4, abs=0.005), "time drifted"
    assert len(out.keyed.intervals) == periods
    # A day makes 8640 intervals that this test itself keeps, about 1 MB; a block that leaked would make gigabytes.
    assert peak_kib() - warm < 6_000
