"""Carriers of every mode of the corpus that is not P25, for as long as anybody likes."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import soundfile as sf
from numpy.typing import NDArray

from dsp.blocks import BasebandBlock

RATE = 48_000
Entry = Mapping[str, Any]


def baseband(entry: Entry) -> NDArray[np.complex64]:
    """The samples of a recording of IQ."""
    if entry["file"].endswith(".cf32"):
        return np.fromfile(entry["path"], np.complex64)
    raw = (np.fromfile(entry["path"], np.uint8).astype(np.float32) - 127.4) / 128
    return raw.view(np.complex64)


def carrier(entry: Entry) -> NDArray[np.complex64]:
    """A recording as a carrier of size 1 at 48 kHz: IQ as it is, audio as FM with 1.2 kHz of deviation (rms)."""
    if entry["file"].endswith(".wav"):
        audio, _ = sf.read(entry["path"], dtype="float64")
        audio = audio.reshape(len(audio), -1)[:, 0]
        hertz = (audio - audio.mean()) * 1200 / (audio.std() + 1e-9)
        return np.exp(2j * np.pi * np.cumsum(hertz) / RATE).astype(np.complex64)
    x = baseband(entry)
    return np.asarray(x / np.sqrt(np.mean(np.abs(x) ** 2)), np.complex64)


def other_modes(corpus: Mapping[str, Entry], rows: int, seconds: int, seed: int) -> Iterator[BasebandBlock]:
    """`seconds` blocks of a second, (rows, 48000).

    Every 48 kHz recording of another mode, over and over, up to 800 Hz off frequency, at three strengths, either
    polarity.
    """
    rng = np.random.default_rng(seed)
    others = [corpus[name] for name in sorted(corpus) if not name.startswith("p25p1") and name != "p25_op25tx_b"]
    others = [entry for entry in others if entry.get("sample_rate_hz") == RATE]
    assert len(others) >= 10
    carriers = [carrier(entry) for entry in others]
    turn = np.arange(RATE) / RATE
    offsets_hz = rng.uniform(-800, 800, rows)
    for second in range(seconds):
        x = np.empty((rows, RATE), np.complex64)
        for row in range(rows):
            part = carriers[row % len(carriers)]
            part = part[(np.arange(RATE) + RATE * second) % len(part)]
            if row % 2:
                part = part.conj()
            sigma = (0.05, 0.3, 0.8)[row % 3]
            noise = sigma * rng.standard_normal((RATE, 2), dtype=np.float32).view(np.complex64)[..., 0]
            x[row] = part * np.exp(2j * np.pi * offsets_hz[row] * turn) + noise
        yield BasebandBlock(x, RATE, RATE * second)
