"""How the VOX trades missed speech for false openings: the operating curve, over `open_at`.

Speech: overs of 2 s cut out of the two recorded voices, a voice band of 300 … 3000 Hz, in hiss; with the time from the
first sound to the decision. Noise: the same hiss and tones for minutes. Each row is a window, with a floor and a
ceiling, so that an improvement gets recorded as well.
"""

from pathlib import Path

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from dsp.blocks import RowBlock
from dsp.events import EventKind
from dsp.vox import Vox
from tests.support.hiss import HISSES, TONES, hiss, tones

Audio = NDArray[np.float32]

DATA = Path(__file__).parent.parent / "data"

OVER_S = 2.0


def overs() -> list[Audio]:
    """Pieces of 2 s that begin where somebody begins to speak."""
    found = []
    for name in ("male", "female"):
        x, rate = soundfile.read(DATA / f"speech_{name}.8000.flac", dtype="float32")
        hz = np.fft.rfftfreq(len(x), 1 / rate)
        x = np.fft.irfft(np.fft.rfft(x) * ((hz > 300) & (hz < 3000)), len(x))
        x *= 0.1 / np.std(x[np.abs(x) > 0.1 * np.abs(x).max()])
        power = np.convolve(x**2, np.ones(400) / 400, "same")
        starts = np.flatnonzero((power[801:] > 5e-4) & (power[:-801] < 3e-5)) + 801
        last = -(10**9)
        for start in starts.tolist():
            if start - last > 0.5 * rate and start + OVER_S * rate < len(x):
                found.append(np.asarray(x[start : start + int(OVER_S * rate)], np.float32))
                last = start
    return found


def openings(x: Audio, open_at: float) -> list[int]:
    """When it was decided to open."""
    vox = Vox(open_at)
    return [
        event.decided
        for at in range(0, len(x), 1600)
        for event in vox.process(RowBlock(x[None, at : at + 1600], 8000, at))
        if event.kind is EventKind.OPEN
    ]


# open_at, SNR in 2.7 kHz, overs opened of all (floor, ceiling), median decision after the first sound (ms, ceiling)
HEARD = [
    (0.4, 10.0, 0.90, 1.0, 300),
    (0.6, 20.0, 0.95, 1.0, 200),
    (0.6, 10.0, 0.90, 1.0, 450),
    (0.6, 6.0, 0.40, 0.85, 1000),
    (1.5, 20.0, 0.90, 1.0, 350),
]


@pytest.mark.curve
@pytest.mark.parametrize(("open_at", "snr_db", "least", "most", "decided_ms"), HEARD)
def test_speech_opens_it(open_at: float, snr_db: float, least: float, most: float, decided_ms: float) -> None:
    late, pieces = [], overs()
    assert len(pieces) >= 8
    lead = 16_000
    for number, piece in enumerate(pieces):
        x = np.concatenate([np.zeros(lead, np.float32), piece, np.zeros(4000, np.float32)])
        x += hiss(len(x) / 8000, number, "voice band", 0.1 * 10 ** (-snr_db / 20))
        found = openings(x, open_at)
        if found:
            late.append((found[0] - lead) / 8)
    heard = len(late) / len(pieces)
    print(f"open_at {open_at}: {snr_db:.0f} dB: {heard:.2f} of {len(pieces)} overs, median {np.median(late):.0f} ms")
    assert least <= heard <= most
    assert np.median(late) <= decided_ms


# open_at, false openings an hour at most: hiss of every colour, tones at 60, 20 and 10 dB
FALSE = [(0.4, 20.0, 60.0), (0.6, 0.0, 0.0)]


@pytest.mark.curve
@pytest.mark.parametrize(("open_at", "of_hiss", "of_tones"), FALSE)
def test_hiss_and_tones_do_not(open_at: float, of_hiss: float, of_tones: float) -> None:
    minutes = 10
    hissed = [len(openings(hiss(60 * minutes, 17 + i, kind), open_at)) for i, kind in enumerate(HISSES)]
    toned = [len(openings(tones(60, 5, kind, snr), open_at)) for kind in TONES for snr in (60.0, 20.0, 10.0)]
    of_hiss_h = sum(hissed) / (len(hissed) * minutes / 60)
    of_tones_h = sum(toned) / (len(toned) / 60)
    print(f"open_at {open_at}: {of_hiss_h:.1f} an hour of hiss, {of_tones_h:.1f} an hour of tones")
    assert of_hiss_h <= of_hiss
    assert of_tones_h <= of_tones
