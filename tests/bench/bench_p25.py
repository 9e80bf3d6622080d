"""CPU time of 24 P25 voice channels at once, and of dsdcc on one channel, in one run.

    scripts/bench p25 [--rounds 3] [--seconds 6] [--no-peers]

Work: a 2.4 MS/s band with 24 transmissions, half C4FM, half LSM, every voice frame another one. Channelizer, modem with
equaliser, framer, speech of every frame. Three bands: Eb/N0 of 20 dB; of 10 dB; and of 20 dB with two equal Rayleigh
rays 50 µs apart, which the equaliser must take apart. CPU seconds per second of signal, of this process alone, best of
the rounds; how much of it is what; and how many of the voice frames came through. Goal: ≤ 0.4.

dsdcc (Debian) has no P25, so two figures of it stand beside: its automatic mode on the discriminator audio of one of
these channels, which it follows as far as the sync, and its DMR, with speech, on a recording of the shared corpus. Per
channel, long run minus short.
"""

import argparse
import resource
import shutil
import subprocess
import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile as sf
from numpy.typing import NDArray

from dsp.blocks import IqBlock
from dsp.channelizer import Channelizer
from dsp.p25 import units
from dsp.p25.encryption import EncryptionSync
from dsp.p25.frame import VoiceFrame
from dsp.p25.link_control import LinkControl
from dsp.p25.modulator import C4fmModulator, CqpskModulator
from dsp.p25.receiver import P25Receiver
from dsp.vocoder.imbe import ImbeDecoder, ImbeEncoder, channel
from tests.dsp.p25.scenes import RATE, received, sent
from tests.dsp.p25.scenes import Path as RadioPath

BAND_RATE = 2_400_000
CHANNELS = 24
SPACING_HZ = 50_000
GOAL = 0.4
CORPUS = Path(__file__).resolve().parents[3] / "shared" / "corpus"


@dataclass(frozen=True, slots=True)
class Cost:
    """CPU seconds per second of signal, by stage, and the share of the voice frames sent that was received."""

    channelizer: float
    receiver: float
    speech: float
    heard: float

    @property
    def total(self) -> float:
        return self.channelizer + self.receiver + self.speech


def speech_frames(rng: np.random.Generator, count: int) -> list[NDArray[np.uint8]]:
    """Channel bits of gliding voices with pauses."""
    t = np.arange(count * 160) / 8000
    phase = 2 * np.pi * np.cumsum(rng.uniform(90, 220) + 40 * np.sin(2 * np.pi * rng.uniform(0.3, 0.8) * t)) / 8000
    x = sum((np.cos(k * phase + k * k) / k for k in range(1, 15)), start=np.zeros_like(t))
    x = 0.02 * np.where(t % 1 < 0.7, x, 0.3 * rng.standard_normal(len(t)))
    encoder = ImbeEncoder()
    return [channel.protect(encoder.encode(part)) for part in x.astype(np.float32).reshape(-1, 160)]


def over(rng: np.random.Generator, seconds: float) -> tuple[NDArray[np.uint8], int]:
    """Dibits of one transmission, and how many voice frames it has."""
    pairs = int(seconds / 0.36)
    voice = [np.packbits(bits).tobytes() for bits in speech_frames(rng, 18 * pairs)]
    link, sync = LinkControl.group_voice(7, 9), EncryptionSync()
    parts = [units.Header(0x293).encode()]
    for k in range(pairs):
        first, second = tuple(voice[18 * k : 18 * k + 9]), tuple(voice[18 * k + 9 : 18 * k + 18])
        parts += [units.VoiceUnit1(0x293, first, link).encode(), units.VoiceUnit2(0x293, second, sync).encode()]
    return np.concatenate([*parts, units.Terminator(0x293).encode()]), 18 * pairs


def offsets() -> list[int]:
    return [SPACING_HZ * (k - CHANNELS // 2) + SPACING_HZ // 2 for k in range(CHANNELS)]


def band(path: RadioPath, seconds: float, seed: int) -> tuple[NDArray[np.complex64], int]:
    """The band (n,) complex64, and how many voice frames are in it."""
    rng = np.random.default_rng(seed)
    n = int(seconds * RATE)
    spectrum = np.zeros(n * (BAND_RATE // RATE), np.complex64)
    frames = 0
    for k, offset_hz in enumerate(offsets()):
        dibits, count = over(rng, seconds - 0.4)
        make = C4fmModulator if k % 2 else CqpskModulator
        x = np.zeros(n, np.complex64)
        y = received(sent(make(RATE), dibits), path, rng)[:n]
        x[: len(y)] = y
        places = np.fft.fftfreq(n, 1 / n).astype(np.int64) + round(offset_hz * seconds)
        spectrum[places] += np.fft.fft(x).astype(np.complex64)
        frames += count
    x = np.fft.ifft(spectrum).astype(np.complex64)
    return x * np.float32(0.1 / np.sqrt(np.mean(np.abs(x) ** 2))), frames


def measure(x: NDArray[np.complex64], frames: int) -> Cost:
    channelizer = Channelizer(BAND_RATE)
    for offset_hz in offsets():
        channelizer.add(offset_hz, 12_500, RATE)
    receiver = P25Receiver(CHANNELS, RATE)
    vocoders = [ImbeDecoder() for _ in range(CHANNELS)]
    spent: Counter[str] = Counter()
    heard = 0
    for at in range(0, len(x), BAND_RATE // 100):
        begun = time.process_time_ns()
        rows = channelizer.process(IqBlock(x[at : at + BAND_RATE // 100], BAND_RATE, at))
        filtered = time.process_time_ns()
        found = receiver.process(rows[RATE])
        decoded = time.process_time_ns()
        for one in found:
            if isinstance(one.frame.content, VoiceFrame):
                vocoders[one.row].decode_soft(one.frame.content.llr)
                heard += 1
        spent["channelizer"] += filtered - begun
        spent["receiver"] += decoded - filtered
        spent["speech"] += time.process_time_ns() - decoded
    seconds = 1e9 * len(x) / BAND_RATE
    channelizing, receiving, speaking = (spent[name] / seconds for name in ("channelizer", "receiver", "speech"))
    return Cost(channelizing, receiving, speaking, heard / frames)


def peer_s(audio: Path, mode: str) -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    command = ["dsdccx", "-i", str(audio), "-o", "/dev/null", mode, "-q"]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def peer(audio: NDArray[np.float64], mode: str) -> float:
    """dsdcc's CPU seconds per second of 48 kHz audio: forty times the audio less ten times."""
    samples = (20_000 * audio / np.abs(audio).max()).astype("<i2")
    with tempfile.TemporaryDirectory() as folder:
        spent = []
        for times in (10, 40):
            path = Path(folder) / f"{times}.s16"
            np.tile(samples, times).tofile(path)
            spent.append(peer_s(path, mode))
    return (spent[1] - spent[0]) / (30 * len(samples) / 48_000)


def peers() -> None:
    dibits, _ = over(np.random.default_rng(5), 5.0)
    x = sent(C4fmModulator(48_000), dibits)
    audio = np.angle(x[1:] * x[:-1].conj())[100:-100]
    print(f"dsdcc, automatic mode on P25 audio   {1e3 * peer(audio, '-fa'):6.2f} ms/s a channel")
    recording = CORPUS / "dmr_bs_voice_b.wav"
    if recording.exists():
        audio, rate = sf.read(recording)
        assert rate == 48_000
        print(f"dsdcc, DMR with speech               {1e3 * peer(audio, '-fr'):6.2f} ms/s a channel")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=6)
    parser.add_argument("--no-peers", action="store_true")
    options = parser.parse_args()
    print(f"{CHANNELS} channels, CPU-s per second of signal: all (goal {GOAL}), channelizer, receiver, speech; heard")
    paths = {
        "20 dB": RadioPath(20.0),
        "10 dB": RadioPath(10.0),
        "20 dB, two rays": RadioPath(20.0, delay_s=50e-6, site_hz=1.0),
    }
    for name, path in paths.items():
        x, frames = band(path, options.seconds, 1)
        cost = min((measure(x, frames) for _ in range(options.rounds)), key=lambda cost: cost.total)
        parts = f"{cost.channelizer:.3f}  {cost.receiver:.3f}  {cost.speech:.3f}  {100 * cost.heard:5.1f} %"
        print(f"{name:16s} {cost.total:.3f}   {parts}   {1e3 * cost.total / CHANNELS:.1f} ms/s a channel", flush=True)
    if not options.no_peers and shutil.which("dsdccx"):
        peers()


if __name__ == "__main__":
    main()
