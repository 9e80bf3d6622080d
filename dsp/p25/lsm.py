"""The fixed linear receive filters of both modulations: what a coherent receiver begins with.

Both modulations put the carrier on a π/4-DQPSK point once a symbol: LSM (linear simulcast modulation, CQPSK) in the
middle of the symbol, C4FM half a symbol later, when its frequency has turned the phase all the way. A short linear
filter brings either to its points: for LSM a low-pass, for C4FM one that also undoes the intersymbol interference that
a constant envelope has for a linear receiver. Detecting the phase of the points against many before them, not against
one, wins 1.2 dB over discriminator and D(f) for C4FM, and does LSM at all.

The filters are the least mean square error ones for a known signal in white noise of `DESIGN_EBN0_DB`, solved here
from the transmitters of `dsp.p25.modulator`, one for each of `PHASES` places between two samples.

CQPSK: TIA-102.BAAA-B 8.6.
"""

from enum import IntEnum
from functools import cache

import numpy as np
from numpy.typing import NDArray

from dsp.p25.c4fm import SYMBOL_OF_DIBIT, SYMBOL_RATE
from dsp.p25.modulator import REACH, C4fmModulator, CqpskModulator

RATE = 24_000
"""Samples per second in the modem."""

PER_SYMBOL = RATE // SYMBOL_RATE

HALF = 8
"""The filters reach this many samples (1.6 symbols) to either side of a point."""

PHASES = 8
"""Filters per sample of timing: a 40th of a symbol apart."""

DESIGN_EBN0_DB = 7.0
"""Where the filters are best: a little above 5 % errors, and still far below 1 % intersymbol interference."""

PULSE_HALF = 20
"""Pulses are taken to reach four symbols to either side."""

_TRAINING = 1500


class Pulse(IntEnum):
    """How the transmitter forms its symbols."""

    C4FM = 0
    LSM = 1


POINT_DELAY = {Pulse.C4FM: 0.5, Pulse.LSM: 0.0}
"""When the carrier is on its point, in symbols after the middle of the symbol."""


@cache
def filters(pulse: Pulse) -> NDArray[np.float64]:
    """Taps (PHASES, 2·HALF + 1) float64 at 24 kHz for the point p/PHASES samples after the centre tap's sample.

    Applied as ∑ taps[p, HALF + i]·x[n + i] the mean point has magnitude near 1 for a carrier of amplitude 1.
    """
    fine = RATE * PHASES
    dibits = np.random.default_rng(25).integers(0, 4, _TRAINING, dtype=np.uint8)
    modulator = C4fmModulator(fine) if pulse is Pulse.C4FM else CqpskModulator(fine)
    x = np.concatenate([modulator.process(dibits).samples, modulator.flush().samples]).astype(np.complex128)
    points = np.exp(1j * np.pi / 4 * np.cumsum(SYMBOL_OF_DIBIT[dibits]))
    step = PER_SYMBOL * PHASES
    at = round((REACH + POINT_DELAY[pulse]) * step) + step * np.arange(_TRAINING)
    inner = slice(5, _TRAINING - 5)
    noise = RATE / (2 * SYMBOL_RATE * 10 ** (DESIGN_EBN0_DB / 10))  # per sample, for a carrier of power 1
    taps = np.empty((PHASES, 2 * HALF + 1))
    for p in range(PHASES):
        window = np.stack([x[at - p + PHASES * i][inner] for i in range(-HALF, HALF + 1)], axis=1)
        # Real taps: the pulses are symmetric about their points. Real and imaginary parts are equations of their own.
        covariance = (window.conj().T @ window).real / len(window) + noise * np.eye(2 * HALF + 1)
        wanted = (window.conj().T @ points[inner]).real / len(window)
        taps[p] = np.linalg.solve(covariance, wanted)
    taps.setflags(write=False)
    return taps


@cache
def pulses(pulse: Pulse) -> NDArray[np.float64]:
    """The pulse with which each point appears in the signal, (PHASES, 2·PULSE_HALF + 1) float64 at 24 kHz.

    Entry [p, PULSE_HALF + i]: i samples after the sample that lies p/PHASES before the point. For LSM the pulse H; for
    C4FM the part of the signal that is linear in the points, all but 2 % of its power.
    """
    fine = RATE * PHASES
    dibits = np.random.default_rng(26).integers(0, 4, 4000, dtype=np.uint8)
    modulator = C4fmModulator(fine) if pulse is Pulse.C4FM else CqpskModulator(fine)
    x = np.concatenate([modulator.process(dibits).samples, modulator.flush().samples]).astype(np.complex128)
    points = np.exp(1j * np.pi / 4 * np.cumsum(SYMBOL_OF_DIBIT[dibits]))
    step = PER_SYMBOL * PHASES
    at = round((REACH + POINT_DELAY[pulse]) * step) + step * np.arange(len(dibits))
    inner = slice(9, len(dibits) - 9)
    shape = np.empty((PHASES, 2 * PULSE_HALF + 1))
    for p in range(PHASES):
        for i in range(-PULSE_HALF, PULSE_HALF + 1):
            shape[p, PULSE_HALF + i] = (points.conj() * x[at - p + PHASES * i])[inner].real.mean()
    shape.setflags(write=False)
    return shape
