"""The VOX: opens for speech with its first syllable, stays shut for hiss and tones, and cutting changes nothing."""

from pathlib import Path

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from dsp.blocks import RowBlock
from dsp.errors import RangeError, RateError, ShapeError
from dsp.events import EventKind, RowEvent
from dsp.vox import Vox
from tests.support.hiss import HISSES, TONES, hiss, tones

Audio = NDArray[np.float32]

DATA = Path(__file__).parent.parent / "data"


def run(x: Audio, vox: Vox | None = None, block: int = 160, start: int = 0) -> list[RowEvent]:
    vox = vox or Vox()
    return [
        event
        for at in range(0, len(x), block)
        for event in vox.process(RowBlock(x[None, at : at + block], 8000, start + at))
    ]


def voice(name: str) -> Audio:
    """A recorded voice, from its first sound on, at −20 dBFS."""
    x, _ = soundfile.read(DATA / f"speech_{name}.8000.flac", dtype="float32")
    loud = np.flatnonzero(np.abs(x) > 0.02 * np.abs(x).max())
    x = x[loud[0] :]
    return np.asarray(0.1 * x / x[np.abs(x) > 0.01].std(), np.float32)


@pytest.mark.parametrize("kind", HISSES)
def test_stays_shut_for_hiss(kind: str) -> None:
    assert run(hiss(60, 1, kind)) == []
    # A squelch that opens on nothing: hiss out of silence.
    assert run(np.concatenate([np.zeros(8000, np.float32), hiss(20, 2, kind, 0.3)])) == []


@pytest.mark.parametrize("kind", TONES)
@pytest.mark.parametrize("snr_db", [60.0, 20.0, 10.0])
def test_stays_shut_for_tones(kind: str, snr_db: float) -> None:
    x = tones(30, 3, kind, snr_db)
    x[: 2 * 8000] = 0.001
    assert run(x) == []


@pytest.mark.parametrize("name", ["male", "female"])
@pytest.mark.parametrize("noise", [0.0, 0.01, 0.02])
@pytest.mark.parametrize("lead", [12_000, 12_345])
def test_opens_with_the_first_syllable(name: str, noise: float, lead: int) -> None:
    speech = voice(name)[: 8000 * 4]
    x = np.concatenate([np.zeros(lead, np.float32), speech, np.zeros(16_000, np.float32)])
    x += hiss(len(x) / 8000, 5, rms=noise) if noise else 0
    events = run(x)
    assert events[0].kind is EventKind.OPEN and events[-1].kind is EventKind.CLOSE
    # The look-back reaches the first sound; at most a third of a second of what was before comes with it.
    # In the loudest hiss (14 dB) the weak first sound itself cannot be heard.
    assert lead - 2700 <= events[0].index <= lead + (80 if noise < 0.02 else 800)
    assert events[0].decided - lead < 0.5 * 8000
    assert events[-1].decided >= events[-1].index > lead + len(speech) - 8000


def test_pauses_are_bridged_and_silence_closes() -> None:
    speech = voice("male")[: 8000 * 2]
    gap = np.zeros(4000, np.float32)
    x = np.concatenate([gap, speech, gap, speech, np.zeros(12_000, np.float32), speech, np.zeros(16_000, np.float32)])
    kinds = [event.kind for event in run(x)]
    assert kinds == [EventKind.OPEN, EventKind.CLOSE, EventKind.OPEN, EventKind.CLOSE]


def test_a_tone_after_speech_does_not_hold_it_open() -> None:
    x = np.concatenate([np.zeros(4000, np.float32), voice("female")[:16_000], tones(10, 1, "1 kHz", 30.0)])
    events = run(x)
    assert [event.kind for event in events] == [EventKind.OPEN, EventKind.CLOSE]
    assert events[1].decided < 20_000 + 2 * 8000


@pytest.mark.parametrize("seed", range(4))
def test_cutting_changes_nothing(seed: int) -> None:
    rng = np.random.default_rng(seed)
    x = np.concatenate([np.zeros(3001, np.float32), voice("male")[:20_000], np.zeros(9000, np.float32)])
    expected = run(x, block=160, start=37)
    vox, found, at = Vox(), [], 0
    while at < len(x):
        n = int(rng.choice([0, 1, 79, 500]))
        part = x[None, at : at + n].copy()
        part.flags.writeable = False
        found += vox.process(RowBlock(part, 8000, 37 + at))
        at += part.shape[1]
    assert found == expected and len(found) == 2


def test_gaps_reset_and_rubbish() -> None:
    vox = Vox()
    speech = voice("male")[:16_000]
    assert [e.kind for e in run(speech, vox)] == [EventKind.OPEN]
    assert run(speech[:800], vox, start=16_400) == []
    assert vox.is_open
    closed = vox.process(RowBlock(speech[None, :10], 8000, 40_000))
    assert [e.kind for e in closed] == [EventKind.CLOSE]
    assert closed[0].index <= 17_200 and not vox.is_open
    vox.reset()
    assert run(np.full(8000, np.nan, np.float32), vox) == []
    assert vox.evidence == 0
    with pytest.raises(ShapeError):
        vox.process(RowBlock(np.zeros((2, 8), np.float32), 8000, 0))
    with pytest.raises(RateError):
        vox.process(RowBlock(np.zeros((1, 8), np.float32), 16000, 0))
    for bad in ({"open_at": 0.0}, {"hang_s": 60.0}):
        with pytest.raises(RangeError):
            Vox(**bad)
