"""The reader's side of a live source: raw samples out of the ring, converted, with their index and the counters."""

from collections.abc import Callable

import numpy as np

from dsp.blocks import IqBlock
from dsp.convert import SampleType, to_complex
from hw.base import SourceStatistics
from hw.ring import RingStatistics, SampleRing

MAX_SAMPLES = 1 << 18
"""Most samples one `read` gives."""


_LOOK_S = 0.1  # how often a waiting reader asks whether the device still lives


class RingReader:
    """Reads `ring` as IqBlocks.

    kind: how the samples lie in it. rate: samples per second. check: called now and then while nothing comes; may fail
    the ring.
    """

    def __init__(self, ring: SampleRing, kind: SampleType, rate: int, check: Callable[[], None] | None = None) -> None:
        self._ring = ring
        self._check = check
        self._kind = kind
        self._rate = rate
        self._raw = np.empty(0, np.uint8)
        self._samples = np.empty(0, np.complex64)
        self._end = 0
        self._delivered = self._lost = self._gaps = self._clipped = self._invalid = 0

    def read(self, n: int) -> IqBlock | None:
        """As `Source.read`; waits until there is something."""
        if n < 1:
            raise ValueError(f"read({n}): at least 1 sample must be asked for")
        n = min(n, MAX_SAMPLES)
        if len(self._samples) < n:
            self._raw = np.empty(n * self._kind.size, np.uint8)
            self._samples = np.empty(n, np.complex64)
        raw = self._raw[: n * self._kind.size]
        timeout_s = None if self._check is None else _LOOK_S
        got = self._ring.read(raw, timeout_s)
        while got is not None and not got[0]:
            if self._check is not None:
                self._check()
            got = self._ring.read(raw, timeout_s)
        if got is None:
            return None
        count, index = got
        out = self._samples[:count]
        counts = to_complex(self._raw[: count * self._kind.size], self._kind, out)
        if index != self._end:
            self._gaps += 1
            self._lost += index - self._end
        self._end = index + count
        self._delivered += count
        self._clipped += counts.clipped
        self._invalid += counts.invalid
        return IqBlock(out, self._rate, index)

    def statistics(self) -> SourceStatistics:
        """As `Source.statistics`."""
        return SourceStatistics(self._delivered, self._lost, self._gaps, self._clipped, self._invalid)


class Streamed:
    """What a Tuner has that a thread of its own fills a ring for."""

    _ring: SampleRing
    _reader: RingReader

    def read(self, n: int) -> IqBlock | None:
        """As `Source.read`; waits for samples. None once it is closed; `DeviceLost` once the device is gone."""
        return self._reader.read(n)

    def statistics(self) -> SourceStatistics:
        """Counters since it was opened."""
        return self._reader.statistics()

    def ring_statistics(self) -> RingStatistics:
        """Counters of the ring between the device's thread and the reader."""
        return self._ring.statistics()
