"""The seams: what a source of samples looks like from above, whatever stands behind it.

A Source yields blocks until it ends or fails. A Tuner is a Source that can be set; its setters return what was really
set, since hardware rounds. Reading is pull: `read(n)` gives at most `n` samples, an empty answer never, `None` at the
end. What a device lost shows as a jump of the index between two blocks and in `statistics()`.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from dsp.blocks import IqBlock, RowBlock


@dataclass(frozen=True, slots=True)
class SourceInfo:
    """What is known of a source once it is open.

    description: for people: file name or device name and serial.
    kind: "iq", or "discriminator" for FM-demodulated audio of one channel.
    rate: samples per second.
    center_hz: frequency of 0 Hz of the baseband; None if nobody said.
    length: samples until the end; None for a live source or if it cannot be known.
    start: time of the first sample, with time zone; None if nobody said.
    sample_type: as SigMF writes it: "cu8", "ci16_le", "cf32_le" …
    hardware: what recorded it, if it says so.
    notes: what a technician should know: bytes left over, a header that was not believed, a length cut short.
    """

    description: str
    kind: str
    rate: int
    center_hz: int | None
    length: int | None
    start: datetime | None
    sample_type: str
    hardware: str | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SourceStatistics:
    """Counters since the source was opened.

    samples: samples delivered. lost: samples missing (the sum of all index jumps). gaps: number of jumps.
    clipped: samples at full scale, where the source can tell. invalid: NaN or infinite values, set to zero.
    """

    samples: int = 0
    lost: int = 0
    gaps: int = 0
    clipped: int = 0
    invalid: int = 0


@runtime_checkable
class Source(Protocol):
    """Yields IqBlocks until it ends or fails."""

    @property
    def info(self) -> SourceInfo:
        """What is known of it."""
        ...

    def read(self, n: int) -> IqBlock | None:
        """At most `n` samples and at least one; None at the end. The samples are valid until the next `read`.

        Raises `DeviceLost` when a device is gone, `SourceError` when a recording cannot be read on.
        """
        ...

    def statistics(self) -> SourceStatistics:
        """Counters since it was opened."""
        ...

    def close(self) -> None:
        """Give everything back. May be called twice."""
        ...


@runtime_checkable
class DiscriminatorSource(Protocol):
    """Yields FM-discriminator audio of one channel (1 row), in units of full scale, until it ends or fails."""

    @property
    def info(self) -> SourceInfo:
        """What is known of it; `kind` is "discriminator"."""
        ...

    def read(self, n: int) -> RowBlock | None:
        """At most `n` samples and at least one; None at the end."""
        ...

    def statistics(self) -> SourceStatistics:
        """Counters since it was opened."""
        ...

    def close(self) -> None:
        """Give everything back. May be called twice."""
        ...


@runtime_checkable
class Tuner(Source, Protocol):
    """A Source with frequency, gain and ppm. Each setter returns what was really set."""

    def tune(self, center_hz: int) -> int:
        """Set the centre frequency."""
        ...

    def set_gain(self, gain_db: float | None) -> float | None:
        """Set the gain in dB; None asks for the device's own automatic gain."""
        ...

    def set_ppm(self, ppm: float) -> float:
        """Set the frequency correction in parts per million."""
        ...


ComplexSamples = NDArray[np.complex64]
