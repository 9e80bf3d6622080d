"""From a stream of soft dibits to frames: sync, network identifier, then each part of the unit as soon as it is whole.

    soft dibits ─▶ proposals of sync ─▶ head (sync + NID) judged ─▶ unit: parts in the order sent ─▶ Frame, Frame, …

States, and what leads from one to the next:

    searching   no unit is open. A head within the limits opens one.
    unit        parts are read at fixed places. At its end the next head is expected there, with wider limits.
    coasting    that head could not be read, but the unit before was a header or carried voice: the next voice unit is
                assumed, once. It ends early when its voice frames are noise.

A head that is good enough opens a unit whatever is going on; what was left of the unit before is lost. Nothing waits:
voice frames are handed on one by one, a link control word or encryption sync before the ninth voice frame, a trunking
block when its last symbol is there. After a late entry the first voice frame behind the first readable head is heard.

A NAC is known once its unit has decoded to something, its head was strong, or a second head has it too. Until then the
limits stay those of a first head, so that one wrongly read does not let in others.

A gap in the sample index is lost time: up to 45 ms become erasures in its place, more starts the search afresh. A voice
unit that a gap or the end of the stream cuts is completed with erasures, so that its speech keeps its length.
"""

from collections import deque
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from dsp.errors import RangeError, ShapeError
from dsp.fec import soft
from dsp.p25 import block, sync, units
from dsp.p25.codewords import HEADER_FIELD, LINK_FIELD, SYNC_FIELD, TERMINATOR_FIELD, Field, decode_low_speed
from dsp.p25.encryption import EncryptionSync
from dsp.p25.frame import Content, Frame, VoiceFrame
from dsp.p25.link_control import LinkControl
from dsp.p25.nid import Duid
from dsp.p25.pdu import PduHeader
from dsp.p25.stream import PIECE, SymbolStream
from dsp.p25.symbols import SYMBOL_RATE, SYNC_DIBITS, information, soft_dibits, symbols_for
from dsp.p25.tsbk import Tsbk
from dsp.p25.units import HEAD_DIBITS, HEAD_SYMBOLS, UNIT_SYMBOLS
from dsp.vocoder.imbe import channel

VOICE_CODE_BITS = 137
"""Bits of a voice frame that have a code: four words of 23 and three of 15 (TIA-102.BABA-A clause 7.3)."""

NAC_MEMORY_SYMBOLS = 5 * SYMBOL_RATE
"""How long a NAC counts as known after its last unit."""

GAP_SYMBOLS = 216
"""Longest gap that is filled with erasures: the symbol clock of the other side is still good to a fraction of one."""

COASTING_FRAMES = 3
COASTING_AGREEMENT = 0.91
"""When the last three voice frames agree less than this with their code words on average, the coasting ends: noise has
0.88 ± 0.01, a signal with 10 % wrong bits 0.94 ± 0.02 (averages of three)."""


class _Part(NamedTuple):
    """A part of a unit: whole `ready` symbols from its start on, `read` makes frames of it."""

    ready: int
    read: "Callable[[Framer], list[Frame]]"


class Framer:
    """Frames of one channel; see above.

    nac: the only NAC that is there, if it is known; every other is then left alone. inbound: trunking blocks come from
    units, not from the fixed station. upright: whoever found the symbols knows their polarity; other modes resemble
    P25 of the other one as often. rate: samples per second of the index.
    """

    delay = 0
    """Nothing is held back: every frame comes with the call that brought its last symbol."""

    def __init__(self, rate: int, *, nac: int | None = None, inbound: bool = False, upright: bool = False) -> None:
        """Raises `RangeError` unless 0 ≤ nac < 4096 and rate ≥ 4800."""
        if nac is not None and not 0 <= nac < 4096:
            raise RangeError(f"NAC = {nac:#x} does not fit 12 bits: 0 … 0xfff")
        if rate < SYMBOL_RATE:
            raise RangeError(f"rate = {rate} is below the symbol rate of {SYMBOL_RATE}")
        self._rate = rate
        self._configured_nac = nac
        self._inbound = inbound
        self._upright = upright
        self.reset()

    def reset(self) -> None:
        """Back to the constructed state."""
        self._stream = SymbolStream(self._rate)
        self._inverted = False
        self._nac: int | None = self._configured_nac
        self._nac_seen = 0
        self._known_nac: int | None = self._configured_nac
        self._known_seen = 0
        self._forget()

    def _forget(self) -> None:
        """Drops the unit and all proposals; symbols that came so far are never looked at again."""
        self._stream.forget()
        self._proposed: deque[sync.Proposal] = deque()
        self._judged: sync.Proposal | None = None
        self._expected: int | None = None
        self._after: Duid | None = None
        self._after_coasting = False
        self._due = _NEVER
        self._close()

    def _close(self) -> None:
        self._parts: deque[_Part] = deque()
        self._start = 0
        self._duid: Duid | None = None
        self._coasting = False
        self._agreements: deque[float] = deque(maxlen=COASTING_FRAMES)

    @property
    def inverted(self) -> bool:
        """The polarity of the last unit was turned over."""
        return self._inverted

    @property
    def known_nac(self) -> int | None:
        """The NAC last known to be there, however long ago; None where there was none."""
        return self._known_nac

    @property
    def in_unit(self) -> bool:
        """A unit is open."""
        return bool(self._parts)

    def process(self, llr: ArrayLike, index: ArrayLike) -> list[Frame]:
        """Frames that are whole now, in the order they ended.

        llr: (n, 2) soft dibits, status symbols included. index: (n,) on-air sample of the middle of each symbol,
        rising. Raises `ShapeError`.
        """
        fresh = soft_dibits(llr)
        at = np.asarray(index, dtype=np.int64)
        if at.shape != (len(fresh),):
            raise ShapeError(f"framer: {len(fresh)} symbols with index {at.shape}; each symbol has one")
        if not len(at):
            return []
        found = self._stream.append(fresh, at)
        frames: list[Frame] = []
        if found is not None:
            self._advance(found, frames)
            return frames
        # Whole stretches without a gap, one after the other.
        ends = []
        if (int(at[-1]) - int(at[0])) * SYMBOL_RATE > (len(at) - 0.5) * self._rate:
            ends = (np.flatnonzero(np.diff(at) * SYMBOL_RATE > 1.5 * self._rate) + 1).tolist()
        for first, last in zip([0, *ends], [*ends, len(at)]):
            frames += self._bridge(at[first:last])
            frames += self._take(fresh[first:last], at[first:last])
        return frames

    def flush(self) -> list[Frame]:
        """End of the stream: a voice unit that was cut is completed, anything else unfinished is lost."""
        frames = self._complete()
        self._forget()
        return frames

    def _complete(self) -> list[Frame]:
        """The rest of an open voice unit, its missing symbols erased; what they touch is not valid."""
        frames: list[Frame] = []
        if self._duid not in (Duid.LDU1, Duid.LDU2) or self._coasting:
            return frames
        received = self._stream.count
        while self._parts:
            ready = self._start + self._parts[0].ready
            missing = ready - self._stream.count
            if missing > 0:
                self._stream.extend(np.zeros((missing, 2), dtype=np.float32), self._lost(missing), self._needed())
            whole = ready <= received
            frames += [replace(frame, valid=frame.valid and whole) for frame in self._parts.popleft().read(self)]
        return frames

    def _lost(self, missing: int) -> NDArray[np.int64]:
        """Index of symbols that did not come, counted on from the last that did."""
        last = self._stream.when(self._stream.count - 1)
        return last + (np.arange(1, missing + 1, dtype=np.int64) * self._rate) // SYMBOL_RATE

    def _bridge(self, at: NDArray[np.int64]) -> list[Frame]:
        """Erasures in the place of the symbols lost before `at`, or a new beginning."""
        if self._stream.empty:
            return []
        last = self._stream.when(self._stream.count - 1)
        missing = round((int(at[0]) - last) * SYMBOL_RATE / self._rate) - 1
        if missing <= 0:
            return []
        if missing > GAP_SYMBOLS:
            return self.flush()
        return self._take(np.zeros((missing, 2), dtype=np.float32), self._lost(missing))

    def _take(self, fresh: NDArray[np.float32], at: NDArray[np.int64]) -> list[Frame]:
        frames: list[Frame] = []
        for first in range(0, len(fresh), PIECE):
            piece = slice(first, first + PIECE)
            self._advance(self._stream.extend(fresh[piece], at[piece], self._needed()), frames)
        return frames

    def _advance(self, found: list[sync.Proposal], frames: list[Frame]) -> None:
        """Does all that is due with the symbols that came, among them places where a sync may begin."""
        for proposal in found:
            if not (self._upright and proposal.inverted):
                self._proposed.append(proposal)
                self._due = min(self._due, proposal.place + HEAD_SYMBOLS)
        while self._due <= self._stream.count:
            self._step(frames)
            self._due = min(self._next_part(), self._next_head() + HEAD_SYMBOLS)

    def _step(self, frames: list[Frame]) -> None:
        """Does what is due next, in the order of the symbols."""
        head = self._next_head()
        if self._next_part() > head + HEAD_SYMBOLS:
            self._judge(head, frames)
            return
        read = self._parts.popleft().read(self)
        if any(frame.name != "IMBE" and frame.valid and frame.content is not None for frame in read):
            self._known_nac, self._known_seen = self._nac, self._start
        frames += read

    def _next_part(self) -> int:
        """How many symbols there are when the next part is whole."""
        return self._start + self._parts[0].ready if self._parts else _NEVER

    def _next_head(self) -> int:
        """Where the next head to be judged begins."""
        proposed = self._proposed[0].place if self._proposed else _NEVER
        return proposed if self._expected is None else min(proposed, self._expected)

    def _judge(self, place: int, frames: list[Frame]) -> None:
        """Opens a unit at `place` if there is a head; coasts or gives up where one was expected and is not."""
        expected = self._expected == place
        if self._proposed and self._proposed[0].place == place:
            here = self._proposed.popleft()
        else:
            score = sync.score(self._stream.symbols(place, SYNC_DIBITS, self._inverted))
            here = sync.Proposal(place, self._inverted, score)
        if expected:
            self._expected = None
        before, self._judged = self._judged, here
        # Of neighbours only the best is a sync; the expectation moves on with it.
        rivals = [p for p in self._proposed if p.place - place <= sync.NEIGHBOURS and p.score > here.score]
        if rivals:
            if expected:
                self._expected = rivals[0].place
            return
        if before is not None and place - before.place <= sync.NEIGHBOURS and before.score > here.score:
            self._judged = before
            if not expected:
                return
        llr = self._stream.symbols(place, HEAD_SYMBOLS, here.inverted)
        attempts = self._attempts(place, expected and here.inverted == self._inverted)
        for nac, limits in () if sync.steady(llr) else attempts:
            head = sync.read_head(llr, nac)
            if head.within(limits):
                self._inverted = here.inverted
                self._open(place, head, frames)
                return
        if expected and self._after in (Duid.HDU, Duid.LDU1, Duid.LDU2) and not self._after_coasting:
            self._coast(place)

    def _attempts(self, place: int, expected: bool) -> list[tuple[int | None, sync.Limits]]:
        """The NACs, or any, for which a head at `place` is tried, and with which limits."""
        if self._configured_nac is not None:
            return [(self._configured_nac, sync.EXPECTED if expected else sync.KNOWN_NAC)]
        attempts: list[tuple[int | None, sync.Limits]] = []
        if self._known_nac is not None and place - self._known_seen <= NAC_MEMORY_SYMBOLS:
            attempts.append((self._known_nac, sync.EXPECTED if expected else sync.KNOWN_NAC))
        elif self._nac is not None and expected:
            attempts.append((self._nac, sync.KNOWN_NAC))
        return [*attempts, (None, sync.COLD)]

    def _open(self, place: int, head: sync.Head, frames: list[Frame]) -> None:
        """Begins the unit of a head that was found good."""
        self._close()
        again = head.nid.nac == self._nac and place - self._nac_seen <= NAC_MEMORY_SYMBOLS
        self._start, self._duid = place, head.nid.duid
        self._nac, self._nac_seen = head.nid.nac, place
        if again or head.nid.nac == self._known_nac or head.strength >= sync.SURE:
            self._known_nac, self._known_seen = self._nac, place
        if self._expected is not None and self._expected < place + HEAD_SYMBOLS:
            self._expected = None
        # A sync within this head is none.
        while self._proposed and self._proposed[0].place < place + HEAD_SYMBOLS:
            self._proposed.popleft()
        frames.append(self._frame("NID", head.nid, 0, HEAD_SYMBOLS, head.errors, sync.HEAD_BITS))
        self._lay_out()

    def _coast(self, place: int) -> None:
        """Assumes the voice unit that follows the last one."""
        duid = Duid.LDU2 if self._after == Duid.LDU1 else Duid.LDU1
        self._close()
        self._start, self._duid, self._coasting = place, duid, True
        self._lay_out()

    def _lay_out(self) -> None:
        """The parts of the unit that has begun."""
        assert self._duid is not None
        self._parts.extend(_PARTS[self._duid])
        if self._duid in UNIT_SYMBOLS:
            self._end_at(UNIT_SYMBOLS[self._duid])

    def _end_at(self, length: int) -> None:
        """The unit has so many symbols; behind it the next head is expected."""
        self._expected = self._start + length
        self._after, self._after_coasting = self._duid, self._coasting

    def _body(self, places: NDArray[np.int32]) -> NDArray[np.float32]:
        """Soft bits of the open unit."""
        return self._stream.gather(self._start, places, self._inverted)

    def _frame(
        self,
        name: str,
        content: Content,
        first: int,
        last: int,
        errors: int,
        bits: int,
        *,
        valid: bool = True,
        low_speed: bytes = b"",
    ) -> Frame:
        """A frame of the open unit that reaches from its symbol `first` to before `last`."""
        assert self._duid is not None
        return Frame(
            name,
            self._nac or 0,
            self._duid,
            content,
            self._stream.when(self._start + first),
            self._stream.when(self._start + last - 1),
            errors,
            bits,
            valid,
            self._coasting,
            low_speed,
            self._stream.status(self._start, last, self._inverted),
        )

    def _unit_frame(
        self, name: str, content: Content, errors: int, bits: int, body_bits: int, *, valid: bool = True
    ) -> list[Frame]:
        last = symbols_for(HEAD_DIBITS + body_bits // 2)
        return [self._frame(name, content, 0, last, errors, bits, valid=valid)]

    def _header(self) -> list[Frame]:
        word = HEADER_FIELD.decode(self._body(_HEADER_PLACES))
        content = units.Header.read(self._nac or 0, word) if word.valid else None
        return self._unit_frame("HDU", content, word.errors, word.bits, HEADER_FIELD.bits, valid=word.valid)

    def _terminator(self) -> list[Frame]:
        word = TERMINATOR_FIELD.decode(self._body(_TERMINATOR_PLACES))
        content = units.link_control_of(word)
        return self._unit_frame("TDULC", content, word.errors, word.bits, TERMINATOR_FIELD.bits, valid=word.valid)

    def _voice(self, number: int) -> list[Frame]:
        llr = self._body(_VOICE_PLACES[number])
        llr.setflags(write=False)
        speech, errors = channel.unprotect_soft(llr)
        counts = tuple(errors.tolist())
        content = VoiceFrame(number, llr, speech.tobytes(), counts)
        first, last = _VOICE_SPANS[number]
        frame = self._frame("IMBE", content, first, last, sum(counts), VOICE_CODE_BITS)
        if self._coasting and self._is_noise(llr, speech):
            self._close()
            self._expected = None
        return [frame]

    def _is_noise(self, llr: NDArray[np.float32], speech: NDArray[np.uint8]) -> bool:
        """The last voice frames look like no voice frames."""
        levels = soft.levels(llr)
        total = float(np.abs(levels).sum())
        agreement = float(np.where(channel.protect(speech), levels, -levels).sum())
        self._agreements.append(agreement / total if total else 0.0)
        return len(self._agreements) == COASTING_FRAMES and sum(self._agreements) < COASTING_AGREEMENT * COASTING_FRAMES

    def _voice_unit(self) -> list[Frame]:
        field: Field = LINK_FIELD if self._duid == Duid.LDU1 else SYNC_FIELD
        word = field.decode(self._body(_FIELD_PLACES))
        low_speed = decode_low_speed(self._body(_LOW_SPEED_PLACES))
        content: LinkControl | EncryptionSync | None
        if self._duid == Duid.LDU1:
            content, name = units.link_control_of(word), "LDU1"
        else:
            content, name = units.encryption_of(word), "LDU2"
        return [
            self._frame(
                name,
                content,
                0,
                symbols_for(HEAD_DIBITS + units.LOW_SPEED_PLACE.stop // 2),
                word.errors + low_speed.errors,
                word.bits + low_speed.bits,
                valid=word.valid,
                low_speed=low_speed.data if low_speed.valid else b"",
            )
        ]

    def _block_llr(self, number: int) -> NDArray[np.float32]:
        first = 2 * block.DIBITS * number
        return self._body(_places(first, first + 2 * block.DIBITS)).reshape(-1, 2)

    def _block_span(self, number: int) -> tuple[int, int]:
        first = symbols_for(HEAD_DIBITS + block.DIBITS * number + 1) - 1
        return first, symbols_for(HEAD_DIBITS + block.DIBITS * (number + 1))

    def _trunking(self, number: int) -> list[Frame]:
        found = block.decode(self._block_llr(number))
        content = Tsbk.parse(found.data, outbound=not self._inbound)
        first, last = self._block_span(number)
        frame = self._frame("TSBK", content, first, last, found.errors, 2 * block.DIBITS, valid=bool(found.valid))
        if number + 1 == units.MOST_TRUNKING_BLOCKS or (found.valid and content.last):
            self._end_at(units.block_unit_symbols(number + 1))
        else:
            self._parts.append(_part(2 * block.DIBITS * (number + 2), partial(Framer._trunking, number=number + 1)))
        return [frame]

    def _packet_header(self) -> list[Frame]:
        found = block.decode(self._block_llr(0))
        header = PduHeader.parse(found.data)
        if not found.valid or not header.blocks:
            self._end_at(units.block_unit_symbols(1))
            content = units.Packet(self._nac or 0, header)
            return self._unit_frame(
                "PDU", content, found.errors, 2 * block.DIBITS, 2 * block.DIBITS, valid=bool(found.valid)
            )
        self._blocks: list[block.Block] = [found]
        self._parts.append(_part(4 * block.DIBITS, lambda framer: framer._packet_block(header, 1)))
        return []

    def _packet_block(self, header: PduHeader, number: int) -> list[Frame]:
        self._blocks.append(units.data_block(header, self._block_llr(number)))
        if number < header.blocks:
            ready = 2 * block.DIBITS * (number + 2)
            self._parts.append(_part(ready, lambda framer: framer._packet_block(header, number + 1)))
            return []
        self._end_at(units.block_unit_symbols(number + 1))
        content = units.Packet(self._nac or 0, header, tuple(b.data for b in self._blocks[1:]))
        errors = sum(b.errors for b in self._blocks)
        bits = 2 * block.DIBITS * (number + 1)
        return self._unit_frame("PDU", content, errors, bits, bits)

    def _needed(self) -> int:
        """The first symbol that somebody may ask for again."""
        keep = min(self._stream.count - SYNC_DIBITS + 1, self._next_head())
        return min(keep, self._start) if self._parts else keep


_NEVER = 1 << 62
"""More symbols than ever come."""

_INFORMATION = information(units.block_unit_symbols(1 + units.MOST_DATA_BLOCKS)).astype(np.int32)


def _places(first_bit: int, last_bit: int) -> NDArray[np.int32]:
    """Symbols of a unit that carry these bits of its body."""
    return _INFORMATION[HEAD_DIBITS + first_bit // 2 : HEAD_DIBITS + (last_bit + 1) // 2]


_HEADER_PLACES, _TERMINATOR_PLACES = _places(0, HEADER_FIELD.bits), _places(0, TERMINATOR_FIELD.bits)
_VOICE_PLACES = [_places(place.start, place.stop) for place in units.VOICE_PLACES]
_VOICE_SPANS = [(int(places[0]), int(places[-1]) + 1) for places in _VOICE_PLACES]
_FIELD_PLACES = np.concatenate([_places(place.start, place.stop) for place in units.FIELD_PLACES])
_LOW_SPEED_PLACES = _places(units.LOW_SPEED_PLACE.start, units.LOW_SPEED_PLACE.stop)


def _part(body_bits: int, read: Callable[[Framer], list[Frame]]) -> _Part:
    """A part that is whole when so many body bits are there."""
    return _Part(symbols_for(HEAD_DIBITS + body_bits // 2), read)


_VOICE_PARTS = [
    _part(place.stop, partial(Framer._voice, number=number)) for number, place in enumerate(units.VOICE_PLACES)
]
_VOICE_PARTS.insert(8, _part(units.LOW_SPEED_PLACE.stop, Framer._voice_unit))

_PARTS: dict[Duid, list[_Part]] = {
    Duid.HDU: [_part(HEADER_FIELD.bits, Framer._header)],
    Duid.LDU1: _VOICE_PARTS,
    Duid.LDU2: _VOICE_PARTS,
    Duid.TDU: [_part(28, lambda framer: framer._unit_frame("TDU", None, 0, 0, 28))],
    Duid.TDULC: [_part(TERMINATOR_FIELD.bits, Framer._terminator)],
    Duid.TSDU: [_part(2 * block.DIBITS, partial(Framer._trunking, number=0))],
    Duid.PDU: [_part(2 * block.DIBITS, Framer._packet_header)],
}
"""The parts of each unit in the order sent; of those with blocks the first, which says what follows."""
