"""Channels as a receiver would see them, in plain NumPy: for tests of the detectors, not fast.

Everything is at 24 kHz unless said otherwise. C/N is the power of the carrier over that of the noise in 12.5 kHz,
before the channel filter, as in the sensitivity test of the receiver.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dsp.design import lowpass

RATE = 24_000
CN_BANDWIDTH_HZ = 12_500.0
Iq = NDArray[np.complex64]
Real = NDArray[np.float64]


def channel_filter(bandwidth_hz: float, rate: int = RATE) -> Real:
    """Low-pass of 2.5 ms that is −6 dB at ±0.55 bandwidth."""
    return lowpass(min(0.55 * bandwidth_hz, 0.49 * rate), rate, (rate // 400) | 1, 80.0)


def filtered(x: NDArray[Any], taps: Real) -> NDArray[Any]:
    """Filter along the last axis with the delay of the taps taken off; same length."""
    n = x.shape[-1] + len(taps) - 1
    size = 1 << (n - 1).bit_length()
    y = np.fft.ifft(np.fft.fft(x, size) * np.fft.fft(taps, size))
    y = y[..., (len(taps) - 1) // 2 :][..., : x.shape[-1]]
    return y if np.iscomplexobj(x) else y.real


def noise(rows: int, n: int, rng: np.random.Generator) -> NDArray[np.complex128]:
    """White complex noise of unit power per sample, (rows, n)."""
    return np.asarray((rng.standard_normal((rows, n)) + 1j * rng.standard_normal((rows, n))) * np.sqrt(0.5))


def idle(rows: int, seconds: float, seed: int, bandwidth_hz: float = 11_000.0, rate: int = RATE) -> Iq:
    """Channels without a carrier, (rows, n), unit noise density before the filter."""
    rng = np.random.default_rng(seed)
    return filtered(noise(rows, int(seconds * rate), rng), channel_filter(bandwidth_hz, rate)).astype(np.complex64)


def carrier_amplitude(cn_db: float, rate: int = RATE) -> float:
    """Amplitude of a carrier with that C/N against `noise` of unit power."""
    return float(np.sqrt(10 ** (cn_db / 10) * CN_BANDWIDTH_HZ / rate))


def received(clean: NDArray[Any], cn_db: float, seed: int, bandwidth_hz: float = 11_000.0, rate: int = RATE) -> Iq:
    """(rows, n) carriers of unit amplitude (0 where unkeyed) with noise, through the channel filter."""
    rng = np.random.default_rng(seed)
    x = clean * carrier_amplitude(cn_db, rate) + noise(clean.shape[0], clean.shape[1], rng)
    return filtered(x, channel_filter(bandwidth_hz, rate)).astype(np.complex64)


def fm(deviation_hz: Real, rate: int = RATE) -> NDArray[np.complex128]:
    """Carrier of unit amplitude with that instantaneous frequency."""
    return np.asarray(np.exp(2j * np.pi * np.cumsum(deviation_hz, axis=-1) / rate))


def sideband(speech: Real, rate: int = RATE) -> NDArray[np.complex128]:
    """Upper sideband of speech, (rows, n), as it lies in a channel: 1500 Hz are at 0."""
    n = speech.shape[-1]
    analytic = np.fft.ifft(np.fft.fft(speech) * (np.fft.fftfreq(n) > 0) * 2)
    return np.asarray(analytic * np.exp(-2j * np.pi * 1500 * np.arange(n) / rate))


def discriminated(x: NDArray[np.complexfloating[Any, Any]], rate: int = RATE) -> NDArray[np.float32]:
    """Instantaneous frequency in hertz, (rows, n) float32."""
    turn = x[..., 1:] * np.conj(x[..., :-1])
    hz = np.angle(turn) * rate / (2 * np.pi)
    return np.concatenate([hz[..., :1], hz], axis=-1).astype(np.float32)


def voice(rows: int, seconds: float, seed: int, peak_hz: float = 1500.0, leak: float = 0.03, rate: int = RATE) -> Real:
    """Something like speech as FM deviation, (rows, n): harmonics of a wandering pitch in syllables, 300 … 3000 Hz.

    leak: amplitude that stays of what lies below 300 Hz (0.03: −30 dB, a poor transmitter).
    """
    rng = np.random.default_rng(seed)
    n = int(seconds * rate)
    t = np.arange(n) / rate
    out = np.zeros((rows, n))
    for row in range(rows):
        base = rng.uniform(90, 220)
        knots = np.arange(0, seconds + 0.2, 0.1)
        pitch = base * (1 + 0.08 * np.interp(t, knots, rng.standard_normal(len(knots))))
        phase = 2 * np.pi * np.cumsum(pitch) / rate
        beats = np.arange(0, seconds + 0.3, 0.15)
        syllables = np.clip(np.interp(t, beats, rng.uniform(-0.5, 1.2, len(beats))), 0, 1)
        formant = rng.uniform(400, 800)
        x = np.zeros(n)
        for h in range(1, int(3000 / base) + 1):
            f = h * base
            weight = 1.0 / (1 + ((f - formant) / 250) ** 2) + 0.3 / (1 + ((f - 1700) / 400) ** 2)
            weight *= min(1.0, f / 1000 + 0.3) * (leak if f < 290 else 1.0)
            x += weight * np.cos(h * phase + rng.uniform(0, 2 * np.pi))
        x *= syllables
        out[row] = x * peak_hz / max(1e-9, np.abs(x).max())
    return out


def rayleigh(rows: int, n: int, doppler_hz: float, seed: int, rate: int = RATE) -> NDArray[np.complex128]:
    """Fading of unit mean power, (rows, n): the sum of 32 waves from all round (Clarke)."""
    rng = np.random.default_rng(seed)
    t = np.arange(n) / rate
    out = np.zeros((rows, n), complex)
    for row in range(rows):
        for angle, phase in rng.uniform(0, 2 * np.pi, (32, 2)):
            out[row] += np.exp(1j * (2 * np.pi * doppler_hz * np.cos(angle) * t + phase))
    return np.asarray(out / np.sqrt(32))


def read_cu8(path: Path) -> Iq:
    """Whole file of unsigned 8-bit I and Q."""
    raw = np.fromfile(path, np.uint8).astype(np.float32)
    return np.asarray(((raw[0::2] - 127.5) + 1j * (raw[1::2] - 127.5)) / 127.5, np.complex64)


def channels(entry: Mapping[str, Any], bandwidth_hz: float) -> NDArray[np.complex64]:
    """Every channel of a cu8 entry of the corpus at 24 kHz, (channels, n), mixed down from where the entry says."""
    x = read_cu8(entry["path"])
    rate = int(entry["sample_rate_hz"])
    factor = rate // RATE
    taps = lowpass(0.55 * bandwidth_hz, rate, (rate // 400) | 1, 80.0)
    t = np.arange(len(x)) / rate
    rows = [filtered(x * np.exp(-2j * np.pi * c["offset_hz"] * t), taps)[::factor] for c in entry["truth"]["channels"]]
    return np.ascontiguousarray(np.stack(rows), np.complex64)
