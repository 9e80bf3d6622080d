"""Modulators as stages, and what they send: deviation, response, bandwidth, keying. Measured with plain NumPy."""

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from dsp.blocks import AUDIO_RATE, AudioBlock, IqBlock
from dsp.errors import RangeError, RateError, ShapeError
from dsp.mod import AmModulator, Ctcss, Dcs, FmModulator, Modulator, SsbModulator, modulate
from tests.support.chunks import cut, together
from tests.support.speech import speech_like

MAKERS: dict[str, Callable[[], Modulator]] = {
    "nfm12": lambda: FmModulator(24_000, 2_500),
    "nfm12 ctcss": lambda: FmModulator(48_000, 2_500, tone=Ctcss(156.7, burst_deg=180, tail_s=0.18)),
    "nfm25 dcs": lambda: FmModulator(48_000, 5_000, tone=Dcs("023N")),
    "nfm25 wide": lambda: FmModulator(240_000, 5_000),
    "wfm": lambda: FmModulator(240_000, 75_000, "wfm75"),
    "am": lambda: AmModulator(24_000),
    "am 8.33": lambda: AmModulator(48_000, 0.8, 8_330, tail_s=0.05),
    "usb": lambda: SsbModulator(24_000, "usb"),
    "lsb": lambda: SsbModulator(48_000, "lsb"),
}
each = pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)


def tone(hz: float, amplitude: float, seconds: float = 1.0) -> NDArray[np.float32]:
    return (amplitude * np.sin(2 * np.pi * hz * np.arange(round(seconds * AUDIO_RATE)) / AUDIO_RATE)).astype(np.float32)


def deviation(block: IqBlock) -> NDArray[np.float64]:
    """Instantaneous frequency in Hz."""
    x = block.samples.astype(np.complex128)
    return np.asarray(np.angle(x[1:] * x[:-1].conj()) * block.rate / (2 * np.pi))


def amplitude_at(x: NDArray[np.float64], hz: float, rate: int) -> float:
    """Amplitude of one line of a real signal."""
    window = np.hanning(len(x))
    t = np.arange(len(x)) / rate
    return float(2 * np.abs(np.sum(x * window * np.exp(-2j * np.pi * hz * t))) / window.sum())


def power_outside(block: IqBlock, low_hz: float, high_hz: float, average: int = 4096) -> float:
    """Share of the power outside low … high, in dB."""
    n = len(block.samples) // average * average
    frames = block.samples[:n].reshape(-1, average) * np.blackman(average)
    power = (np.abs(np.fft.fft(frames)) ** 2).sum(0)
    hz = np.fft.fftfreq(average, 1 / block.rate)
    return float(10 * np.log10(power[(hz < low_hz) | (hz > high_hz)].sum() / power.sum()))


@each
def test_the_cut_of_the_stream_does_not_matter(make: Callable[[], Modulator]) -> None:
    audio = AudioBlock(speech_like(1.0, 1), AUDIO_RATE, 4_000)
    outs = []
    for seed in range(3):
        modulator = make()
        modulator.key(5_000)
        modulator.unkey(9_000)
        parts = [modulator.process(p) for p in (cut(audio, seed) if seed else [audio])]
        outs.append(together([*parts, modulator.flush()]))
    assert outs[0].index == 4_000 * outs[0].rate // AUDIO_RATE
    assert outs[0].end == 12_000 * outs[0].rate // AUDIO_RATE
    for out in outs[1:]:
        assert out.index == outs[0].index
        np.testing.assert_array_equal(out.samples, outs[0].samples)


@each
def test_unkeyed_means_no_carrier(make: Callable[[], Modulator]) -> None:
    modulator = make()
    modulator.key(2_000)
    modulator.unkey(4_000)
    audio = AudioBlock(speech_like(1.0, 2), AUDIO_RATE, 0)
    out = together([modulator.process(audio), modulator.flush()]).samples
    factor = modulator.rate // AUDIO_RATE
    tail = round(0.18 * modulator.rate) if isinstance(modulator, FmModulator) and modulator.tone else 0
    tail = round(0.05 * modulator.rate) if make is MAKERS["am 8.33"] else tail
    assert not out[: 2_000 * factor].any()
    assert not out[4_000 * factor + tail :].any()
    on = np.abs(out[2_000 * factor : 4_000 * factor + tail])
    if not isinstance(modulator, SsbModulator):
        # Half a millisecond after key and before the end there is carrier: edges are 2 ms with their middle at 1 ms.
        assert on[round(0.0015 * modulator.rate)] > 0.1 and on[-round(0.0015 * modulator.rate)] > 0.1


@each
def test_latency_is_the_declared_delay(make: Callable[[], Modulator]) -> None:
    modulator = make()
    out = modulator.process(AudioBlock(np.zeros(1_000, np.float32), AUDIO_RATE, 0))
    assert out.end == (1_000 - modulator.delay) * modulator.rate // AUDIO_RATE
    assert modulator.delay / AUDIO_RATE < 0.016


@each
def test_reset_is_a_fresh_object(make: Callable[[], Modulator]) -> None:
    used, fresh = make(), make()
    used.key(10)
    used.process(AudioBlock(speech_like(0.3, 3), AUDIO_RATE, 0))
    used.reset()
    assert not used.keyed
    audio = AudioBlock(speech_like(0.3, 4), AUDIO_RATE, 0)
    for modulator in (used, fresh):
        modulator.key(0)
    np.testing.assert_array_equal(used.process(audio).samples, fresh.process(audio).samples)


@each
def test_a_gap_starts_afresh_and_is_seen(make: Callable[[], Modulator]) -> None:
    modulator, fresh = make(), make()
    modulator.process(AudioBlock(speech_like(0.2, 5), AUDIO_RATE, 0))
    after = AudioBlock(speech_like(0.2, 6), AUDIO_RATE, 3_000)
    for m in (modulator, fresh):
        m.key(3_000)
    got, expected = modulator.process(after), fresh.process(after)
    assert got.index == expected.index == 3_000 * got.rate // AUDIO_RATE
    np.testing.assert_array_equal(got.samples, expected.samples)


@each
def test_nan_and_infinity_are_silence(make: Callable[[], Modulator]) -> None:
    bad = speech_like(0.2, 7)
    clean = bad.copy()
    bad[[100, 500, 900]] = np.nan, np.inf, -np.inf
    clean[[100, 500, 900]] = 0
    np.testing.assert_array_equal(modulate(make(), bad).samples, modulate(make(), clean).samples)


@each
def test_contract_is_checked(make: Callable[[], Modulator]) -> None:
    modulator = make()
    with pytest.raises(RateError, match="8000"):
        modulator.process(AudioBlock(np.zeros(10, np.float32), 16_000, 0))
    with pytest.raises(ShapeError, match="one row"):
        modulator.process(AudioBlock(np.zeros((2, 10), np.float32), AUDIO_RATE, 0))
    modulator.process(AudioBlock(np.zeros(1_000, np.float32), AUDIO_RATE, 0))
    with pytest.raises(RangeError, match="have been sent"):
        modulator.process(AudioBlock(np.zeros(10, np.float32), AUDIO_RATE, 0))
    with pytest.raises(RangeError, match="have been sent"):
        modulator.key(1)
    modulator.key(2_000)
    with pytest.raises(RangeError, match="not been unkeyed"):
        modulator.key(3_000)


@each
def test_unkey_is_never_refused(make: Callable[[], Modulator]) -> None:
    modulator = make()
    modulator.unkey(0)
    modulator.key(0)
    sent = modulator.process(AudioBlock(np.zeros(4_000, np.float32), AUDIO_RATE, 0))
    modulator.unkey(5)
    assert not modulator.keyed
    # It is off within its tail of the sample it had come to, not of the one that was asked for.
    rest = modulator.flush()
    more = modulator.process(AudioBlock(np.ones(4_000, np.float32), AUDIO_RATE, 6_000))
    assert rest.index == sent.end and (rest.end - sent.end) / sent.rate < 0.18 + 0.016
    assert np.abs(rest.samples[-1:]) < 1e-3 and not more.samples.any()


def test_the_earliest_release_counts_and_drops_what_was_to_come() -> None:
    audio = AudioBlock(np.zeros(6_000, np.float32), AUDIO_RATE, 0)
    for late_first in (True, False):
        modulator = FmModulator(24_000, 2_500)
        modulator.key(100)
        modulator.unkey(5_000 if late_first else 1_000)
        if late_first:
            modulator.key(5_500)
        modulator.unkey(1_000 if late_first else 5_000)
        on = np.abs(modulator.process(audio).samples) > 0
        assert on[300:3_000].all() and not on[3_000:].any() and not modulator.keyed
    modulator.key(7_000)
    modulator.unkey(7_000)
    assert not modulator.process(AudioBlock(np.zeros(6_000, np.float32), AUDIO_RATE, 6_000)).samples.any()


@pytest.mark.parametrize("ahead", [True, False])
def test_keyed_again_in_the_tail_the_carrier_stays_on_and_the_tone_begins_anew(ahead: bool) -> None:
    modulator = FmModulator(24_000, 2_500, tone=Ctcss(100.0, burst_deg=180.0, tail_s=0.2))
    edges = [(0, modulator.key), (4_000, modulator.unkey), (4_800, modulator.key), (8_000, modulator.unkey)]
    if ahead:
        for index, act in edges:
            act(index)
        with pytest.raises(RangeError, match="keyed until 8000"):
            modulator.key(7_000)
    parts = []
    for at in range(0, 12_000, 160):
        while not ahead and edges and edges[0][0] <= at:
            edges[0][1](edges.pop(0)[0])
        parts.append(modulator.process(AudioBlock(np.zeros(160, np.float32), AUDIO_RATE, at)).samples)
    x = np.concatenate(parts).astype(np.complex128)
    on = np.abs(x)
    assert np.allclose(on[100 : 3 * 9_600 - 100], 1, atol=1e-6)
    assert not on[3 * 9_600 :].any()
    deviation = np.angle(x[1:] * x[:-1].conj()) * 24_000 / (2 * np.pi)
    period = 240
    keyed, tail, again = (deviation[at : at + period] for at in (3 * 3_600, 3 * 4_400, 3 * 5_600))
    assert np.corrcoef(keyed, tail)[0, 1] < -0.99
    assert np.corrcoef(keyed, again)[0, 1] > 0.99
    # Taken back, the second over leaves the first its tail and its fall.
    modulator.reset()
    modulator.key(0)
    modulator.unkey(4_000)
    modulator.key(4_800)
    modulator.unkey(4_500)
    audio = AudioBlock(np.zeros(9_000, np.float32), AUDIO_RATE, 0)
    assert np.flatnonzero(modulator.process(audio).samples)[-1] == 3 * 5_600 - 1


@pytest.mark.parametrize(("rate", "width"), [(24_000, 2_500), (48_000, 2_500), (48_000, 5_000), (240_000, 5_000)])
def test_deviation_of_a_kilohertz_and_the_limit(rate: int, width: int) -> None:
    soft = deviation(modulate(FmModulator(rate, width), tone(1_000, 0.6)))
    middle = slice(rate // 4, -rate // 4)
    # Six tenths of full scale at 1 kHz is six tenths of the deviation, within the ripple of 50 dB filters.
    assert amplitude_at(soft[middle], 1_000, rate) == pytest.approx(0.6 * width, rel=0.01)
    for hz in (400, 1_000, 2_900):
        loud = deviation(modulate(FmModulator(rate, width), tone(hz, 4.0)))
        assert np.abs(loud[10 * rate // 1_000 : -rate // 100]).max() <= width * 1.0001
        assert np.abs(loud).max() > 0.85 * width


def test_pre_emphasis_follows_750_us_within_a_decibel() -> None:
    def gain(hz: float) -> float:
        dev = deviation(modulate(FmModulator(24_000, 2_500), tone(hz, 0.1)))
        return float(20 * np.log10(amplitude_at(dev[6_000:-6_000], hz, 24_000) / 250))

    def ideal(hz: float) -> float:
        return float(20 * np.log10(np.hypot(1, hz * 2 * np.pi * 750e-6) / np.hypot(1, 2000 * np.pi * 750e-6)))

    for hz in (300, 400, 700, 1_000, 1_500, 2_000, 2_500, 3_000):
        assert gain(hz) == pytest.approx(ideal(hz), abs=1.0), hz
    # Nothing of the speech where the tones are, nor above the band.
    assert gain(150) < ideal(150) - 35 and gain(3_800) < ideal(3_800) - 35


# The limit is physics: a loud 3 kHz at 2.5 kHz of deviation has its third sideband at 9 kHz, 39 dB down (J₃ of 0.83).
@pytest.mark.parametrize(
    ("width", "channel_hz", "loudness", "neighbour_db"),
    [(2_500, 12_500, 0.1, -75), (2_500, 12_500, 1.0, -42), (5_000, 25_000, 0.1, -110), (5_000, 25_000, 1.0, -68)],
)
def test_loud_speech_stays_inside_its_channel(
    width: int, channel_hz: int, loudness: float, neighbour_db: float
) -> None:
    modulator = FmModulator(240_000, width, tone=Ctcss(100.0))
    block = modulate(modulator, speech_like(3.0, 8, rms=loudness))
    steady = IqBlock(block.samples[2_400:-2_400], block.rate, 0)
    # What a neighbour's 11 kHz filter can hear, and the 99 % bandwidth (47 CFR 2.202: 11 and 16 kHz).
    assert power_outside(steady, -channel_hz + 5_500, channel_hz - 5_500) < neighbour_db
    assert power_outside(steady, -width - 3_000, width + 3_000) < -20


@pytest.mark.parametrize("signalling", [Ctcss(156.7), Dcs("023N"), Ctcss(67.0, 350.0), Dcs("245I", 450.0)])
def test_tone_deviation_is_as_asked(signalling: Ctcss | Dcs) -> None:
    wanted = signalling.deviation_hz or 375.0
    dev = deviation(modulate(FmModulator(24_000, 2_500, tone=signalling), np.zeros(16_000, np.float32)))[200:40_000]
    assert np.abs(dev).max() == pytest.approx(wanted, rel=0.005)
    loud = deviation(modulate(FmModulator(24_000, 2_500, tone=signalling), speech_like(2.0, 9, rms=1.0)))
    assert np.abs(loud[200:40_000]).max() <= 2_500.5
    if isinstance(signalling, Ctcss):
        # Loud clipped speech under 300 Hz adds little to the tone.
        assert amplitude_at(loud[200:40_000], signalling.hz, 24_000) == pytest.approx(wanted, rel=0.02)


@pytest.mark.parametrize(("emphasis", "constant"), [("wfm75", 75e-6), ("wfm50", 50e-6)])
def test_broadcast_deviation_and_emphasis(emphasis: str, constant: float) -> None:
    for hz in (200, 1_000, 3_000):
        out = modulate(FmModulator(240_000, 75_000, emphasis), tone(hz, 0.5))  # type: ignore[arg-type]
        measured = amplitude_at(deviation(out)[60_000:-60_000], hz, 240_000)
        ideal = np.hypot(1, 2 * np.pi * hz * constant) / np.hypot(1, 2 * np.pi * 1_000 * constant)
        assert measured == pytest.approx(37_500 * ideal, rel=0.02)


def test_am_depth_and_carrier() -> None:
    out = modulate(AmModulator(24_000, 0.8), tone(1_000, 1.0))
    steady = np.abs(out.samples[6_000:-6_000]).astype(np.float64)
    assert steady.mean() == pytest.approx(1.0, abs=0.002)
    assert amplitude_at(steady, 1_000, 24_000) == pytest.approx(0.8, rel=0.01)
    distortion = [amplitude_at(steady, h * 1_000, 24_000) for h in (2, 3, 4)]
    assert max(distortion) < 0.002
    assert np.abs(modulate(AmModulator(24_000, 1.0), 5 * speech_like(1.0, 10)).samples).max() <= 2.0001


@pytest.mark.parametrize(("bandwidth", "half"), [(25_000, 3_300), (8_330, 2_800)])
def test_am_is_as_wide_as_its_channel_allows(bandwidth: int, half: float) -> None:
    block = modulate(AmModulator(48_000, 0.85, bandwidth), speech_like(2.0, 11, rms=0.3))
    steady = IqBlock(block.samples[4_800:-4_800], block.rate, 0)
    assert power_outside(steady, -half, half) < -50


@pytest.mark.parametrize("sideband", ["usb", "lsb"])
def test_one_sideband_only_and_no_carrier(sideband: str) -> None:
    out = modulate(SsbModulator(24_000, sideband), tone(1_200, 1.0))  # type: ignore[arg-type]
    x = out.samples[6_000:-6_000] * np.hanning(len(out.samples) - 12_000)
    spectrum = np.abs(np.fft.fft(x)) / np.hanning(len(x)).sum()
    hz = np.fft.fftfreq(len(x), 1 / 24_000)
    sign = 1 if sideband == "usb" else -1
    wanted = spectrum[np.abs(hz - sign * 1_200) < 10].max()
    assert wanted == pytest.approx(1.0, rel=0.01)
    for image in (-sign * 1_200, 0):
        assert 20 * np.log10(spectrum[np.abs(hz - image) < 10].max() / wanted) < -55


def test_settings_out_of_range_are_refused() -> None:
    refused: list[tuple[Callable[[], Modulator], str]] = [
        (lambda: FmModulator(24_000, 100), "outside 500"),
        (lambda: FmModulator(24_000, 2_500, "flat"), "none of"),  # type: ignore[arg-type]
        (lambda: FmModulator(24_000, 2_500, tone=Ctcss(100.0, 1_500)), "at most half"),
        (lambda: FmModulator(24_000, 2_500, rise_s=-1), "rise_s"),
        (lambda: AmModulator(24_000, 1.1), "depth"),
        (lambda: AmModulator(24_000, 0.8, 12_500), "25000 or 8330"),
        (lambda: SsbModulator(24_000, "dsb"), "sideband"),  # type: ignore[arg-type]
    ]
    for make, message in refused:
        with pytest.raises(RangeError, match=message):
            make()
    for rate, width in [(44_100, 2_500), (48_000, 75_000), (16_000, 2_500)]:
        with pytest.raises(RateError, match="nearest"):
            FmModulator(rate, width)
