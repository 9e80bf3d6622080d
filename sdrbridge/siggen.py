"""Makes a scene: IQ as SigMF from a scene file, with the truth of what is in it beside it.

    clips ─▶ modulator ─▶ path: second ray, fading, frequency ─▶ upconverter ─┐
    clips ─▶ modulator ─▶ …                                      … ───────────┴─▶ ∑ ─▶ noise, IQ, DC ─▶ gaps ─▶ SigMF

Works in blocks of 100 ms, so memory does not grow with the scene. The same file gives the same samples, except that
another version of the synthesiser may speak differently.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from numpy.typing import NDArray

from dsp.blocks import AUDIO_RATE, AudioBlock, IqBlock
from dsp.fading import FrequencyOffset, Rayleigh, TwoRay
from dsp.impair import Awgn, Chain, DcOffset, Impairment, IqImbalance, SampleGaps
from dsp.mod import AmModulator, Ctcss, Dcs, FmModulator, Modulator, SsbModulator, Upconverter
from dsp.p25.modulator import REACH
from dsp.p25.nid import Duid
from dsp.p25.symbols import SYMBOL_RATE
from dsp.p25.transmitter import Call, VoiceTransmitter, air_symbols
from dsp.p25.units import UNIT_SYMBOLS
from dsp.vocoder.imbe import ImbeVocoder
from hw.errors import SinkError
from hw.sigmfwriter import SigmfWriter
from sdrbridge import scene as scenes
from sdrbridge.clips import clip_of
from sdrbridge.errors import ConfigError, SdrBridgeError
from sdrbridge.scene import CarrierPlan, OverPlan, Scene

Progress = Callable[[float], None]

_BLOCK = AUDIO_RATE // 10


@dataclass(frozen=True, slots=True)
class MadeScene:
    """What was written. clipped: samples beyond full scale. lost: samples in the scene's gaps."""

    recording: Path
    truth: Path
    seconds: float
    samples: int
    clipped: int
    lost: int
    clips: tuple[Path, ...] = ()


@dataclass(frozen=True, slots=True)
class _Over:
    """One over with its speech, in 8 kHz samples: key, first and last of the speech, release, end of the carrier."""

    plan: OverPlan
    clip: NDArray[np.float32] = field(repr=False)
    key: int
    said: int
    unkey: int
    end: int


def make_scene(path: Path, out: Path, *, progress: Progress | None = None, clips: bool = False) -> MadeScene:
    """Read the scene file at `path`, write `NAME.sigmf-meta`, `.sigmf-data` and `NAME.truth.json` into folder `out`.

    Files of the same name are replaced. progress: called with 0 … 1 as it goes. clips: also write the clean speech of
    every over as `NAME.CARRIER.N.wav`. Raises `ConfigError` for the scene file, `SdrBridgeError` if nothing can be
    written.
    """
    scene = scenes.load(path)
    spoken = {c.name: _overs(scene, c) for c in scene.carriers}
    try:
        out.mkdir(parents=True, exist_ok=True)
        writer = SigmfWriter.create(
            out / scene.name,
            rate=scene.rate,
            center_hz=scene.center_hz,
            sample_type=scene.format,
            start=scene.start,
            description=scene.note,
            recorder="sdrbridge siggen",
            overwrite=True,
        )
        with writer:
            _annotate(scene, spoken, writer)
            _generate(scene, spoken, writer, progress)
        truth = out / f"{scene.name}.truth.json"
        truth.write_text(json.dumps(truth_of(scene, spoken), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        written = _write_clips(scene, spoken, out) if clips else ()
    except SinkError as problem:
        raise SdrBridgeError(str(problem)) from problem
    except OSError as problem:
        raise SdrBridgeError(f"{problem.filename or out}: cannot be written: {problem.strerror}") from problem
    return MadeScene(writer.path, truth, scene.seconds, writer.samples, writer.clipped, writer.lost, written)


def truth_of(scene: Scene, spoken: dict[str, tuple[_Over, ...]]) -> dict[str, Any]:
    """What is in the recording, as plain values; times in seconds from its first sample."""
    return {
        "name": scene.name,
        "recording": f"{scene.name}.sigmf-meta",
        "rate": scene.rate,
        "center_hz": scene.center_hz,
        "seconds": scene.seconds,
        "seed": scene.seed,
        "format": scene.format,
        "noise_dbfs": scene.noise_dbfs,
        "gaps": [{"start_s": a, "seconds": n} for a, n in scene.gaps],
        "channels": [_channel_truth(scene, c, spoken[c.name]) for c in scene.carriers],
    }


def _channel_truth(scene: Scene, c: CarrierPlan, overs: Sequence[_Over]) -> dict[str, Any]:
    facts = {
        "name": c.name,
        "freq_hz": scene.center_hz + c.offset_hz,
        "offset_hz": c.offset_hz,
        "error_hz": c.error_hz,
        "drift_hz_s": c.drift_hz_s or None,
        "mode": c.preset.mode,
        "bandwidth_hz": c.preset.bandwidth_hz,
        "level_dbfs": round(c.level_dbfs, 2),
        "cn_db": round(c.cn_db, 2),
        "ctcss_hz": c.ctcss_hz,
        "dcs": c.dcs,
        "tone_deviation_hz": _tone_deviation(c),
        "nac": f"${c.digital.nac:03X}" if c.digital else None,
        "fading_doppler_hz": c.fading.doppler_hz if c.fading else None,
        "second_ray_us": c.second_ray.delay_us if c.second_ray else None,
        "overs": [_over_truth(c, o) for o in overs],
    }
    return {key: value for key, value in facts.items() if value is not None}


def _over_truth(c: CarrierPlan, o: _Over) -> dict[str, Any]:
    call = _call(c, o.plan)
    facts = {
        "start_s": o.key / AUDIO_RATE,
        "end_s": o.end / AUDIO_RATE,
        "unkey_s": o.unkey / AUDIO_RATE,
        "speech_start_s": o.said / AUDIO_RATE if o.clip.any() else None,
        "speech_end_s": (o.said + len(o.clip)) / AUDIO_RATE if o.clip.any() else None,
        "level_db": o.plan.level_db,
        "talker": o.plan.talker,
        "text": o.plan.text,
        "tone_hz": o.plan.tone_hz,
        "voice_start_s": o.key / AUDIO_RATE + (REACH + UNIT_SYMBOLS[Duid.HDU]) / SYMBOL_RATE if call else None,
        "voice_end_s": o.end / AUDIO_RATE - (REACH + UNIT_SYMBOLS[Duid.TDULC]) / SYMBOL_RATE if call else None,
        "talkgroup": call.talkgroup if call else None,
        "source_id": call.source if call else None,
        "emergency": call.emergency if call else None,
    }
    return {key: value for key, value in facts.items() if value is not None}


def _overs(scene: Scene, carrier: CarrierPlan) -> tuple[_Over, ...]:
    """The carrier's overs with their speech. Raises `ConfigError` where two overlap or the last does not fit."""
    tail = round(carrier.burst_s * AUDIO_RATE) if carrier.ctcss_hz or carrier.dcs else 0
    overs: list[_Over] = []
    problems = []
    for plan in carrier.overs:
        clip = clip_of(plan)
        key = round(plan.start_s * AUDIO_RATE)
        said = key + round(plan.lead_s * AUDIO_RATE)
        unkey = said + len(clip) + round(plan.hold_s * AUDIO_RATE)
        end = unkey + tail
        if carrier.digital:
            end = key - (-air_symbols(unkey - key) * AUDIO_RATE // SYMBOL_RATE)
        where = f'{scene.path}: carrier "{carrier.name}": over at {plan.start_s:g} s'
        if overs and key < overs[-1].end:
            problems.append(f"{where}: the one before it ends at {overs[-1].end / AUDIO_RATE:.2f} s only")
        if end > scene.seconds * AUDIO_RATE:
            problems.append(f"{where}: ends at {end / AUDIO_RATE:.2f} s, but the scene has {scene.seconds:g} s")
        overs.append(_Over(plan, clip, key, said, unkey, end))
    if problems:
        raise ConfigError(problems)
    return tuple(overs)


def _tone_deviation(c: CarrierPlan) -> float | None:
    if c.ctcss_hz is None and c.dcs is None:
        return None
    return _fm(c).tone_deviation_hz


def _fm(c: CarrierPlan) -> FmModulator:
    tone: Ctcss | Dcs | None = None
    if c.ctcss_hz is not None:
        tone = Ctcss(c.ctcss_hz, c.tone_deviation_hz, c.burst_deg, c.burst_s)
    elif c.dcs is not None:
        tone = Dcs(c.dcs, c.tone_deviation_hz, c.burst_s)
    rate = scenes.baseband_rate(c.preset)
    return FmModulator(rate, c.preset.deviation_hz, "wfm75" if c.preset.mode == "wfm" else "nfm", tone)


def _call(c: CarrierPlan, over: OverPlan) -> Call | None:
    """Who is shown to talk, of P25."""
    if c.digital is None:
        return None
    source = c.digital.source_id if over.source_id is None else over.source_id
    return Call(c.digital.talkgroup, source, over.emergency)


def _modulator(c: CarrierPlan) -> Modulator | VoiceTransmitter:
    rate = scenes.baseband_rate(c.preset)
    if c.digital is not None:
        call = Call(c.digital.talkgroup, c.digital.source_id)
        return VoiceTransmitter(rate, c.digital.nac, call, ImbeVocoder())
    if c.preset.kind == "fm":
        return _fm(c)
    if c.preset.kind == "am":
        return AmModulator(rate, c.depth, c.preset.bandwidth_hz)
    return SsbModulator(rate, "usb" if c.preset.mode == "usb" else "lsb")


class _Transmitter:
    """One carrier from speech to its place in the band."""

    def __init__(self, scene: Scene, plan: CarrierPlan, overs: Sequence[_Over], seed: int) -> None:
        rate = scenes.baseband_rate(plan.preset)
        self.plan = plan
        self.overs = overs
        self.modulator = _modulator(plan)
        path: list[Impairment] = []
        if plan.second_ray:
            ray = plan.second_ray
            path.append(TwoRay(rate, ray.delay_us * 1e-6, ray.level_db, ray.phase_deg, ray.doppler_hz))
        if plan.fading:
            path.append(Rayleigh(rate, plan.fading.doppler_hz, seed))
        if plan.error_hz or plan.drift_hz_s:
            path.append(FrequencyOffset(rate, plan.error_hz, plan.drift_hz_s))
        self.path = Chain(path)
        self.place = Upconverter(rate, scene.rate, plan.offset_hz)
        self.gain = np.float32(10 ** (plan.level_dbfs / 20))
        self._keyed = 0

    def process(self, start: int, n: int) -> list[IqBlock]:
        """The carrier for speech samples start … start + n, as far as it is out."""
        while self._keyed < len(self.overs) and self.overs[self._keyed].key < start + n:
            over = self.overs[self._keyed]
            if isinstance(self.modulator, VoiceTransmitter):
                self.modulator.key(over.key, _call(self.plan, over.plan))
            else:
                self.modulator.key(over.key)
            self.modulator.unkey(over.unkey)
            self._keyed += 1
        audio = np.zeros(n, np.float32)
        for over in self.overs:
            a, b = max(over.said, start), min(over.said + len(over.clip), start + n)
            if a < b:
                audio[a - start : b - start] = over.clip[a - over.said : b - over.said]
        return [self.place.process(self.path.process(self.modulator.process(AudioBlock(audio, AUDIO_RATE, start))))]

    def flush(self) -> list[IqBlock]:
        """The rest."""
        parts = [self.place.process(self.path.process(self.modulator.flush()))]
        held = self.path.flush()
        if held is not None:
            parts.append(self.place.process(held))
        return [*parts, self.place.flush()]


class _Band:
    """Adds carriers that lag by different times, and gives what all of them have reached."""

    def __init__(self, rate: int, transmitters: int) -> None:
        self._rate = rate
        self._reached = [0] * transmitters
        self._start = 0
        self._sum = np.zeros(0, np.complex64)

    def add(self, number: int, block: IqBlock, gain: np.float32) -> None:
        end = block.end - self._start
        if end > len(self._sum):
            self._sum = np.concatenate([self._sum, np.zeros(end - len(self._sum), np.complex64)])
        self._sum[block.index - self._start : end] += gain * block.samples
        self._reached[number] = max(self._reached[number], block.end)

    def take(self, upto: int) -> IqBlock:
        """What is complete, at most up to sample `upto`; without carriers, silence up to there."""
        end = min([upto, *self._reached])
        n = max(0, end - self._start)
        ready = np.zeros(n, np.complex64)
        known = self._sum[:n]
        ready[: len(known)] = known
        block = IqBlock(ready, self._rate, self._start)
        self._sum = self._sum[n:]
        self._start += n
        return block


def _generate(
    scene: Scene, spoken: dict[str, tuple[_Over, ...]], writer: SigmfWriter, progress: Progress | None
) -> None:
    # Each random thing has its own seed, so that adding a carrier does not change the noise.
    transmitters = [
        _Transmitter(scene, c, spoken[c.name], scene.seed * 1_000 + 1 + k) for k, c in enumerate(scene.carriers)
    ]
    band = _Band(scene.rate, len(transmitters))
    front: list[Impairment] = [
        Awgn(scene.rate, 0.0, scene.rate, scene.noise_dbfs, tilt_db=scene.tilt_db, seed=scene.seed * 1_000)
    ]
    if scene.iq_gain_db or scene.iq_phase_deg:
        front.append(IqImbalance(scene.iq_gain_db, scene.iq_phase_deg))
    if scene.dc_dbfs is not None:
        front.append(DcOffset(complex(10 ** (scene.dc_dbfs / 20))))
    receiver = Chain(front)
    gaps = SampleGaps([(round(a * scene.rate), max(1, round(n * scene.rate))) for a, n in scene.gaps])
    audio_end = -(-scene.samples * AUDIO_RATE // scene.rate)
    for start in range(0, audio_end, _BLOCK):
        n = min(_BLOCK, audio_end - start)
        last = start + n == audio_end
        for k, transmitter in enumerate(transmitters):
            for block in [*transmitter.process(start, n), *(transmitter.flush() if last else [])]:
                band.add(k, block, transmitter.gain)
        upto = scene.samples if last else (start + n) * scene.rate // AUDIO_RATE
        for part in gaps.process(receiver.process(band.take(upto))):
            writer.write(part)
        if progress:
            progress((start + n) / audio_end)


def _annotate(scene: Scene, spoken: dict[str, tuple[_Over, ...]], writer: SigmfWriter) -> None:
    scale = scene.rate / AUDIO_RATE
    marks = [(o, c) for c in scene.carriers for o in spoken[c.name]]
    for o, c in sorted(marks, key=lambda m: m[0].key):
        middle = scene.center_hz + c.offset_hz + c.preset.offset_hz
        half = c.preset.bandwidth_hz / 2
        comment = ", ".join(w for w in (o.plan.talker, o.plan.text) if w)
        count = round(o.end * scale) - round(o.key * scale)
        writer.annotate(round(o.key * scale), count, middle - half, middle + half, c.name, comment)


def _write_clips(scene: Scene, spoken: dict[str, tuple[_Over, ...]], out: Path) -> tuple[Path, ...]:
    written = []
    for name, overs in spoken.items():
        for number, over in enumerate(overs, 1):
            path = out / f"{scene.name}.{name}.{number}.wav"
            soundfile.write(path, np.clip(over.clip, -1, 1), AUDIO_RATE, subtype="PCM_16")
            written.append(path)
    return tuple(written)
