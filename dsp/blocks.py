"""The values that travel down the line: samples, their rate, and the index of the first one.

Time is a sample index. `index` counts samples of the block's own rate since the start of the source; the block after
`b` normally starts at `b.end`. If it starts later, the samples between are lost, and every stage sees that: a jump in
the index *is* the loss. A stage never closes the gap by joining what lies on both sides of it.

    tuner        IqBlock        (n,)       complex64   240 kS/s … 20 MS/s
    channelizer  BasebandBlock  (rows, n)  complex64   24 or 48 kS/s, one row a channel
    demodulator  RowBlock       (rows, n)  float32     24 or 48 kS/s (Hz for FM), or 8 kS/s speech
    port         AudioBlock     (n,)       float32     8 kS/s, full scale ±1.0
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dsp.errors import RateError, ShapeError

AUDIO_RATE = 8000
"""Samples per second of all speech inside the bridge."""

TICK_SAMPLES = 160
"""Audio samples in one 20 ms tick of the matrix."""


class _Block:
    """What all blocks have in common."""

    __slots__ = ()
    samples: NDArray[np.generic]
    index: int

    @property
    def end(self) -> int:
        """Index of the sample after the last one."""
        return self.index + int(self.samples.shape[-1])


@dataclass(frozen=True, slots=True)
class IqBlock(_Block):
    """Complex samples of one tuner, full scale ±1.0 on each of I and Q.

    samples: (n,) complex64, C-contiguous. A source may use the memory again: valid until its next `read`.
    rate: samples per second.
    index: index of samples[0] since the start of the source, at `rate`.
    """

    samples: NDArray[np.complex64]
    rate: int
    index: int


@dataclass(frozen=True, slots=True)
class BasebandBlock(_Block):
    """Complex baseband of several channels of one rate, one row a channel.

    samples: (rows, n) complex64, C-contiguous.
    """

    samples: NDArray[np.complex64]
    rate: int
    index: int


@dataclass(frozen=True, slots=True)
class RowBlock(_Block):
    """Real samples of several channels of one rate, one row a channel.

    samples: (rows, n) float32, C-contiguous: FM deviation in hertz, or speech at full scale ±1.0.
    """

    samples: NDArray[np.float32]
    rate: int
    index: int


@dataclass(frozen=True, slots=True)
class AudioBlock(_Block):
    """Speech of one port, full scale ±1.0.

    samples: (n,) float32.
    """

    samples: NDArray[np.float32]
    rate: int
    index: int


def baseband_rows(block: BasebandBlock, rows: int, rate: int, stage: str) -> NDArray[np.complex64]:
    """The samples of a block, (rows, n) complex64.

    rows, rate, stage: what the stage takes and what it is called in the message. Raises `ShapeError` for another shape
    or dtype, `RateError` for another rate.
    """
    _check(block, np.dtype(np.complex64), rows, rate, stage)
    return block.samples


def real_rows(block: RowBlock, rows: int, rate: int, stage: str) -> NDArray[np.float32]:
    """As `baseband_rows`: (rows, n) float32."""
    _check(block, np.dtype(np.float32), rows, rate, stage)
    return block.samples


def _check(block: BasebandBlock | RowBlock, dtype: np.dtype[np.generic], rows: int, rate: int, stage: str) -> None:
    x = block.samples
    if x.dtype != dtype or x.ndim != 2 or x.shape[0] != rows:
        raise ShapeError(f"samples are {x.dtype} {x.shape}; this {stage} takes {dtype} ({rows}, n)")
    if block.rate != rate:
        raise RateError(f"samples at {block.rate} S/s; this {stage} takes {rate} S/s")
