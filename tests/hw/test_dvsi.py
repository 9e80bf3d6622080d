"""A DVSI chip as vocoder: the packets, the dongle, AMBEserver, and what happens when the chip does not do its work."""

from collections.abc import Iterator
from contextlib import closing

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dsp.vocoder import Vocoder
from dsp.vocoder.imbe import ImbeDecoder, ImbeEncoder, ImbeVocoder, channel
from hw import ambe3000, dvsi
from hw.ambe3000 import Kind, Packet, Splitter
from hw.dvsi import DvsiVocoder, open_vocoder
from hw.errors import DeviceError, DeviceLost, DeviceNotFound, SourceError
from tests.hw.fake_ambe3000 import AmbeServer, Chip, Faults, SerialDongle

SPEECH = np.random.default_rng(5).normal(0, 0.1, (12, 160)).astype(np.float32)


@pytest.fixture
def chip() -> Chip:
    return Chip()


@pytest.fixture(params=["serial", "udp"])
def vocoder(request: pytest.FixtureRequest, chip: Chip) -> Iterator[DvsiVocoder]:
    if request.param == "serial":
        pytest.importorskip("serial")
        dongle = SerialDongle(chip)
        with closing(open_vocoder(dongle.path)) as found:
            yield found
        dongle.unplug()
    else:
        server = AmbeServer(chip)
        with closing(open_vocoder(f"udp:127.0.0.1:{server.port}")) as found:
            yield found
        server.close()


def test_parity_packet_of_the_manual() -> None:
    # 61 0004 00 3F00 2F14: parity off, as every AMBE-3000 program sends it
    assert ambe3000.parity_off().encode(parity=True) == bytes.fromhex("61000400 3f00 2f14")


def test_speech_packet_of_the_manual() -> None:
    # clause 6.11.1: 61 0144 02 40 00 A0 …, with the CHANNEL0 field that ours may leave out
    samples = b"".join(n.to_bytes(2) for n in range(160))
    raw = bytes.fromhex("61014302 40 00a0") + samples
    assert ambe3000.payload(Packet.parse(raw), Kind.SPEECH) == samples
    assert ambe3000.speech(samples).encode()[:6] == bytes.fromhex("6101420200a0")


@given(st.sampled_from(list(Kind)), st.binary(max_size=400), st.booleans())
def test_packets_come_back(kind: Kind, fields: bytes, parity: bool) -> None:
    packet = Packet(kind, fields)
    found = Packet.parse(packet.encode(parity))
    # fields without parity may happen to end like a parity field, and are taken for one
    assert found == packet or (not parity and fields[-2] == 0x2F)


@given(st.binary(max_size=3000), st.integers(1, 50))
def test_any_bytes_are_survived_in_any_pieces(data: bytes, step: int) -> None:
    whole = list(Splitter().push(data))
    splitter = Splitter()
    pieces = [p for i in range(0, len(data), step) for p in splitter.push(data[i : i + step])]
    assert pieces == whole
    for packet in whole:
        for kind in (Kind.SPEECH, Kind.CHANNEL):
            ambe3000.payload(packet, kind)


@given(st.binary(max_size=60))
def test_what_is_no_packet_is_said_to_be_none(data: bytes) -> None:
    try:
        packet = Packet.parse(data)
    except SourceError as problem:
        assert "AMBE-3000" in str(problem)
    else:
        assert data[:1] == b"a" and len(packet.fields) <= len(data) - 4


def test_a_chip_speaks_like_the_codec_inside(vocoder: DvsiVocoder, chip: Chip) -> None:
    as_protocol: Vocoder = vocoder
    assert vocoder.product == "AMBE3000F"
    encoder, decoder = ImbeEncoder(), ImbeDecoder()
    for frame in SPEECH:
        wire = np.rint(frame * 32767).astype(np.float32) / 32768
        bits = as_protocol.encode(frame)
        assert bits.tobytes() == encoder.encode(wire).tobytes()
        np.testing.assert_allclose(as_protocol.decode(bits), decoder.decode(bits), atol=1e-4)
    assert vocoder.failures == 0 and vocoder.health == ""
    assert chip.frames == 2 * len(SPEECH)


def test_errors_are_corrected_before_the_chip(vocoder: DvsiVocoder) -> None:
    bits = ImbeEncoder().encode(SPEECH[0])
    sent = channel.protect(bits)
    llr = np.where(sent == 1, 2.0, -2.0).astype(np.float32)
    llr[[3, 40, 90]] *= -0.3
    got = vocoder.decode_soft(llr)
    np.testing.assert_allclose(got, ImbeDecoder().decode(bits), atol=1e-4)
    assert vocoder.status.errors == 3


def test_the_chip_is_told_of_lost_frames(vocoder: DvsiVocoder, chip: Chip) -> None:
    vocoder.decode(ImbeEncoder().encode(SPEECH[0]))
    vocoder.erase()
    assert vocoder.status.erased and chip.lost == 1
    vocoder.decode_soft(np.zeros(144, np.float32))
    assert chip.lost == 2


def test_flush_and_reset(vocoder: DvsiVocoder) -> None:
    own = ImbeVocoder()
    for frame in SPEECH[:4]:
        vocoder.encode(frame)
        own.encode(frame)
    assert len(vocoder.flush()) == len(own.flush())
    vocoder.reset()
    assert (
        vocoder.encode(SPEECH[0]).tobytes()
        == ImbeEncoder().encode(np.rint(SPEECH[0] * 32767) / np.float32(32768)).tobytes()
    )


@pytest.mark.parametrize("faults", [Faults(rubbish=b"\x00\x61\xff\xff"), Faults(pieces=3), Faults(asleep=1)], ids=str)
def test_a_bad_line_is_survived(faults: Faults) -> None:
    pytest.importorskip("serial")
    chip = Chip(faults)
    dongle = SerialDongle(chip)
    with closing(open_vocoder(dongle.path)) as vocoder:
        for frame in SPEECH[:3]:
            vocoder.decode(vocoder.encode(frame))
        assert vocoder.failures == 0
    dongle.unplug()


class Script:
    """A link to a chip without any line, which may break."""

    def __init__(self, chip: Chip) -> None:
        self.chip = chip
        self.broken = False
        self._answers: list[bytes] = []

    def send(self, raw: bytes) -> None:
        if self.broken:
            raise DeviceLost("pulled out")
        self._answers += self.chip.take(raw)

    def receive(self) -> bytes:
        return self._answers.pop(0) if self._answers else b""

    def close(self) -> None:
        self._answers = []


def test_speech_goes_on_without_the_chip_and_with_it_again(chip: Chip) -> None:
    links: list[Script] = []

    def connect() -> Script:
        if links and links[-1].broken:
            raise DeviceNotFound("dvsi: nothing there")
        links.append(Script(chip))
        return links[-1]

    vocoder = DvsiVocoder(connect)
    own = ImbeVocoder()
    bits = own.encode(SPEECH[0])
    vocoder.decode(bits)
    links[0].broken = True
    spoken = [vocoder.decode(bits) for _ in range(dvsi.RETRY_FRAMES + 3)]
    own.decode(bits)
    for samples in spoken:
        np.testing.assert_array_equal(samples, own.decode(bits))
    assert vocoder.failures == 2  # once lost, once asked for in vain
    assert "the own codec speaks" in vocoder.health
    links[0].broken = False
    links.clear()
    for _ in range(dvsi.RETRY_FRAMES):
        vocoder.decode(bits)
    assert vocoder.health == "" and vocoder.product == "AMBE3000F"


def test_a_chip_that_falls_silent_is_left(chip: Chip) -> None:
    vocoder = DvsiVocoder(lambda: Script(chip))
    chip.faults.mute = True
    bits = vocoder.encode(SPEECH[0])
    np.testing.assert_array_equal(bits, ImbeEncoder().encode(SPEECH[0]))
    assert vocoder.failures == 1 and "within 0.1 s" in vocoder.health


@pytest.mark.parametrize(
    ("faults", "says"),
    [(Faults(asleep=9), "no AMBE-3000 answers"), (Faults(refuse=0x0A), "refuses RATEP")],
    ids=["silent", "refuses"],
)
def test_what_is_no_vocoder_is_refused_at_the_start(faults: Faults, says: str) -> None:
    with pytest.raises(DeviceError, match=says):
        DvsiVocoder(lambda: Script(Chip(faults)))


@pytest.mark.parametrize("place", ["", "udp:", "udp:host:0", "udp:host:x", "/dev/x,speed=9", "/dev/x,baud=fast"])
def test_a_wrong_place_says_what_would_be_right(place: str) -> None:
    with pytest.raises(DeviceNotFound, match="must be dvsi:"):
        open_vocoder(place)


def test_a_port_that_is_not_there() -> None:
    pytest.importorskip("serial")
    with pytest.raises(DeviceNotFound, match="/dev/no-such-line: cannot be opened"):
        open_vocoder("/dev/no-such-line")
