"""Every opcode with hundreds of random payloads: all can be read, and what an encoder made is read as it was meant."""

import random
from collections.abc import Iterator

import pytest

from dsp.fec import crc, soft
from dsp.p25 import link_control, tsbk, vendors
from dsp.p25.codewords import HEADER_FIELD
from dsp.p25.encryption import EncryptionSync
from dsp.p25.fields import Layout
from dsp.p25.frame import Frame
from dsp.p25.link_control import LinkControl
from dsp.p25.nid import Duid
from dsp.p25.pdu import Format, PduHeader
from dsp.p25.tsbk import Tsbk
from dsp.p25.units import Header, Packet

PAYLOADS = 300

BLOCKS = [(outbound, opcode) for outbound in (True, False) for opcode in range(64)]
WORDS = [(mfid, opcode) for mfid in (None, 0x00, 0x01, *link_control.VENDOR, 0x38) for opcode in range(64)]
"""Manufacturer and opcode; None is the format that implies the standard."""

LAYOUTS = {
    **{f"outbound ${opcode:02X}": (layout, 16, 79) for opcode, layout in tsbk.OUTBOUND.items()},
    **{f"inbound ${opcode:02X}": (layout, 16, 79) for opcode, layout in tsbk.INBOUND.items()},
    # The octet of the manufacturer belongs to the message where the format implies the standard.
    **{f"word ${opcode:02X}": (layout, 8, 71) for opcode, layout in link_control.STANDARD.items()},
    **{
        f"word ${opcode:02X} of ${mfid:02X}": (layout, 16, 71)
        for mfid, words in link_control.VENDOR.items()
        for opcode, layout in words.items()
    },
}


def block(rng: random.Random, opcode: int, mfid: int = 0, *, first: int | None = None) -> bytes:
    """The bytes of a trunking block with a right CRC and anything in it."""
    head = (rng.choice((0, 0x80)) if first is None else first) | opcode
    body = bytes([head, mfid]) + rng.randbytes(8)
    return body + crc.ccitt(body).to_bytes(2)


def word(rng: random.Random, mfid: int | None, opcode: int) -> bytes:
    return bytes([0x40 | opcode]) + rng.randbytes(8) if mfid is None else bytes([opcode, mfid]) + rng.randbytes(7)


def random_values(rng: random.Random, layout: Layout) -> dict[str, int]:
    """For each field its least, its greatest, or any value."""
    widths = {name: last - first + 1 for name, (first, last) in layout.fields.items()}
    return {n: rng.choice((0, (1 << w) - 1, rng.getrandbits(w), rng.getrandbits(w))) for n, w in widths.items()}


def outside(layout: Layout, data: bytes) -> Iterator[int]:
    """The bits of a message that no field has."""
    inside = {bit for first, last in layout.fields.values() for bit in range(first, last + 1)}
    for bit in range(8 * len(data)):
        if bit not in inside:
            yield data[bit // 8] >> (7 - bit % 8) & 1


@pytest.mark.parametrize("name", LAYOUTS)
def test_fields_do_not_overlap_and_lie_inside_the_message(name: str) -> None:
    layout, first, last = LAYOUTS[name]
    taken = [bit for low, high in layout.fields.values() for bit in range(low, high + 1)]
    assert len(taken) == len(set(taken))
    assert all(low <= high for low, high in layout.fields.values())
    assert not taken or (first <= min(taken) and max(taken) <= last)
    # What a report adds of itself must not hide a field.
    assert not layout.fields.keys() & {"opcode", "name", "mfid", "crc", "protected", "lc", "lc_protected", "alias"}


@pytest.mark.parametrize(("outbound", "opcode"), BLOCKS)
def test_any_payload_of_a_trunking_block_is_read(outbound: bool, opcode: int) -> None:
    rng = random.Random(1000 * outbound + opcode)
    known = (tsbk.OUTBOUND if outbound else tsbk.INBOUND).get(opcode)
    for turn in range(PAYLOADS):
        mfid = (0, 1)[turn % 2]
        data = block(rng, opcode, mfid)
        found = Tsbk.parse(data, outbound=outbound)
        assert found.valid and found.encode() == data and found.opcode == opcode
        said = found.fields()
        layout = found.layout
        if known is None:
            assert layout is None and said["name"] == f"TSBK ${opcode:02X} MFID ${mfid:02X}"
            continue
        assert layout is not None and said["name"] == known.name
        values = {name: said[name] for name in layout.fields if name != "emergency" or "service_options" not in said}
        assert values == {name: layout.read(data)[name] for name in values}
        if "base_hz" in said:
            assert 0 <= int(said["base_hz"]) < 5 << 32 and int(said["spacing_hz"]) < 128_000
        # The same values make the same block, but for the bits that no field has.
        fields = layout.read(data)
        again = Tsbk.build(opcode, fields, last=found.last, outbound=outbound, mfid=mfid)
        assert again.valid and again.layout == layout and layout.read(again.data) == fields
        assert not any(list(outside(layout, again.data))[16 if layout.fields else 80 : -16])


@pytest.mark.parametrize(("outbound", "opcode"), BLOCKS)
def test_a_trunking_block_comes_back_as_it_was_built(outbound: bool, opcode: int) -> None:
    rng = random.Random(2000 + 1000 * outbound + opcode)
    layout = (tsbk.OUTBOUND if outbound else tsbk.INBOUND).get(opcode)
    for _ in range(PAYLOADS // 3):
        values = {} if layout is None else random_values(rng, layout)
        built = Tsbk.build(opcode, values, last=rng.random() < 0.5, outbound=outbound)
        again = Tsbk.parse(built.encode(), outbound=outbound)
        assert again == built and again.valid and again.last == built.last
        said = again.fields()
        if "service_options" in values:
            assert (said["emergency"], said["encrypted"]) == (
                values["service_options"] >= 0x80,
                bool(values["service_options"] & 0x40),
            )
        assert values.items() <= {**said, "emergency": values.get("emergency", said.get("emergency"))}.items()


def test_blocks_of_manufacturers_protected_and_damaged_ones_say_no_fields() -> None:
    rng = random.Random(3)
    for opcode in range(64):
        for mfid in set(vendors.NAMES) - set(vendors.STANDARD):
            data = block(rng, opcode, mfid)
            assert Tsbk.parse(data).fields() == {
                "opcode": opcode,
                "name": f"TSBK ${opcode:02X} MFID ${mfid:02X}",
                "mfid": mfid,
            }
        protected = Tsbk.parse(block(rng, opcode, first=0x40)).fields()
        assert protected.keys() == {"opcode", "name", "protected"}
        data = block(rng, opcode)
        for octet in range(12):
            damaged = data[:octet] + bytes([data[octet] ^ rng.randrange(1, 256)]) + data[octet + 1 :]
            assert Tsbk.parse(damaged).fields().keys() <= {"opcode", "name", "mfid", "crc"}


@pytest.mark.parametrize(("mfid", "opcode"), WORDS)
def test_any_payload_of_a_link_control_word_is_read(mfid: int | None, opcode: int) -> None:
    rng = random.Random(4000 + 100 * (mfid or -1) + opcode)
    for _ in range(PAYLOADS // 3):
        data = word(rng, mfid, opcode)
        found = LinkControl.parse(data)
        assert found.encode() == data and found.opcode == opcode and not found.protected
        said, layout = found.fields(), found.layout
        assert said["lc"] == found.name
        for key, most in (("talkgroup", 1 << 16), ("source", 1 << 24), ("target", 1 << 24)):
            value = getattr(found, key)
            assert value is None or 0 <= value < most
        if layout is not None:
            values = layout.read(data)
            assert layout.write(data, values) == data
            assert layout.write(bytes(9), values) == bytes(a & b for a, b in zip(data, mask(layout), strict=True))
            if found.position is None:  # of which the report has degrees
                assert values.items() <= said.items()
        if found.position is not None:
            assert abs(found.position[0]) <= 90.0001 and abs(found.position[1]) <= 180.0001
        secret = LinkControl.parse(bytes([data[0] | 0x80]) + data[1:])
        assert secret.fields().keys() <= {"lc", "mfid", "lc_protected"}
        assert (secret.talkgroup, secret.source, secret.target, secret.encrypted) == (None, None, None, None)


def mask(layout: Layout) -> bytes:
    """Ones where a field is."""
    full = {name: (1 << (last - first + 1)) - 1 for name, (first, last) in layout.fields.items()}
    return layout.write(bytes(9), full)


def test_link_control_words_come_back_as_they_were_made() -> None:
    rng = random.Random(5)
    for _ in range(PAYLOADS):
        talkgroup, source, target = rng.getrandbits(16), rng.getrandbits(24), rng.getrandbits(24)
        emergency, encrypted, priority = rng.random() < 0.5, rng.random() < 0.5, rng.randrange(8)
        options = {"emergency": emergency, "encrypted": encrypted, "priority": priority}
        group = LinkControl.parse(
            LinkControl.group_voice(
                talkgroup, source, emergency=emergency, encrypted=encrypted, priority=priority
            ).encode()
        )
        assert (group.talkgroup, group.source, group.target) == (talkgroup, source, None)
        unit = LinkControl.parse(
            LinkControl.unit_voice(target, source, emergency=emergency, encrypted=encrypted, priority=priority).encode()
        )
        assert (unit.talkgroup, unit.source, unit.target) == (None, source, target)
        for made in (group, unit):
            assert options.items() <= made.fields().items()
            assert (made.emergency, made.encrypted, made.is_voice_user) == (emergency, encrypted, True)
        ended = LinkControl.parse(LinkControl.call_termination(target).encode())
        assert ended.fields() == {"lc": "LC_CALL_TRM_CAN", "address": target}


def test_encryption_syncs_and_headers_come_back() -> None:
    rng = random.Random(6)
    for algorithm in range(256):
        sync = EncryptionSync(rng.randbytes(9), algorithm, rng.getrandbits(16))
        assert EncryptionSync.parse(sync.encode()) == sync
        assert sync.clear == (algorithm == 0x80)
        header = Header(rng.getrandbits(12), sync, rng.getrandbits(8), rng.getrandbits(16))
        sent = soft.from_bits(HEADER_FIELD.encode(header.data))
        assert Header.read(header.nac, HEADER_FIELD.decode(sent)) == header


@pytest.mark.parametrize("form", range(32))
def test_any_packet_header_is_read(form: int) -> None:
    rng = random.Random(7000 + form)
    for turn in range(PAYLOADS):
        body = bytes([rng.getrandbits(8) & 0xE0 | form]) + rng.randbytes(9)
        if form == Format.ALTERNATE_TRUNKING:
            body = body[:7] + bytes([turn % 64]) + body[8:]
        data = body + crc.ccitt(body).to_bytes(2)
        header = PduHeader.parse(data)
        assert header.valid and header.encode() == data and header.form == form
        said = header.fields()
        assert (said["format"], said["link_id"], said["blocks"]) == (form, header.link_id, header.blocks)
        if form == Format.ALTERNATE_TRUNKING:
            assert said["opcode"] == turn % 64
        blocks = tuple(rng.randbytes(18 if form == Format.CONFIRMED else 12) for _ in range(rng.randrange(4)))
        frame = Frame("PDU", 0x293, Duid.PDU, Packet(0x293, header, blocks), 0, 0, 0, 0)
        assert frame.fields()["unit"] == "PDU"
        damaged = PduHeader.parse(data[:-1] + bytes([data[-1] ^ 1]))
        assert damaged.fields() == {"crc": False}


def test_packet_headers_come_back_as_they_were_built() -> None:
    rng = random.Random(8)
    for _ in range(PAYLOADS):
        form, link, blocks, sap = (rng.getrandbits(n) for n in (5, 24, 7, 6))
        confirm, outbound, pad, mfid = rng.random() < 0.5, rng.random() < 0.5, rng.getrandbits(5), rng.getrandbits(8)
        built = PduHeader.build(
            form, link, blocks, sap=sap, mfid=mfid, confirm=confirm, outbound=outbound, pad=pad, last=rng.randbytes(2)
        )
        again = PduHeader.parse(built.encode())
        assert again == built and again.valid
        assert (again.form, again.link_id, again.blocks, again.sap, again.mfid) == (form, link, blocks, sap, mfid)
        assert (again.confirm, again.outbound) == (confirm, outbound)
        assert form == Format.ALTERNATE_TRUNKING or again.pad == pad
