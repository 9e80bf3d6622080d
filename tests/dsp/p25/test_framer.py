"""Does the framer find every unit, at once, whatever the cut, and nothing where there is nothing?"""

from collections import Counter
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from dsp.errors import RangeError, ShapeError
from dsp.p25 import symbols, sync, units
from dsp.p25.encryption import EncryptionSync
from dsp.p25.frame import Frame, VoiceFrame
from dsp.p25.framer import Framer
from dsp.p25.link_control import LinkControl
from dsp.p25.nid import Duid, Nid
from dsp.p25.pdu import Format, PduHeader
from dsp.p25.tsbk import Tsbk
from dsp.vocoder.imbe import channel
from tests.reference import p25_sync
from tests.support.c4fm import discriminated, soft_symbols

RATE = 48_000
STEP = RATE // symbols.SYMBOL_RATE
NAC = 0x293
LINK = LinkControl.group_voice(1001, 4270002)
SECRET = EncryptionSync(bytes(range(9)), 0x84, 0x1234)


def speech(rng: np.random.Generator) -> tuple[list[bytes], tuple[bytes, ...]]:
    """Nine voice frames: their speech bits, and the channel bits."""
    frames = [rng.bytes(11) for _ in range(units.VOICE_FRAMES)]
    return frames, tuple(np.packbits(channel.protect(frame)).tobytes() for frame in frames)


def call(rng: np.random.Generator, voice_units: int = 4) -> tuple[list[units.Unit], list[bytes]]:
    """A voice message, and its speech bits."""
    sent: list[units.Unit] = [units.Header(NAC, SECRET, 0, 1001)]
    spoken: list[bytes] = []
    for number in range(voice_units):
        bits, voice = speech(rng)
        spoken += bits
        if number % 2:
            sent.append(units.VoiceUnit2(NAC, voice, SECRET, b"xy"))
        else:
            sent.append(units.VoiceUnit1(NAC, voice, LINK, b"ab"))
    return [*sent, units.TerminatorLinkControl(NAC, LinkControl.call_termination())], spoken


def on_air(sent: list[units.Unit], status: int = 0b10) -> NDArray[np.float32]:
    return symbols.soft_dibits(np.concatenate([unit.encode(status) for unit in sent]))


def noise(rng: np.random.Generator, count: int, sigma: float = 1.0) -> NDArray[np.float32]:
    return (sigma * rng.normal(size=(count, 2))).astype(np.float32)


def at(count: int, first: int = 0) -> NDArray[np.int64]:
    return first + STEP * np.arange(count, dtype=np.int64)


def run(llr: NDArray[np.float32], framer: Framer | None = None) -> list[Frame]:
    framer = framer or Framer(RATE)
    return framer.process(llr, at(len(llr))) + framer.flush()


def names(frames: list[Frame]) -> list[str]:
    return [frame.name for frame in frames]


def spoken_in(frames: list[Frame]) -> list[bytes]:
    return [frame.data for frame in frames if frame.name == "IMBE"]


def essence(frames: list[Frame]) -> list[Any]:
    return [(f.name, f.index, f.decided, f.errors, f.bits, f.valid, f.data, f.status, f.coasting) for f in frames]


def test_a_whole_call() -> None:
    rng = np.random.default_rng(1)
    sent, spoken = call(rng)
    frames = run(np.concatenate([noise(rng, 500), on_air(sent, 0b01), noise(rng, 500)]))
    voice = ["IMBE"] * 8
    parts = ["NID", "HDU", *["NID", *voice, "LDU1", "IMBE", "NID", *voice, "LDU2", "IMBE"] * 2, "NID", "TDULC"]
    assert names(frames) == parts
    assert spoken_in(frames) == spoken
    assert {frame.nac for frame in frames} == {NAC}
    assert all(frame.errors == 0 and frame.valid and not frame.coasting for frame in frames)
    header = frames[1]
    assert isinstance(header.content, units.Header)
    assert header.content.talkgroup == 1001
    first, second = (next(f for f in frames if f.name == name) for name in ("LDU1", "LDU2"))
    assert (first.content, first.low_speed) == (LINK, b"ab")
    assert (second.content, second.low_speed) == (SECRET, b"xy")
    assert set(first.status) == {0b01}
    assert len(first.status) == 21


def test_times_are_those_of_the_air() -> None:
    sent, _ = call(np.random.default_rng(2), 1)
    frames = run(on_air(sent))
    # The header has 396 symbols; voice frame k of the unit behind it lies between the symbols of Annex A.3.
    voice = [frame for frame in frames if frame.name == "IMBE"]
    assert [frame.index // STEP - 396 for frame in voice] == [57, 131, 226, 320, 415, 510, 604, 699, 789]
    assert [frame.decided // STEP - 396 for frame in voice] == [130, 204, 299, 393, 488, 583, 677, 772, 862]
    assert [frame.index // STEP for frame in frames if frame.name == "NID"] == [0, 396, 1260]


def test_nothing_waits() -> None:
    sent, _ = call(np.random.default_rng(3), 2)
    llr = on_air(sent)
    framer = Framer(RATE)
    for i in range(len(llr)):
        for frame in framer.process(llr[i : i + 1], at(1, STEP * i)):
            assert frame.decided == STEP * i


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 2**32 - 1), st.floats(0.0, 1.2))
def test_any_cut_gives_the_same_frames(seed: int, sigma: float) -> None:
    rng = np.random.default_rng(seed)
    sent, _ = call(rng, 2)
    sent += [units.Trunking(NAC, (Tsbk.build(0x3B, last=False), Tsbk.build(0x3A))), units.Terminator(NAC)]
    llr = np.concatenate([noise(rng, 300), on_air(sent), noise(rng, 300)])
    llr += noise(rng, len(llr), sigma)
    llr.setflags(write=False)
    whole = run(llr)
    framer, pieces, i = Framer(RATE), [], 0
    while i < len(llr):
        n = int(rng.integers(0, 120))
        pieces += framer.process(llr[i : i + n], at(len(llr[i : i + n]), STEP * i))
        i += n
    assert essence(pieces + framer.flush()) == essence(whole)


def test_reset_is_a_fresh_start() -> None:
    sent, _ = call(np.random.default_rng(4), 2)
    llr = on_air(sent)
    framer = Framer(RATE)
    framer.process(-llr[:700], at(700))
    framer.reset()
    assert essence(run(llr, framer)) == essence(run(llr))


def test_late_entry_is_heard_from_the_first_frame_behind_the_head() -> None:
    rng = np.random.default_rng(5)
    sent, spoken = call(rng)
    late = 396 + 300
    frames = run(on_air(sent)[late:])
    assert spoken_in(frames) == spoken[9:]


def test_turned_polarity_is_found_by_itself() -> None:
    sent, spoken = call(np.random.default_rng(6))
    framer = Framer(RATE)
    llr = on_air(sent) * np.array([-1, 1], dtype=np.float32)
    assert spoken_in(run(llr, framer)) == spoken
    assert framer.inverted


def test_only_the_configured_nac_is_heard() -> None:
    sent, _ = call(np.random.default_rng(7))
    llr = on_air(sent)
    assert run(llr, Framer(RATE, nac=0x294)) == []
    assert len(run(llr, Framer(RATE, nac=NAC))) == len(run(llr))


def test_short_gap_becomes_erasures_in_its_place() -> None:
    sent, spoken = call(np.random.default_rng(8), 2)
    llr, index = on_air(sent), at(864 * 2 + 396 + 216)
    kept = np.r_[0:800, 880 : len(llr)]
    framer = Framer(RATE)
    frames = framer.process(llr[kept], index[kept])
    heard = spoken_in(frames)
    assert len(heard) == 18
    # Symbols 800 to 880 lie in the fourth and the fifth voice frame of the first unit.
    wrong = [i for i in range(18) if heard[i] != spoken[i]]
    assert set(wrong) <= {3, 4}
    assert next(f for f in frames if f.name == "LDU1").content == LINK


def test_long_gap_completes_the_voice_unit_and_starts_afresh() -> None:
    sent, spoken = call(np.random.default_rng(9), 4)
    llr = on_air(sent)
    index = at(len(llr))
    kept = np.r_[0 : 396 + 300, 396 + 864 + 400 : len(llr)]
    framer = Framer(RATE)
    frames = framer.process(llr[kept], index[kept])
    voice = [frame for frame in frames if frame.name == "IMBE"]
    assert [frame.valid for frame in voice[:9]] == [True] * 3 + [False] * 6
    assert [frame.data for frame in voice[:3]] == spoken[:3]
    assert [frame.data for frame in voice[9:]] == spoken[18:]


def test_end_of_the_stream_completes_the_voice_unit() -> None:
    sent, spoken = call(np.random.default_rng(10), 1)
    frames = run(on_air(sent)[: 396 + 500])
    voice = [frame for frame in frames if frame.name == "IMBE"]
    assert len(voice) == 9
    assert [frame.data for frame in voice if frame.valid] == spoken[:5]
    assert [frame.valid for frame in frames if frame.name == "LDU1"] == [False]


def test_a_lost_head_does_not_lose_the_voice_behind_it() -> None:
    rng = np.random.default_rng(11)
    sent, spoken = call(rng)
    llr = on_air(sent)
    llr[396 + 864 : 396 + 864 + 57] = noise(rng, 57)
    frames = run(llr)
    assert spoken_in(frames) == spoken
    assert Counter(frame.coasting for frame in frames if frame.name == "IMBE") == {False: 27, True: 9}
    assert [frame.content for frame in frames if frame.name == "LDU2"] == [SECRET, SECRET]


def test_coasting_ends_in_noise() -> None:
    rng = np.random.default_rng(12)
    sent, _ = call(rng, 2)
    frames = run(np.concatenate([on_air(sent[:-1]), noise(rng, 3000)]))
    assert sum(frame.coasting for frame in frames) <= 5
    assert not [frame for frame in frames if frame.coasting and frame.name != "IMBE"]


def test_trunking_blocks_come_one_by_one() -> None:
    blocks = (Tsbk.build(0x3B, last=False), Tsbk.build(0x3A, last=False), Tsbk.build(0x00))
    llr = on_air([units.Trunking(0x140, blocks), units.Trunking(0x140, blocks[2:]), units.Terminator(0x140)])
    frames = run(llr)
    assert names(frames) == ["NID", "TSBK", "TSBK", "TSBK", "NID", "TSBK", "NID", "TDU"]
    assert [f.content for f in frames if f.name == "TSBK"] == [*blocks, blocks[2]]
    # 98 dibits each, a status symbol behind every 35.
    assert [f.decided // STEP + 1 for f in frames[:4]] == [57, 158, 259, 359]


@pytest.mark.parametrize("form", [Format.UNCONFIRMED, Format.ALTERNATE_TRUNKING])
def test_packets(form: Format) -> None:
    packet = units.Packet(NAC, PduHeader.build(form, 7, 3), tuple(bytes([n] * 12) for n in range(3)))
    frames = run(on_air([packet, units.Packet(NAC, PduHeader.build(form, 7, 0)), units.Terminator(NAC)]))
    assert names(frames) == ["NID", "PDU", "NID", "PDU", "NID", "TDU"]
    assert frames[1].content == packet
    assert frames[1].fields()["link_id"] == 7


def test_reports() -> None:
    sent, _ = call(np.random.default_rng(13), 2)
    frames = run(on_air(sent))
    said = {frame.name: frame.fields() for frame in frames}
    assert said["HDU"]["algorithm"] == "AES-256"
    assert said["HDU"]["encrypted"] is True
    assert said["LDU1"]["hex"] == LINK.encode().hex()
    assert said["LDU1"]["talkgroup"] == 1001
    assert said["LDU2"]["mi"] == "000102030405060708"
    assert said["TDULC"]["lc"] == "LC_CALL_TRM_CAN"
    assert len(str(said["IMBE"]["hex"])) == 22
    assert said["NID"]["duid"] == "TDULC"


def test_errors_are_counted_once() -> None:
    rng = np.random.default_rng(14)
    sent, _ = call(rng)
    llr = on_air(sent)
    wrong = rng.random(llr.shape) < 0.03
    frames = run(np.where(wrong, -llr, llr))
    errors, bits = sum(f.errors for f in frames), sum(f.bits for f in frames)
    # Status symbols, nulls and the seven uncoded bits of each voice frame are not looked at.
    assert bits == 648 + 4 * (112 + 9 * 137 + 272) + 112 + 288 + 112
    assert errors / bits == pytest.approx(0.03, abs=0.005)


@pytest.mark.parametrize("duid", list(Duid))
def test_head_is_what_an_equaliser_may_train_on(duid: Duid) -> None:
    head = sync.known_head(Nid(NAC, duid))
    assert head[:24].tolist() == units.Terminator(NAC).encode()[:24].tolist()
    assert len(head) == 56


def test_proposals_agree_with_their_twin() -> None:
    rng = np.random.default_rng(15)
    llr = noise(rng, 4000)
    for place in range(100, 3900, 150):
        turned = np.array([rng.choice([-1, 1]), 1], dtype=np.float32)
        head = symbols.soft_dibits(units.Terminator(NAC).encode()[:24]) * turned
        llr[place : place + 24] = head + noise(rng, 24, 0.9)
    llr[rng.random(llr.shape) < 0.01] = 0
    llr[rng.random(llr.shape) < 0.005] = np.nan
    llr.setflags(write=False)
    found = sync.proposals(llr)
    assert [(p.place, p.inverted) for p in found] == p25_sync.proposals(llr)
    assert 25 <= len(found) < 60
    cut = sync.proposals(llr, 500, 2000)
    assert cut == [p for p in found if 500 <= p.place <= 2000 - 24]
    assert sync.proposals(llr[:23]) == []


def test_network_identifier_at_eight_percent() -> None:
    # σ = 0.712: 8 % of the bits are wrong. A cold start must still find 99.5 % of the heads.
    rng = np.random.default_rng(16)
    lost = wrong = 0
    for _ in range(600):
        network = Nid(int(rng.integers(4096)), Duid(rng.choice(list(Duid))))
        llr = np.zeros((57, 2), dtype=np.float32)
        llr[symbols.information(57)] = symbols.soft_dibits(sync.known_head(network))
        llr += noise(rng, 57, 0.712)
        proposed = any(p.place == 0 for p in sync.proposals(llr))
        head = sync.read_head(llr)
        lost += not (proposed and head.within(sync.COLD))
        wrong += head.within(sync.COLD) and head.nid != network
    assert lost <= 3
    assert wrong == 0


def test_known_nac_reads_heads_at_fifteen_percent() -> None:
    rng = np.random.default_rng(17)
    lost = 0
    for _ in range(300):
        llr = np.zeros((57, 2), dtype=np.float32)
        llr[symbols.information(57)] = symbols.soft_dibits(sync.known_head(Nid(NAC, Duid.LDU1)))
        llr += noise(rng, 57, 0.965)
        head = sync.read_head(llr, NAC)
        lost += not head.within(sync.EXPECTED) or head.nid.duid != Duid.LDU1
    assert lost <= 3


DOUBTFUL = (0, 11, 21, 33, 44, 50, 57, 63, 70, 77, 83, 90, 96, 103)
"""Wrong bits of a head with a strength of 7.9: enough for a first head, too little to make its NAC known."""

FAINT = (*range(0, 45, 5), *range(48, 114, 6))
"""20 of them: enough only where the NAC is known."""


def weakened(unit: units.Unit, wrong: tuple[int, ...]) -> NDArray[np.float32]:
    """A unit on the air, some bits of its head turned over."""
    llr = on_air([unit])
    for bit in wrong:
        llr[symbols.information(57)[bit // 2], bit % 2] *= -1
    return llr


@pytest.mark.parametrize(
    ("before", "heard"),
    [
        ([], 0),
        ([weakened(units.Terminator(NAC), DOUBTFUL)], 1),
        ([weakened(units.Terminator(NAC), DOUBTFUL)] * 2, 3),
        ([on_air([units.Terminator(NAC)])], 2),
        ([weakened(units.Trunking(NAC, (Tsbk.build(0x3A),)), DOUBTFUL)], 2),
    ],
    ids=["nothing", "one in doubt", "two in doubt", "one beyond doubt", "one in doubt with a block that decodes"],
)
def test_a_faint_head_is_heard_only_where_its_nac_is_known(before: list[NDArray[np.float32]], heard: int) -> None:
    gap = noise(np.random.default_rng(22), 300)
    parts = [gap]
    for llr in (*before, weakened(units.Terminator(NAC), FAINT)):
        parts += [llr, gap]
    framer = Framer(RATE)
    assert framer.known_nac is None
    found = [f for f in run(np.concatenate(parts), framer) if f.name == "NID"]
    assert [f.nac for f in found] == [NAC] * heard


def test_a_faint_head_is_heard_where_a_unit_in_doubt_ends() -> None:
    gap = noise(np.random.default_rng(22), 300)
    first, second = (weakened(units.Terminator(NAC), wrong) for wrong in (DOUBTFUL, FAINT))
    assert names(run(np.concatenate([gap, first, second, gap]))) == ["NID", "TDU", "NID", "TDU"]


def test_an_upright_framer_does_not_look_at_the_other_polarity() -> None:
    sent, spoken = call(np.random.default_rng(6))
    llr = on_air(sent)
    assert spoken_in(run(llr, Framer(RATE, upright=True))) == spoken
    assert run(llr * np.array([-1, 1], dtype=np.float32), Framer(RATE, upright=True)) == []


def test_a_head_one_symbol_away_is_not_taken_for_another_system() -> None:
    rng = np.random.default_rng(21)
    for _ in range(200):
        network = Nid(int(rng.integers(4096)), Duid.TDU)
        llr = np.concatenate([noise(rng, 60), on_air([units.Terminator(network.nac)]), noise(rng, 60)])
        frames = run(llr + noise(rng, len(llr), 0.3))
        assert [(f.content, f.index // STEP) for f in frames if f.name == "NID"] == [(network, 60)]


def test_minutes_of_noise_are_silent() -> None:
    rng = np.random.default_rng(18)
    framer = Framer(RATE)
    frames = []
    for i in range(60):
        # Gaussian, and hard ones with all the same magnitude, and a few large samples among small ones.
        x = noise(rng, 4800)
        x = [x, np.sign(x), x**3][i % 3]
        frames += framer.process(x, at(4800, STEP * 4800 * i))
    assert frames == []


@pytest.mark.slow
def test_an_hour_of_noise_is_silent() -> None:
    rng = np.random.default_rng(19)
    framer = Framer(RATE)
    for i in range(3600):
        assert framer.process(noise(rng, 4800), at(4800, STEP * 4800 * i)) == []


@pytest.mark.slow
def test_a_million_random_symbols_behind_real_heads() -> None:
    rng = np.random.default_rng(20)
    framer, i = Framer(RATE), 0
    for _ in range(1200):
        llr = noise(rng, 864, float(rng.choice([0.2, 1.0, 5.0])))
        head = sync.known_head(Nid(int(rng.integers(4096)), Duid(rng.choice(list(Duid)))))
        llr[symbols.information(57)] += 2 * symbols.soft_dibits(head)
        for frame in framer.process(llr, at(864, STEP * i)):
            frame.fields()
        i += 864


def test_empty_and_broken_calls() -> None:
    framer = Framer(RATE)
    assert framer.process(np.zeros((0, 2), dtype=np.float32), at(0)) == []
    assert framer.flush() == []
    with pytest.raises(ShapeError, match="5 symbols with index"):
        framer.process(noise(np.random.default_rng(0), 5), at(4))
    with pytest.raises(ShapeError):
        framer.process(np.zeros((5, 3), dtype=np.float32), at(5))
    with pytest.raises(RangeError, match="0x1000"):
        Framer(RATE, nac=4096)
    with pytest.raises(RangeError, match="4800"):
        Framer(2400)


# Recordings whose signal the plain receiver of the tests can follow; at least the counts of the corpus.
REAL = [
    "p25p1_c4fm_cc_a",
    "p25p1_c4fm_cc_mmr",
    "p25p1_conv_voice_a",
    "p25p1_conv_voice2_a",
    "p25p1_trunk_voice_clear_a",
    "p25p1_trunk_voice_des_a",
]


@pytest.mark.parametrize("name", REAL)
def test_recordings(corpus: dict[str, dict[str, Any]], name: str) -> None:
    entry = corpus[name]
    truth = entry["truth"]
    llr, index = soft_symbols(discriminated(entry))
    framer = Framer(RATE)
    frames = framer.process(llr, index) + framer.flush()
    counts = Counter(frame.name for frame in frames)
    for unit, least in truth["cold_start_counts"]["data_units"].items():
        # The plain receiver takes one terminator of 95 and one of 72 less than the best.
        assert counts[unit] >= least - (unit == "TDULC"), unit
    assert counts["IMBE"] >= truth["cold_start_counts"]["imbe_frames"]
    assert {f"{frame.nac:03x}" for frame in frames} == {truth["nac_hex"]}
    blocks = [frame.data.hex() for frame in frames if frame.name == "TSBK" and frame.valid]
    known = truth.get("tsbk_hex_in_order", [])
    assert len(set(blocks) - set(known)) <= 1
    links = {frame.data.hex() for frame in frames if frame.name == "LDU1" and frame.valid}
    assert links <= set(truth.get("ldu1_link_control_hex_counts", {}))
    if "imbe_file" in truth:
        lines = [line.split() for line in (entry["path"].parent / truth["imbe_file"]).read_text().splitlines()]
        clean = [bits for bits, errors in lines if errors == "0"]
        heard = {frame.data.hex() for frame in frames if isinstance(frame.content, VoiceFrame)}
        missing = [bits for bits in clean if bits not in heard]
        assert len(missing) <= 0.01 * len(clean)
