"""The voice transmitter: what is on the air when, bit for bit, and what a standard receiver makes of it."""

from collections.abc import Sequence
from functools import cache
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from dsp.blocks import AudioBlock, BasebandBlock
from dsp.errors import RangeError, RateError, ShapeError
from dsp.p25.c4fm import DEVIATION_HZ, SYMBOL_OF_DIBIT, SYMBOL_RATE
from dsp.p25.frame import Frame
from dsp.p25.link_control import LinkControl
from dsp.p25.modulator import REACH
from dsp.p25.receiver import P25Receiver
from dsp.p25.transmitter import Call, VoiceTransmitter, air_symbols
from dsp.p25.units import Header
from dsp.vocoder.imbe import ImbeDecoder, ImbeEncoder, ImbeVocoder

RATE = 24_000
NAC = 0x293
CALL = Call(1001, 1_234_567)
Audio = NDArray[np.float32]


@cache
def speech() -> Audio:
    samples, _ = soundfile.read(Path(__file__).parents[2] / "data/speech_male.8000.flac", dtype="float32")
    return np.asarray(samples, np.float32)


def transmitter(rate: int = RATE, call: Call = CALL) -> VoiceTransmitter:
    return VoiceTransmitter(rate, NAC, call, ImbeVocoder())


def sent(
    tx: VoiceTransmitter, said: Audio, overs: Sequence[tuple[int, int]], pieces: Sequence[int] = (160,)
) -> NDArray[np.complex64]:
    """IQ of `said`, keyed as told at the ends of ticks, cut into pieces."""
    edges = sorted([(a, 1, tx.key) for a, _ in overs] + [(b, 0, tx.unkey) for _, b in overs], key=lambda e: e[:2])
    parts, at, turn = list[NDArray[np.complex64]](), 0, 0
    while at < len(said):
        n = min(pieces[turn % len(pieces)], len(said) - at)
        while edges and edges[0][0] < at + max(n, 1):
            index, _, act = edges.pop(0)
            act(index)
        block = tx.process(AudioBlock(said[at : at + n], 8_000, at))
        assert block.index == sum(len(part) for part in parts)
        parts.append(block.samples)
        at, turn = at + n, turn + 1
    return np.concatenate(parts)


def heard(iq: NDArray[np.complex64]) -> list[Frame]:
    """What the receiver reads; it never hears digital silence on the air, so here it does not either."""
    rng = np.random.default_rng(4)
    noise = rng.standard_normal((len(iq), 2)) @ np.array([1, 1j]) * 0.003
    receiver = P25Receiver(1, RATE, [NAC])
    block = BasebandBlock((iq + noise).astype(np.complex64)[None], RATE, 0)
    return [r.frame for r in receiver.process(block) + receiver.flush()]


def units(frames: Sequence[Frame]) -> list[str]:
    return [f.name for f in frames if f.name not in ("NID", "IMBE")]


def voice(frames: Sequence[Frame]) -> list[bytes]:
    assert all(f.errors == 0 and f.valid for f in frames)
    return [f.data for f in frames if f.name == "IMBE"]


def coded(said: Audio, frames: int) -> list[bytes]:
    """So many frames of what is said from its first sample on, silence after it."""
    said = np.concatenate([said, np.zeros(160 * (frames + 4), np.float32)])
    encoder = ImbeEncoder()
    return [encoder.encode(said[160 * n :][:160]).tobytes() for n in range(frames + 2)][2:]


def line(said: Audio, at: int, tail: int = 4_000) -> Audio:
    return np.concatenate([np.zeros(at, np.float32), said, np.zeros(tail, np.float32)])


@pytest.mark.parametrize(
    ("length", "voice_units"), [(160, 1), (1_280, 1), (1_281, 2), (2_720, 2), (2_721, 3), (12_345, 9)]
)
def test_message_from_header_to_terminator_at_its_times(length: int, voice_units: int) -> None:
    key = 1_003
    said = speech()[8_000 : 8_000 + length]
    iq = sent(transmitter(), line(said, key), [(key, key + length)])
    frames = heard(iq)
    assert units(frames) == ["HDU", *(["LDU1", "LDU2"] * 5)[:voice_units], "TDULC"]
    assert voice(frames) == coded(said, 9 * voice_units)
    # Sync n of the message is on the air where the symbols before it end; half a sample is the receiver's resolution.
    starts = [f.index for f in frames if f.name == "NID"]
    symbols = np.array([0, *(396 + 864 * n for n in range(voice_units + 1))])
    assert np.abs(np.array(starts) - (key * 3 + (REACH + symbols) * RATE / SYMBOL_RATE)).max() <= 1
    on = np.flatnonzero(iq)
    assert on[0] in (key * 3, key * 3 + 1)
    assert on[-1] == key * 3 + (2 * REACH + 396 + 864 * voice_units + 216) * RATE // SYMBOL_RATE - 1
    assert on[-1] == key * 3 + air_symbols(length) * RATE // SYMBOL_RATE - 1


def test_receiver_that_knows_no_code_reads_nothing_behind_the_end() -> None:
    """When a strong carrier goes off, what is left are ones: a network identifier, were there a sync before it."""
    iq = sent(transmitter(), line(speech()[8_000:8_800], 1_003), [(1_003, 1_803)])
    for level in (0.0, 0.0003, 0.003, 0.03):
        noise = np.random.default_rng(4).standard_normal((len(iq), 2)) @ np.array([1, 1j]) * level
        receiver = P25Receiver(1, RATE)
        found = receiver.process(BasebandBlock((iq + noise).astype(np.complex64)[None], RATE, 0)) + receiver.flush()
        assert {r.frame.nac for r in found} == {NAC}
        assert units([r.frame for r in found]) == ["HDU", "LDU1", "TDULC"]


def test_first_syllable_is_heard_and_comes_as_late_as_declared() -> None:
    said = speech()[8_000:24_000]
    tx = transmitter()
    frames = [f for f in heard(sent(tx, line(said, 800), [(800, 16_800)])) if f.name == "IMBE"]
    decoder = ImbeDecoder()
    out = np.concatenate([decoder.decode(np.frombuffer(f.data, np.uint8)) for f in frames])
    # The centre of frame n is sample 160 n of the speech; decoding gives it a frame later.
    smooth = np.ones(240) / 240
    loud, heard_loud = (np.convolve(np.abs(x), smooth, "same") for x in (said, out[160:]))
    n = min(len(loud), len(heard_loud))
    assert np.corrcoef(loud[:n], heard_loud[:n])[0, 1] > 0.95
    assert np.sum(out[: 160 + 800] ** 2) > 0.3 * np.sum(said[:800] ** 2) > 0.03
    last_symbol = frames[0].decided / RATE - REACH / SYMBOL_RATE
    assert last_symbol - 0.1 == pytest.approx(tx.lag, abs=3e-4)
    assert tx.lag < 0.125


def test_pieces_do_not_matter() -> None:
    said = line(speech()[8_000:14_000], 500, 3_000)
    overs = [(500, 2_000), (2_300, 2_500), (6_000, 6_500)]
    whole = sent(transmitter(), said, overs)
    for pieces in ([1, 0, 7, 333], [len(said)], [800]):
        assert np.array_equal(sent(transmitter(), said, overs, pieces), whole)
    tx = transmitter()
    sent(tx, said[:3_000], [(500, 2_000)])
    tx.reset()
    assert np.array_equal(sent(tx, said, overs), whole)


def test_keyed_again_before_the_terminator_the_message_goes_on() -> None:
    said = line(speech()[8_000:13_000], 0)
    frames = heard(sent(transmitter(), said, [(0, 1_600), (2_400, 5_000)]))
    assert units(frames) == ["HDU", "LDU1", "LDU2", "LDU1", "LDU2", "TDULC"]
    gated = said.copy()
    gated[1_600:2_400] = gated[5_000:] = 0
    assert voice(frames) == coded(gated, 36)


def test_keyed_again_in_the_terminator_a_new_message_follows_with_all_of_its_speech() -> None:
    # The terminator of the first begins (10 + 396 + 864) symbols after the key, at 2117, and ends at 2493.
    said = line(speech()[8_000:12_000], 0)
    tx = transmitter()
    iq = sent(tx, said, [(0, 800), (2_200, 4_000)])
    frames = heard(iq)
    assert units(frames) == ["HDU", "LDU1", "TDULC", "HDU", "LDU1", "LDU2", "TDULC"]
    assert voice(frames) == coded(said[:800], 9) + coded(said[2_200:4_000], 18)
    assert tx.messages == 2
    starts = [f.index for f in frames if f.name == "NID"]
    assert starts[3] - starts[2] == pytest.approx((216 + 2 * REACH) * 5, abs=1)


def test_hasty_keying_never_piles_up_and_never_leaves_an_over_without_its_end() -> None:
    rng = np.random.default_rng(8)
    edges = np.cumsum(rng.integers(1, 25, 120)) * 160
    overs = list(zip(edges[::2].tolist(), edges[1::2].tolist()))
    said = rng.normal(0, 0.1, edges[-1] + 4_000).astype(np.float32)
    iq = sent(transmitter(), said, overs)
    frames = heard(iq)
    names = "".join({"HDU": "h", "LDU1": "1", "LDU2": "2", "TDULC": "t"}[u] for u in units(frames))
    messages = names.split("t")
    assert messages.pop() == ""
    assert all(m[0] == "h" and ("12" * 99).startswith(m[1:]) and len(m) > 1 for m in messages)
    voice(frames)
    # The carrier rises REACH symbols before the header, at the key or when the terminator before it has fallen.
    ramp = REACH * 8_000 / SYMBOL_RATE
    starts = [f.index / 3 - ramp for f in _named(frames, "HDU")]
    ends = [f.decided / 3 + ramp for f in _named(frames, "TDULC")]
    terminator = (216 + 2 * REACH) * 8_000 / SYMBOL_RATE
    assert all(any(-1 < start - key < terminator + 1 for key, _ in overs) for start in starts)
    for key, unkey in overs:
        assert any(start - terminator - 1 < key and unkey < end for start, end in zip(starts, ends))
    assert ends[-1] - overs[-1][1] < (396 + 864 + 216 + 2 * REACH) * 8_000 / SYMBOL_RATE + terminator
    assert not iq[-100:].any()


def _named(frames: Sequence[Frame], name: str) -> list[Frame]:
    return [f for f in frames if f.name == name]


def test_call_may_change_and_stands_in_the_next_link_control() -> None:
    tx, said = transmitter(), line(speech()[8_000:14_000], 0)
    tx.key(0)
    parts = []
    for at in range(0, len(said), 160):
        if at == 1_600:
            tx.call = Call(1001, 42, emergency=True)
        if at == 6_080:
            tx.unkey(at)
        parts.append(tx.process(AudioBlock(said[at : at + 160], 8_000, at)).samples)
    frames = heard(np.concatenate(parts))
    words = [f.content for f in frames if isinstance(f.content, LinkControl)]
    assert [w.source for w in words] == [1_234_567, 42, 42, 42]
    assert [w.emergency for w in words] == [False, True, True, True]
    assert {w.talkgroup for w in words} == {1001}
    assert not any(w.encrypted for w in words)
    header = next(f.content for f in frames if isinstance(f.content, Header))
    assert header.talkgroup == 1001
    assert header.encryption is not None and header.encryption.clear
    assert {f.nac for f in frames} == {NAC}


def test_each_over_may_bring_its_own_call_long_before() -> None:
    tx, said = transmitter(), line(speech()[8_000:24_000], 0)
    calls = [Call(1, 11), Call(2, 22, emergency=True), Call(3, 33)]
    for (key, unkey), call in zip([(0, 800), (2_600, 4_000), (4_200, 4_400)], calls):
        tx.key(key, call)
        tx.unkey(unkey)
    frames = heard(tx.process(AudioBlock(said, 8_000, 0)).samples)
    words = [(f.name, f.content.source) for f in frames if isinstance(f.content, LinkControl)]
    # The third goes on in the message of the second.
    assert words == [("LDU1", 11), ("TDULC", 11), ("LDU1", 22), ("TDULC", 33)]


def test_end_of_the_stream_ends_the_message() -> None:
    tx, said = transmitter(), speech()[8_000:11_200]
    tx.key(0)
    first = tx.process(AudioBlock(said, 8_000, 0))
    rest = tx.flush()
    assert rest.index == first.end
    frames = heard(np.concatenate([first.samples, rest.samples]))
    assert units(frames) == ["HDU", "LDU1", "LDU2", "LDU1", "TDULC"]
    assert voice(frames) == coded(said, 27)
    assert not len(tx.flush().samples)
    again = tx.process(AudioBlock(said, 8_000, 50_000))
    assert again.index == 150_000
    assert not again.samples.any()  # it has to be keyed anew


def test_gap_is_silence_on_the_air_and_a_gap_off_it() -> None:
    said, tx = speech()[8_000:16_000], transmitter()
    tx.key(0)
    parts = [tx.process(AudioBlock(said[a:b], 8_000, a)).samples for a, b in ((0, 1_600), (2_400, 4_000))]
    tx.unkey(4_000)
    parts.append(tx.process(AudioBlock(np.zeros(4_000, np.float32), 8_000, 4_000)).samples)
    gated = said[:4_000].copy()
    gated[1_600:2_400] = 0
    assert voice(heard(np.concatenate(parts)))[:20] == coded(gated, 20)
    assert tx.process(AudioBlock(said[:160], 8_000, 80_000)).index == 240_000


def test_unkeyed_is_zero_whatever_is_said() -> None:
    tx = transmitter()
    iq = sent(tx, np.full(8_000, np.nan, np.float32), [])
    assert len(iq) == 24_000
    assert not iq.any()
    tx.unkey(9_000)
    tx.key(9_000)
    tx.unkey(9_000)  # nothing was said
    assert not tx.process(AudioBlock(np.ones(4_000, np.float32), 8_000, 8_000)).samples.any()
    assert not tx.on_air


@pytest.mark.parametrize("rate", [48_000, 250_000, 1_000_001])
def test_modulation_fidelity_and_deviation_of_a_message(rate: int) -> None:
    """TIA-102.CAAA 2.2.16: rms of what is left of the deviations at the symbols after offset and gain are fitted."""
    tone = (0.2 * np.sin(2 * np.pi * 1_011 / 8_000 * np.arange(4_000))).astype(np.float32)
    iq = sent(transmitter(rate), line(tone, 0), [(0, 4_000)]).astype(np.complex128)
    iq = iq[: np.flatnonzero(iq)[-1] + 1]
    count = round(len(iq) * SYMBOL_RATE / rate) - 2 * REACH
    middle = (REACH + np.arange(count)) * rate / SYMBOL_RATE
    phase, grid = np.unwrap(np.angle(iq)), np.arange(len(iq))
    turned = [np.interp(middle + sign * rate / 9_600, grid, phase) for sign in (-1, 1)]
    z = (turned[1] - turned[0])[5:-5] * SYMBOL_RATE / (2 * np.pi)
    s = SYMBOL_OF_DIBIT[[np.argmin(np.abs(SYMBOL_OF_DIBIT * DEVIATION_HZ / 3 - v)) for v in z]]
    gain, offset = np.polyfit(s, z, 1)
    error = (z - offset) / gain - s
    assert np.sqrt(np.mean(error**2) / np.mean(s**2)) < 0.015  # the standard's limit for us is 3 %
    assert abs(offset) < 2
    assert gain * 3 == pytest.approx(DEVIATION_HZ, rel=0.005)
    for symbol in (-3, -1, 1, 3):
        assert np.mean(z[s == symbol]) == pytest.approx(symbol * DEVIATION_HZ / 3, rel=0.01)


def test_wrong_input_says_what_is_right() -> None:
    with pytest.raises(RangeError, match="0 … 0xfff"):
        VoiceTransmitter(RATE, 4_096, CALL, ImbeVocoder())
    for call in ((65_536, 1), (1, 1 << 24), (-1, 1)):
        with pytest.raises(RangeError, match="does not fit"):
            Call(*call)
    tx = transmitter()
    with pytest.raises(RateError, match="8000"):
        tx.process(AudioBlock(np.zeros(160, np.float32), 16_000, 0))
    with pytest.raises(ShapeError, match="one row"):
        tx.process(AudioBlock(np.zeros((1, 160), np.float32), 8_000, 0))
    tx.process(AudioBlock(np.zeros(160, np.float32), 8_000, 0))
    with pytest.raises(RangeError, match="up to 160"):
        tx.process(AudioBlock(np.zeros(160, np.float32), 8_000, 100))
    with pytest.raises(RangeError, match="up to 160"):
        tx.key(100)
    tx.key(200)
    with pytest.raises(RangeError, match="not been unkeyed"):
        tx.key(300)


def test_vocoder_slower_than_the_header_is_refused() -> None:
    class Slow(ImbeVocoder):
        @property
        def encoder_delay(self) -> int:
            return 641

    with pytest.raises(RangeError, match="at most 640"):
        VoiceTransmitter(RATE, NAC, CALL, Slow())


def test_header_gives_even_the_slowest_vocoder_its_time() -> None:
    class Slower(ImbeVocoder):
        encoder_delay = 640

    tx = VoiceTransmitter(RATE, NAC, CALL, Slower())
    frames = heard(sent(tx, line(speech()[8_000:12_000], 0), [(0, 4_000)], [1]))
    assert [b - a for a, b in pairwise(f.index for f in _named(frames, "IMBE"))][:3] == [370, 475, 470]
