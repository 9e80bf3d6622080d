"""Bounds: a feedback equaliser of as many taps as ours that knows its channel, C4FM with all given but the phase."""

import numpy as np
from numpy.typing import NDArray

from dsp.p25.c4fm import DEVIATION_HZ, SYMBOL_OF_DIBIT, SYMBOL_RATE
from dsp.p25.equalizer import ACROSS, EARLY, TAPS
from dsp.p25.lsm import PER_SYMBOL, PHASES, POINT_DELAY, PULSE_HALF, Pulse, pulses
from dsp.p25.mlsd import SequenceDetector
from dsp.p25.modulator import REACH, C4fmModulator, CqpskModulator
from dsp.p25.timing import SYNC_SYMBOLS
from tests.dsp.p25.scenes import LDU_SYMBOLS, RATE, Path, delayed, rayleigh, scene, sent, unit

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


def c4fm_at_5_percent(deviation_hz: float, units: int, seed: int) -> float:
    """Eb/N0 in dB at which the likeliest sequence of C4FM has 5 % of its bits wrong, all but the phase being given."""
    before = (2.5, 1.0)
    for ebn0_db in np.arange(2.5, 7.0, 0.5):
        ber = _sequence_ber(float(ebn0_db), deviation_hz, units, seed)
        if ber < 0.05:
            share = np.log(before[1] / 0.05) / np.log(before[1] / ber)
            return float(before[0] + share * (ebn0_db - before[0]))
        before = (float(ebn0_db), ber)
    raise AssertionError("more than 5 % wrong at 6.5 dB")


def _sequence_ber(ebn0_db: float, deviation_hz: float, units: int, seed: int) -> float:
    point = (REACH + POINT_DELAY[Pulse.C4FM]) * PER_SYMBOL
    step = np.pi / 4 * deviation_hz / DEVIATION_HZ
    wrong = []
    for number in range(units):
        x, dibits = scene(C4fmModulator, 1, Path(ebn0_db), seed + number, deviation_hz)
        detector = SequenceDetector(int(point), round(point % 1 * PHASES))
        detector.begin(x, 0, 0, dibits[:SYNC_SYMBOLS], 0.0, step)
        for first in range(SYNC_SYMBOLS, 800, 40):
            detector.run(x, 0, first + 64, 0.0, step)
            said = detector.soft(first, first + 40) > 0
            sent = dibits[first : first + 40]
            wrong.append(said != np.stack([sent >> 1, sent & 1], axis=1))
    return float(np.mean(wrong))
