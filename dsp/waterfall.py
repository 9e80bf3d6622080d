"""Power of a band over time, as a picture that stays small however long the recording is.

Windowed FFTs of `columns` points, their power averaged into rows. A row begins as `hop` samples; whenever twice
`max_rows` rows are full, neighbours are averaged and each row stands for twice the time. Windows lie at multiples of
their length in the sample index, so the picture does not depend on how the input was cut, and a gap leaves its rows
without power (−inf dB).
"""

import numpy as np
from numpy.typing import NDArray

from dsp.blocks import IqBlock
from dsp.design import kaiser_window


class Waterfall:
    """Averaged power spectra of a band.

    rate: samples per second. columns: FFT length, so columns of rate/columns Hz. max_rows: rows of the picture, at
    most. skip: only one window in `skip` is looked at, to keep it cheap.
    """

    def __init__(self, rate: int, columns: int = 512, max_rows: int = 700, skip: int = 1) -> None:
        self.rate = rate
        self.columns = columns
        self.max_rows = max_rows
        self.skip = skip
        self._window = kaiser_window(columns, 90.0).astype(np.float32)
        self._window /= np.float32(np.sqrt((self._window.astype(np.float64) ** 2).sum() * columns))
        self.reset()

    def reset(self) -> None:
        """Back to an empty picture."""
        self._windows_per_row = 1
        self._power = np.zeros((2 * self.max_rows, self.columns), np.float64)
        self._count = np.zeros(2 * self.max_rows, np.int64)
        self._held = np.zeros(0, np.complex64)
        self._next = 0

    @property
    def seconds_per_row(self) -> float:
        """Time one row of `image_db` stands for."""
        return self._windows_per_row * self.skip * self.columns / self.rate

    def process(self, block: IqBlock) -> None:
        """Add the samples of one block (n,) complex64."""
        if block.index != self._next or self._held.size == 0:
            self._held = np.zeros(0, np.complex64)
            first = block.index
        else:
            first = block.index - self._held.size
        samples = np.concatenate([self._held, block.samples]) if self._held.size else block.samples
        self._next = block.end
        step = self.columns * self.skip
        start = -(-first // step)
        stop = (block.end - self.columns) // step + 1
        for number in range(start, stop):
            at = number * step - first
            spectrum = np.fft.fft(samples[at : at + self.columns] * self._window)
            self._add(number, spectrum.real**2 + spectrum.imag**2)
        keep = min(samples.size, max(0, block.end - max(stop, start) * step))
        self._held = samples[samples.size - keep :].copy()

    def _add(self, number: int, power: NDArray[np.float64]) -> None:
        while number // self._windows_per_row >= len(self._power):
            self._power = np.concatenate([self._power[0::2] + self._power[1::2], np.zeros_like(self._power[::2])])
            self._count = np.concatenate([self._count[0::2] + self._count[1::2], np.zeros_like(self._count[::2])])
            self._windows_per_row *= 2
        row = number // self._windows_per_row
        self._power[row] += power
        self._count[row] += 1

    def image_db(self) -> NDArray[np.float32]:
        """Power in dB of full scale, (rows, columns) float32, lowest frequency first; −inf where samples miss."""
        used = np.flatnonzero(self._count)
        rows = int(used[-1]) + 1 if used.size else 0
        with np.errstate(divide="ignore", invalid="ignore"):
            mean = self._power[:rows] / self._count[:rows, None]
            image = 10 * np.log10(np.where(np.isfinite(mean), mean, 0.0))
        return np.fft.fftshift(image, axes=1).astype(np.float32)
