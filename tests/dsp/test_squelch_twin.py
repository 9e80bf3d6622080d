"""The squelch kernel decides what its slow twin decides, to the sample."""

import numpy as np
import pytest
from scipy import signal

from dsp.blocks import BasebandBlock
from dsp.squelch import CLOSE_DB, OPEN_DB, CarrierSquelch
from tests.reference.squelch import squelch
from tests.support.onair import RATE, fm, rayleigh, received, sideband, voice


@pytest.mark.parametrize("cn_db", [6.0, 12.0, 25.0])
@pytest.mark.parametrize(
    ("kind", "bandwidth", "rate"),
    [
        ("fm", 11_000.0, RATE),
        ("fm", 16_000.0, RATE),
        ("am", 8_000.0, RATE),
        ("ssb", 2_800.0, RATE),
        ("fm", 11_000.0, 16_000),
    ],
)
def test_overs_that_fade(kind: str, bandwidth: float, rate: int, cn_db: float) -> None:
    rows, seconds = 8, 3.0 if kind == "ssb" else 2.5  # SSB hangs 600 ms
    n = int(seconds * RATE)
    if kind == "fm":
        clean = fm(voice(rows, seconds, 1))
    elif kind == "ssb":
        clean = 2 * sideband(voice(rows, seconds, 1, 1.0))
    else:
        clean = (1 + voice(rows, seconds, 1, 0.8)) * np.exp(2j * np.pi * 300 * np.arange(n) / RATE)
    clean[::2] *= rayleigh(rows // 2, n, 8.0, 2)
    clean[:, : RATE // 3] = 0
    clean[:, 2 * RATE :] = 0
    x = received(clean, cn_db, 3, bandwidth)
    if rate != RATE:
        x = signal.resample_poly(x, rate // 8_000, RATE // 8_000, axis=1).astype(np.complex64)
    events = CarrierSquelch(rows, rate, bandwidth, kind).process(BasebandBlock(x, rate, 0))
    assert len(events) >= 2 * rows
    for row in range(rows):
        own = [(e.kind.value, e.index, e.decided) for e in events if e.row == row]
        assert own == squelch(x[row], rate, bandwidth, kind, OPEN_DB[kind], CLOSE_DB[kind])
