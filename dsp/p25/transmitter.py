"""The voice transmitter of Phase 1: speech at 8 kHz in, C4FM at any rate out, in whole messages.

    speech ─ 20 ms ─▶ vocoder ─▶ frames ─▶ HDU · LDU1 · LDU2 · LDU1 · … · TDULC ─▶ C4fmModulator ─▶ IqBlock

    speech     key ═══════════════════════════════ unkey
    on air     HDU │ LDU1 │ LDU2 │ LDU1 │ … │ LDU1, its end silence │ TDULC │ off

The header is on the air from the key on, so a voice frame follows its speech by `lag` seconds: 109 ms from the middle
of its 20 ms to its last symbol, most of it the header. Frames are sent one by one as they are coded. A message ends
after the voice unit, of either kind, in which its speech ends; what is left of that unit is coded silence.

Keyed again before the terminator has begun, the message goes on, so that no speech waits; keyed during the terminator,
a new message follows it and lags by what was left, less than 50 ms. The call may change at any time: talkgroup, source
and emergency stand in the next LDU1, and in the terminator.

TIA-102.BAAA-B clauses 5 (structure), 7 (units), 8 (modulation); TIA-102.AABF-D 7.3.1 (link control).
"""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dsp.blocks import AUDIO_RATE, AudioBlock, IqBlock
from dsp.errors import RangeError, RateError, ShapeError
from dsp.p25.encryption import EncryptionSync
from dsp.p25.link_control import LinkControl
from dsp.p25.modulator import REACH, C4fmModulator
from dsp.p25.nid import Duid
from dsp.p25.symbols import SYMBOL_RATE, dibits_of, information
from dsp.p25.units import (
    HEAD_DIBITS,
    UNIT_SYMBOLS,
    VOICE_FRAMES,
    VOICE_PLACES,
    Header,
    TerminatorLinkControl,
    VoiceUnit1,
    VoiceUnit2,
)
from dsp.vocoder import FRAME_SAMPLES, Encoder

Dibits = NDArray[np.uint8]

_LDU_SYMBOLS = UNIT_SYMBOLS[Duid.LDU1]
_LDU_SAMPLES = VOICE_FRAMES * FRAME_SAMPLES
_HEADER_SAMPLES = UNIT_SYMBOLS[Duid.HDU] * AUDIO_RATE // SYMBOL_RATE
_VOICE_SYMBOLS = [information(_LDU_SYMBOLS)[HEAD_DIBITS:][place.start // 2 : place.stop // 2] for place in VOICE_PLACES]
"""Which symbols of a voice unit carry each voice frame."""

SLOWEST_VOCODER = 4 * FRAME_SAMPLES
"""Samples a vocoder may hold back: frame n is sent 660 + 160 n samples after the key at the earliest, while 35 are left
of the ninth of a unit."""

_NO_VOICE = (bytes(18),) * VOICE_FRAMES


@dataclass(frozen=True, slots=True)
class Call:
    """Who talks to whom. talkgroup: 0 … 65535. source: 0 … 16777215."""

    talkgroup: int
    source: int
    emergency: bool = False

    def __post_init__(self) -> None:
        self.link_control()

    def link_control(self) -> LinkControl:
        """The group voice user word. Raises `RangeError` for what does not fit."""
        return LinkControl.group_voice(self.talkgroup, self.source, emergency=self.emergency)


@dataclass(slots=True)
class _Over:
    key: int
    unkey: int | None = None
    call: Call | None = None


def air_symbols(length: int) -> int:
    """Symbols on the air, with the carrier's rise and fall, of a message of so many samples of speech."""
    voice_units = -(-(length + FRAME_SAMPLES) // _LDU_SAMPLES)
    return 2 * REACH + UNIT_SYMBOLS[Duid.HDU] + voice_units * _LDU_SYMBOLS + UNIT_SYMBOLS[Duid.TDULC]


class VoiceTransmitter:
    """One P25 transmitter, fed, keyed and flushed as a `dsp.mod.base.Modulator` is.

    rate: of the output, as `C4fmModulator` takes. nac: 0 … 4095. vocoder: codes this stream only. call: see above; may
    be set at any time. Output sample n is on the air at the same instant as speech sample n · 8000 / rate; unkeyed it
    is zero. Raises `RangeError`, also for a vocoder that is too slow to keep up with the header.
    """

    delay = 0
    """Speech samples by which the output lags: none, what is spoken is lagging already."""

    def __init__(self, rate: int, nac: int, call: Call, vocoder: Encoder) -> None:
        if not 0 <= nac < 4096:
            raise RangeError(f"NAC = {nac:#x} does not fit 12 bits: 0 … 0xfff")
        if not 0 <= vocoder.encoder_delay <= SLOWEST_VOCODER:
            held = vocoder.encoder_delay
            raise RangeError(f"vocoder holds back {held} samples; at most {SLOWEST_VOCODER} while the header is sent")
        self.rate = rate
        self.nac = nac
        self.call = call
        self._vocoder = vocoder
        self._modulator = C4fmModulator(rate)
        self.reset()

    @property
    def lag(self) -> float:
        """Seconds from the middle of a voice frame's speech to its last symbol on the air, for the first of a unit."""
        return (UNIT_SYMBOLS[Duid.HDU] + int(_VOICE_SYMBOLS[0][-1]) + 1) / SYMBOL_RATE

    def reset(self) -> None:
        """Back to the constructed state: off, dead stop, nothing inside."""
        self._overs: deque[_Over] = deque()
        self._messages = 0
        self._start()

    def _start(self) -> None:
        self._next: int | None = None  # speech index after the last sample given
        self._out = 0  # next output sample
        self._units: Iterator[Dibits] | None = None
        self._made: NDArray[np.complex64] = np.zeros(0, np.complex64)
        self._speech: NDArray[np.float32] = np.zeros(0, np.float32)
        self._speech_at = 0
        self._modulator.reset()

    @property
    def messages(self) -> int:
        """Messages begun since the start."""
        return self._messages

    @property
    def on_air(self) -> bool:
        """A message has begun and its carrier is on."""
        return self._units is not None or len(self._made) > 0

    @property
    def keyed(self) -> bool:
        """Whether an over has been begun and not released."""
        return bool(self._overs) and self._overs[-1].unkey is None

    def key(self, index: int, call: Call | None = None) -> None:
        """Speech is sent from sample `index` on. call: from its message on, None for the one that is set by then.

        Raises `RangeError` if that is past, or an over is still on.
        """
        if self.keyed:
            raise RangeError(f"key at {index}: the over keyed at {self._overs[-1].key} has not been unkeyed")
        least = max(self._next or 0, (self._overs[-1].unkey or 0) if self._overs else 0)
        if index < least:
            raise RangeError(f"key at {index}: samples up to {least} have been sent")
        self._overs.append(_Over(index, call=call))

    def unkey(self, index: int) -> None:
        """Speech ends at sample `index`, or now if that is past; silence to the end of the unit, and the terminator."""
        if not self._overs:
            return
        over = self._overs[-1]
        at = max(index, self._next or 0, over.key)
        over.unkey = at if over.unkey is None else min(at, over.unkey)
        if over.unkey == over.key:
            self._overs.pop()

    def process(self, block: AudioBlock) -> IqBlock:
        """Speech → baseband of the same time, continuous with the block before. NaN and infinity count as silence.

        A gap in the index is silence where something is on the air, a gap in the output where nothing is. Raises
        `RateError` for a rate other than 8 kHz, `ShapeError` for samples that are not (n,), `RangeError` for a block
        that goes back in time.
        """
        if block.rate != AUDIO_RATE:
            raise RateError(f"speech at {block.rate} samples/s; a transmitter takes {AUDIO_RATE}")
        if block.samples.ndim != 1:
            raise ShapeError(f"speech of shape {block.samples.shape}; a transmitter takes one row, (n,)")
        if self._next is None or (block.index > self._next and not self.on_air and not self._overs):
            self._begin(block.index)
        assert self._next is not None
        missing = block.index - self._next
        if missing < 0:
            raise RangeError(f"speech at index {block.index}; samples up to {self._next} have been sent")
        samples = np.where(np.isfinite(block.samples), block.samples, 0).astype(np.float32)
        return self._run(np.concatenate([np.zeros(missing, np.float32), samples]))

    def flush(self) -> IqBlock:
        """End of the stream: the rest of the message, as if unkeyed now; overs not begun are dropped."""
        if self._next is None:
            return IqBlock(np.zeros(0, np.complex64), self.rate, self._out)
        self.unkey(self._next)
        first, parts = self._out, [np.zeros(0, np.complex64)]
        while self.on_air or any(over.key < self._next for over in self._overs):
            parts.append(self._run(np.zeros(FRAME_SAMPLES, np.float32)).samples)
        self._overs.clear()
        self._start()
        return IqBlock(np.concatenate(parts), self.rate, first)

    def _begin(self, index: int) -> None:
        self._next = self._speech_at = index
        self._speech = np.zeros(0, np.float32)
        self._out = self._sample(index)

    def _sample(self, index: int) -> int:
        """The first output sample not before a speech sample."""
        return -(-index * self.rate // AUDIO_RATE)

    def _run(self, speech: NDArray[np.float32]) -> IqBlock:
        """Speech that follows on what came before."""
        assert self._next is not None
        self._speech = np.concatenate([self._speech, self._gated(speech, self._next)])
        self._next += len(speech)
        first, end = self._out, self._sample(self._next)
        parts: list[NDArray[np.complex64]] = []
        while self._out < end:
            part = self._some(end - self._out)
            parts.append(part)
            self._out += len(part)
        if not self.on_air:
            self._forget()
        return IqBlock(np.concatenate(parts) if parts else np.zeros(0, np.complex64), self.rate, first)

    def _gated(self, speech: NDArray[np.float32], index: int) -> NDArray[np.float32]:
        """What is said while keyed, and zeros."""
        gated = np.zeros_like(speech)
        for over in self._overs:
            inside = slice(max(0, over.key - index), None if over.unkey is None else max(0, over.unkey - index))
            gated[inside] = speech[inside]
        return gated

    def _forget(self) -> None:
        """Drop speech and overs that no message will need."""
        assert self._next is not None
        needed = next((over.key for over in self._overs if over.key < self._next), self._next)
        self._speech = self._speech[needed - self._speech_at :]
        self._speech_at = needed

    def _some(self, most: int) -> NDArray[np.complex64]:
        """The next output samples, at least one, at most so many."""
        while not len(self._made):
            if self._units is None:
                wait = self._sample(self._overs[0].key) - self._out if self._overs else most
                if wait > 0:
                    return np.zeros(min(wait, most), np.complex64)
                self._messages += 1
                self.call = self._overs[0].call or self.call
                self._units = self._message(self._overs[0].key, self._out)
            dibits = next(self._units, None)
            if dibits is None:
                self._units = None
                self._made = self._modulator.flush().samples
            else:
                self._made = self._modulator.process(dibits).samples
        part, self._made = self._made[:most], self._made[most:]
        return part

    def _message(self, key: int, start: int) -> Iterator[Dibits]:
        """Dibits of one message as they are needed. key: of its speech. start: output sample of its beginning."""
        yield Header(self.nac, talkgroup=self.call.talkgroup).encode()
        self._vocoder.reset()
        at = key
        for _ in range(-(-self._vocoder.encoder_delay // FRAME_SAMPLES) - 1):  # frames of what was before the key
            self._frame(at)
            at += FRAME_SAMPLES
        began = start * AUDIO_RATE // self.rate + _HEADER_SAMPLES
        number = 0
        while self._speaks(key + number * _LDU_SAMPLES - FRAME_SAMPLES, began + number * _LDU_SAMPLES):
            unit, sent = self._unit(number), 0
            for places in _VOICE_SYMBOLS:
                yield unit[sent : places[0]]
                unit[places] = dibits_of(self._vocoder.protect(self._frame(at)))
                at += FRAME_SAMPLES
                sent = int(places[0])
            yield unit[sent:]
            number += 1
        yield TerminatorLinkControl(self.nac, self.call.link_control()).encode()

    def _unit(self, number: int) -> Dibits:
        """A voice unit without voice."""
        if number % 2:
            return VoiceUnit2(self.nac, _NO_VOICE, EncryptionSync()).encode()
        return VoiceUnit1(self.nac, _NO_VOICE, self.call.link_control()).encode()

    def _speaks(self, since: int, now: int) -> bool:
        """Whether anybody was keyed after `since`, as is known `now`; overs that ended before are forgotten."""
        while self._overs and self._overs[0].unkey is not None and self._overs[0].unkey <= since:
            self._overs.popleft()
        for over in self._overs:
            if over.key < now:
                self.call = over.call or self.call
        return bool(self._overs) and self._overs[0].key < now

    def _frame(self, at: int) -> NDArray[np.uint8]:
        """The frame that is complete with the 160 samples from `at` on."""
        offset = at - self._speech_at
        samples = self._speech[offset : offset + FRAME_SAMPLES]
        self._speech, self._speech_at = self._speech[offset + FRAME_SAMPLES :], at + FRAME_SAMPLES
        return self._vocoder.encode(np.ascontiguousarray(samples))
