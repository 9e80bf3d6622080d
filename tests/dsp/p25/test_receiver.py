"""Real signals: at least what the decoders that made the truth files got from a cold start, and the same bits."""

from collections import Counter
from typing import Any

import numpy as np
import pytest
import soundfile as sf
from numpy.typing import NDArray

from dsp.blocks import BasebandBlock, RowBlock
from dsp.errors import RangeError
from dsp.p25.discriminator import DiscriminatorModem
from dsp.p25.frame import Frame
from dsp.p25.receiver import DiscriminatorReceiver, P25Receiver
from tests.support.other_modes import baseband

Entry = dict[str, Any]

# The truth counts all nine frames of a voice unit whose network identifier was seen; the last units of these files are
# cut off by the end of the file: so many frames are not on the recording. The second number is how many frames may
# differ from the truth file, which has its own errors there.
CUT_OFF = {
    "p25p1_c4fm_vc_a": (5, 0),
    "p25p1_cqpsk_vc_b": (3, 0),
    "p25p1_conv_voice_a": (5, 0),
    "p25p1_conv_voice2_a": (7, 0),
    "p25p1_trunk_voice_clear_a": (5, 2),
    "p25p1_trunk_voice_des_a": (7, 1),
}


def received(entry: Entry, piece: int = 960) -> list[Frame]:
    rate = entry["sample_rate_hz"]
    if entry["file"].endswith(".wav"):
        audio, rate = sf.read(entry["path"], dtype="float32")
        ear = DiscriminatorReceiver(rate)
        heard = [
            found
            for at in range(0, len(audio), piece)
            for found in ear.process(RowBlock(np.ascontiguousarray(audio[None, at : at + piece]), rate, at))
        ]
        return [r.frame for r in heard + ear.flush()]
    x = baseband(entry)
    receiver = P25Receiver(1, rate)
    heard = [
        found
        for at in range(0, len(x), piece)
        for found in receiver.process(BasebandBlock(np.ascontiguousarray(x[None, at : at + piece]), rate, at))
    ]
    return [r.frame for r in heard + receiver.flush()]


@pytest.mark.parametrize("name", ["p25p1_c4fm_cc_a", "p25p1_c4fm_cc_mmr", "p25p1_cqpsk_cc_b", "p25p1_cqpsk_cc_simul_b"])
def test_control_channels(corpus: dict[str, Entry], name: str) -> None:
    truth = corpus[name]["truth"]
    blocks = [f.data.hex() for f in received(corpus[name]) if f.name == "TSBK" and f.valid]
    known = Counter(blocks) & Counter(truth["tsbk_hex_in_order"])
    assert known.total() >= truth["cold_start_counts"]["data_units"]["TSBK"]
    assert len(blocks) - known.total() <= 3  # before and behind what the other decoder read


def test_every_recording_gives_what_a_cold_start_gave(corpus: dict[str, Entry]) -> None:
    """Units by kind; the last voice unit of a recording may be cut off by its end."""
    names = [
        name for name in sorted(corpus) if name.startswith("p25p1") and "cold_start_counts" in corpus[name]["truth"]
    ]
    assert len(names) >= 10
    for name in names:
        units = Counter(f.name for f in received(corpus[name]) if f.valid)
        for unit, count in corpus[name]["truth"]["cold_start_counts"]["data_units"].items():
            assert units[unit] >= count - unit.startswith("LDU"), (name, unit)


def test_a_transmission_of_another_program(corpus: dict[str, Entry]) -> None:
    entry = corpus["p25_op25tx_b"]
    frames = received(entry)
    voice = Counter(f.data.hex() for f in frames if f.name == "IMBE")
    truth = (entry["path"].parent / entry["truth"]["imbe_file"]).read_text().splitlines()
    # The truth is what OP25 made of this noisy signal, with errors of its own.
    assert (voice & Counter(line.split()[0] for line in truth)).total() >= 140
    assert Counter(f.name for f in frames if f.name.startswith("LDU") and f.valid) == {"LDU1": 8, "LDU2": 8}
    assert {f.nac for f in frames} == {0x293}


@pytest.mark.parametrize("name", sorted(CUT_OFF))
def test_voice_channels_bit_for_bit(corpus: dict[str, Entry], name: str) -> None:
    entry = corpus[name]
    cut_off, differ = CUT_OFF[name]
    voice = [f.data.hex() for f in received(entry) if f.name == "IMBE"]
    truth = [line.split()[0] for line in (entry["path"].parent / entry["truth"]["imbe_file"]).read_text().splitlines()]
    assert len(voice) >= entry["truth"]["cold_start_counts"]["imbe_frames"] - cut_off
    assert len(voice) >= entry["truth"]["imbe_frames"] - cut_off
    same = Counter(voice) & Counter(truth)
    assert same.total() >= len(voice) - differ


def test_units_of_a_trunked_channel_of_inverted_polarity(corpus: dict[str, Entry]) -> None:
    frames = received(corpus["p25p1_trunk_voice_clear_a"])
    truth = corpus["p25p1_trunk_voice_clear_a"]["truth"]
    units = Counter(f.name for f in frames if f.valid)
    for name, count in truth["cold_start_counts"]["data_units"].items():
        assert units[name] >= count - (name == "LDU1")  # the last one is cut off by the end of the file
    assert {f.nac for f in frames} == {int(truth["nac_hex"], 16)}


def test_scale_of_the_audio_does_not_matter(corpus: dict[str, Entry]) -> None:
    audio, rate = sf.read(corpus["p25p1_conv_voice2_a"]["path"], dtype="float32")
    counts = []
    for gain, offset in ((1.0, 0.0), (-0.03, 0.2), (20.0, -3.0)):
        ear = DiscriminatorReceiver(rate)
        heard = ear.process(RowBlock((audio[None, :144_000] * gain + offset).astype(np.float32), rate, 0))
        counts.append([r.frame.data for r in heard if r.frame.name == "IMBE"])
    assert len(counts[0]) > 80
    assert counts[0] == counts[1] == counts[2]


def test_pieces_of_audio_do_not_matter(corpus: dict[str, Entry]) -> None:
    audio, rate = sf.read(corpus["p25p1_conv_voice2_a"]["path"], dtype="float32")
    audio = audio[24_000:72_000]
    results = []
    for sizes in ([48_000], [1, 0, 700, 13], [481]):
        ear, at, soft = DiscriminatorModem(rate), 0, list[NDArray[np.float32]]()
        for turn in range(10**6):
            n = sizes[turn % len(sizes)]
            soft += [b.llr for b in ear.process(RowBlock(audio[None, at : at + n].copy(), rate, at))]
            at += n
            if at >= len(audio):
                break
        results.append(np.concatenate([*soft, *(b.llr for b in ear.flush())]))
    assert np.array_equal(results[0], results[1])
    assert np.array_equal(results[0], results[2])


@pytest.mark.parametrize("name", ["negative_edacs_a", "dmr_tier3_cc_a", "ysf_op25tx_a"])
def test_other_modes_are_not_p25(corpus: dict[str, Entry], name: str) -> None:
    assert not [f for f in received(corpus[name]) if f.valid]


@pytest.mark.parametrize("name", ["negative_dpmr_a", "dmr_bs_voice_b", "nxdn96_voice_disc_a"])
def test_audio_of_other_modes_is_not_p25(corpus: dict[str, Entry], name: str) -> None:
    assert not [f for f in received(corpus[name]) if f.valid]


def test_as_many_nacs_as_rows() -> None:
    with pytest.raises(RangeError, match="one each"):
        P25Receiver(2, 24_000, [1])


@pytest.mark.slow
def test_an_hour_of_noise_is_not_p25() -> None:
    rng = np.random.default_rng(15)
    receiver = P25Receiver(20, 24_000)
    for second in range(180):
        noise = rng.standard_normal((20, 24_000, 2), dtype=np.float32).view(np.complex64)[..., 0]
        assert receiver.process(BasebandBlock(np.ascontiguousarray(noise), 24_000, 24_000 * second)) == []
