"""Which bit of which parameter stands where in the 88 bits (TIA-102.BABA-A clause 7.1, figures 22 to 24).

    u₀ ppppppgggsss   p pitch b₀, bits 7 … 2    g gain b₂, bits 5 … 3   s the first three bits of the scan
    u₁ … u₃           36 more bits of the scan
    u₄ … u₇(6 … 4)    K voicing bits b₁, gain bits 2 and 1, the rest of the scan
    u₇(3 … 0)  gppt   gain bit 0, pitch bits 1 and 0, t the toggling bit b_(L+2)

The scan reads the coefficients b₃ … b_(L+1) plane by plane: the bits of the highest weight of all of them first.
"""

import numpy as np
from numpy.typing import NDArray

from dsp.vocoder.imbe.tables import DATA_BITS, MAX_HARMONICS, MIN_HARMONICS, allocation, bands

Place = tuple[int, int]
"""Number of the parameter, bit (0 = least weight)."""


def scan(count: int) -> list[Place]:
    """The bits of the coefficients b₃ … b_(L+1) of `count` harmonics, most important first (figure 22)."""
    bits = allocation(count)
    return [(m, bit) for bit in range(max(bits) - 1, -1, -1) for m in range(3, count + 2) if bits[m] > bit]


def placement(count: int) -> list[Place]:
    """What stands in each of the 88 bits of a frame with `count` harmonics, first bit of u₀ first."""
    coefficients = scan(count)
    first = [(0, bit) for bit in range(7, 1, -1)] + [(2, bit) for bit in (5, 4, 3)]
    voicing = [(1, bit) for bit in range(bands(count) - 1, -1, -1)]
    last = [(2, 0), (0, 1), (0, 0), (count + 2, 0)]
    return first + coefficients[:39] + voicing + [(2, 2), (2, 1)] + coefficients[39:] + last


def placements() -> NDArray[np.uint8]:
    """(48, 88, 2) uint8: parameter and bit, for 9 … 56 harmonics."""
    table = np.array([placement(count) for count in range(MIN_HARMONICS, MAX_HARMONICS + 1)], dtype=np.uint8)
    assert table.shape[1] == DATA_BITS
    return table
