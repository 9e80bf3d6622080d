"""The receive path as a whole: on-air time is kept, the declared delay is the measured one, and both are short."""

import numpy as np
import pytest
from numpy.typing import NDArray

from dsp.blocks import AUDIO_RATE, IqBlock
from dsp.events import EventKind
from dsp.lookback import LookBack
from dsp.voice import de_emphasis
from sdrbridge.modes import PRESETS, Preset
from sdrbridge.receiver import Receiver, Tuned

RATE = 240_000
BLOCK = RATE // 100
MODES = [preset for mode, presets in PRESETS.items() for preset in presets if mode != "p25"]
"""The analog ones."""
NFM = PRESETS["nfm"][0]

LONGEST_DELAY_S = 0.035
"""RF to audio in steady speech, the channelizer's block included."""


def signal(preset: Preset, seconds: float, tone_from_s: float, offset_hz: float) -> NDArray[np.complex64]:
    """A carrier from the start, on which a 1 kHz tone begins at `tone_from_s`."""
    n = int(seconds * RATE)
    t = np.arange(n) / RATE
    tone = np.where(t >= tone_from_s, np.sin(2 * np.pi * 1000 * (t - tone_from_s)), 0.0)
    if preset.kind == "fm":
        baseband = np.exp(2j * np.pi * np.cumsum(0.6 * preset.deviation_hz * tone) / RATE)
    elif preset.kind == "am":
        baseband = 1 + 0.8 * tone
    else:
        side = 1 if preset.mode == "usb" else -1
        baseband = np.where(t >= tone_from_s, np.exp(2j * np.pi * side * 1000 * (t - tone_from_s)), 0.0)
    noise = np.random.default_rng(5).standard_normal((2, n)) * 1e-3
    mixed: NDArray[np.complex64] = (
        0.3 * baseband * np.exp(2j * np.pi * offset_hz * t) + noise[0] + 1j * noise[1]
    ).astype(np.complex64)
    return mixed


def feed(receiver: Receiver, samples: NDArray[np.complex64], block: int) -> None:
    for at in range(0, len(samples), block):
        receiver.process(IqBlock(samples[at : at + block], RATE, at))


@pytest.mark.parametrize("preset", [p for p in MODES if p.kind != "ssb"], ids=lambda p: f"{p.mode}-{p.bandwidth_hz}")
def test_speech_keeps_its_time_on_the_air(preset: Preset) -> None:
    offset = 0.0 if preset.mode == "wfm" else 30_250.0
    receiver = Receiver(RATE, [Tuned(preset, offset)])
    feed(receiver, signal(preset, 1.0, 0.5, offset), BLOCK)
    end = receiver.available(receiver.time)
    settled = int(0.3 * AUDIO_RATE)
    speech = np.abs(receiver.heard(0, settled, end - settled))
    begins = settled + int(np.argmax(speech > 0.5 * speech[-AUDIO_RATE // 4 :].max()))
    # A quarter of the tone's period until it is half way up, and what the filters smear: 2 ms.
    assert begins == pytest.approx(0.5 * AUDIO_RATE, abs=0.002 * AUDIO_RATE)


@pytest.mark.parametrize("preset", PRESETS["nfm"], ids=lambda p: f"{p.mode}-{p.bandwidth_hz}")
def test_fm_audio_is_within_1_db_of_the_ideal_de_emphasis(preset: Preset) -> None:
    """From 300 to 3000 Hz, channel filter and discriminator included, at 500 Hz of deviation."""
    t = np.arange(RATE) / RATE
    for hz in (300, 310, 330, 400, 500, 700, 1000, 1500, 2000, 2500, 2800, 3000):
        x = 0.1 * np.exp(2j * np.pi * 30_250 * t - 500j / hz * np.cos(2 * np.pi * hz * t))
        receiver = Receiver(RATE, [Tuned(preset, 30_250.0)])
        receiver.process(IqBlock(x.astype(np.complex64), RATE, 0))
        speech = receiver.heard(0, 3000, 4000).astype(np.float64)
        wave = np.exp(-2j * np.pi * hz * np.arange(4000) / AUDIO_RATE) * np.hanning(4001)[:-1]
        level = abs(speech @ wave) / 1000 * preset.deviation_hz / 500
        assert abs(20 * np.log10(level / de_emphasis(np.array([float(hz)]), "nfm")[0])) < 1.0, hz


@pytest.mark.parametrize("preset", MODES, ids=lambda p: f"{p.mode}-{p.bandwidth_hz}")
def test_the_declared_delay_is_the_measured_one(preset: Preset) -> None:
    receiver = Receiver(RATE, [Tuned(preset, 0.0)])
    bank, row = receiver.place(0)
    samples = signal(preset, 0.5, 0.1, 0.0)
    for at in range(0, len(samples), BLOCK):
        receiver.process(IqBlock(samples[at : at + BLOCK], RATE, at))
        assert isinstance(bank.lookback, LookBack)
        declared, measured = bank.available(receiver.time), bank.lookback.end
        if declared > 0:
            assert declared <= measured <= declared + AUDIO_RATE // 1000
    assert row == 0


@pytest.mark.parametrize("preset", MODES, ids=lambda p: f"{p.mode}-{p.bandwidth_hz}")
def test_the_path_is_short(preset: Preset) -> None:
    receiver = Receiver(RATE, [Tuned(preset, 0.0)])
    stages = list(receiver.ledger(0))
    assert sum(stage.delay_s for stage in stages) <= LONGEST_DELAY_S
    assert [stage.name for stage in stages][:2] == ["channelizer block", "channelizer filter"]


def test_any_blocks_give_the_same_speech_and_signals() -> None:
    samples = signal(NFM, 1.0, 0.2, -20_000.0)
    found, heard = [], []
    for block in (BLOCK, 777, 33_333):
        receiver = Receiver(RATE, [Tuned(NFM, -20_000.0), Tuned(PRESETS["am"][0], 50_000.0)])
        seen = []
        for at in range(0, len(samples), block):
            seen += receiver.process(IqBlock(samples[at : at + block], RATE, at))
        found.append(sorted(seen, key=lambda f: (f.channel, f.signal.known, f.signal.kind.value)))
        heard.append([receiver.heard(p, 0, receiver.available(receiver.time)) for p in (0, 1)])
    assert found[0] == found[1] == found[2]
    assert any(f.signal.kind is EventKind.OPEN for f in found[0])
    for other in heard[1:]:
        for row, reference in zip(other, heard[0], strict=True):
            np.testing.assert_array_equal(row, reference)


def test_a_further_channel_leaves_the_others_as_they_were() -> None:
    samples = signal(NFM, 0.6, 0.2, 10_000.0)
    alone = Receiver(RATE, [Tuned(NFM, 10_000.0)])
    crowd = Receiver(RATE, [Tuned(NFM, f) for f in (-40_000.0, 10_000.0, 35_000.0, 60_000.0, -90_000.0, 85_000.0)])
    feed(alone, samples, BLOCK)
    feed(crowd, samples, BLOCK)
    end = alone.available(alone.time)
    np.testing.assert_allclose(crowd.heard(1, 0, end), alone.heard(0, 0, end), atol=2e-3)


def test_lost_samples_are_silence_of_the_same_length() -> None:
    samples = signal(NFM, 2.0, 0.0, 0.0)
    receiver = Receiver(RATE, [Tuned(NFM, 0.0)])
    receiver.process(IqBlock(samples[: RATE // 2], RATE, 0))
    receiver.process(IqBlock(samples[RATE : RATE + RATE // 4], RATE, RATE))
    before, gap, after = (np.abs(receiver.heard(0, int(s * AUDIO_RATE), 800)).max() for s in (0.35, 0.7, 1.1))
    assert gap == 0
    assert before > 0.3 and after > 0.3
