"""Do all data units come back as they were sent, and does anything else at least come back as something?"""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dsp.errors import RangeError, ShapeError
from dsp.fec import crc, soft
from dsp.p25 import block, symbols, units
from dsp.p25.encryption import EncryptionSync
from dsp.p25.link_control import LinkControl
from dsp.p25.nid import Duid, Nid
from dsp.p25.pdu import Format, PduHeader, confirmed_block, packet_valid, user_data
from dsp.p25.tsbk import Tsbk

NACS = st.integers(0, 0xFFF)
VOICE = st.lists(st.binary(min_size=18, max_size=18), min_size=9, max_size=9).map(tuple)
SYNCS = st.builds(EncryptionSync, st.binary(min_size=9, max_size=9), st.integers(0, 255), st.integers(0, 65535))
LINKS = st.binary(min_size=9, max_size=9).map(LinkControl.parse)
PAIRS = st.binary(min_size=2, max_size=2)
HEADERS = st.builds(units.Header, NACS, SYNCS, st.integers(0, 255), st.integers(0, 65535))
VOICE1 = st.builds(units.VoiceUnit1, NACS, VOICE, LINKS, PAIRS)
VOICE2 = st.builds(units.VoiceUnit2, NACS, VOICE, SYNCS, PAIRS)
TERMINATORS = st.builds(units.TerminatorLinkControl, NACS, LINKS)


def some_packet(form: int) -> units.Packet:
    data = bytes(range(28))
    header = PduHeader.build(form, 0x123456, 2, sap=4, confirm=form == Format.CONFIRMED)
    if form == Format.CONFIRMED:
        return units.Packet(0x293, header, (confirmed_block(0, data[:16]), confirmed_block(1, data[12:])))
    return units.Packet(0x293, header, (data[:12], data[12:24]))


@given(st.one_of(HEADERS, VOICE1, VOICE2, TERMINATORS, st.builds(units.Terminator, NACS)))
def test_units_come_back(unit: units.Unit) -> None:
    dibits = unit.encode()
    again = units.parse(dibits)
    assert again == unit
    assert again.encode().tolist() == dibits.tolist()


@pytest.mark.parametrize("count", [1, 2, 3])
def test_trunking_units_come_back(count: int) -> None:
    blocks = tuple(Tsbk.build(n, last=n == count - 1) for n in range(count))
    unit = units.Trunking(0x140, blocks)
    dibits = unit.encode()
    # TIA-102.AABB-B clause 5: one block fills 360 bits, three fill 720.
    assert len(dibits) == {1: 180, 2: 288, 3: 360}[count] == units.block_unit_symbols(count)
    assert units.parse(dibits) == unit


@pytest.mark.parametrize("form", [Format.UNCONFIRMED, Format.CONFIRMED])
def test_packets_come_back(form: Format) -> None:
    unit = some_packet(form)
    assert units.parse(unit.encode()) == unit


def test_lengths_are_those_of_the_standard() -> None:
    voice = tuple(bytes(18) for _ in range(9))
    link = LinkControl.group_voice(1, 1)
    lengths: dict[int, units.Unit] = {
        792: units.Header(0),
        1728: units.VoiceUnit1(0, voice, link),
        144: units.Terminator(0),
        432: units.TerminatorLinkControl(0, link),
    }
    for bits, unit in lengths.items():
        assert 2 * len(unit.encode()) == bits
    assert 2 * len(units.VoiceUnit2(0, voice, EncryptionSync()).encode()) == 1728


def test_places_are_those_of_annex_a() -> None:
    # First symbol of each voice frame and of the low speed data, Annex A.3; status symbols counted.
    starts = [symbols.symbols_for(units.HEAD_DIBITS + place.start // 2 + 1) - 1 for place in units.VOICE_PLACES]
    assert starts == [57, 131, 226, 320, 415, 510, 604, 699, 789]
    low_speed = symbols.symbols_for(units.HEAD_DIBITS + units.LOW_SPEED_PLACE.start // 2 + 1) - 1
    assert low_speed == 773


def test_sync_and_status_symbols_are_where_they_belong() -> None:
    dibits = units.Terminator(0x293).encode(status=0b01)
    assert symbols.soft_dibits(dibits).shape == (72, 2)
    assert dibits[:24].tolist() == [symbols.SYNC >> 46 - 2 * i & 3 for i in range(24)]
    assert dibits[[35, 71]].tolist() == [1, 1]
    assert symbols.hard_dibits(symbols.soft_dibits(dibits)).tolist() == dibits.tolist()


@given(st.integers(0, 2**32 - 1), st.sampled_from(list(Duid)), st.floats(0.0, 4.0))
def test_any_noise_parses(seed: int, duid: Duid, sigma: float) -> None:
    rng = np.random.default_rng(seed)
    llr = sigma * rng.normal(size=(864, 2)).astype(np.float32)
    head = np.concatenate([symbols.SYNC_BITS, Nid(0x293, duid).encode()])
    llr[symbols.information(57)] += soft.from_bits(head).reshape(-1, 2)
    llr[rng.random(864) < 0.02] = np.nan
    units.parse(llr)


def test_lost_fields_are_none_and_cannot_be_sent() -> None:
    rng = np.random.default_rng(1)
    voice = tuple(bytes(18) for _ in range(9))
    for unit in (
        units.Header(1, EncryptionSync(), 0, 7),
        units.VoiceUnit1(1, voice, LinkControl.group_voice(7, 9)),
        units.VoiceUnit2(1, voice, EncryptionSync()),
        units.TerminatorLinkControl(1, LinkControl.call_termination()),
    ):
        llr = symbols.soft_dibits(unit.encode())
        llr[57:] = rng.normal(size=(len(llr) - 57, 2))
        lost = units.parse(llr)
        assert type(lost) is type(unit)
        assert lost.data == b""
        with pytest.raises(RangeError, match="cannot be encoded"):
            lost.encode()


def test_all_erased_is_not_a_field() -> None:
    unit = units.VoiceUnit1(1, tuple(bytes(18) for _ in range(9)), LinkControl.group_voice(7, 9))
    llr = symbols.soft_dibits(unit.encode())
    llr[57:] = 0
    assert units.parse(llr).data == b""


def test_interleaver_sends_every_fourth_pair() -> None:
    assert sorted(block.INTERLEAVE.tolist()) == list(range(98))
    assert block.INTERLEAVE[:6].tolist() == [0, 1, 8, 9, 16, 17]
    assert block.INTERLEAVE[24:28].tolist() == [96, 97, 2, 3]
    assert block.INTERLEAVE[-2:].tolist() == [94, 95]


def test_two_wrong_or_twenty_lost_symbols_are_corrected() -> None:
    tsbk = Tsbk.build(0x3B, {"wacn": 0xBEE00, "system": 0x14C})
    llr = soft.from_bits(block.encode(tsbk.encode())).reshape(-1, 2)
    llr[30:32] *= -1
    found = block.decode(llr)
    assert (found.data, found.valid, found.errors) == (tsbk.encode(), True, 4)
    llr[30:32] *= -1
    llr[50:70] = 0
    assert block.decode(llr).data == tsbk.encode()


def test_confirmed_packet() -> None:
    data = bytes(range(28))
    whole = data + crc.crc32(data).to_bytes(4)
    header = PduHeader.build(Format.CONFIRMED, 1, 2, confirm=True)
    blocks = (confirmed_block(0, whole[:16]), confirmed_block(1, whole[16:]))
    assert all(block.is_valid(b) for b in blocks)
    assert not block.is_valid(bytes([blocks[0][0] ^ 1]) + blocks[0][1:])
    assert user_data(header, blocks) == whole
    assert packet_valid(header, blocks)
    assert not packet_valid(header, (blocks[1], blocks[0]))
    assert not packet_valid(header, ())


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: units.parse(np.zeros((56, 2), dtype=np.float32)), "56 symbols"),
        (lambda: units.parse(units.Header(0).encode()[:300]), "HDU of 300 symbols; it has 396"),
        (lambda: units.parse(np.zeros((72, 3), dtype=np.float32)), "(72, 3)"),
        (lambda: units.parse(np.full(72, 4)), "0 … 3"),
        (lambda: units.Trunking(0, ()).encode(), "one to three"),
        (lambda: units.VoiceUnit1(0, (), LinkControl.group_voice(1, 1)).encode(), "nine frames of 18"),
        (lambda: units.Terminator(4096).encode(), "12 bits"),
        (lambda: block.decode(np.zeros((97, 2), dtype=np.float32)), "(98, 2)"),
        (lambda: PduHeader.build(0x15, 1 << 24, 1), "link id"),
        (lambda: confirmed_block(0, b""), "carries 16"),
    ],
)
def test_broken_calls_are_refused(call, message: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises((RangeError, ShapeError)) as wrong:
        call()
    assert message in str(wrong.value)
