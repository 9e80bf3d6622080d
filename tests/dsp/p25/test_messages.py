"""Link control words and trunking blocks: what real ones say, and that every opcode has its name."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dsp.errors import RangeError, ShapeError
from dsp.fec import crc
from dsp.p25 import link_control, tsbk
from dsp.p25.encryption import EncryptionSync
from dsp.p25.fields import service_options
from dsp.p25.link_control import LinkControl
from dsp.p25.tsbk import Tsbk


def said(text: str) -> dict[str, int | bool | str | float]:
    return LinkControl.parse(bytes.fromhex(text)).fields()


def test_group_call() -> None:
    word = LinkControl.parse(bytes.fromhex("000004000001000001"))
    assert (word.talkgroup, word.source, word.emergency, word.encrypted) == (1, 1, False, False)
    assert word.name == "LC_GRP_V_CH_USR"
    assert word == LinkControl.group_voice(1, 1)


def test_emergency_call() -> None:
    word = LinkControl.group_voice(1001, 4270002, emergency=True)
    assert word.emergency
    assert word.fields()["emergency"] is True
    assert word.encode().hex() == "0000840003e94127b2"


def test_call_between_units() -> None:
    word = LinkControl.unit_voice(101, 102, encrypted=True)
    assert (word.target, word.source, word.talkgroup, word.encrypted) == (101, 102, None, True)


def test_update_speaks_of_other_channels() -> None:
    word = LinkControl.parse(bytes.fromhex("4200402e3100402e31"))
    assert word.fields() == {
        "lc": "LC_GRP_V_CH_UPDT",
        "channel": 0x0040,
        "talkgroup": 0x2E31,
        "channel_b": 0x0040,
        "talkgroup_b": 0x2E31,
    }
    assert word.talkgroup is None
    assert not word.is_voice_user


def test_regrouped_call_of_a_manufacturer() -> None:
    word = LinkControl.parse(bytes.fromhex("0090000006be008ec3"))
    assert (word.talkgroup, word.source, word.mfid) == (1726, 36547, 0x90)
    assert said("0f90100000f0008ec3")["lc"] == "MOT_TALK_COMPLETE"


def test_unknown_words_keep_their_bytes() -> None:
    word = LinkControl.parse(bytes.fromhex("05600fffffffff6be0"))
    assert word.fields() == {"lc": "LCO $05 MFID $60", "mfid": 0x60}
    assert (word.talkgroup, word.source, word.encrypted) == (None, None, None)
    assert word.encode().hex() == "05600fffffffff6be0"


def test_protected_word_says_nothing_of_the_call() -> None:
    word = LinkControl.parse(bytes.fromhex("800004000001000001"))
    assert word.protected
    assert word.fields() == {"lc": "LC_GRP_V_CH_USR", "lc_protected": True}
    assert (word.talkgroup, word.source, word.emergency, word.encrypted) == (None, None, False, None)


def test_standard_opcode_in_the_other_format_is_another_message() -> None:
    assert LinkControl.parse(bytes.fromhex("400004000001000001")).layout is None
    assert LinkControl.parse(bytes.fromhex("020000402e31000000")).layout is None


def test_alias_in_plain_text() -> None:
    first, second = said("32a443445020233032"), said("33a433312020202020")
    assert (first["alias"], second["alias"]) == ("CDP #02", "31")


def test_position() -> None:
    south_west = LinkControl.parse(b"\x06\x90\x00" + (-0x400000).to_bytes(3, signed=True) + b"\x40\x00\x00")
    assert south_west.position == pytest.approx((-45.0, 90.0), abs=1e-4)
    assert south_west.fields()["latitude"] == pytest.approx(-45.0, abs=1e-4)


def test_every_standard_opcode_has_a_name() -> None:
    # TIA-102.AABF-D Table 2: the reserved ones are left out.
    reserved = {0x01, 0x08, *range(0x0B, 0x0F), 0x12, *range(0x1D, 0x20), 0x25, *range(0x2B, 0x40)}
    assert set(link_control.STANDARD) == set(range(64)) - reserved
    # TIA-102.AABC-E, outbound and inbound opcodes.
    outbound = {*range(0x11), *range(0x11, 0x17), 0x18, 0x1A, *range(0x1C, 0x22), 0x24, *range(0x27, 0x3F)}
    assert set(tsbk.OUTBOUND) == outbound - {0x01, 0x07, *range(0x0B, 0x10)}
    inbound = {0x00, 0x04, 0x05, *range(0x08, 0x0B), *range(0x10, 0x15), *range(0x18, 0x1B), *range(0x1C, 0x21)}
    inbound |= {0x23, 0x24, *range(0x27, 0x2A), *range(0x2B, 0x2E), 0x30, 0x32, *range(0x36, 0x3C)}
    assert set(tsbk.INBOUND) == inbound


@given(st.binary(min_size=9, max_size=9))
def test_any_word_can_be_read(data: bytes) -> None:
    word = LinkControl.parse(data)
    word.fields()
    assert word.encode() == data
    assert word.talkgroup is None or word.is_voice_user


@given(st.binary(min_size=12, max_size=12), st.booleans())
def test_any_block_can_be_read(data: bytes, outbound: bool) -> None:
    found = Tsbk.parse(data, outbound=outbound)
    found.fields()
    assert found.encode() == data


@given(st.sampled_from(sorted(tsbk.OUTBOUND)), st.data())
def test_fields_come_back(opcode: int, draw: st.DataObject) -> None:
    layout = tsbk.OUTBOUND[opcode]
    widths = {name: last - first + 1 for name, (first, last) in layout.fields.items()}
    values = {name: draw.draw(st.integers(0, (1 << width) - 1)) for name, width in widths.items()}
    built = Tsbk.build(opcode, values)
    assert built.valid
    assert built.layout is not None
    assert {name: built.layout.read(built.data)[name] for name in values} == values


# Blocks from the air; what they say was worked out by hand from the figures of the standard.
def test_network_status() -> None:
    found = Tsbk.parse(bytes.fromhex("bb0001920650d5000970befc"))
    assert found.valid
    assert found.last
    assert found.fields() == {
        "opcode": 0x3B,
        "name": "NET_STS_BCST",
        "lra": 1,
        "wacn": 0x92065,
        "system": 0x0D5,
        "channel": 0x0009,
        "service_class": 0x70,
    }


def test_identifier_update() -> None:
    # From 851 MHz in steps of 12.5 kHz, 45 MHz below for the units.
    fields = Tsbk.parse(bytes.fromhex("bd000322d0640a250bc0cc4e")).fields()
    assert fields["name"] == "IDEN_UP"
    assert (fields["base_hz"], fields["spacing_hz"], fields["offset_hz"]) == (851_000_000, 12_500, -45_000_000)


def test_synchronization() -> None:
    fields = Tsbk.parse(bytes.fromhex("300000046808c63cf19ea5ab")).fields()
    assert fields["name"] == "SYNC_BCST"
    moment = [fields[name] for name in ("year", "month", "day", "hours", "minutes", "microslots")]
    assert moment == [4, 6, 6, 7, 39, 4510]


def test_grant_update() -> None:
    fields = Tsbk.parse(bytes.fromhex("820000ab4ed600ab4ed693a0")).fields()
    assert fields["name"] == "GRP_V_CH_GRANT_UPDT"
    assert (fields["channel"], fields["talkgroup"]) == (0x00AB, 0x4ED6) == (fields["channel_b"], fields["talkgroup_b"])


def test_block_of_a_manufacturer_keeps_its_bytes() -> None:
    found = Tsbk.parse(bytes.fromhex("0b9000000000000021148f55"))
    assert found.valid
    assert found.fields() == {"opcode": 0x0B, "name": "TSBK $0B MFID $90", "mfid": 0x90}


def test_damaged_and_protected_blocks_say_nothing() -> None:
    assert Tsbk.parse(bytes.fromhex("0b9000000000000021148f56")).fields()["crc"] is False
    data = bytes([0x40]) + bytes(9)
    assert Tsbk.parse(data + crc.ccitt(data).to_bytes(2)).fields()["protected"] is True


def test_acknowledgement_is_read_as_its_flag_says() -> None:
    short = Tsbk.build(0x20, {"extended": 0, "source": 7, "target": 9})
    assert short.fields()["source"] == 7
    data = Tsbk.build(0x20, {"extended": 1, "target": 9})
    assert "wacn" in data.fields()


def test_service_options() -> None:
    options = service_options(0b1110_0101)
    assert options == {"emergency": True, "encrypted": True, "duplex": True, "packet": False, "priority": 5}


def test_encryption_sync() -> None:
    sync = EncryptionSync.parse(bytes.fromhex("959e462cd02bcea500811234"))
    assert (sync.algorithm_name, sync.key, sync.clear) == ("DES-OFB", 0x1234, False)
    assert sync.encode().hex() == "959e462cd02bcea500811234"
    assert EncryptionSync().clear
    assert EncryptionSync(algorithm=0x77).algorithm_name == "algorithm $77"


def test_broken_calls_are_refused() -> None:
    with pytest.raises(ShapeError, match="8 bytes; it has 9"):
        LinkControl.parse(bytes(8))
    with pytest.raises(ShapeError, match="12"):
        Tsbk.parse(bytes(11))
    with pytest.raises(ShapeError, match="12"):
        EncryptionSync.parse(bytes(11))
    with pytest.raises(RangeError, match="talkgroup = 65536 does not fit 16 bits"):
        LinkControl.group_voice(65536, 1)
    with pytest.raises(RangeError, match="has no field 'talkgruop'; it has"):
        Tsbk.build(0x00, {"talkgruop": 1})
    with pytest.raises(RangeError, match="encryption sync"):
        EncryptionSync(bytes(8)).encode()
