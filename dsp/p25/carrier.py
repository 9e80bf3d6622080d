"""The carrier-to-noise ratio, measured at each frame sync: its symbols are known, so its waveform is.

    received, low-passed, turned back by the frequency error  =  ∑ aᵢ·sync(t + i)  +  a part in t·sync, φ·sync  +  noise

Least squares over 85 samples, the 16 symbols whose neighbours are known too. Seven delays of the sync stand for two
rays and for an error of timing, the part in t for one of frequency, that in φ (the phase of the modulation) for one of
the deviation of C4FM. What they do not explain is noise. The error vector is no measure of it: to the points of a
linear receiver most of a clean C4FM signal's error is the shape of its own pulse, 17 dB below it.

Good to 0.8 dB a sync; beyond 38 dB the neighbours of the sync and the carrier's own errors are seen for noise.
"""

import math
from functools import cache, lru_cache

import numpy as np
from numpy.typing import NDArray

from dsp.p25.c4fm import DEVIATION_HZ, FRAME_SYNC_DIBITS, SYMBOL_RATE
from dsp.p25.lsm import PER_SYMBOL, PHASES, POINT_DELAY, RATE, Pulse
from dsp.p25.modulator import REACH, C4fmModulator, CqpskModulator

CHANNEL_HZ = 12_500
"""The bandwidth in which the noise is counted."""

HIGHEST = 10**4.0
"""Ratio beyond which nothing is told apart: 40 dB."""

_CUT = 3.5
"""Symbols left out at either end of the sync, which what comes before and behind reaches."""

_DELAYS = range(-3, 4)  # samples: ±125 µs
_COARSE_HZ = 250.0
_COARSE_STEP = 0.02
_NOMINAL = 0.06  # of deviation, as `equalizer.NOMINAL`
_FINE = RATE * PHASES
_AROUND = np.array([0, 2] * 8, np.uint8)  # what is sent before and behind: nobody knows
_LAST = len(FRAME_SYNC_DIBITS) - 1
_OFFSETS = np.arange(math.ceil(PER_SYMBOL * (_CUT - _LAST)), math.floor(-PER_SYMBOL * _CUT) + 1)


class SyncMeter:
    """Measures syncs behind a low-pass. taps: of the low-pass, symmetric, at `rate`."""

    def __init__(self, taps: NDArray[np.float32], rate: int) -> None:
        self._taps = tuple(taps.astype(float).tolist())
        self._rate = rate

    def ratio(self, x: NDArray[np.complex64], last: int, phase: int, turn: float, step: float) -> float:
        """Carrier-to-noise ratio in `CHANNEL_HZ`, 0 … `HIGHEST`.

        x: (n,) complex64 at 24 kHz. last, phase: the last point of the sync is at sample last + phase/8. turn: radians
        a symbol by which the carrier is off. step: radians per unit of symbol.
        """
        y = x[last + _OFFSETS] * np.exp(-1j * turn / PER_SYMBOL * _OFFSETS)
        power = float(np.vdot(y, y).real)
        coarse = round(turn * SYMBOL_RATE / (2 * np.pi) / _COARSE_HZ)
        off = step / (np.pi / 4) - 1
        share = 1.0 if abs(off) <= _NOMINAL else 1 + _COARSE_STEP * round(off / _COARSE_STEP)
        best = 0.0
        for pulse, deviation in ((Pulse.C4FM, share), (Pulse.LSM, 1.0)):
            known, taken, scale = _known(self._taps, self._rate, pulse, phase, coarse, deviation)
            explained = float((np.abs(known @ y) ** 2).sum())
            noise = (power - explained) / (len(y) - taken)
            carrier = explained - noise * taken
            if noise > 0:
                best = max(best, carrier / noise * scale)
        return min(best, HIGHEST)


@lru_cache(maxsize=1024)
def _known(
    taps: tuple[float, ...], rate: int, pulse: Pulse, phase: int, coarse: int, deviation: float
) -> tuple[NDArray[np.complex128], float, float]:
    """What a sync may look like: rows of an orthonormal basis (k, n); how many samples' worth of noise it takes with
    it; and what makes the ratio in `CHANNEL_HZ` of the energy of the sync and the noise of a sample."""
    offset_hz = coarse * _COARSE_HZ
    x = _passed(_sync(pulse, deviation), taps, rate, offset_hz)
    point = round((REACH + len(_AROUND) + _LAST + POINT_DELAY[pulse]) * PER_SYMBOL * PHASES)
    at = point + PHASES * _OFFSETS - phase
    here = x[at]
    t = _OFFSETS - _OFFSETS.mean()
    columns = [x[at + PHASES * i] for i in _DELAYS] + [here * t]
    if pulse is Pulse.C4FM:
        turned = np.unwrap(np.angle(here))
        columns.append(here * (turned - np.polyval(np.polyfit(t, turned, 1), t)))
    basis, _ = np.linalg.qr(np.stack(columns, axis=1))
    # The noise of neighbouring samples is alike behind the low-pass, and turned back with the signal.
    h = np.asarray(taps)
    step = rate // RATE
    alike = np.zeros(len(_OFFSETS))
    covered = np.correlate(h, h, "full")[len(h) - 1 :: step][: len(_OFFSETS)]
    alike[: len(covered)] = covered / covered[0]
    lag = _OFFSETS[:, None] - _OFFSETS
    covariance = alike[np.abs(lag)] * np.exp(-2j * np.pi * offset_hz / RATE * lag)
    taken = float(np.trace(basis.conj().T @ covariance @ basis).real)
    usual = _mean_power(pulse) / float(np.mean(np.abs(here) ** 2))
    width = float(covered[0] * rate)
    return np.ascontiguousarray(basis.conj().T), taken, usual / len(_OFFSETS) * width / CHANNEL_HZ


@cache
def _mean_power(pulse: Pulse) -> float:
    """Of any symbols; those of the sync are 1 dB weaker in LSM."""
    if pulse is Pulse.C4FM:
        return 1.0
    modulator = CqpskModulator(_FINE)
    x = modulator.process(np.random.default_rng(27).integers(0, 4, 2000, dtype=np.uint8)).samples
    return float(np.mean(np.abs(x[len(x) // 10 :]) ** 2))


@lru_cache(maxsize=64)
def _sync(pulse: Pulse, deviation: float) -> NDArray[np.complex128]:
    """A sync among other symbols at `_FINE`. deviation: 1 is nominal."""
    dibits = np.concatenate([_AROUND, FRAME_SYNC_DIBITS, _AROUND])
    c4fm = pulse is Pulse.C4FM
    modulator = C4fmModulator(_FINE, DEVIATION_HZ * deviation) if c4fm else CqpskModulator(_FINE)
    return np.concatenate([modulator.process(dibits).samples, modulator.flush().samples]).astype(np.complex128)


def _passed(x: NDArray[np.complex128], taps: tuple[float, ...], rate: int, offset_hz: float) -> NDArray[np.complex128]:
    """x as the low-pass leaves it when it is `offset_hz` off."""
    n = np.arange(len(taps)) - len(taps) // 2
    f = np.fft.fftfreq(len(x), 1 / _FINE)
    near = np.abs(f) < RATE / 2 - abs(offset_hz)
    response = np.zeros(len(f))
    response[near] = np.cos(2 * np.pi / rate * np.outer(f[near] + offset_hz, n)) @ np.asarray(taps)
    return np.asarray(np.fft.ifft(np.fft.fft(x) * response))
