"""Slow twin of dsp/direct.py: mix every sample in float64, filter, decimate, filter, decimate."""

import numpy as np
from numpy.typing import NDArray

from dsp.direct import DirectDesign


def convert(x: NDArray[np.complex64], design: DirectDesign, offset_hz: float) -> NDArray[np.complex128]:
    """Outputs 0, 1, … of a source that begins at index 0 with zeros before; only as many as have all their samples."""
    mixed = x * np.exp(-2j * np.pi * ((offset_hz / design.rate * np.arange(len(x))) % 1.0))
    zeros = np.zeros(design.rate // 100, dtype=np.complex128)  # more than both filters reach, whole middle samples
    first = np.convolve(np.concatenate([zeros, mixed]), design.first)[len(design.first) // 2 :]
    middle = first[: len(zeros) + len(x) - len(design.first)][:: design.first_step]
    second = np.convolve(middle, design.second)[len(design.second) // 2 : len(middle) - len(design.second) // 2]
    skip = len(zeros) // design.first_step
    return np.asarray(second[skip :: design.second_step])
