"""From one tuner's band to many narrow channels: overlap-save fast convolution.

    x, N samples ──FFT──▶ X ──┬─ bins around channel 0 · filter ──small inverse FFT──▶ valid part ──fine shift──▶ row 0
      every hop               └─ bins around channel 1 · …

One forward transform each 10 ms is shared by all channels; a channel costs its bins, its filter, a small inverse
transform and an oscillator. At rate R and output rate r:

    transform   N = R/80, 12.5 ms, bins of 80 Hz         hop    R/100 in, r/100 out, 10 ms
    inverse     r/80 points                              filter ±1.25 ms, linear phase, r/400 + 1 taps

The filter is an odd, symmetric Kaiser low-pass at the output rate, evaluated at the distance of each bin from the
channel's exact centre, so a centre between two bins shifts the mask with it. Its mask: −6 dB at
±max(bandwidth/2, 0.4·bandwidth + 950 Hz), flat within 0.1 dB over 0.8·bandwidth, ≥ 80 dB from about 1.1 kHz beyond the
−6 dB point. A filter of 2.5 ms cannot be steeper; a mode that wants to be narrower than that filters its audio.

Time. Row b reads samples b·hop − N + hop … b·hop + hop − 1 and gives outputs b·hop_out − half … (half = r/800): an
output has the index of its filter's centre. b counts from index 0 of the source, not from where a block began, so the
blocks of the caller do not show in the result. Before index 0 nothing was on the air and those samples are zero; so a
source that starts at 0 gives its first output at −half. Any other jump of the index, forwards or backwards, is loss:
what was held is dropped, rows that would touch a missing sample are not given out, and the output index jumps too.

A row depends on its N samples and on its index only. So channels come and go without touching others, an oscillator
never drifts, and a NaN spoils the rows that contain it and no more.

Frerking, *Digital Signal Processing in Communication Systems*, 1994; Borgerding, "Turning overlap-save into a
multiband mixing, downsampling filter bank", IEEE Signal Processing Magazine, March 2006.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from dsp._channelizer import BankKernel
from dsp.blocks import BasebandBlock, IqBlock
from dsp.design import lowpass
from dsp.errors import RangeError, RateError, ShapeError
from dsp.fft import LANES, ForwardFft, is_length, lane_plan, split

BIN_HZ = 80
"""Spacing of the bins: one over the 12.5 ms of a transform."""

ROWS_PER_SECOND = 100

ATTENUATION_DB = 84.0
"""Of the channel filter's Kaiser window; 4 dB more than promised, for what the cut at ±r/2 adds."""

_TRANSITION_HZ = 1100
"""From −6 dB to the stopband, half of Kaiser's transition for 2.5 ms and `ATTENUATION_DB`, rounded up."""


def channel_cutoff_hz(bandwidth_hz: float) -> float:
    """Where the filter of a channel is 6 dB down."""
    return max(bandwidth_hz / 2, 0.4 * bandwidth_hz + 950)


def channel_taps(bandwidth_hz: float, out_rate: int) -> NDArray[np.float64]:
    """Impulse response of the channel filter at `out_rate`: float64 (out_rate/400 + 1,), unit gain at 0 Hz."""
    return lowpass(channel_cutoff_hz(bandwidth_hz), out_rate, out_rate // 400 + 1, ATTENUATION_DB)


@dataclass(frozen=True, slots=True)
class _Channel:
    """What add() was told, and the tables of one lane.

    shape: float32 (out_rate/80,), gain of each bin. turn: float32 (hop, 2), cosine and sine of the fine shift.
    """

    number: int
    offset_hz: float
    bandwidth_hz: float
    bin: int
    fine_hz: float
    shape: NDArray[np.float32]
    turn: NDArray[np.float32]


def _channel(number: int, offset_hz: float, bandwidth_hz: float, out_rate: int, transform: int) -> _Channel:
    points, half, hop = out_rate // BIN_HZ, out_rate // 800, out_rate // ROWS_PER_SECOND
    center = round(offset_hz / BIN_HZ)
    fine_hz = offset_hz - BIN_HZ * center
    tap = np.arange(-half, half + 1)
    around = np.zeros(points, dtype=np.complex128)
    around[tap] = channel_taps(bandwidth_hz, out_rate) * np.exp(2j * np.pi * fine_hz / out_rate * tap)
    shape = np.fft.fftshift(np.fft.fft(around)).real / transform
    # The slice starts at its lowest bin, so the transform takes −r/2 for 0 Hz; the alternating sign puts that right.
    sign = np.where(np.arange(half, half + hop) % 2, -1.0, 1.0)
    turn = sign * np.exp(-2j * np.pi * fine_hz / out_rate * np.arange(hop))
    pairs = np.stack([turn.real, turn.imag], axis=1).astype(np.float32)
    return _Channel(number, offset_hz, bandwidth_hz, center, fine_hz, shape.astype(np.float32), pairs)


class _Bank:
    """The channels of one output rate; their tables are packed sixteen to a group when the set has changed."""

    def __init__(self, rate: int, fft: ForwardFft) -> None:
        self.rate, self._fft = rate, fft
        self.channels: list[_Channel] = []
        self._plan = lane_plan(rate // BIN_HZ)
        self._kernel: BankKernel | None = None

    def changed(self) -> None:
        self._kernel = None

    def kernel(self) -> BankKernel:
        if self._kernel is None:
            groups = -(-len(self.channels) // LANES)
            points, hop = self.rate // BIN_HZ, self.rate // ROWS_PER_SECOND
            shape = np.zeros((groups, points, LANES), dtype=np.float32)
            turn = np.zeros((groups, hop, 2, LANES), dtype=np.float32)
            for i, channel in enumerate(self.channels):
                shape[i // LANES, :, i % LANES] = channel.shape
                turn[i // LANES, :, :, i % LANES] = channel.turn
            bins = np.array([c.bin for c in self.channels], dtype=np.int64)
            fine_hz = np.array([c.fine_hz for c in self.channels])
            start = bins % self._fft.n + self._fft.margin - points // 2
            self._kernel = BankKernel(self._plan, shape, turn, start, bins, fine_hz, self.rate, self.rate // 800)
        return self._kernel


class Channelizer:
    """Splits the band of one tuner into channels; see the head of this file.

    rate: of the tuner, samples per second, a multiple of 400 from 48 000 whose N = rate/80 has no prime factor above
    13. Raises `RateError` for any other. method: "auto" is "fft".
    """

    def __init__(self, rate: int, method: Literal["auto", "fft"] = "auto") -> None:
        if rate < 48_000 or rate % 400 or split(rate // BIN_HZ) is None:
            raise RateError(
                f"the channelizer cannot work at {rate} S/s; the nearest rate it can is {_nearest(rate)} S/s"
            )
        if method not in ("auto", "fft"):
            raise RangeError(f'method = "{method}" is not one of "auto" and "fft"')
        self.rate = rate
        self._n, self.hop = rate // BIN_HZ, rate // ROWS_PER_SECOND
        self._overlap = self._n - self.hop
        self._fft = ForwardFft(self._n, self._n // 2)
        self._banks: dict[int, _Bank] = {}
        self._numbers = 0
        self._held = np.zeros(self._n, dtype=np.complex64)
        self._power: NDArray[np.float32] | None = None
        self._powers = 0
        self._next = self._row = self._filled = 0
        self.reset()

    @property
    def delay(self) -> int:
        """Input samples by which the output lags: half the filter. Up to one `hop` more waits for its row."""
        return -(-self.rate // 800)

    def add(self, offset_hz: float, bandwidth_hz: float, out_rate: int = 24_000) -> int:
        """A new channel, in the last row of its output rate from the next row of time on; returns its number.

        offset_hz: of its centre from the tuner's. bandwidth_hz: −6 dB width (see the mask above). out_rate: a multiple
        of 2400. Raises `RateError` for an output rate that does not fit and `RangeError` for a channel outside the
        band or wider than its output rate.
        """
        number = self._numbers
        channel = self._make(number, offset_hz, bandwidth_hz, out_rate)
        if out_rate not in self._banks:
            self._banks[out_rate] = _Bank(out_rate, self._fft)
        bank = self._banks[out_rate]
        bank.channels.append(channel)
        bank.changed()
        self._numbers += 1
        return number

    def remove(self, channel: int) -> None:
        """Take a channel out; the rows after it move up by one. Raises `RangeError` for an unknown number."""
        bank, row = self._find(channel)
        del bank.channels[row]
        bank.changed()
        if not bank.channels:
            del self._banks[bank.rate]

    def retune(self, channel: int, offset_hz: float) -> None:
        """Move a channel, from the next row of time on. Raises `RangeError` as `add` does."""
        bank, row = self._find(channel)
        old = bank.channels[row]
        bank.channels[row] = self._make(old.number, offset_hz, old.bandwidth_hz, bank.rate)
        bank.changed()

    def rows(self, out_rate: int) -> tuple[int, ...]:
        """Channel numbers of one output rate, in the order of their rows."""
        bank = self._banks.get(out_rate)
        return tuple(c.number for c in bank.channels) if bank else ()

    def process(self, block: IqBlock) -> dict[int, BasebandBlock]:
        """Baseband of all channels by output rate, each (rows, n) complex64 and newly allocated; n = 0 … whole hops.

        Every output rate that has channels is there at each call. Raises `RateError` for a block of another rate and
        `ShapeError` for samples that are not contiguous complex64 (n,).
        """
        x = block.samples
        if block.rate != self.rate:
            raise RateError(f"block of {block.rate} S/s given to a channelizer for {self.rate} S/s")
        if x.ndim != 1 or x.dtype != np.complex64 or not x.flags.c_contiguous:
            raise ShapeError(f"IQ is {x.dtype} {x.shape}; the channelizer takes contiguous complex64 (n,)")
        if block.index != self._next:
            self._start_at(block.index)
        self._next = block.end
        if self._filled == 0:
            x = x[max(0, min(len(x), self._window() - block.index)) :]
        held = self._filled + len(x)
        rows = (held - self._n) // self.hop + 1 if held >= self._n else 0
        result = {}
        for rate, bank in self._banks.items():
            hop = rate // ROWS_PER_SECOND
            samples = np.empty((len(bank.channels), rows * hop), dtype=np.complex64)
            result[rate] = BasebandBlock(samples, rate, self._row * hop - rate // 800)
        if self._banks or self._power is not None:
            for i in range(rows):
                self._fft.run(self._held, self._filled, x, i * self.hop)
                for rate, bank in self._banks.items():
                    at = i * (rate // ROWS_PER_SECOND)
                    bank.kernel().run(self._fft.re, self._fft.im, self._row + i, result[rate].samples, at)
                if self._power is not None:
                    self._fft.add_power(self._power)
                    self._powers += 1
        self._row += rows
        self._keep(rows * self.hop, x)
        return result

    def spectrum_db(self, bins: int = 1024) -> NDArray[np.float32] | None:
        """Mean power of the band since the last call, dBFS in each of `bins` equal slices, lowest frequency first.

        A tone of full scale reads about 0 dB in its slice. Hann window of 12.5 ms. The first call only starts the
        measurement, which costs little but is not free, and gives None, as does a call before the next row is ready;
        `stop_spectrum` ends it. bins: 1 … rate/80. Raises `RangeError` outside that.
        """
        if not 1 <= bins <= self._n:
            raise RangeError(f"bins = {bins} is outside 1 … {self._n}")
        if self._power is None or self._powers == 0:
            self._power = np.zeros(self._n, dtype=np.float32)
            self._powers = 0
            return None
        edges = (np.arange(bins) * self._n) // bins
        # The Hann window's mean square is 3/8: white noise and tones add up to their power.
        scale = 1 / (0.375 * float(self._n) ** 2 * self._powers)
        power = np.add.reduceat(np.fft.fftshift(self._power).astype(np.float64), edges) * scale
        self._power[:] = 0
        self._powers = 0
        return np.asarray(10 * np.log10(np.maximum(power, 1e-20)), dtype=np.float32)

    def stop_spectrum(self) -> None:
        """Measure no spectrum until it is asked for again."""
        self._power = None
        self._powers = 0

    def reset(self) -> None:
        """Back to the start of a source; the channels stay."""
        self.stop_spectrum()
        self._start_at(0)

    def _start_at(self, index: int) -> None:
        """Hold nothing and go on at `index`, at the first row that touches no missing sample."""
        self._next = index
        if index == 0:
            self._row, self._filled = 0, self._overlap
            self._held[: self._overlap] = 0
        else:
            self._row, self._filled = -((-index - self._overlap) // self.hop), 0

    def _window(self) -> int:
        """Index of the first sample of the next row."""
        return self._row * self.hop - self._overlap

    def _keep(self, used: int, x: NDArray[np.complex64]) -> None:
        """Hold what follows the first `used` samples of what was held and `x`: less than one window."""
        if used >= self._filled:
            rest = x[used - self._filled :]
            self._held[: len(rest)] = rest
            self._filled = len(rest)
            return
        stay = self._filled - used
        if used:
            self._held[:stay] = self._held[used : self._filled].copy()
        self._held[stay : stay + len(x)] = x
        self._filled = stay + len(x)

    def _find(self, number: int) -> tuple[_Bank, int]:
        for bank in self._banks.values():
            for row, channel in enumerate(bank.channels):
                if channel.number == number:
                    return bank, row
        raise RangeError(f"there is no channel {number}")

    def _make(self, number: int, offset_hz: float, bandwidth_hz: float, out_rate: int) -> _Channel:
        if out_rate <= 0 or out_rate % 2400 or not is_length(out_rate // BIN_HZ) or out_rate > self.rate:
            raise RateError(f"out_rate = {out_rate} S/s is not a multiple of 2400 up to the tuner's {self.rate} S/s")
        widest = min(out_rate - 2 * _TRANSITION_HZ, (out_rate / 2 - _TRANSITION_HZ - 950) / 0.4)
        if not 0 < bandwidth_hz <= widest:
            raise RangeError(
                f"bandwidth = {bandwidth_hz:g} Hz is outside 0 … {widest:g} Hz, the widest at {out_rate} S/s"
            )
        room = (self.rate - bandwidth_hz) / 2
        if not abs(offset_hz) <= room:
            raise RangeError(
                f"channel at {offset_hz:+.0f} Hz, {bandwidth_hz:g} Hz wide, is outside the tuner's band; "
                f"its centre can be within ±{room:.0f} Hz"
            )
        return _channel(number, float(offset_hz), float(bandwidth_hz), out_rate, self._n)


def _nearest(rate: int) -> int:
    """The lowest rate from `rate` up at which the channelizer works."""
    rate = max(48_000, -(-rate // 400) * 400)
    while split(rate // BIN_HZ) is None:
        rate += 400
    return rate
