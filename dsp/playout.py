"""The launch buffer: plays an over from its true start, late, and wins the delay back in the speaker's pauses.

An over is decided after it began, and a slow transmitter takes up to seconds until it carries speech. So playback
starts late, at the first sample. It then runs at the pace of the air, at the speaker's pitch, and jumps ahead inside
pauses until no more than `reserve` is held back.

    Speech     the over's audio as it becomes known, in a ring; every 5 ms hop is marked pause or not
    Playout    a cursor in it; several can play one Speech with different delays

A hop counts as pause if its energy, alone and averaged over 15 ms, is less than 6 dB above the quietest hop of late
and at least 13 dB below the loudest; 40 dB below the loudest is always a pause. The quietest is forgotten at 4 dB a
second, the loudest at 2 dB a second. Of a pause 40 % remains, but no less than 60 ms and no more than 150 ms, and its
first and last 30 ms are never touched, so that weak endings and beginnings of words stay. The two sides of a jump are
faded into each other over 5 ms.

All samples are accounted for: `played + skipped + lost` is how far the cursor has come.
"""

import numpy as np
from numpy.typing import NDArray

from dsp._playout import HOP, Cursor, Store
from dsp.blocks import AUDIO_RATE, TICK_SAMPLES
from dsp.errors import RangeError, ShapeError

RESERVE = 16
"""Samples that playback tries to stay behind what is known: 2 ms for the unevenness with which it arrives."""

HOP_SAMPLES = HOP
"""Samples over which a pause is judged: 5 ms."""

Audio = NDArray[np.float32]


class Speech(Store):
    """The audio of one over as it becomes known.

    start: on-air index of its first sample (8 kHz). keep: samples to keep, rounded up to a power of two, `capacity`; a
    cursor that falls further behind loses what was overwritten, and counts it. `end`: on-air index after the last
    sample known. `ended`, after `flush`: no more will come. `reset` forgets everything; cursors of before are of no
    more use. Raises `RangeError` for less than one tick.
    """

    __slots__ = ()

    def __init__(self, start: int, keep: int = 2 * AUDIO_RATE) -> None:
        if keep < TICK_SAMPLES:
            raise RangeError(f"keep = {keep} samples is less than a tick; {TICK_SAMPLES} or more")
        super().__init__(start, 1 << (keep - 1).bit_length())

    def push(self, samples: Audio) -> None:
        """Add what became known: (n,) float32, following without a gap (lost samples are given as zeros).

        NaN and infinity become 0. Raises `ShapeError`.
        """
        if samples.ndim != 1 or not self.take(samples):
            if samples.dtype != np.float32 or samples.ndim != 1:
                raise ShapeError(f"speech is {samples.dtype} {samples.shape}; it must be float32 (n,)")
            self.take(np.ascontiguousarray(samples))

    def read(self, start: int, n: int) -> Audio:
        """(n,) float32 from on-air index `start`, newly allocated. Raises `RangeError` for what is not kept (yet)."""
        if not max(self.start, self.end - self.capacity) <= start <= start + n <= self.end:
            raise RangeError(f"{start} … {start + n} is not kept of an over that is known up to {self.end}")
        out = np.zeros(n, np.float32)
        self.copy(start, out)
        return out

    def pauses(self) -> NDArray[np.bool_]:
        """Of the hops still kept, oldest first, which are pauses: (n,) bool."""
        return np.array(self.marks(), np.bool_)


class Playout(Cursor):
    """A cursor that plays a Speech.

    start: on-air index of the first sample to play; None for the beginning. reserve: samples to stay behind what is
    known. Raises `RangeError` where start does not lie in what is known.

        pull(out)         plays the next samples into `out`, (n,) float32, C-contiguous; zeros where nothing is yet
        pull_ticks(out)   several ticks, as if each tick's sound of an over that goes on had come just before it
        drains_in(limit)  of an over that has ended: how many ticks there still are to play, at most `limit`
        reset()           back to the first sample

        position          on-air index of the next sample to play
        lag               samples known and not yet played
        pausing           samples of the pause that is being played; 0 while the speaker speaks
        drained           whether the over has been played to its last sample
        played, skipped   samples played, and of pauses left out
        lost, waited      samples overwritten before they were played; zeros played because audio was not there yet
    """

    __slots__ = ("speech",)

    def __init__(self, speech: Speech, start: int | None = None, reserve: int = RESERVE) -> None:
        first = speech.start if start is None else start
        if not speech.start <= first <= speech.end:
            raise RangeError(f"start = {first} lies outside the over, of which {speech.start} … {speech.end} is known")
        if reserve < 0:
            raise RangeError(f"reserve = {reserve} samples; it must be 0 or more")
        self.speech = speech
        super().__init__(speech, first, reserve)
