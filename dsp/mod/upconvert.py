"""Places a channel's baseband at an offset in a wider band: interpolation by any ratio, and a shift.

Overlap-save in frames of 10 ms: each input frame, with 5 ms on either side, goes through one FFT; its bins times the
channel filter go to the bins around the offset of the wide FFT; the middle of the inverse FFT is the output. What of
the offset is no multiple of 50 Hz (the bins of 20 ms) is made up by a slow turn of the output. The filter is no longer
than the overlap and 100 dB down at the input's band edge, so nothing wraps round and no image is left.

Frames lie on the absolute index, so the result is the same bit for bit however the input is cut.
"""

import numpy as np
from numpy.typing import NDArray
from scipy import fft

from dsp.blocks import IqBlock
from dsp.design import lowpass
from dsp.errors import RangeError, RateError
from dsp.mod import phase

_FRAMES_PER_S = 100
_STOP_DB = 100.0
_EDGE_HZ = 700.0
"""Transition of a Kaiser low-pass of 10 ms with 100 dB: 640 Hz at any rate, and some to spare."""


class Upconverter:
    """Baseband at `rate` → the same signal, shifted by `offset_hz`, at `out_rate`.

    rate, out_rate: multiples of 200 samples/s, the second not smaller. offset_hz: the input's whole band,
    ±`rate`/2, lies inside ±`out_rate`/2. The passband is ±(`rate`/2 − 700 Hz). delay: at most, in input samples;
    the output comes in frames of 10 ms.

    Raises `RateError` and `RangeError`.
    """

    def __init__(self, rate: int, out_rate: int, offset_hz: float) -> None:
        for name, value in (("rate", rate), ("out_rate", out_rate)):
            if value <= 0 or value % (2 * _FRAMES_PER_S):
                nearest = max(1, round(value / 200)) * 200
                raise RateError(f"{name} = {value} samples/s is no multiple of 200; nearest {nearest}")
        if out_rate < rate:
            raise RateError(f"out_rate = {out_rate} samples/s is less than the input's {rate}")
        if abs(offset_hz) + rate / 2 > out_rate / 2:
            raise RangeError(
                f"offset = {offset_hz:g} Hz: a band of {rate} Hz there does not fit in ±{out_rate // 2} Hz; "
                f"at most ±{(out_rate - rate) // 2}"
            )
        self.rate = rate
        self.out_rate = out_rate
        self.offset_hz = offset_hz
        self._hop = rate // _FRAMES_PER_S
        self._margin = self._hop // 2
        self._out_hop = out_rate // _FRAMES_PER_S
        self._out_margin = self._out_hop // 2
        self._bin_hz = _FRAMES_PER_S / 2
        self._bin = round(offset_hz / self._bin_hz)
        self._fine = phase.step(offset_hz, out_rate)
        n = 2 * self._hop
        taps = np.zeros(n)
        length = 2 * (self._margin - 1) + 1
        taps[:length] = lowpass(rate / 2 - _EDGE_HZ / 2, rate, length, _STOP_DB)
        self._filter = fft.fft(np.roll(taps, -(length // 2))).real * (self._out_hop / self._hop)
        bins = np.arange(n) - n // 2
        self._from = bins % n
        self._to = (bins + self._bin) % (2 * self._out_hop)
        self.reset()

    @property
    def delay(self) -> int:
        """Input samples held back, at most: the overlap and one frame."""
        return self._margin + self._hop - 1

    def reset(self) -> None:
        """Back to the constructed state."""
        self._next: int | None = None
        self._held: NDArray[np.complex64] = np.zeros(0, np.complex64)
        self._frame = 0
        self._skip = 0

    def process(self, block: IqBlock) -> IqBlock:
        """Whole frames of what has come in; the first output sample is that of the first input sample.

        A jump of the index drops what is held and starts afresh. Raises `RateError` for another rate and `RangeError`
        where a stream starts between output samples.
        """
        if block.rate != self.rate:
            raise RateError(f"input at {block.rate} samples/s; this upconverter was built for {self.rate}")
        if block.index != self._next:
            self._begin(block.index)
        self._next = block.end
        held = np.concatenate([self._held, block.samples])
        n = 2 * self._hop
        count = max(0, (len(held) - n) // self._hop + 1)
        parts = [self._convert(held[k * self._hop : k * self._hop + n], self._frame + k) for k in range(count)]
        self._held = held[count * self._hop :]
        return self._emit(parts)

    def flush(self) -> IqBlock:
        """What is still inside, up to the last input sample."""
        if self._next is None:
            return IqBlock(np.zeros(0, np.complex64), self.out_rate, 0)
        end, rest = divmod(self._next * self.out_rate, self.rate)
        end += rest > 0
        last = self._next
        frame_end = -(-(last + self._margin) // self._hop) * self._hop + self._hop
        out = self.process(IqBlock(np.zeros(frame_end - last, np.complex64), self.rate, last))
        self._next = None
        return IqBlock(out.samples[: max(0, end - out.index)], self.out_rate, out.index)

    def _begin(self, index: int) -> None:
        frame = index // self._hop
        first, rest = divmod(index * self.out_rate, self.rate)
        first += rest > 0
        self._frame = frame
        self._skip = first - frame * self._out_hop
        self._held = np.zeros(index - frame * self._hop + self._margin, np.complex64)

    def _convert(self, x: NDArray[np.complex64], frame: int) -> NDArray[np.complex64]:
        spectrum = fft.fft(x.astype(np.complex128)) * self._filter
        wide = np.zeros(2 * self._out_hop, np.complex128)
        wide[self._to] = spectrum[self._from]
        y = fft.ifft(wide)[self._out_margin : self._out_margin + self._out_hop]
        # The bins turned by `_bin` from the start of this frame's FFT; the rest of the absolute phase is made up here.
        start = frame * self._out_hop
        n = np.arange(start, start + self._out_hop, dtype=np.int64)
        coarse = phase.step(self._bin * self._bin_hz, self.out_rate)
        turn = phase.at(n, self._fine) - phase.at(n - (start - self._out_margin), coarse)
        return np.asarray(y * phase.phasor(turn & (phase.TURN - 1)), np.complex64)

    def _emit(self, parts: list[NDArray[np.complex64]]) -> IqBlock:
        start = self._frame * self._out_hop + self._skip
        self._frame += len(parts)
        y = np.concatenate(parts) if parts else np.zeros(0, np.complex64)
        drop = min(self._skip, len(y))
        self._skip -= drop
        return IqBlock(y[drop:], self.out_rate, start)
