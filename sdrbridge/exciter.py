"""A transmitter up to its antenna: the matrix's frames in, IQ around the carrier's place in the band out.

    frame, keyed ─▶ P25 messages or FM ─▶ × level ─▶ to its place in the band ─▶ IqBlock
    talker ─▶ Caller: whose number, talkgroup, emergency ─┘ (P25)

Sample n of the output is bridge time n · 8000 / rate; unkeyed it is zero, to the bit. The end of an over, its
terminator or its tail, is on the air behind the last frame.
"""

from dataclasses import replace

import numpy as np

from dsp.blocks import AUDIO_RATE, AudioBlock, IqBlock
from dsp.mod import Ctcss, Dcs, FmModulator, phase
from dsp.p25.transmitter import Call, VoiceTransmitter
from sdrbridge.bank import Stage
from sdrbridge.p25coder import Coder
from sdrbridge.port import Audio
from sdrbridge.ports.modulation import ModulatorSettings, NfmSettings, P25Settings
from sdrbridge.transmission import Transmission
from sdrbridge.vocoders import OWN_VOCODER

LONGEST_GAP = AUDIO_RATE // 2
"""Samples of frames left out that become silence on the air; more end the over."""

_TONE_TAIL_S = 0.18
"""Reverse burst and turn-off code (TIA-603-E 3.2.18: 180 ms)."""


class Caller:
    """Who a P25 transmitter says is talking. What is said of nobody is what was said of the last."""

    def __init__(self, settings: P25Settings) -> None:
        self._settings = settings
        self._over: Transmission | None = None
        self._call = Call(settings.talkgroups.own, settings.source_ids.own)

    def talker(self, over: Transmission | None) -> None:
        """Whose speech comes next."""
        self._over = over

    def call(self, keyed: bool = True) -> Call | None:
        """What goes on the air of him, as far as is known by now; None while unkeyed: the end says what was said."""
        over, settings = self._over, self._settings
        if not keyed:
            self._call = replace(self._call, emergency=False)
            return None
        if over is not None:
            self._call = Call(
                settings.talkgroups.of(over.port, over.facts.talkgroup),
                settings.source_ids.of(over.port, over.facts.source_id),
                settings.emergency and bool(over.facts.emergency),
            )
        return self._call


class Exciter:
    """One transmitter. name, settings: of its port. Its vocoder is opened by `prepare`; until then it is silent."""

    def __init__(self, name: str, settings: ModulatorSettings) -> None:
        self.settings = settings
        self._coder: Coder | None = None
        if isinstance(settings.signal, P25Settings):
            self._coder = Coder(name, settings.signal.vocoder or OWN_VOCODER)
        self._line = _line(settings, self._coder)
        self._gain = np.float32(10 ** (settings.level_dbfs / 20))
        self._turn = phase.step(settings.freq_hz - settings.center_hz, settings.rate)
        self._next: int | None = None
        self._keyed = False

    @property
    def silent(self) -> str | None:
        """Why nothing that is said is on the air, None where all is well."""
        return None if self._coder is None else self._coder.silent

    @property
    def on_air(self) -> bool:
        """An over is keyed, or its end is on the air still."""
        return self._keyed or (isinstance(self._line, VoiceTransmitter) and self._line.on_air)

    def prepare(self) -> None:
        """Open the vocoder where there is none. May take a second where a device does not answer."""
        if self._coder is not None:
            self._coder.open()

    def close(self) -> None:
        """Let go of the vocoder's device."""
        if self._coder is not None:
            self._coder.close()

    def about(self, call: Call | None) -> str:
        """Who is shown to talk, in words, and why he is not heard."""
        if call is None:
            return ""
        emergency = ", emergency" if call.emergency else ""
        why = f" ({self.silent})" if self.silent else ""
        return f"talkgroup {call.talkgroup}, unit {call.source}{emergency}{why}"

    def write(self, frame: Audio, index: int, keyed: bool, call: Call | None = None) -> list[IqBlock]:
        """The IQ that a frame (n,) at bridge time `index` completes, in order. call: who talks, of P25."""
        blocks = []
        missing = 0 if self._next is None else index - self._next
        if missing > LONGEST_GAP:
            blocks.append(self.flush())
            missing = 0
        if isinstance(self._line, VoiceTransmitter) and call is not None:
            self._line.call = call
        if keyed and not self._keyed:
            self._line.key(index)
        elif self._keyed and not keyed:
            self._line.unkey(index)
        self._keyed, self._next = keyed, index + len(frame)
        speech = np.concatenate([np.zeros(missing, np.float32), frame])
        blocks.append(self._placed(self._line.process(AudioBlock(speech, AUDIO_RATE, index - missing))))
        return [block for block in blocks if len(block.samples)]

    def flush(self) -> IqBlock:
        """The rest of what was on the air, with its end; keyed no more."""
        if self._keyed and self._next is not None:
            self._line.unkey(self._next)
        self._keyed, self._next = False, None
        return self._placed(self._line.flush())

    def stages(self) -> tuple[Stage, ...]:
        """What is held back between the speech and the air."""
        if isinstance(self._line, VoiceTransmitter):
            return (Stage("P25 header and voice frame", self._line.lag),)
        return (Stage("FM modulator", self._line.delay / AUDIO_RATE),)

    def _placed(self, block: IqBlock) -> IqBlock:
        samples = block.samples * self._gain
        if self._turn and samples.any():
            at = np.arange(block.index, block.end, dtype=np.int64)
            samples = samples * phase.phasor(phase.at(at, self._turn)).astype(np.complex64)
        return IqBlock(samples, block.rate, block.index)


def _line(settings: ModulatorSettings, coder: Coder | None) -> VoiceTransmitter | FmModulator:
    match settings.signal:
        case P25Settings() as p25:
            assert coder is not None
            call = Call(p25.talkgroups.own, p25.source_ids.own)
            return VoiceTransmitter(settings.rate, p25.nac, call, coder)
        case NfmSettings() as fm:
            tone: Ctcss | Dcs | None = None
            if fm.ctcss_hz is not None:
                tone = Ctcss(fm.ctcss_hz, burst_deg=180.0, tail_s=_TONE_TAIL_S)
            elif fm.dcs is not None:
                tone = Dcs(fm.dcs, tail_s=_TONE_TAIL_S)
            return FmModulator(settings.rate, fm.deviation_hz, tone=tone)
