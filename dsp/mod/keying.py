"""When the carrier is on: overs, each with a soft rise and fall and the tail its squelch tone asks for.

    key            unkey         end
     │               │            │
     ╭───────────────┬────────────╮
    ─╯   speech      │  tail      ╰─     raised-cosine edges inside key … end

Keyed again in the tail, the carrier stays on: the tail is cut, and the next over begins without a rise.

Times are sample indices of the speech (8 kHz), on the air. Everything is a function of the absolute index, so nothing
here depends on how the stream is cut.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from dsp.errors import RangeError


@dataclass(frozen=True, slots=True)
class Over:
    """One over in output samples: first sample with carrier, release of the key, first sample without carrier.

    rises, falls: whether the carrier comes up and goes down with it, or is handed on from or to the over beside it.
    """

    key: int
    unkey: int | None = None
    end: int | None = None
    rises: bool = True
    falls: bool = True


class Keying:
    """The overs of one transmitter. Unkeyed means no carrier: exact zeros.

    factor: output samples for one speech sample. rise: length of each edge, tail: carrier after the release, in output
    samples.
    """

    def __init__(self, factor: int, rise: int, tail: int) -> None:
        self._factor = factor
        self._rise = rise
        self._tail = tail
        self.reset()

    def reset(self) -> None:
        """No overs."""
        self._overs: list[Over] = []
        self._done = 0

    @property
    def end(self) -> int:
        """Speech index at which the last carrier that has been unkeyed is gone; 0 if there was none."""
        last = next((o.end for o in reversed(self._overs) if o.end is not None), 0)
        return -(-last // self._factor)

    @property
    def keyed(self) -> bool:
        """Whether an over has been begun and not released."""
        return bool(self._overs) and self._overs[-1].unkey is None

    def key(self, index: int) -> None:
        """Carrier on from speech sample `index`, or from the end of a fall it would meet.

        Raises `RangeError` if that is past, or an over is still on.
        """
        at = index * self._factor
        last = self._overs[-1] if self._overs else None
        if last and last.unkey is None:
            raise RangeError(f"key at {index}: the over keyed at {last.key // self._factor} has not been unkeyed")
        if last and last.unkey is not None and at < last.unkey:
            raise RangeError(f"key at {index}: the over before is keyed until {-(-last.unkey // self._factor)}")
        if at < self._done:
            raise RangeError(f"key at {index}: samples up to {self._done // self._factor} have been sent")
        handed_on = False
        if last and last.end is not None and at < last.end:
            handed_on = at < last.end - self._rise
            if handed_on:
                self._overs[-1] = replace(last, end=at, falls=False)
            else:
                at = last.end
        self._overs.append(Over(at, rises=not handed_on))

    def unkey(self, index: int) -> None:
        """Key up from speech sample `index` on; the carrier ends after the tail. Overs not begun by then are dropped.

        Never refused: if the index is past, it is now; an earlier release than one already asked for counts; without an
        over there is nothing to do.
        """
        at = max(index * self._factor, self._done)
        self._overs = [o for o in self._overs if o.key < at]
        if not self._overs:
            return
        last = self._overs[-1]
        if last.unkey is not None:
            at = min(at, last.unkey)
        # An over released at once still has room for both edges.
        self._overs[-1] = replace(last, unkey=at, end=max(at + self._tail, last.key + 2 * self._rise), falls=True)

    def overs(self, start: int, stop: int) -> list[Over]:
        """Overs with carrier anywhere in start … stop, in order. Samples before `start` are sent from now on."""
        self._done = max(self._done, stop)
        found = [o for o in self._overs if o.key < stop and (o.end is None or o.end > start)]
        # Keep the last one, whose end may be asked for.
        self._overs = [o for o in self._overs[:-1] if o.end is None or o.end > start] + self._overs[-1:]
        return found

    def envelope(self, over: Over, index: NDArray[np.int64]) -> NDArray[np.float64]:
        """Amplitude 0 … 1 of one over at the given output samples."""
        ramp = self._ramp(index - over.key + 1, over.rises)
        if over.end is not None:
            ramp = np.minimum(ramp, self._ramp(over.end - index, over.falls))
        return np.asarray(0.5 - 0.5 * np.cos(np.pi * ramp))

    def _ramp(self, inside: NDArray[np.int64], soft: bool) -> NDArray[np.float64]:
        return np.clip(inside / (self._rise + 1) if soft else inside, 0.0, 1.0)
