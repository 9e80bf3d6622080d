"""The C4FM pulse of P25 Phase 1 and the receive filter that belongs to it.

    dibit ─▶ impulse ─▶ H(f) ─▶ P(f) ─▶ FM ~~▶ discriminator ─▶ D(f) ─▶ slicer

    |H(f)| = 1                                 to 1920 Hz
             ½ + ½ cos(2π f / 1920 Hz)         to 2880 Hz, and 0 above
    |P(f)| = (π f / 4800 Hz) / sin(π f / 4800 Hz)
    |D(f)| = sin(π f / 4800 Hz) / (π f / 4800 Hz)

D(f) is a plain average over one symbol, so the discriminator with D(f) measures by how much the phase turned in one
symbol, and P·D = 1 leaves the Nyquist pulse H: a quarter turn of 45° and 135° per symbol without intersymbol
interference. That is why a C4FM signal, looked at between the symbols, is a π/4-DQPSK constellation.

A root raised cosine is not a match for this pulse: it leaves intersymbol interference that no signal strength removes.

TIA-102.BAAA-B 8.2 (symbols), 8.3 (H), 8.4 (P), 8.5 (D).
"""

import numpy as np
from numpy.typing import NDArray

from dsp.design import Taps, kaiser_window
from dsp.errors import RateError

SYMBOL_RATE = 4800
"""Symbols (dibits) per second."""

DEVIATION_HZ = 1800.0
"""Deviation of the outer symbols, ±3, after D(f)."""

SYMBOL_OF_DIBIT = np.array([1.0, 3.0, -1.0, -3.0])
"""Symbol of the dibit b1 b0 = 00, 01, 10, 11 (8.2, table 8-1)."""

FRAME_SYNC_DIBITS = np.array([int(d, 4) for d in "111113113311333313133333"], np.uint8)
"""The frame synchronisation, 5575F5FF77FF hex (8.1 / 5.2): outer symbols only."""

_GRID = 1 << 12


def nyquist(frequency_hz: NDArray[np.float64]) -> NDArray[np.float64]:
    """|H(f)| (8.3)."""
    f = np.abs(frequency_hz)
    rolled = 0.5 + 0.5 * np.cos(2 * np.pi * f / 1920.0)
    return np.asarray(np.where(f <= 1920.0, 1.0, np.where(f <= 2880.0, rolled, 0.0)))


def shaping(frequency_hz: NDArray[np.float64]) -> NDArray[np.float64]:
    """|P(f)| (8.4), for the frequencies that H(f) passes."""
    return np.asarray(1.0 / np.sinc(np.clip(frequency_hz, -2880.0, 2880.0) / SYMBOL_RATE))


def _pulse(magnitude: NDArray[np.float64], per_symbol: int, reach: int) -> Taps:
    # The grid reaches half the rate of the pulse; its inverse transform is the pulse, unit area at 0 Hz.
    whole = np.fft.irfft(magnitude)
    half = reach * per_symbol
    return np.concatenate([whole[-half:], whole[: half + 1]])


def transmit_taps(per_symbol: int, reach: int = 10, *, with_shaping: bool = True) -> Taps:
    """H(f)·P(f), or H(f) alone, sampled `per_symbol` times a symbol and `reach` symbols to either side.

    Returns (2·reach·per_symbol + 1,) float64 with a sum of 1. A Kaiser window tapers the ends; that leaves the zeros of
    the pulse where they are, and ten symbols of reach leave 0.7 % of modulation error.
    """
    f = np.linspace(0.0, SYMBOL_RATE * per_symbol / 2, _GRID + 1)
    magnitude = nyquist(f) * (shaping(f) if with_shaping else 1.0)
    taps = _pulse(magnitude, per_symbol, reach) * kaiser_window(2 * reach * per_symbol + 1, 30.0)
    return np.asarray(taps / taps.sum())


def receive_taps(rate: int) -> Taps:
    """D(f): the average over one symbol, for a rate of a whole number of samples a symbol.

    Returns float64 with a sum of 1: `rate / 4800` equal taps, or one more with the outer two halved where that number
    is even, so that the filter has a centre. Raises `RateError` for other rates.
    """
    if rate % SYMBOL_RATE or rate < 2 * SYMBOL_RATE:
        raise RateError(f"rate = {rate} S/s is no multiple of {SYMBOL_RATE} symbols/s; 24000 or 48000 S/s")
    n = rate // SYMBOL_RATE
    if n % 2:
        return np.full(n, 1 / n)
    taps = np.full(n + 1, 1 / n)
    taps[[0, -1]] /= 2
    return taps
