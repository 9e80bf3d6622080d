"""One tuner and the channels inside its band: IQ in; 8 kHz speech rows and detector signals out.

    IqBlock ─▶ Channelizer ─▶ CarrierSquelch ─────────────────────────────▶ Signal: carrier open, close
                    └─▶ FM ─▶ CtcssDetector · DcsDetector ────────────────▶ Signal: tone, code, end of over
                    └─▶ FM │ AM │ SSB ─▶ VoiceFilter ─▶ LookBack (speech of every row, squelched or not)
                    └─▶ P25Bank: units of the protocol, and speech as the channel lets it be spoken

Every stage is a bank: one call serves all rows, so the cost of a further channel is its arithmetic and nothing else.

What is known when: the channelizer gives 10 ms at a time, so a detector's event becomes known at the end of the
10 ms block its last sample lies in, plus the delays before the detector. `Signal.known` is computed from that, never
from when the file reader happened to deliver a block; so a replay decides at the same tick whatever the block size.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dsp.blocks import AUDIO_RATE, BasebandBlock, IqBlock
from dsp.channelizer import Channelizer
from dsp.p25.receiver import P25Receiver
from sdrbridge.bank import AnyBank, Found, Stage, make_bank
from sdrbridge.modes import Preset
from sdrbridge.p25bank import BASEBAND, P25Bank
from sdrbridge.vocoders import OWN_VOCODER

BLOCK_RATE = 100
"""Blocks of the channelizer a second."""

SILENCE_BLOCKS = 20
"""Blocks of silence put behind the end of a source: longer than the squelch of a strong signal takes to close."""


@dataclass(frozen=True, slots=True)
class Tuned:
    """What a receiver needs to know of one channel: its preset, where it lies, and its carrier squelch.

    open_db: signal-to-noise ratio that opens the squelch; None for the default of the mode. name: for the log.
    """

    preset: Preset
    offset_hz: float
    open_db: float | None = None
    name: str = ""


class Receiver:
    """All channels of one tuner.

    rate: of the tuner. channels: in the order of the site file; signals carry the position in this list.
    extra_ctcss_hz: tones to look for beside the standard ones. vocoder: of digital channels.
    """

    def __init__(
        self,
        rate: int,
        channels: Sequence[Tuned],
        extra_ctcss_hz: Sequence[float] = (),
        vocoder: str = OWN_VOCODER,
    ) -> None:
        self.rate = rate
        self.channelizer = Channelizer(rate)
        self.banks: list[AnyBank[BasebandBlock]] = []
        self._spans: list[slice] = []
        self._place: dict[int, tuple[AnyBank[BasebandBlock], int]] = {}
        for members in _alike(channels):
            preset = channels[members[0]].preset
            for position in members:
                tuned = channels[position]
                self.channelizer.add(tuned.offset_hz + tuned.preset.offset_hz, tuned.preset.filter_hz, preset.rate)
            rows = len(self.channelizer.rows(preset.rate))
            held_back = -(-self.channelizer.delay * preset.rate // rate)
            alike = [channels[p] for p in members]
            bank: AnyBank[BasebandBlock]
            if preset.kind == "p25":
                ear, names = P25Receiver(len(members), preset.rate), [c.name for c in alike]
                bank = P25Bank(ear, preset.rate, members, held_back, names, BASEBAND, vocoder)
            else:
                bank = make_bank(alike, members, held_back, extra_ctcss_hz)
            self.banks.append(bank)
            self._spans.append(slice(rows - len(members), rows))
            self._place |= {position: (bank, row) for row, position in enumerate(members)}
        self.time = 0
        """Bridge time up to which samples came in, in samples of 8 kHz."""

    def process(self, block: IqBlock) -> list[Found]:
        """Take the samples of one block; returns what the detectors found in them."""
        found: list[Found] = []
        basebands = self.channelizer.process(block)
        for rows, bank in zip(self._spans, self.banks, strict=True):
            whole = basebands[bank.rate]
            found += bank.process(BasebandBlock(whole.samples[rows], whole.rate, whole.index))
        self.time = block.end * AUDIO_RATE // self.rate
        return found

    def finish(self) -> list[Found]:
        """Push out what is inside the filters at the end of the source, with silence for the squelch to see."""
        for bank in self.banks:
            bank.ends_at(self.time)
        silence = np.zeros(SILENCE_BLOCKS * self.rate // BLOCK_RATE, np.complex64)
        return self.process(IqBlock(silence, self.rate, -(-self.time * self.rate // AUDIO_RATE)))

    def available(self, now: int) -> int:
        """Index of the sample after the last one of speech, of any channel, that may be known at `now` (both 8 kHz)."""
        return min(bank.available(now) for bank in self.banks)

    def heard(self, position: int, start: int, n: int) -> NDArray[np.float32]:
        """Unlevelled speech of a channel, squelched or not: samples start … start+n, (n,) float32."""
        bank, row = self._place[position]
        return bank.lookback.read(row, start, n)

    def place(self, position: int) -> tuple[AnyBank[BasebandBlock], int]:
        """The bank that serves a channel, and its row there."""
        return self._place[position]

    def ledger(self, position: int) -> Iterator[Stage]:
        """What the stages of one channel hold back, in the order of the signal."""
        yield Stage("channelizer block", 1 / BLOCK_RATE)
        yield Stage("channelizer filter", self.channelizer.delay / self.rate)
        yield from self._place[position][0].ledger()


def _alike(channels: Sequence[Tuned]) -> list[list[int]]:
    """Positions of the channels that can share a bank: same demodulator and rate."""
    groups: dict[tuple[str, str, int], list[int]] = {}
    for position, tuned in enumerate(channels):
        preset = tuned.preset
        groups.setdefault((preset.kind, preset.mode if preset.kind != "am" else "", preset.rate), []).append(position)
    return list(groups.values())
