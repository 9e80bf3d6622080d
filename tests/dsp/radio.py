"""Signals for the demodulator tests: FM at a stated C/N through a channel filter, and SINAD."""

import numpy as np
from numpy.typing import NDArray
from scipy import signal

RATE = 24_000
CHANNEL_HZ = 12_500.0


def fm_channel(
    deviation: NDArray[np.float64],
    cn_db: float,
    seed: int = 1,
    filter_hz: float = 11_000.0,
) -> NDArray[np.complex64]:
    """FM carrier of amplitude 1 at 24 kHz; `deviation` in hertz at 48 kHz, C/N in 12.5 kHz, -80 dB beyond 8 kHz."""
    rng = np.random.default_rng(seed)
    fs, n = 2 * RATE, len(deviation)
    x = np.exp(2j * np.pi * np.cumsum(deviation) / fs)
    noise = rng.standard_normal(n) + 1j * rng.standard_normal(n)
    x = x + noise * np.sqrt(10 ** (-cn_db / 10) * fs / CHANNEL_HZ / 2)
    taps = signal.firwin(121, filter_hz / 2, window=("kaiser", 8.0), fs=fs)
    return np.asarray(signal.fftconvolve(x, taps, "same")[::2], dtype=np.complex64)


def tone(frequency_hz: float, amplitude: float, seconds: float, rate: int = 2 * RATE) -> NDArray[np.float64]:
    """A sine, (n,) float64."""
    t = np.arange(round(seconds * rate)) / rate
    return np.asarray(amplitude * np.sin(2 * np.pi * frequency_hz * t))


def sinad_db(audio: NDArray[np.floating], frequency_hz: float, rate: int = 8000) -> float:
    """(Signal + noise) / noise between 300 and 3400 Hz in dB, median over blocks of 1 s, the first left out."""
    values = []
    for begin in range(rate, len(audio) - rate + 1, rate):
        x = audio[begin : begin + rate].astype(np.float64)
        power = np.abs(np.fft.rfft((x - x.mean()) * np.blackman(rate))) ** 2
        f = np.fft.rfftfreq(rate, 1 / rate)
        band = (f >= 300) & (f <= 3400)
        near = np.abs(f - frequency_hz) <= 4
        floor = power[band & ~near].mean()
        wanted = max(power[near].sum() - floor * near.sum(), 1e-30)
        values.append(10 * np.log10(1 + wanted / (floor * band.sum())))
    return float(np.median(values))
