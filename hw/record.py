"""Recording a source: read, write, until the time is up, the source ends, or somebody says stop."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

from dsp.blocks import IqBlock
from dsp.convert import WRITABLE_TYPES
from hw.base import Source, SourceInfo
from hw.sigmfwriter import SigmfWriter


class Ending(Enum):
    """Why a recording ended."""

    TIME = "time"
    """As long as was asked for."""
    SOURCE = "source"
    """The source ended."""
    STOP = "stop"
    """The stop flag was set."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """What a recording holds so far.

    duration_s: from the first sample to the last, gaps included. samples: in the file. lost, gaps: missing between
    them. clipped: samples the file's type could not hold. ending: None while it runs.
    """

    duration_s: float
    samples: int
    lost: int
    gaps: int
    clipped: int
    ending: Ending | None = None


def best_type(info: SourceInfo) -> str:
    """The sample type that keeps every bit of the source: its own if it can be written, else cf32_le."""
    return info.sample_type if info.sample_type in WRITABLE_TYPES else "cf32_le"


def record(
    source: Source,
    writer: SigmfWriter,
    seconds: float | None = None,
    progress: Callable[[Recorded], None] | None = None,
    stop: Callable[[], bool] = lambda: False,
) -> Recorded:
    """Copy `source` to `writer`; neither is closed.

    seconds: sample time to record, gaps included; None for no limit. progress: called about four times a second of
    signal. stop: asked before each block of 20 ms; true ends the recording. What the source or the writer raises comes
    through; what was written until then is in the file.
    """
    rate = writer.rate
    limit = None if seconds is None else round(seconds * rate)
    origin: int | None = None
    end = reported = 0

    def so_far(ending: Ending | None = None) -> Recorded:
        return Recorded(end / rate, writer.samples, writer.lost, writer.gaps, writer.clipped, ending)

    while limit is None or end < limit:
        if stop():
            return so_far(Ending.STOP)
        wanted = max(1, rate // 50)
        block = source.read(wanted if limit is None else min(wanted, limit - end))
        if block is None:
            return so_far(Ending.SOURCE)
        if origin is None:
            origin = block.index
        if limit is not None and block.end - origin > limit:
            # Samples were lost just before the end: the gap reaches into, or over, the time that was asked for.
            keep = limit - (block.index - origin)
            if keep <= 0:
                break
            block = IqBlock(block.samples[:keep], block.rate, block.index)
        writer.write(block)
        end = block.end - origin
        if progress is not None and end - reported >= rate // 4:
            reported = end
            progress(so_far())
    return so_far(Ending.TIME)
