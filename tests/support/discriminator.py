"""What a receiver's data jack gives: hiss while nobody talks, FM that quiets it while somebody does."""

import numpy as np
from numpy.typing import NDArray


def jack(
    seconds: float,
    keyed: tuple[float, float],
    cn_db: float = 20.0,
    tone_hz: float | None = None,
    speech_hz: float | None = 1000.0,
    rate: int = 48_000,
    full_scale_hz: float = 5_000.0,
    seed: int = 3,
) -> NDArray[np.float32]:
    """Discriminator audio (n,) float32 of a 12.5 kHz receiver; `cn_db` in its bandwidth of about 11 kHz."""
    n = int(seconds * rate)
    t = np.arange(n) / rate
    rng = np.random.default_rng(seed)
    on = (t >= keyed[0]) & (t < keyed[1])
    deviation = np.zeros(n)
    if speech_hz is not None:
        deviation += 1500 * np.sin(2 * np.pi * speech_hz * t)
    if tone_hz is not None:
        deviation += 375 * np.sin(2 * np.pi * tone_hz * t)
    carrier = on * np.exp(2j * np.pi * np.cumsum(deviation) / rate)
    noise = (rng.standard_normal(n) + 1j * rng.standard_normal(n)) * np.sqrt(rate / 11_000 / 2) * 10 ** (-cn_db / 20)
    spectrum = np.fft.fft(carrier + noise)
    spectrum[np.abs(np.fft.fftfreq(n, 1 / rate)) > 6_500] = 0
    baseband = np.fft.ifft(spectrum)
    hertz = np.angle(baseband[1:] * np.conj(baseband[:-1])) * rate / (2 * np.pi)
    audio: NDArray[np.float32] = np.concatenate([[0.0], hertz / full_scale_hz]).astype(np.float32)
    return audio
