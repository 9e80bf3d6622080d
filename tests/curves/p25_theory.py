"""What a feedback equaliser does on a fading channel that it knows exactly: the bound of ours, of as many taps."""

import numpy as np
from numpy.typing import NDArray

from dsp.p25.c4fm import SYMBOL_OF_DIBIT, SYMBOL_RATE
from dsp.p25.equalizer import ACROSS, EARLY, TAPS
from dsp.p25.lsm import PER_SYMBOL, PHASES, PULSE_HALF, Pulse, pulses
from dsp.p25.modulator import REACH, CqpskModulator
from tests.dsp.p25.scenes import LDU_SYMBOLS, RATE, delayed, rayleigh, sent, unit

_KNOWN = 57


def known_channel(delay_us: float, doppler_hz: float, units: int, seed: int, ebn0_db: float = 30.0) -> float:
    """Share of wrong bits of LSM units behind their first 57 symbols, which are known: two equal Rayleigh rays, timing
    and both gains known at every point, own decisions fed back. All units side by side."""
    rng = np.random.default_rng(seed)
    late = delay_us * 1e-6 * RATE
    dibits = np.stack([np.concatenate([unit(rng), rng.integers(0, 4, 12, dtype=np.uint8)]) for _ in range(units)])
    signals = [sent(CqpskModulator(RATE), row) for row in dibits]
    gains = np.stack([[rayleigh(len(x), doppler_hz, rng) / np.sqrt(2) for _ in range(2)] for x in signals])
    x = np.stack([g[0] * y + g[1] * delayed(y, late) for g, y in zip(gains, signals)])
    noise = RATE / (2 * SYMBOL_RATE * 10 ** (ebn0_db / 10))
    x = x + np.sqrt(noise / 2) * (rng.standard_normal(x.shape) + 1j * rng.standard_normal(x.shape))
    points = np.exp(1j * np.pi / 4 * np.cumsum(SYMBOL_OF_DIBIT[dibits], axis=1))
    places = 2 * np.arange(TAPS) - EARLY
    apart = places - PER_SYMBOL * np.arange(-ACROSS, ACROSS + 1)[:, None]
    shapes = np.stack([_pulse(apart), _pulse(apart - late)])
    decided = np.zeros((units, LDU_SYMBOLS), np.complex128)
    decided[:, :_KNOWN] = points[:, :_KNOWN]
    for k in range(_KNOWN, LDU_SYMBOLS):
        at = (REACH + k) * PER_SYMBOL
        reach = np.einsum("ur,rqi->uqi", gains[:, :, at], shapes)
        ahead = reach[:, ACROSS:]
        matrix = np.einsum("uqi,uqj->uij", ahead.conj(), ahead) + noise * np.eye(TAPS)
        taps = np.linalg.solve(matrix, reach[:, ACROSS].conj()[..., None])[..., 0]
        back = decided[:, k - ACROSS : k]
        y = (taps * (x[:, at + places])).sum(1) - np.einsum("uqi,ui,uq->u", reach[:, :ACROSS], taps, back)
        turn = np.angle(y * decided[:, k - 1].conj()) / (np.pi / 2) - 0.5
        decided[:, k] = decided[:, k - 1] * np.exp(1j * np.pi / 2 * (np.round(turn) + 0.5))
    right = points[:, 1:LDU_SYMBOLS] * points[:, : LDU_SYMBOLS - 1].conj()
    off = np.angle(decided[:, 1:] * decided[:, :-1].conj() * right.conj())[:, _KNOWN - 1 :]
    return float(np.abs(np.round(off / (np.pi / 2))).mean() / 2)  # a quarter turn off is one wrong bit of two


def _pulse(t: NDArray[np.generic]) -> NDArray[np.float64]:
    """The pulse of LSM, t samples (a multiple of 1/8) after its point."""
    eighths = np.round(np.asarray(t) * PHASES).astype(np.int64)
    whole = -(-eighths // PHASES)
    phase = whole * PHASES - eighths
    there = np.abs(whole) <= PULSE_HALF
    return np.where(there, pulses(Pulse.LSM)[phase, (whole + PULSE_HALF).clip(0, 2 * PULSE_HALF)], 0.0)
