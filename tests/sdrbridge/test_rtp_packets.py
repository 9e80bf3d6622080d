"""RTP and RTCP bytes: known answers, round trips, rubbish; loss and jitter as a receiver counts them."""

import contextlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sdrbridge.rtp import rtcp
from sdrbridge.rtp.packet import RtpPacket, ahead, l16_decode, l16_encode, pcmu_decode, pcmu_encode
from sdrbridge.rtp.rtcp import Farewell, Reception, Report, ReportBlock, RtcpPacket, SenderInfo, SourceName

U16, U32 = st.integers(0, 65_535), st.integers(0, (1 << 32) - 1)


def test_header_is_laid_out_as_the_standard_draws_it() -> None:
    data = RtpPacket(0, 0x1234, 0x01020304, 0xA0B0C0D0, b"\xff" * 2, True).encode()
    assert data == bytes.fromhex("80801234 01020304 a0b0c0d0 ffff")


@given(st.integers(0, 127), U16, U32, U32, st.binary(max_size=400), st.booleans())
def test_packet_round_trip(kind: int, sequence: int, timestamp: int, ssrc: int, payload: bytes, marker: bool) -> None:
    packet = RtpPacket(kind, sequence, timestamp, ssrc, payload, marker)
    assert RtpPacket.parse(packet.encode()) == packet


def test_contributors_extension_and_padding_are_passed_over() -> None:
    head = bytes.fromhex("b1000001 00000000 00000001")
    data = head + b"CSRC" + bytes.fromhex("00670001 11223344") + b"voice" + b"\0\0\3"
    assert RtpPacket.parse(data).payload == b"voice"


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x80" * 11,
        b"\x40" + bytes(11),
        b"\x8f" + bytes(11),
        b"\x90" + bytes(11),
        b"\x90" + bytes(13) + b"\xff\xff",
        b"\xa0" + bytes(10) + b"\x05",
        b"\xa0" + bytes(12),
        b"\x80" + bytes(1500),
    ],
)
def test_bad_envelope_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError):
        RtpPacket.parse(data)


@given(st.binary(max_size=1600))
def test_rubbish_never_raises_anything_else(data: bytes) -> None:
    with contextlib.suppress(ValueError):
        RtpPacket.parse(data)
    with contextlib.suppress(ValueError):
        rtcp.parse(data)
    with contextlib.suppress(ValueError):
        rtcp.parse(b"\x81\xc8" + data[: len(data) & ~3][2:])


def test_ulaw_known_answers_and_every_code() -> None:
    # G.711: 0xFF is +0, 0x80 the largest, 0x00 the most negative.
    assert pcmu_decode(b"\xff\x80\x00\x7f").tolist() == pytest.approx([0, 32124 / 32768, -32124 / 32768, 0])
    codes = bytes(c for c in range(256) if c != 0x7F)
    assert pcmu_encode(pcmu_decode(codes)) == codes
    assert pcmu_encode(np.array([2.0, -2.0, np.nan], np.float32)) == b"\x80\x00\xff"


def g711_levels() -> list[int]:
    """Table 2a of G.711: the 128 positive output values, 14 bits, from the smallest to the largest."""
    ends = [31, 95, 223, 479, 991, 2015, 4063, 8159]
    levels = [0, *(2 * i for i in range(1, 16))]  # decision values 1, 3, … 31
    for segment in range(1, 8):
        step = 4 << (segment - 1)
        levels += [ends[segment - 1] + step * i + step // 2 for i in range(16)]
    return levels


def test_ulaw_is_the_table_of_the_standard() -> None:
    levels = np.array(g711_levels())
    assert (levels[-1], levels[16], len(levels)) == (8031, 33, 128)
    decoded = np.rint(pcmu_decode(bytes(range(255, 127, -1))) * 8192).astype(int)
    assert np.array_equal(decoded, levels)
    assert np.array_equal(np.rint(pcmu_decode(bytes(range(127, -1, -1))) * 8192).astype(int), -levels)
    # Every 16-bit sample becomes the level of its interval, the decision values being right to one step of 14 bits.
    x = np.arange(-32_768, 32_768)
    back = np.abs(np.rint(pcmu_decode(pcmu_encode((x / 32_768).astype(np.float32))) * 8192))
    lower = np.array([0, *range(1, 32, 2), *(levels[16:] - np.repeat(2 << np.arange(7), 16))[1:]])
    low, high = (levels[np.searchsorted(lower, np.maximum(np.abs(x) / 4 + by, 0), "right") - 1] for by in (-1, 1))
    assert ((back == low) | (back == high)).all()


def test_l16_round_trip_and_clipping() -> None:
    x = np.array([0, 0.5, -1.0, 2.0, np.nan], np.float32)
    assert l16_encode(x) == bytes.fromhex("0000 4000 8000 7fff 0000")
    assert l16_decode(l16_encode(x[:3]) + b"\1").tolist() == [0, 0.5, -1.0]


@given(U32, st.integers(-(1 << 15) + 1, (1 << 15) - 1))
def test_distance_round_the_wrap(start: int, by: int) -> None:
    assert ahead((start + by) & 0xFFFF, start & 0xFFFF, 16) == by


BLOCKS = st.builds(ReportBlock, U32, st.integers(0, 255), st.integers(-(1 << 23), (1 << 23) - 1), U32, U32, U32, U32)
SENDERS = st.none() | st.builds(SenderInfo, st.integers(0, (1 << 64) - 1), U32, U32, U32)


REPORTS = st.builds(Report, U32, SENDERS, st.lists(BLOCKS, max_size=5).map(tuple))
NAMES = st.builds(SourceName, U32, st.text(max_size=60).filter(lambda text: len(text.encode()) <= 255))
FAREWELLS = st.builds(Farewell, st.lists(U32, max_size=31).map(tuple))


@given(REPORTS, st.lists(NAMES | FAREWELLS | REPORTS, max_size=3))
def test_compound_round_trip(report: Report, rest: list[RtcpPacket]) -> None:
    app = bytes.fromhex("80cc0002 00000001 6e616d65")
    data = report.encode() + b"".join(packet.encode() for packet in rest) + app
    assert rtcp.parse(data) == [report, *rest]


def test_names_and_farewells_are_laid_out_as_the_standard_draws_them() -> None:
    # 6.5: the chunk ends with at least one zero and at a word.
    assert SourceName(1, "a@b.c").encode() == bytes.fromhex("81ca0003 00000001 01056140 622e6300")
    assert SourceName(1, "ab").encode() == bytes.fromhex("81ca0003 00000001 01026162 00000000")
    assert Farewell((1, 2)).encode() == bytes.fromhex("82cb0002 00000001 00000002")
    several = bytes.fromhex("80c90001 00000009 82ca0006 00000001 02014100 00000002 0601 4201 0141 0000 0000 0000")
    assert rtcp.parse(several[:-4] + bytes(4)) == [Report(9), SourceName(2, "A")]


@pytest.mark.parametrize(
    ("data", "why"),
    [
        ("81cb0001 00000001", "begins with type 203"),
        ("80c90001 00000001 82cb0001 00000001", "farewell of 2 sources"),
        ("80c90001 00000001 81ca0002 00000001 01ff6162", "source description is cut off"),
        ("80c90001 00000001 82ca0002 00000001 00000000", "are cut off"),
        ("81c90001 00000001", "a report of 1 sources"),
        ("80c90002 00000001", "cut off"),
        ("80c9000100", "in words of 4"),
    ],
)
def test_bad_compounds_are_refused(data: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        rtcp.parse(bytes.fromhex(data))


def test_interval_is_that_of_the_standard() -> None:
    # A.7: 5 s, half of it at first, times 0.5 … 1.5, divided by e − 1.5.
    assert rtcp.interval_s(2, 1, True, 100, 500, False, 0.5) == pytest.approx(5 / 1.21828, rel=1e-5)
    assert rtcp.interval_s(2, 1, True, 100, 500, True, 0.0) == pytest.approx(1.25 / 1.21828, rel=1e-5)
    # 100 members of whom one sends: he has a quarter for himself, the others share the rest.
    assert rtcp.interval_s(100, 1, True, 100, 20, False, 0.5) == pytest.approx(20 / 1.21828, rel=1e-5)
    assert rtcp.interval_s(100, 1, False, 100, 20, False, 0.5) == pytest.approx(660 / 1.21828, rel=1e-5)


def test_a_source_that_begins_anew_is_counted_anew() -> None:
    source = Reception(7, 100)
    for number in range(100, 200):
        source.note(number, 160 * number, 160 * number)
    source.note(40_000, 0, 0)  # one that is odd is passed over
    source.note(200, 160 * 200, 160 * 200)
    assert (source.received, source.lost) == (101, 0)
    source.note(9, 0, 0)
    source.note(10, 160, 160)
    assert (source.received, source.expected, source.highest) == (1, 1, 10)


def test_loss_and_jitter() -> None:
    source = Reception(7, 65_530)
    for number in range(100):
        if number % 10 != 3:
            late = 80 if number % 2 else 0
            source.note((65_530 + number) & 0xFFFF, 160 * number, 160 * number + late)
    assert (source.expected, source.received) == (100, 90)
    report = source.report()
    assert report.lost == 10 and report.fraction == 25 and report.highest == 65_629
    assert 60 < report.jitter <= 80
    assert source.report().fraction == 0
    source.note(65_530, 0, 0)  # late and doubled packets do not move the highest
    assert source.expected == 100
