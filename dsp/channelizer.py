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

import math
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from dsp._channelizer import BankKernel
from dsp.blocks import BasebandBlock, IqBlock
from dsp.design import lowpass
from dsp.direct import DirectChannel, DirectDesign, direct_design
from dsp.errors import RangeError, RateError, ShapeError
from dsp.fft import LANES, ForwardFft, is_length, lane_plan, split
from dsp.resample import USABLE, Resampler

LOWEST_RATE = 8_000

BIN_HZ = 80
"""Spacing of the bins: one over the 12.5 ms of a transform."""

ROWS_PER_SECOND = 100

ATTENUATION_DB = 84.0
"""Of the channel filter's Kaiser window; 4 dB more than promised, for what the cut at ±r/2 adds."""

_DIRECT_MOST = 4
"""Direct conversion is not even considered for more channels than this; at no rate does it pay."""

_FFT_COST = 2.5e6
_FFT_COST_SAMPLE = 7.7
"""Cost of the forward transform and one group of channels in the unit of `DirectDesign.cost`, measured as 0.3 ns: 2.6
and 6.2 ms per second at 0.96 and 2.4 MS/s, against 1.5 and 2.4 ms for a direct channel."""

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

    shape: float32 (out_rate/80,), gain of each bin. turn: float32 (hop, 2), cosine and sine of the fine shift. direct:
    converts it without the FFT, if that was chosen.
    """

    number: int
    offset_hz: float
    bandwidth_hz: float
    bin: int
    fine_hz: float
    shape: NDArray[np.float32]
    turn: NDArray[np.float32]
    direct: DirectChannel | None = None


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


_Window = tuple[NDArray[np.complex64], int, NDArray[np.complex64], int]
"""Where the samples of a row are: start of the window in head[:filled] followed by body."""


class _Bank:
    """The channels of one output rate; their tables are packed sixteen to a group when the set has changed."""

    def __init__(self, rate: int, fft: ForwardFft) -> None:
        self.rate, self._fft = rate, fft
        self.channels: list[_Channel] = []
        self._plan = lane_plan(rate // BIN_HZ)
        self._kernel: BankKernel | None = None
        self.changed()

    def changed(self) -> None:
        """The set of channels is another one: pack again before the next row."""
        self._kernel = None
        self._direct: list[tuple[int, DirectChannel]] = []
        self._packed = False

    @property
    def uses_fft(self) -> bool:
        return any(c.direct is None for c in self.channels)

    def run(self, row: int, out: NDArray[np.complex64], at: int) -> None:
        """One row of every channel that uses the transform into out[:, at : at + hop]."""
        if not self._packed:
            self._pack()
        if self._kernel is not None:
            self._kernel.run(self._fft.re, self._fft.im, row, out, at)

    def run_direct(self, window: _Window, row: int, out: NDArray[np.complex64]) -> None:
        """All rows of the other channels into out, (channels, rows · hop), the first one from `window`."""
        if not self._packed:
            self._pack()
        for i, direct in self._direct:
            direct.run(*window, row, out[i])

    def _pack(self) -> None:
        rows = [i for i, c in enumerate(self.channels) if c.direct is None]
        chosen = [self.channels[i] for i in rows]
        self._direct = [(i, c.direct) for i, c in enumerate(self.channels) if c.direct is not None]
        self._packed = True
        if not chosen:
            return
        groups = -(-len(chosen) // LANES)
        points, hop = self.rate // BIN_HZ, self.rate // ROWS_PER_SECOND
        shape = np.zeros((groups, points, LANES), dtype=np.float32)
        turn = np.zeros((groups, hop, 2, LANES), dtype=np.float32)
        for i, channel in enumerate(chosen):
            shape[i // LANES, :, i % LANES] = channel.shape
            turn[i // LANES, :, :, i % LANES] = channel.turn
        bins = np.array([c.bin for c in chosen], dtype=np.int64)
        fine_hz = np.array([c.fine_hz for c in chosen])
        start = bins % self._fft.n + self._fft.margin - points // 2
        numbers = np.array(rows, dtype=np.int64)
        self._kernel = BankKernel(self._plan, shape, turn, start, bins, fine_hz, numbers, self.rate, self.rate // 800)


class Channelizer:
    """Splits the band of one tuner into channels; see the head of this file.

    rate: of the tuner, samples per second, from `LOWEST_RATE`. Multiples of 400 from 48 000 whose N has no prime factor
    above 13 work directly; any other is resampled to the next such rate and loses the outer 5 % on each side of its
    band. Raises `RateError` below. method: "fft" or "direct" for all channels, or "auto": direct conversion (see
    `dsp/direct.py`) when that is cheaper for the channels that are there when the first block comes: up to one or two.
    A channel that is added later goes the direct way only if all others do and it is still cheaper; those that are
    there stay as they are.
    """

    def __init__(self, rate: int, method: Literal["auto", "fft", "direct"] = "auto") -> None:
        if rate < LOWEST_RATE:
            raise RateError(f"the channelizer cannot work at {rate} S/s; the lowest rate it can is {LOWEST_RATE} S/s")
        if method not in ("auto", "fft", "direct"):
            raise RangeError(f'method = "{method}" is none of "auto", "fft" and "direct"')
        self.rate, self.method = rate, method
        self._work_rate = _work_rate(rate)
        self._resampler = Resampler(rate, self._work_rate) if self._work_rate != rate else None
        self._n, self._hop = self._work_rate // BIN_HZ, self._work_rate // ROWS_PER_SECOND
        self._overlap = self._n - self._hop
        self._fft = ForwardFft(self._n, self._n // 2)
        self._banks: dict[int, _Bank] = {}
        self._numbers = 0
        self._begun = False
        self._held = np.zeros(self._n, dtype=np.complex64)
        self._power: NDArray[np.float32] | None = None
        self._powers = 0
        self._next = self._row = self._filled = 0
        self.reset()

    @property
    def delay(self) -> int:
        """Input samples by which the output lags: half the filter, and what resampling adds."""
        return -(-self.rate // 800) + (self._resampler.delay if self._resampler else 0)

    @property
    def hop(self) -> int:
        """Input samples that may wait for their row to be complete, besides `delay`: 10 ms."""
        return -(-self.rate // ROWS_PER_SECOND)

    def add(self, offset_hz: float, bandwidth_hz: float, out_rate: int = 24_000) -> int:
        """A new channel, in the last row of its output rate from the next row of time on; returns its number.

        offset_hz: of its centre from the tuner's. bandwidth_hz: −6 dB width (see the mask above). out_rate: a multiple
        of 800 from 16 000. Raises `RateError` for an output rate that does not fit and `RangeError` for a channel
        outside the band or wider than its output rate.
        """
        number = self._numbers
        channel = self._make(number, offset_hz, bandwidth_hz, out_rate, False)
        if self._adds_direct(bandwidth_hz, out_rate):
            channel = self._make(number, offset_hz, bandwidth_hz, out_rate, True)
        if out_rate not in self._banks:
            self._banks[out_rate] = _Bank(out_rate, self._fft)
            self._widest()
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
            self._widest()

    def retune(self, channel: int, offset_hz: float) -> None:
        """Move a channel, from the next row of time on. Raises `RangeError` as `add` does."""
        bank, row = self._find(channel)
        old = bank.channels[row]
        bank.channels[row] = self._make(old.number, offset_hz, old.bandwidth_hz, bank.rate, old.direct is not None)
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
        if self._resampler:
            block = self._resampler.process(block)
            x = block.samples
        if block.index != self._next:
            self._start_at(block.index)
        self._next = block.end
        if self._filled == 0:
            x = x[max(0, min(len(x), self._window() - block.index)) :]
        held = self._filled + len(x)
        rows = (held - self._n) // self._hop + 1 if held >= self._n else 0
        result = {}
        for rate, bank in self._banks.items():
            hop = rate // ROWS_PER_SECOND
            samples = np.empty((len(bank.channels), rows * hop), dtype=np.complex64)
            result[rate] = BasebandBlock(samples, rate, self._row * hop - rate // 800)
        if not self._begun and self._banks:
            self._begin()
        uses_fft = self._power is not None or any(bank.uses_fft for bank in self._banks.values())
        if rows:
            for rate, bank in self._banks.items():
                bank.run_direct((self._held, self._filled, x, 0), self._row, result[rate].samples)
        if uses_fft:
            for i in range(rows):
                self._fft.run(self._held, self._filled, x, i * self._hop)
                for rate, bank in self._banks.items():
                    bank.run(self._row + i, result[rate].samples, i * (rate // ROWS_PER_SECOND))
                if self._power is not None:
                    self._fft.add_power(self._power)
                    self._powers += 1
        self._row += rows
        self._keep(rows * self._hop, x)
        return result

    def spectrum_db(self, bins: int = 1024) -> NDArray[np.float32] | None:
        """Mean power of the band since the last call, dBFS in each of `bins` equal slices, lowest frequency first.

        A tone of full scale reads about 0 dB in its slice. Hann window of 12.5 ms. The first call only starts the
        measurement, which costs little but is not free, and gives None, as does a call before the next row is ready;
        `stop_spectrum` ends it. bins: 1 … rate/80; the slices cover the tuner's rate. Raises `RangeError` outside that.
        """
        lines = min(self._n, round(self.rate / BIN_HZ))
        if not 1 <= bins <= lines:
            raise RangeError(f"bins = {bins} is outside 1 … {lines}")
        if self._power is None or self._powers == 0:
            self._power = np.zeros(self._n, dtype=np.float32)
            self._powers = 0
            return None
        edges = (np.arange(bins) * lines) // bins
        lowest = self._n // 2 - lines // 2
        # The Hann window's mean square is 3/8: white noise and tones add up to their power.
        scale = 1 / (0.375 * float(self._n) ** 2 * self._powers)
        power = np.add.reduceat(np.fft.fftshift(self._power)[lowest : lowest + lines].astype(np.float64), edges) * scale
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
        if self._resampler:
            self._resampler.reset()
        self._start_at(0)

    def _start_at(self, index: int) -> None:
        """Hold nothing and go on at `index`, at the first row that touches no missing sample."""
        self._next = index
        if index == 0:
            self._row, self._filled = 0, self._overlap
            self._held[: self._overlap] = 0
        else:
            self._row, self._filled = -((-index - self._overlap) // self._hop), 0

    def _window(self) -> int:
        """Index of the first sample of the next row."""
        return self._row * self._hop - self._overlap

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

    def _widest(self) -> None:
        """Continue the band as far as half the widest slice reaches beyond it."""
        self._fft.reach = max((rate // BIN_HZ // 2 for rate in self._banks), default=1)

    def _find(self, number: int) -> tuple[_Bank, int]:
        for bank in self._banks.values():
            for row, channel in enumerate(bank.channels):
                if channel.number == number:
                    return bank, row
        raise RangeError(f"there is no channel {number}")

    def _begin(self) -> None:
        """The first block with channels: choose how they are converted."""
        self._begun = True
        if self.method != "auto" or not self._cheaper_direct([]):
            return
        for bank in self._banks.values():
            bank.channels = [self._make(c.number, c.offset_hz, c.bandwidth_hz, bank.rate, True) for c in bank.channels]
            bank.changed()

    def _adds_direct(self, bandwidth_hz: float, out_rate: int) -> bool:
        """Whether a channel that is added now goes the direct way."""
        if self.method != "auto" or not self._begun:
            return self.method == "direct"
        if any(bank.uses_fft for bank in self._banks.values()):
            return False
        return self._cheaper_direct([(bandwidth_hz, out_rate)])

    def _cheaper_direct(self, more: list[tuple[float, int]]) -> bool:
        """Whether the channels, and some `more`, cost less by direct conversion than by one shared transform."""
        wanted = [(c.bandwidth_hz, bank.rate) for bank in self._banks.values() for c in bank.channels] + more
        if len(wanted) > _DIRECT_MOST:
            return False
        designs = [self._design(*w) for w in wanted]
        direct = sum(math.inf if d is None else d.cost for d in designs)
        return direct <= _FFT_COST + _FFT_COST_SAMPLE * self._work_rate

    def _design(self, bandwidth_hz: float, out_rate: int) -> DirectDesign | None:
        cutoff_hz = channel_cutoff_hz(bandwidth_hz)
        return direct_design(self._work_rate, out_rate, cutoff_hz, _TRANSITION_HZ, ATTENUATION_DB)

    def _make(self, number: int, offset_hz: float, bandwidth_hz: float, out_rate: int, wants_direct: bool) -> _Channel:
        if out_rate < 16_000 or out_rate % 800 or not is_length(out_rate // BIN_HZ) or out_rate > self._work_rate:
            raise RateError(f"out_rate = {out_rate} S/s is not a multiple of 800 from 16000 to {self._work_rate} S/s")
        widest = min(out_rate - 2 * _TRANSITION_HZ, (out_rate / 2 - _TRANSITION_HZ - 950) / 0.4)
        if not 0 < bandwidth_hz <= widest:
            raise RangeError(
                f"bandwidth = {bandwidth_hz:g} Hz is outside 0 … {widest:g} Hz, the widest at {out_rate} S/s"
            )
        usable = self.rate * (2 * USABLE if self._resampler else 1.0)
        room = (usable - bandwidth_hz) / 2
        if not abs(offset_hz) <= room:
            raise RangeError(
                f"channel at {offset_hz:+.0f} Hz, {bandwidth_hz:g} Hz wide, is outside the tuner's band; "
                f"its centre can be within ±{room:.0f} Hz"
            )
        channel = _channel(number, float(offset_hz), float(bandwidth_hz), out_rate, self._n)
        if not wants_direct:
            return channel
        design = self._design(bandwidth_hz, out_rate)
        if design is None:
            if self.method == "direct":
                raise RateError(
                    f"direct conversion does not lead from {self._work_rate} to {out_rate} S/s; the FFT does"
                )
            return channel
        return replace(channel, direct=DirectChannel(design, BIN_HZ * channel.bin, channel.fine_hz))


def _work_rate(rate: int) -> int:
    """The lowest rate from `rate` up at which the transform works."""
    rate = max(48_000, -(-rate // 400) * 400)
    while split(rate // BIN_HZ) is None:
        rate += 400
    return rate
