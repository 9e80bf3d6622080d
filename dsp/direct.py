"""One channel without a transform of the whole band: mix, decimate, filter. Cheaper than an FFT while channels are few.

    x ──complex taps, every D1-th──▶ turn ──▶ middle rate r·D2 ──real taps, every D2-th──▶ channel at r = R/(D1·D2)

The first filter stops only what would fold onto the channel (`design.comb_lowpass`), which takes half the taps of a
proper low-pass. It is moved to the channel's centre, so no sample of the band is mixed by itself; what is left of the
mixing is one turn a sample at the middle rate. The second filter makes the channel's mask, the same as in the
channelizer but for the length the first one takes away (a few percent), and takes back the droop of the first.

Works row by row exactly like the channelizer (same windows, same index, same phase) and remembers nothing from row to
row. Float32; the output agrees with the fast convolution to the difference of the two masks.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dsp._direct import DirectKernel
from dsp.design import Taps, comb_lowpass, lowpass, response

_LANES = 8


@dataclass(frozen=True, slots=True)
class DirectDesign:
    """The two filters of a direct conversion from `rate` to `out_rate`.

    first: float64, taps at `rate`, odd; first_step: D1. second: float64, taps at rate/D1, odd; second_step: D2.
    """

    rate: int
    out_rate: int
    first: NDArray[np.float64]
    first_step: int
    second: NDArray[np.float64]
    second_step: int

    @property
    def cost(self) -> float:
        """Vector operations a second: four for eight taps of the first filter, two of the second, some for each sum."""
        middle = self.out_rate * self.second_step
        return middle * (len(self.first) / 2 + 20) + self.out_rate * (len(self.second) / 4 + 20)


def direct_design(
    rate: int, out_rate: int, cutoff_hz: float, transition_hz: float, attenuation_db: float
) -> DirectDesign | None:
    """The cheapest filters for a channel, −6 dB at ±cutoff, stopband `transition_hz` further on; None if none fit.

    rate must be a multiple of out_rate, out_rate of 800. The pair spans at most 2.5 ms.
    """
    if rate % out_rate:
        return None
    total, half = rate // out_rate, rate // 800
    edge_hz = cutoff_hz + transition_hz
    best: DirectDesign | None = None
    for second_step in range(1, min(total, 24) + 1):
        if total % second_step:
            continue
        step, middle = total // second_step, out_rate * second_step
        if step == 1:
            first = np.ones(1)
        elif middle > 3 * edge_hz:
            # Six decibels more: two filters share the stopband.
            first = comb_lowpass(step, edge_hz, rate, attenuation_db + 6)
        else:
            continue
        reach = (half - _padded(len(first))) // step
        if reach < 0.94 * half / step:
            continue
        second = _level(first, rate, lowpass(cutoff_hz, middle, 2 * reach - 1, attenuation_db), middle, cutoff_hz)
        design = DirectDesign(rate, out_rate, first, step, second, second_step)
        if best is None or design.cost < best.cost:
            best = design
    return best


def _level(first: Taps, rate: int, second: Taps, middle: int, cutoff_hz: float) -> Taps:
    """`second`, with two taps more that take the first filter's droop back where a channel's edge is.

    The gain 1 + 4·b·sin²(π·f/middle) rises as the averages of the first filter fall, in the same proportion.
    """
    droop = abs(complex(response(first, np.array([cutoff_hz]), rate)[0]))
    b = (1 / droop - 1) / (4 * np.sin(np.pi * cutoff_hz / middle) ** 2)
    return np.convolve(second, [-b, 1 + 2 * b, -b])


def _padded(length: int) -> int:
    return -(-length // _LANES) * _LANES


class DirectChannel:
    """One channel centred `bin_hz + fine_hz` from the tuner's centre; bin_hz a whole number, |fine_hz| ≤ 40 Hz."""

    def __init__(self, design: DirectDesign, bin_hz: int, fine_hz: float) -> None:
        offset_hz = bin_hz + fine_hz
        rate, middle = design.rate, design.out_rate * design.second_step
        half, reach = len(design.first) // 2, len(design.second) // 2
        # Zeros in front make whole vectors; they look at older samples of the same window.
        front = _padded(len(design.first)) - len(design.first)
        at = np.arange(-half - front, half + 1)
        taps = np.concatenate([np.zeros(front), design.first]) * np.exp(-2j * np.pi * ((offset_hz / rate * at) % 1.0))
        parts = np.stack([np.repeat(taps.real, 2), np.repeat(taps.imag, 2)]).astype(np.float32)
        first = np.ascontiguousarray(parts.reshape(2, -1, 2 * _LANES).swapaxes(0, 1)).reshape(-1)
        hop = design.out_rate // 100
        count = (hop - 1) * design.second_step + 2 * reach + 1
        turn = np.zeros(_padded(count), dtype=np.complex128)
        turn[:count] = np.exp(-2j * np.pi * ((offset_hz / middle * np.arange(count)) % 1.0))
        turns = np.stack([turn.real, turn.real, -turn.imag, turn.imag]).reshape(2, 2, -1).swapaxes(1, 2)
        second = np.zeros(_padded(len(design.second)))
        second[: len(design.second)] = design.second
        skip = middle // 800 + reach
        self._kernel = DirectKernel(
            first,
            design.first_step,
            np.ascontiguousarray(turns, dtype=np.float32).reshape(-1),
            count,
            np.repeat(second, 2).astype(np.float32),
            design.second_step,
            hop,
            middle,
            skip,
            bin_hz,
            fine_hz,
        )
        self._step = rate // 100
        # From the first sample of the window (row·hop − rate/400) to the first tap on the first middle sample.
        self._ahead = rate // 400 - skip * design.first_step - half - front

    def run(
        self,
        head: NDArray[np.complex64],
        filled: int,
        body: NDArray[np.complex64],
        start: int,
        row: int,
        out: NDArray[np.complex64],
    ) -> None:
        """Rows `row`, row + 1 … into `out`, complex64 (rows · out_rate/100,).

        The first one's window is at `start` of head[:filled] followed by body.
        """
        self._kernel.run(head, filled, body, start + self._ahead, self._step, row, out)
