"""Modulators against the receiver's own demodulators: level, time and distortion of speech from end to end.

Each side is tested against formulas elsewhere; here they meet, and a convention that differs would show.
"""

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from dsp.blocks import AUDIO_RATE, BasebandBlock, RowBlock
from dsp.demod.am import AmDemodulator
from dsp.demod.fm import FmDemodulator
from dsp.demod.ssb import SsbDemodulator
from dsp.mod import AmModulator, Ctcss, Dcs, FmModulator, Modulator, SsbModulator, modulate
from dsp.voice import Emphasis, VoiceFilter
from tests.support.speech import speech_like


def fm(width: float, emphasis: Emphasis = "nfm") -> Callable[[BasebandBlock], RowBlock]:
    def back(block: BasebandBlock) -> RowBlock:
        deviation = FmDemodulator(1, block.rate, width, threshold_extension=False).process(block)
        return VoiceFilter(1, block.rate, emphasis, 1 / width).process(deviation)

    return back


def am(block: BasebandBlock) -> RowBlock:
    return VoiceFilter(1, block.rate, "none", 1 / 0.85).process(AmDemodulator(1, block.rate).process(block))


PAIRS: dict[str, tuple[Callable[[], Modulator], Callable[[BasebandBlock], RowBlock]]] = {
    "nfm 12.5": (lambda: FmModulator(24_000, 2_500), fm(2_500)),
    "nfm 12.5 ctcss": (lambda: FmModulator(24_000, 2_500, tone=Ctcss(254.1)), fm(2_500)),
    "nfm 12.5 dcs": (lambda: FmModulator(24_000, 2_500, tone=Dcs("023N")), fm(2_500)),
    "nfm 25": (lambda: FmModulator(48_000, 5_000), fm(5_000)),
    "wfm 75": (lambda: FmModulator(240_000, 75_000, "wfm75"), fm(75_000, "wfm75")),
    "am": (lambda: AmModulator(24_000, 0.85), am),
}


def there_and_back(pair: str, speech: NDArray[np.float32]) -> NDArray[np.float64]:
    """Speech after both ways, from index 0."""
    make, back = PAIRS[pair]
    # 100 ms of carrier before and after: what AM gain control and squelch tones need to settle is not measured here.
    sent = modulate(make(), speech, 0.1, 0.1)
    rows = back(BasebandBlock(sent.samples[None, :], sent.rate, 0))
    first = round(0.1 * AUDIO_RATE) - rows.index
    return rows.samples[0, first : first + len(speech)].astype(np.float64)


@pytest.mark.parametrize("pair", PAIRS)
def test_a_kilohertz_comes_back_at_its_level_and_clean(pair: str) -> None:
    t = np.arange(AUDIO_RATE) / AUDIO_RATE
    out = there_and_back(pair, (0.6 * np.sin(2 * np.pi * 1_000 * t)).astype(np.float32))[1_000:7_000]
    line = 2 * np.mean(out * np.exp(-2j * np.pi * 1_000 * np.arange(1_000, 7_000) / AUDIO_RATE))
    assert 20 * np.log10(abs(line) / 0.6) == pytest.approx(0, abs=0.3)
    # On time within 0.3 ms: the receiver's high-pass holds 1 kHz back by 0.2 ms, which its index does not count.
    phase = np.angle(line * 1j)
    assert abs(phase) / (2 * np.pi * 1_000) < 0.3e-3
    rest = out - np.real(line * np.exp(2j * np.pi * 1_000 * np.arange(1_000, 7_000) / AUDIO_RATE))
    assert 10 * np.log10(np.mean(rest**2) / (abs(line) ** 2 / 2)) < -33


@pytest.mark.parametrize("pair", PAIRS)
def test_speech_comes_back_as_it_was(pair: str) -> None:
    speech = speech_like(2.0, 21, rms=0.08)
    out = there_and_back(pair, speech)
    spectra = [np.fft.rfft(x.astype(np.float64) * np.hanning(len(x))) for x in (speech, out)]
    hz = np.fft.rfftfreq(len(speech), 1 / AUDIO_RATE)
    band = (hz > 400) & (hz < 2_900)
    levels = [10 * np.log10(np.sum(np.abs(s[band]) ** 2)) for s in spectra]
    assert levels[1] - levels[0] == pytest.approx(0, abs=1.0)
    # In time above 1 kHz, where the receiver's high-pass no longer turns the phase.
    lag = np.fft.irfft(spectra[1] * spectra[0].conj() * (hz > 1_000) * band)
    assert np.argmax(lag) in (0, 1, 2, len(lag) - 1)


@pytest.mark.parametrize("sideband", ["usb", "lsb"])
def test_single_sideband_comes_back_on_its_frequency(sideband: str) -> None:
    t = np.arange(2 * AUDIO_RATE) / AUDIO_RATE
    speech = (0.5 * np.sin(2 * np.pi * 800 * t)).astype(np.float32)
    sent = modulate(SsbModulator(24_000, sideband), speech)  # type: ignore[arg-type]
    shift = -1_500 if sideband == "usb" else 1_500
    centred = sent.samples * np.exp(2j * np.pi * shift * np.arange(len(sent.samples)) / 24_000)
    demodulator = SsbDemodulator(1, 24_000, sideband)  # type: ignore[arg-type]
    out = demodulator.process(BasebandBlock(centred[None, :].astype(np.complex64), 24_000, 0)).samples[0]
    spectrum = np.abs(np.fft.rfft(out[-24_000:] * np.hanning(24_000)))
    assert np.argmax(spectrum) == 800
