"""The chain of all P25 channels of a tuner: modem, framer, and the speech of each channel.

    BasebandBlock │ RowBlock ─▶ pieces on an absolute grid ─▶ receiver of `dsp.p25` ─▶ Heard (a Signal with its frame)
                                                    P25Channel decides ─▶ VoiceLine ─▶ Speech

What the receiver gives comes with the piece that completed it, so the end of the piece says when it became known,
however the samples were delivered.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

import numpy as np

from dsp.blocks import AUDIO_RATE, BasebandBlock, RowBlock
from dsp.events import EventKind
from dsp.p25 import units
from dsp.p25.frame import VoiceFrame
from dsp.p25.receiver import Received
from dsp.p25.symbols import SYMBOL_RATE, symbols_for
from dsp.vocoder.base import FRAME_SAMPLES
from sdrbridge.bank import BLOCK, Found, Rows, Stage
from sdrbridge.channel import Signal
from sdrbridge.p25voice import VoiceLine, VoiceRows

_VOICE_ENDS = [symbols_for(units.HEAD_DIBITS + place.stop // 2) for place in units.VOICE_PLACES]
_VOICE_BEGINS = [symbols_for(units.HEAD_DIBITS + place.start // 2 + 1) - 1 for place in units.VOICE_PLACES]
"""Symbols of a voice unit before each voice frame begins."""

VOICE_DELAY = max(
    -(-end * AUDIO_RATE // SYMBOL_RATE) - FRAME_SAMPLES * number for number, end in enumerate(_VOICE_ENDS)
)
"""Audio samples from the beginning of a frame's speech to its last symbol, at most: 27 ms, of the first of a unit."""


@dataclass(frozen=True, slots=True)
class Supply:
    """What a bank is fed with.

    pieces: a second. beyond: how many samples of 24 kHz each ends behind the full fraction; there the modem has all of
    a segment of its own, and what its filter reaches beyond it. tuned: the receiver's frequency is known, so that of
    the carrier can be told.
    """

    pieces: int
    beyond: int
    tuned: bool


BASEBAND = Supply(100, 18, True)
DISCRIMINATOR = Supply(200, 0, False)

_RowsIn = TypeVar("_RowsIn", BasebandBlock, RowBlock, contravariant=True)


class Ear(Protocol[_RowsIn]):
    """Rows in, frames out: `P25Receiver` or `DiscriminatorReceiver` of `dsp.p25`."""

    @property
    def delay(self) -> int: ...
    def process(self, block: _RowsIn) -> list[Received]: ...
    def finish(self) -> list[Received]: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard(Signal):
    """A frame of one channel. at: of its first symbol. t_s: the same, as exact as it is known.

    speaks: of a voice frame, where its speech belongs, by the unit it is in. tuned: see `Supply`.
    """

    received: Received
    t_s: float
    speaks: int
    tuned: bool


class P25Bank(Generic[Rows]):
    """One bank, with the face of `sdrbridge.bank.Bank`.

    ear: receives all rows. rate: of what goes in. members, held_back: as those of `Bank`. names: of the channels.
    vocoder: as the site file says it.
    """

    def __init__(
        self,
        ear: Ear[Rows],
        rate: int,
        members: Sequence[int],
        held_back: int,
        names: Sequence[str],
        supply: Supply,
        vocoder: str,
    ) -> None:
        self.rate = rate
        self.members = tuple(members)
        self.lines = [VoiceLine(name, vocoder) for name in names]
        self.speech = [line.speech for line in self.lines]
        self.lookback = VoiceRows(self.lines)
        self._ear: Ear[Rows] = ear
        self._supply = supply
        self._held_back = held_back
        self._piece = rate // supply.pieces
        self._beyond = supply.beyond * rate // 24_000
        self._pending: Rows | None = None
        self._last: int | None = None
        self._ended = False
        inside = held_back + ear.delay + units.HEAD_SYMBOLS * rate // SYMBOL_RATE
        self._behind = VOICE_DELAY + -(-inside * AUDIO_RATE // rate) + BLOCK

    def process(self, rows: Rows) -> list[Found]:
        """Take rows; returns the frames that are whole now, each as a `Heard`."""
        found: list[Found] = []
        if self._ended:
            return found
        pending = self._pending
        if pending is not None and rows.index != pending.end:
            # Samples were lost: what waits is all there is of its piece, and that is known only now.
            found += self._found(self._ear.process(pending), rows.index)
            pending = None
        if pending is not None:
            rows = _joined(pending, rows)
        at, end = rows.index, rows.end if self._last is None else min(rows.end, self._last)
        while (stop := self._piece_end(at)) <= end:
            found += self._found(self._ear.process(_cut(rows, at, stop)), stop)
            at = stop
        self._pending = _cut(rows, at, end)
        if end == self._last:
            self._ended = True
            found += self._found(self._ear.process(self._pending), end)
            found += self._found(self._ear.finish(), end)
        return found

    def ends_at(self, time: int) -> None:
        """The source ends at `time` (8 kHz); what is put behind it to empty the filters is no signal."""
        self._last = time * self.rate // AUDIO_RATE

    def available(self, now: int) -> int:
        """Index of the sample after the last one of speech that is sure to be known at `now` (both 8 kHz)."""
        return now - self._behind

    def advance(self, now: int) -> None:
        """Release the speech of open channels: as soon as it is decoded, silence once none can come any more."""
        for line in self.lines:
            known = max(line.written, self.available(now))
            line.speech.advance(known, known)

    def ledger(self) -> Iterator[Stage]:
        """What its stages hold back, in the order of the signal."""
        yield Stage("P25 modem", self._ear.delay / self.rate)
        yield Stage("voice frame", VOICE_DELAY / AUDIO_RATE)
        yield Stage("leveler", self.speech[0].reserve / AUDIO_RATE)

    def _piece_end(self, at: int) -> int:
        """The first end of a piece behind sample `at`."""
        return ((at - self._beyond) // self._piece + 1) * self._piece + self._beyond

    def _found(self, frames: Sequence[Received], end: int) -> list[Found]:
        """end: sample after the last one that was needed."""
        known = -(-(end + self._held_back) * AUDIO_RATE // (self.rate * BLOCK)) * BLOCK
        return [Found(self.members[r.row], self._heard(r, known)) for r in frames]

    def _heard(self, received: Received, known: int) -> Heard:
        frame = received.frame
        speaks = 0
        if isinstance(frame.content, VoiceFrame):
            number = frame.content.number
            unit = frame.index - _VOICE_BEGINS[number] * self.rate // SYMBOL_RATE
            speaks = unit * AUDIO_RATE // self.rate + FRAME_SAMPLES * number
        at = frame.index * AUDIO_RATE // self.rate
        return Heard(
            EventKind.FRAME,
            at,
            known,
            received=received,
            t_s=frame.index / self.rate,
            speaks=speaks,
            tuned=self._supply.tuned,
        )


def _cut(rows: Rows, start: int, end: int) -> Rows:
    """The samples start … end of a block."""
    samples = np.ascontiguousarray(rows.samples[:, start - rows.index : end - rows.index])
    return type(rows)(samples, rows.rate, start)


def _joined(first: Rows, second: Rows) -> Rows:
    return type(first)(np.concatenate([first.samples, second.samples], axis=1), first.rate, first.index)
