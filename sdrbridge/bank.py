"""The chain of all channels of one kind: squelch, demodulator, tone detectors, voice filter.

A bank turns baseband rows (or rows of discriminator audio) into 8 kHz speech rows, kept for `LOOK_BACK_S`, and into
what the detectors found. It also says up to which sample of speech the bridge may know at a given time (`available`),
from the declared delays alone.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

from dsp.blocks import AUDIO_RATE, BasebandBlock, RowBlock
from dsp.demod.am import AmDemodulator
from dsp.demod.fm import FmDemodulator
from dsp.demod.ssb import SsbDemodulator
from dsp.events import RowEvent
from dsp.lookback import LookBack
from dsp.squelch import CarrierSquelch
from dsp.tones.ctcss import CtcssDetector
from dsp.tones.dcs import DcsDetector
from dsp.tones.subaudible import LowRows, SubaudibleFilter
from dsp.voice import VoiceFilter
from sdrbridge.channel import LOOK_AHEAD, Signal
from sdrbridge.speech import Speech, Unlevelled

if TYPE_CHECKING:
    from sdrbridge.receiver import Tuned

Rows = TypeVar("Rows", BasebandBlock, RowBlock)
"""What goes into a bank."""

LOOK_BACK_S = 1.0
"""Speech kept from before a decision: the slowest (a DCS code, 350 ms) and a generous margin."""

BLOCK = AUDIO_RATE // 100
"""Audio samples in one block of the channelizer."""


@dataclass(frozen=True, slots=True)
class Found:
    """A detector's event of one channel (position in the list the receiver was made with)."""

    channel: int
    signal: Signal


@dataclass(frozen=True, slots=True)
class Stage:
    """One line of the delay ledger: a stage and what it holds back, in seconds."""

    name: str
    delay_s: float


_RowsIn = TypeVar("_RowsIn", BasebandBlock, RowBlock, contravariant=True)


class Squelch(Protocol[_RowsIn]):
    """Rows in, OPEN and CLOSE out."""

    def process(self, block: _RowsIn) -> list[RowEvent]:
        """See `dsp.squelch`."""
        ...


class Demodulator(Protocol[_RowsIn]):
    """Rows in, real rows of the same rate out."""

    @property
    def delay(self) -> int:
        """Samples it holds back."""
        ...

    def process(self, block: _RowsIn) -> RowBlock:
        """See `dsp.demod`."""
        ...


class AnyBank(Protocol[_RowsIn]):
    """What a receiver asks of the chain of channels of one kind: `Bank`, or `sdrbridge.p25bank.P25Bank`.

    lookback: unlevelled speech. speech: of each row, as it is released.
    """

    rate: int

    @property
    def lookback(self) -> Unlevelled: ...
    @property
    def speech(self) -> Sequence[Speech]: ...
    def process(self, baseband: _RowsIn, /) -> list[Found]: ...
    def ends_at(self, time: int) -> None: ...
    def available(self, now: int) -> int: ...
    def advance(self, now: int) -> None: ...
    def ledger(self) -> Iterator[Stage]: ...


class ToneDetector(Protocol):
    """Rows of FM deviation below the speech in, events out."""

    def detect(self, low: LowRows) -> list[RowEvent]:
        """See `dsp.tones`."""
        ...


class Bank(Generic[Rows]):
    """One bank. `members` are the channels it serves, in row order; `held_back` is what the stages before it hold back,
    in samples of its rate."""

    def __init__(
        self,
        rate: int,
        members: Sequence[int],
        held_back: int,
        squelch: Squelch[Rows],
        demodulator: Demodulator[Rows],
        tones: Sequence[ToneDetector],
        voice: VoiceFilter,
    ) -> None:
        self.rate = rate
        self.members = tuple(members)
        self.squelch: Squelch[Rows] = squelch
        self.demodulator: Demodulator[Rows] = demodulator
        self.tones = tuple(tones)
        self._subaudible = SubaudibleFilter(len(members), rate) if tones else None
        self.voice = voice
        self.lookback = LookBack(len(members), int(LOOK_BACK_S * AUDIO_RATE))
        self.speech = [Speech(self.lookback, row) for row in range(len(members))]
        self._held_back = held_back
        per_audio = rate // AUDIO_RATE
        self._behind = -(-(held_back + demodulator.delay + voice.delay) // per_audio) + 1

    def process(self, baseband: Rows) -> list[Found]:
        """Take rows; returns what the detectors found."""
        found = [self._found(event, 0) for event in self.squelch.process(baseband)]
        audio = self.demodulator.process(baseband)
        if self._subaudible is not None:
            low = self._subaudible.process(audio)
            for detector in self.tones:
                found += [self._found(event, self.demodulator.delay) for event in detector.detect(low)]
        self.lookback.write(self.voice.process(audio))
        return found

    def ends_at(self, time: int) -> None:
        """The source ends at `time` (8 kHz). Squelches see that by the silence behind it."""

    def available(self, now: int) -> int:
        """Index of the sample after the last one of speech that may be known at `now` (both 8 kHz)."""
        return now // BLOCK * BLOCK - self._behind

    def advance(self, now: int) -> None:
        """Release the speech of open channels; `LOOK_AHEAD` is held back so that tails can be cut."""
        known = self.available(now)
        for speech in self.speech:
            speech.advance(known - LOOK_AHEAD, known)

    def ledger(self) -> Iterator[Stage]:
        """What its stages hold back, in the order of the signal."""
        yield Stage("demodulator", self.demodulator.delay / self.rate)
        yield Stage("voice filter", self.voice.delay / self.rate)
        yield Stage("squelch look-ahead", LOOK_AHEAD / AUDIO_RATE)
        yield Stage("leveler", self.speech[0].reserve / AUDIO_RATE)

    def _found(self, event: RowEvent, upstream: int) -> Found:
        at = event.index * AUDIO_RATE // event.rate
        last = (event.decided + upstream + self._held_back) * AUDIO_RATE
        known = -(-last // (event.rate * BLOCK)) * BLOCK
        return Found(self.members[event.row], Signal(event.kind, at, known, event.value))


def tone_detectors(rows: int, rate: int, extra_ctcss_hz: Sequence[float]) -> list[ToneDetector]:
    """What looks for tones and codes under the speech of narrow-band FM."""
    return [CtcssDetector(rows, rate, extra_ctcss_hz), DcsDetector(rows, rate)]


def make_bank(
    channels: Sequence["Tuned"], members: Sequence[int], held_back: int, extra_ctcss_hz: Sequence[float]
) -> Bank[BasebandBlock]:
    """The chain for channels of one kind."""
    preset = channels[0].preset
    rows, rate, kind = len(channels), preset.rate, preset.kind
    squelch = CarrierSquelch(
        rows, rate, [c.preset.filter_hz for c in channels], [kind] * rows, [c.open_db for c in channels]
    )
    if kind == "fm":
        deviations = [c.preset.deviation_hz for c in channels]
        demodulator: Demodulator[BasebandBlock] = FmDemodulator(rows, rate, deviations)
        narrow = preset.mode == "nfm"
        tones = tone_detectors(rows, rate, extra_ctcss_hz) if narrow else []
        voice = VoiceFilter(rows, rate, "nfm" if narrow else "wfm75", [1 / d for d in deviations], True)
        return Bank(rate, members, held_back, squelch, demodulator, tones, voice)
    if kind == "am":
        demodulator = AmDemodulator(rows, rate)
    else:
        demodulator = SsbDemodulator(rows, rate, "usb" if preset.mode == "usb" else "lsb")
    return Bank(rate, members, held_back, squelch, demodulator, [], VoiceFilter(rows, rate, "none", 1.0))
