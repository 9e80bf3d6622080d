"""Phase as a whole number of 2⁻⁴⁸ turns, so that it never drifts, never loses precision and never depends on blocks.

Adding floats gives another last bit for another block length, and after a day of carrier the sum has lost digits.
Integers do neither: 2⁻⁴⁸ turns at 240 kHz is a frequency step of 10⁻⁹ Hz.
"""

import numpy as np
from numpy.typing import NDArray

TURN = 1 << 48
"""One turn."""

_MASK = np.int64(TURN - 1)
_RADIANS = 2 * np.pi / TURN

Phase = NDArray[np.int64]


def step(frequency_hz: float, rate: float) -> int:
    """Phase advance per sample."""
    return round(frequency_hz / rate * TURN)


def steps(frequency_hz: NDArray[np.float64], rate: float) -> Phase:
    """Phase advance per sample for a frequency that changes."""
    return np.rint(frequency_hz * (TURN / rate)).astype(np.int64)


def at(index: Phase, advance: int) -> Phase:
    """Phase at the sample indices of a constant frequency, zero at index 0."""
    # int64 wraps at 2⁶⁴, a whole number of turns, so the product needs no wider type.
    return (index * np.int64(advance)) & _MASK


def run(start: int, advances: Phase) -> Phase:
    """Phase after each advance, from `start` on."""
    return (np.int64(start) + np.cumsum(advances)) & _MASK


def radians(phase: Phase) -> NDArray[np.float64]:
    """The angle."""
    return np.asarray(phase * _RADIANS, np.float64)


def phasor(phase: Phase) -> NDArray[np.complex128]:
    """exp(jφ)."""
    angle = radians(phase)
    out = np.empty(angle.shape, np.complex128)
    np.cos(angle, out=out.real)
    np.sin(angle, out=out.imag)
    return out
