"""FM: SINAD over C/N, with and without threshold extension, and what it does to speech at full deviation.

1 kHz at 1.5 kHz of deviation in a 12.5 kHz channel (filter 11 kHz at -6 dB), 750 µs de-emphasis, C/N in 12.5 kHz.
"""

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import signal

from dsp.blocks import BasebandBlock
from dsp.demod.fm import FmDemodulator
from dsp.voice import VoiceFilter
from tests.dsp.radio import RATE, fm_channel, sinad_db, tone

Audio = NDArray[np.float32]

# C/N dB: SINAD dB with the extension; floor and ceiling are 0.6 dB to either side (20 s of one noise seed: ±0.3 dB).
SINAD = {3.0: 8.8, 4.0: 11.4, 4.5: 12.3, 5.0: 13.2, 6.0: 14.2, 8.0: 16.2, 12.0: 19.3, 20.0: 27.3}
WINDOW_DB = 0.6


def receive(x: NDArray[np.complex64], deviation_hz: float = 2_500.0, extension: bool = True, rate: int = RATE) -> Audio:
    """Speech at 8 kHz, (n,), from index 0."""
    deviation = FmDemodulator(1, rate, deviation_hz, extension).process(BasebandBlock(x[None], rate, 0))
    speech = VoiceFilter(1, rate, "nfm", 1 / deviation_hz).process(deviation)
    return np.ascontiguousarray(speech.samples[0, -speech.index :])


def sinad_at(cn_db: float, extension: bool, seconds: float = 20.0) -> float:
    return sinad_db(receive(fm_channel(tone(1000, 1500, seconds), cn_db), extension=extension), 1000)


def talker(seconds: float, seed: int) -> NDArray[np.float64]:
    """Deviation at 48 kHz like a transmitter's: syllables, pre-emphasised, limited to 2.5 kHz, filtered."""
    rng = np.random.default_rng(seed)
    fs, n = 48_000, round(seconds * 48_000)
    t = np.arange(n) / fs
    # Glottal pulses of a gliding pitch through three moving formants, so that the spectrum is voiced and not noise.
    pitch = np.cumsum(110 + 25 * np.sin(2 * np.pi * 0.7 * t)) / fs
    pulses = np.diff(np.floor(pitch), prepend=0) * (1 + 0.05 * rng.standard_normal(n))
    x = np.zeros(n)
    for centre, width in ((600.0, 90.0), (1300.0, 120.0), (2400.0, 160.0)):
        r = np.exp(-np.pi * width / fs)
        x += signal.lfilter([1 - r], [1, -2 * r * np.cos(2 * np.pi * centre / fs), r * r], pulses)
    x *= (t % 0.3 < 0.2) * (0.3 + rng.random(int(seconds / 0.3) + 1)[(t / 0.3).astype(int)])
    x = signal.fftconvolve(x, signal.firwin(801, [300, 3000], pass_zero=False, fs=fs), "same")
    x = np.diff(x, prepend=0)
    x = np.clip(x / (3 * x.std()), -1, 1)
    return np.asarray(2_500 * signal.fftconvolve(x, signal.firwin(401, 3000, fs=fs), "same"))


def segmental_snr_db(heard: Audio, clean: Audio) -> float:
    """Mean SNR of 20 ms segments with speech in them, each taken between -10 and 45 dB."""
    n = min(len(heard), len(clean)) // 160 * 160
    speech = (clean[:n].astype(np.float64).reshape(-1, 160) ** 2).mean(axis=1)
    error = ((heard[:n].astype(np.float64) - clean[:n]).reshape(-1, 160) ** 2).mean(axis=1)
    active = speech > 0.01 * speech.mean()
    return float(np.clip(10 * np.log10(speech[active] / error[active]), -10, 45).mean())


def spectral_distance_db(heard: Audio, clean: Audio) -> float:
    """RMS difference of the short-time spectra in dB, 250–3100 Hz, where there is speech."""
    n = min(len(heard), len(clean))
    a, b = (np.abs(signal.stft(z[:n], 8000, nperseg=256)[2][8:100]) ** 2 for z in (heard, clean))
    active = b.sum(axis=0) > 0.05 * b.sum(axis=0).mean()
    floor = 1e-3 * b.mean()
    return float(np.sqrt(np.mean((10 * np.log10((a + floor) / (b + floor)))[:, active] ** 2)))


def test_12_db_sinad_under_4_6_db_of_cn() -> None:
    """The fast point of the curve below."""
    assert sinad_at(4.6, extension=True, seconds=8) >= 12.0
    assert sinad_at(4.6, extension=False, seconds=8) < 9.5


@pytest.mark.parametrize(("deviation_hz", "filter_hz"), [(2_500.0, 11_000.0), (5_000.0, 16_000.0)])
def test_strong_signal_over_40_db(deviation_hz: float, filter_hz: float) -> None:
    """Full deviation, no noise to speak of: what is left is the channel filter's and the audio filter's distortion."""
    x = fm_channel(tone(1000, deviation_hz, 3.0), 80.0, filter_hz=filter_hz)
    assert sinad_db(receive(x, deviation_hz), 1000) > 50


def test_broadcast_fm_over_40_db() -> None:
    t = np.arange(3 * 240_000) / 240_000
    phase = 75_000 / 1000 * np.cos(2 * np.pi * 1000 * t)
    x = np.exp(-1j * phase).astype(np.complex64)[None]
    deviation = FmDemodulator(1, 240_000, 75_000.0, threshold_extension=False).process(BasebandBlock(x, 240_000, 0))
    for emphasis in ("wfm75", "wfm50"):
        speech = VoiceFilter(1, 240_000, emphasis, 1 / 75_000).process(deviation).samples[0]
        assert sinad_db(speech, 1000) > 50
        assert np.abs(speech[8000:]).max() == pytest.approx(1.0, rel=0.02)


@pytest.mark.parametrize("cn_db", [5.0, 12.0])
def test_speech_is_not_harmed_quick(cn_db: float) -> None:
    m = talker(4.0, 1)
    clean = receive(fm_channel(m, 100.0, filter_hz=20_000.0), extension=False)
    x = fm_channel(m, cn_db, 2)
    with_it, without = receive(x), receive(x, extension=False)
    assert segmental_snr_db(with_it, clean) > segmental_snr_db(without, clean) - 0.05
    assert spectral_distance_db(with_it, clean) < spectral_distance_db(without, clean) + 0.05


@pytest.mark.curve
def test_sinad_curve() -> None:
    print("\nC/N dB  plain  extended")
    for cn_db, expected in SINAD.items():
        got = sinad_at(cn_db, extension=True)
        print(f"{cn_db:6.1f} {sinad_at(cn_db, extension=False):6.1f} {got:6.1f}")
        assert expected - WINDOW_DB < got < expected + WINDOW_DB


@pytest.mark.curve
def test_speech_curve() -> None:
    """Speech at full deviation from 3 to 40 dB of C/N: never worse than without, and better near the threshold."""
    m = talker(12.0, 1)
    clean = receive(fm_channel(m, 100.0, filter_hz=20_000.0), extension=False)
    print("\nC/N dB  segmental SNR plain, extended   spectral distance plain, extended")
    for cn_db in (3.0, 5.0, 6.0, 8.0, 10.0, 12.0, 16.0, 20.0, 25.0, 40.0):
        x = fm_channel(m, cn_db, 2)
        with_it, without = receive(x), receive(x, extension=False)
        snr = segmental_snr_db(without, clean), segmental_snr_db(with_it, clean)
        distance = spectral_distance_db(without, clean), spectral_distance_db(with_it, clean)
        print(f"{cn_db:6.1f} {snr[0]:14.1f} {snr[1]:8.1f} {distance[0]:20.1f} {distance[1]:8.1f}")
        assert snr[1] > snr[0] - 0.05
        assert distance[1] < distance[0] + 0.05
        if cn_db <= 5:
            assert snr[1] > snr[0] + 1.0


@pytest.mark.parametrize("offset_hz", [500.0, 1000.0, 1500.0])
def test_off_frequency_is_no_worse_than_without(offset_hz: float) -> None:
    """The narrow filter is centred: a transmitter beside the channel's centre gains less from it, and loses nothing."""
    for cn_db in (5.0, 8.0):
        x = fm_channel(tone(1000, 1500, 6.0) + offset_hz, cn_db)
        assert sinad_db(receive(x), 1000) > sinad_db(receive(x, extension=False), 1000) - 0.2
