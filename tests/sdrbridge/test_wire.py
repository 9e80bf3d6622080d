"""The worker protocol: what is packed comes out again, however it is cut; whatever else comes is refused."""

import contextlib
import struct
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sdrbridge.config import ChannelConfig, SquelchConfig, TunerConfig
from sdrbridge.transmission import Facts
from sdrbridge.wire import (
    MOST_BYTES,
    MOST_SAMPLES,
    Audio,
    Beat,
    Begin,
    Bye,
    Delay,
    End,
    Hello,
    Known,
    Message,
    Setup,
    Told,
    Unpacker,
    WireError,
    pack,
)

FACTS = Facts(snr_db=21.5, ctcss_hz=156.7, emergency=True)
SETUP = Setup(
    "/etc/sdrbridge",
    (151.0,),
    TunerConfig("vhf", "file:x.cu8", 155_000_000, 2_400_000),
    (ChannelConfig("A", "vhf", "nfm", 12_500, freq_hz=155_340_000, squelch=SquelchConfig(dcs="023N")),),
)
MESSAGES: list[Message] = [
    SETUP,
    Hello("a dongle", "iq", 2_400_000, 155_000_000, ("serial 1",), {"A": (Delay("voice filter", 0.002),)}),
    Begin("A", "A-0001", -5, FACTS),
    Known("A", "A-0001", FACTS),
    Audio("A", -5, np.arange(200, dtype=np.float32).tobytes()),
    Told({"t_s": 1.5, "event": "carrier.open", "channel": "A", "snr_db": 20.0}),
    End("A", "A-0001", 9000, 8990, FACTS),
    Beat(160, 3, 2, 1, 0, 0, 7, 1 << 28),
    Bye("gone", ended=True),
]


@given(cuts=st.lists(st.integers(1, 300), max_size=40))
def test_messages_come_out_however_they_are_cut(cuts: list[int]) -> None:
    data = pack(MESSAGES[:4]) + pack([]) + pack(MESSAGES[4:])
    unpacker, out, at = Unpacker(), list[Message](), 0
    for cut in [*cuts, len(data)]:
        out += unpacker.feed(data[at : at + cut])
        at += cut
    assert out == MESSAGES


def test_samples_come_out_as_they_were() -> None:
    (audio,) = Unpacker().feed(pack([MESSAGES[4]]))
    assert isinstance(audio, Audio)
    assert np.array_equal(audio.array(), np.arange(200, dtype=np.float32))
    with pytest.raises(WireError, match="a sample has 4"):
        Audio("A", 0, b"12345").array()


@given(st.binary(max_size=400))
def test_random_bytes_are_refused_or_wait(data: bytes) -> None:
    unpacker = Unpacker()
    try:
        messages = unpacker.feed(data)
    except WireError:
        return
    assert all(isinstance(m, Message) for m in messages)


ANYTHING = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(1 << 63), (1 << 64) - 1)
    | st.floats()
    | st.text(max_size=9)
    | st.binary(max_size=9),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=9), inner, max_size=4),
    max_leaves=12,
)


@given(st.sampled_from(MESSAGES), st.text(max_size=12), ANYTHING, st.data())
def test_a_message_with_any_field_wrong_is_refused_or_read(
    message: Message, extra: str, value: Any, data: st.DataObject
) -> None:
    plain = msgspec.to_builtins(message, builtin_types=(bytes,))
    plain[data.draw(st.sampled_from([*plain, extra]))] = value
    body = msgspec.msgpack.encode([plain])
    try:
        (read,) = Unpacker().feed(struct.pack(">I", len(body)) + body)
    except WireError:
        return
    assert isinstance(read, Message)


@given(st.integers(0, 400), st.integers(0, 255))
def test_a_flipped_byte_is_refused_or_read(at: int, value: int) -> None:
    data = bytearray(pack(MESSAGES))
    data[at] = value
    with contextlib.suppress(WireError):
        Unpacker().feed(bytes(data))


def test_lengths_are_bounded() -> None:
    with pytest.raises(WireError, match="announced"):
        Unpacker().feed(struct.pack(">I", MOST_BYTES + 1))
    with pytest.raises(WireError, match="at most"):
        pack([Audio("A", 0, bytes(MOST_BYTES))])
    with pytest.raises(WireError, match="cannot be read"):
        Unpacker().feed(pack([Audio("A", 0, bytes(4 * MOST_SAMPLES + 4))]))
    with pytest.raises(WireError, match="cannot be read"):
        Unpacker().feed(pack([Bye("x" * 3000)]))
    deep = b"\x91" * 100_000 + b"\xc0"
    with pytest.raises(WireError, match="cannot be read"):
        Unpacker().feed(struct.pack(">I", len(deep)) + deep)
