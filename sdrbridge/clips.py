"""Speech for scenes: from a sound file, from the synthesiser espeak-ng, or a tone; 8 kHz, trimmed, at one level."""

import io
import subprocess
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray
from scipy import fft

from dsp.blocks import AUDIO_RATE
from sdrbridge.errors import ConfigError
from sdrbridge.scene import OverPlan

SPEECH_DBFS = -14.0
"""Active level of a normal talker: 500 Hz rms of 2.5 kHz deviation before pre-emphasis, peaks near the limit."""

TONE_DBFS = -4.4
"""Amplitude 0.6, 60 % of the deviation at 1 kHz: the standard test modulation of TIA-603-E."""

_FRAME = AUDIO_RATE // 100
_SILENT_DB = -40.0
_ACTIVE_DB = -25.0


def clip_of(over: OverPlan) -> NDArray[np.float32]:
    """(n,) float32 at 8 kHz: what is said in one over. Raises `ConfigError` if it cannot be had."""
    gain = 10 ** (over.level_db / 20)
    longest = None if over.seconds is None else round(over.seconds * AUDIO_RATE)
    if over.text is None and over.speech is None:
        n = longest or 0
        if over.tone_hz is None:
            return np.zeros(n, np.float32)
        tone = np.sin(2 * np.pi * over.tone_hz / AUDIO_RATE * np.arange(n))
        return np.asarray(gain * 10 ** (TONE_DBFS / 20) * tone, np.float32)
    said = read(over.speech) if over.speech is not None else synthesise(over)
    return np.asarray((gain * levelled(said))[:longest], np.float32)


def read(path: Path) -> NDArray[np.float64]:
    """A sound file at 8 kHz, first channel. Raises `ConfigError`."""
    try:
        samples, rate = soundfile.read(path, dtype="float64", always_2d=True)
    except (soundfile.SoundFileError, OSError) as problem:
        raise ConfigError([f"{path}: cannot be read as sound: {problem}"]) from problem
    return to_speech_rate(np.ascontiguousarray(samples[:, 0]), rate)


def synthesise(over: OverPlan) -> NDArray[np.float64]:
    """The over's text, spoken. Raises `ConfigError` if espeak-ng is not there or does not know the voice."""
    assert over.text is not None
    command = ["espeak-ng", "-v", over.voice, "-s", str(over.speed), "-p", str(over.pitch), "--stdin", "--stdout"]
    try:
        done = subprocess.run(command, input=over.text.encode(), capture_output=True, timeout=60, check=False)
    except FileNotFoundError:
        raise ConfigError(
            [f'text = "{over.text}": espeak-ng is not installed; apt install espeak-ng, or give speech = "FILE.wav"']
        ) from None
    except subprocess.TimeoutExpired:
        raise ConfigError([f'text = "{over.text}": espeak-ng did not finish within 60 s']) from None
    if done.returncode or len(done.stdout) <= 44:
        said = done.stderr.decode(errors="replace").strip()
        raise ConfigError(
            [f'voice = "{over.voice}": espeak-ng says: {said or "nothing"}; espeak-ng --voices lists them']
        )
    # It cannot seek on a pipe, so the sizes in its header are wrong; what follows 44 bytes is 16-bit mono.
    rate = int.from_bytes(done.stdout[24:28], "little")
    data = io.BytesIO(done.stdout[44:])
    samples, _ = soundfile.read(
        data, dtype="float64", format="RAW", subtype="PCM_16", samplerate=rate, channels=1, endian="LITTLE"
    )
    return to_speech_rate(samples, rate)


def to_speech_rate(samples: NDArray[np.float64], rate: int) -> NDArray[np.float64]:
    """Any rate → 8 kHz in one FFT, with a second of room so that the ends do not meet; nothing above 3.9 kHz."""
    if rate == AUDIO_RATE or not len(samples):
        return samples
    n = -(-len(samples) // rate) + 1
    spectrum = fft.rfft(samples, n * rate)[: n * AUDIO_RATE // 2 + 1]
    spectrum[n * 3_900 :] = 0
    wanted = np.zeros(n * AUDIO_RATE // 2 + 1, np.complex128)
    wanted[: len(spectrum)] = spectrum
    resampled = fft.irfft(wanted, n * AUDIO_RATE) * (AUDIO_RATE / rate)
    return np.asarray(resampled[: round(len(samples) * AUDIO_RATE / rate)])


def levelled(samples: NDArray[np.float64]) -> NDArray[np.float64]:
    """Speech at `SPEECH_DBFS` while it is active, silence before and after cut off, and to whole 10 ms."""
    n = len(samples) // _FRAME
    if n == 0:
        return np.zeros(0)
    power = np.mean(samples[: n * _FRAME].reshape(n, _FRAME) ** 2, axis=1)
    loudest = power.max()
    if loudest == 0:
        return np.zeros(0)
    heard = np.flatnonzero(power > loudest * 10 ** (_SILENT_DB / 10))
    active = power[power > loudest * 10 ** (_ACTIVE_DB / 10)].mean()
    trimmed = samples[heard[0] * _FRAME : (heard[-1] + 1) * _FRAME]
    return np.asarray(trimmed * (10 ** (SPEECH_DBFS / 20) / np.sqrt(active)))
