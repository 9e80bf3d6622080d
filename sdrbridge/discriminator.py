"""A donor radio's FM-discriminator audio as a channel: what a Receiver is for a tuner, for one channel without IQ.

RowBlock ─▶ Resampler to 24 kHz ─▶ NoiseSquelch ──▶ Signal
                 └─▶ × hertz at full scale ─▶ CtcssDetector · DcsDetector ─▶ Signal
                                      └─▶ VoiceFilter ─▶ LookBack
                 └─▶ P25Bank, which finds level and polarity itself
"""

from collections.abc import Iterator, Sequence

import numpy as np

from dsp.blocks import AUDIO_RATE, IqBlock, RowBlock
from dsp.noisesquelch import NoiseSquelch
from dsp.p25.receiver import DiscriminatorReceiver as P25Discriminator
from dsp.resample import Resampler
from dsp.voice import VoiceFilter
from sdrbridge.bank import AnyBank, Bank, Found, Stage, tone_detectors
from sdrbridge.errors import ConfigError
from sdrbridge.modes import Preset
from sdrbridge.p25bank import DISCRIMINATOR, P25Bank
from sdrbridge.vocoders import OWN_VOCODER

BASEBAND_RATE = 24_000
LEAST_RATE = 20_000
"""Below this there is no noise above the speech by which a carrier could be told."""


class _Hertz:
    """Discriminator audio in units of full scale to hertz of deviation."""

    delay = 0

    def __init__(self, full_scale_hz: float) -> None:
        self._scale = np.float32(full_scale_hz)

    def process(self, block: RowBlock) -> RowBlock:
        """(1, n) float32 in and out."""
        return RowBlock(block.samples * self._scale, block.rate, block.index)


class DiscriminatorReceiver:
    """One channel of discriminator audio.

    name: of the tuner, for messages. rate: of the audio. full_scale_hz: deviation at digital full scale. preset: of the
    channel. vocoder: of a digital channel. Raises `ConfigError` for audio that is too narrow.
    """

    def __init__(
        self,
        name: str,
        rate: int,
        preset: Preset,
        full_scale_hz: float,
        extra_ctcss_hz: Sequence[float] = (),
        vocoder: str = OWN_VOCODER,
    ) -> None:
        if rate < LEAST_RATE:
            why = "holds no noise above speech by which a carrier could be told; record it at 24000 or more"
            raise ConfigError([f'tuner "{name}": discriminator audio at {rate} S/s {why}'])
        self.rate = rate
        self._resampler = Resampler(rate, BASEBAND_RATE)
        held_back = -(-self._resampler.delay * BASEBAND_RATE // rate)
        self.bank: AnyBank[RowBlock]
        if preset.kind == "p25":
            ear = P25Discriminator(BASEBAND_RATE)
            self.bank = P25Bank(ear, BASEBAND_RATE, [0], held_back, [name], DISCRIMINATOR, vocoder)
        else:
            voice = VoiceFilter(1, BASEBAND_RATE, "nfm", 1 / preset.deviation_hz)
            tones = tone_detectors(1, BASEBAND_RATE, extra_ctcss_hz)
            self.bank = Bank(BASEBAND_RATE, [0], held_back, NoiseSquelch(), _Hertz(full_scale_hz), tones, voice)
        self.banks = [self.bank]
        self.time = 0

    def process(self, block: RowBlock) -> list[Found]:
        """Take audio (1, n); returns what the detectors found in it."""
        resampled = self._resampler.process(IqBlock(block.samples[0].astype(np.complex64), self.rate, block.index))
        rows = np.ascontiguousarray(resampled.samples.real)[None, :]
        self.time = block.end * AUDIO_RATE // self.rate
        return self.bank.process(RowBlock(rows, BASEBAND_RATE, resampled.index))

    def finish(self) -> list[Found]:
        """Push out what is inside the filters at the end of the source, with silence."""
        self.bank.ends_at(self.time)
        silence = np.zeros((1, self.rate // 5), np.float32)
        return self.process(RowBlock(silence, self.rate, -(-self.time * self.rate // AUDIO_RATE)))

    def place(self, position: int) -> tuple[AnyBank[RowBlock], int]:
        """The bank and row of the channel."""
        return self.bank, 0

    def ledger(self, position: int) -> Iterator[Stage]:
        """What the stages hold back, in the order of the signal."""
        yield Stage("resampler", self._resampler.delay / self.rate)
        yield from self.bank.ledger()
