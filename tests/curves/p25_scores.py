"""How the P25 modem does on noisy and simulcast voice units: error rates by unit."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dsp.p25.modem import P25Modem
from dsp.p25.modulator import C4fmModulator, CqpskModulator
from tests.dsp.p25.scenes import LDU_SYMBOLS, RATE, Path, bit_errors, heard, received, sent, unit

Make = type[C4fmModulator] | type[CqpskModulator]


@dataclass(frozen=True)
class Score:
    """ber: wrong bits of all, behind the network identifiers; a symbol not given counts as one wrong bit of two.
    failed: share of units with more than 5 % of their bits wrong. bits: how many were looked at."""

    ber: float
    failed: float
    bits: int


def score(
    make: Make,
    path: Path,
    units: int,
    seed: int,
    *,
    deviation_hz: float = 1800.0,
    neighbour_db: float | None = None,
    prefer: int | None = None,
    overs: int | None = None,
) -> Score:
    """`units` voice units in overs of `overs` (one each where there is fading, so that every unit has its own).

    neighbour_db: strength of another C4FM signal 12.5 kHz up. prefer: as `P25Modem.prefer`.
    """
    rng = np.random.default_rng(seed)
    per_over = overs or (units if path.delay_s is None else 1)
    wrong: list[NDArray[np.int64]] = []
    for _ in range(units // per_over):
        # A few symbols before and behind, as the transmitter's neighbours in time would be there.
        lead, tail = rng.integers(0, 4, 20, dtype=np.uint8), rng.integers(0, 4, 60, dtype=np.uint8)
        dibits = np.concatenate([lead, *(unit(rng) for _ in range(per_over)), tail])
        x = sent(_modulator(make, deviation_hz), dibits)
        if neighbour_db is not None:
            x = x + _neighbour(len(x), neighbour_db, rng)
        modem = P25Modem(1, RATE)
        modem.prefer(0, prefer)
        errors, there = bit_errors(heard(modem, received(x, path, rng)), dibits)
        errors[~there] = 1
        body = errors[20:-60].reshape(per_over, LDU_SYMBOLS)[:, 57:]
        wrong += list(body)
    by_unit = np.array([w.mean() / 2 for w in wrong])
    return Score(float(by_unit.mean()), float((by_unit > 0.05).mean()), 2 * len(wrong) * (LDU_SYMBOLS - 57))


def _modulator(make: Make, deviation_hz: float) -> C4fmModulator | CqpskModulator:
    return C4fmModulator(RATE, deviation_hz) if make is C4fmModulator else CqpskModulator(RATE)


def _neighbour(n: int, level_db: float, rng: np.random.Generator) -> NDArray[np.complex128]:
    """C4FM 12.5 kHz up, as a channelizer for 24 kHz leaves it: what is beyond 12 kHz folds, weakened by 70 dB."""
    wide = sent(C4fmModulator(4 * RATE), rng.integers(0, 4, n // 5 + 10, dtype=np.uint8))
    t = np.arange(len(wide)) / (4 * RATE)
    spectrum = np.fft.fft(wide * np.exp(2j * np.pi * 12_500 * t))
    f = np.abs(np.fft.fftfreq(len(wide), 1 / (4 * RATE)))
    spectrum *= 10 ** (-70 / 20 * np.clip((f - 6_500) / 5_500, 0, 1))
    return np.asarray(np.fft.ifft(spectrum)[::4][:n] * 10 ** (level_db / 20))
