"""DTMF digits: all sixteen, at every level and twist allowed, in any cut, and none in speech."""

import json
import math
from pathlib import Path

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray
from scipy.signal import resample_poly

from dsp.tones.dtmf import DIGITS, HIGH_HZ, LOW_HZ, DtmfDetector

CORPUS = Path(__file__).resolve().parents[4] / "shared" / "corpus"
DATA = Path(__file__).resolve().parents[2] / "data"
Audio = NDArray[np.float32]


def dial(digits: str, on: int = 400, off: int = 400, level: float = 0.2, twist_db: float = 0.0) -> Audio:
    """Digits of `on` samples with pauses of `off`; twist_db: how much stronger the high tone is."""
    parts = [np.zeros(off)]
    t = np.arange(on) / 8000
    for digit in digits:
        row = next(i for i, names in enumerate(DIGITS) if digit in names)
        high = HIGH_HZ[DIGITS[row].index(digit)]
        tones = np.sin(2 * np.pi * LOW_HZ[row] * t) + 10 ** (twist_db / 20) * np.sin(2 * np.pi * high * t)
        parts += [level * tones, np.zeros(off)]
    return np.concatenate(parts).astype(np.float32)


@pytest.mark.parametrize("level", [0.01, 0.4])
@pytest.mark.parametrize("twist_db", [-8.0, 0.0, 4.0])
def test_every_digit_of_50_ms_is_told_once_with_its_beginning(level: float, twist_db: float) -> None:
    digits = "".join(DIGITS)
    detector = DtmfDetector()
    found = detector.process(dial(digits, level=level, twist_db=twist_db))
    assert "".join(digit for _, digit in found) == digits
    for number, (at, _) in enumerate(found):
        # Half a window before its true beginning at most, and never later than the window that shows it.
        assert abs(at - (400 + 800 * number)) <= 120


def test_the_cut_of_the_stream_does_not_matter() -> None:
    x = dial("1590#")
    whole = DtmfDetector().process(x)
    parts, found = DtmfDetector(), []
    for start in range(0, len(x), 33):
        found += parts.process(x[start : start + 33])
    assert found == whole
    parts.reset()
    assert parts.process(x) == whole


def test_single_tones_noise_and_speech_are_no_digits() -> None:
    t = np.arange(8000) / 8000
    for hz in (697, 1209, 1000):
        assert DtmfDetector().process((0.3 * np.sin(2 * np.pi * hz * t)).astype(np.float32)) == []
    rng = np.random.default_rng(1)
    assert DtmfDetector().process(rng.normal(0, 0.1, 80_000).astype(np.float32)) == []
    for name in ("speech_female", "speech_male"):
        x, _ = soundfile.read(DATA / f"{name}.8000.flac", dtype="float32")
        assert DtmfDetector().process(x) == []


@pytest.mark.skipif(not CORPUS.is_dir(), reason="the corpus is not beside the checkout")
@pytest.mark.parametrize("name", ["dtmf_clean", "dtmf_gen_0", "dtmf_short"])
def test_the_recordings_of_the_corpus_are_read_to_the_last_digit(name: str) -> None:
    entries = json.loads((CORPUS / "corpus.json").read_text())["entries"]
    digits = next(entry["truth"]["digits"] for entry in entries if entry["id"] == name)
    x, rate = soundfile.read(CORPUS / f"{name}.wav", dtype="float32")
    common = math.gcd(rate, 8000)
    x = resample_poly(x, 8000 // common, rate // common).astype(np.float32)
    assert "".join(digit for _, digit in DtmfDetector().process(x)) == digits
