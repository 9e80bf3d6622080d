"""What a receiver worker and the daemon say to each other: length-prefixed msgpack, every length bounded.

    ┌──────────────┬──────────────────────────────┐
    │ length, 4 BE │ msgpack: list of messages    │   one packet; at least one each 20 ms from a worker
    └──────────────┴──────────────────────────────┘

Daemon to worker: `Setup`, once. Worker to daemon: `Hello`, then packets that each end with a `Beat`; `Bye` before it
leaves by itself. Times are the tuner's: samples of 8 kHz since its source began. Samples are float32 of this machine,
since both ends are on it.
"""

import struct
from collections.abc import Sequence
from typing import Annotated, Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from sdrbridge.config import ChannelConfig, TunerConfig
from sdrbridge.errors import SdrBridgeError
from sdrbridge.transmission import Facts
from sdrbridge.vocoders import OWN_VOCODER

MOST_BYTES = 1 << 20
"""Longest packet. A second of speech of 30 channels, what all look-backs at once can hold."""

MOST_SAMPLES = 1 << 14
"""Samples of speech in one message: two seconds."""

_FLOAT32 = np.dtype(np.float32)

_PREFIX = struct.Struct(">I")

_Time = Annotated[int, msgspec.Meta(ge=-(1 << 53), le=1 << 53)]
_Count = Annotated[int, msgspec.Meta(ge=0, le=1 << 62)]
_Name = Annotated[str, msgspec.Meta(max_length=80)]
_Text = Annotated[str, msgspec.Meta(max_length=2000)]
_Samples = Annotated[bytes, msgspec.Meta(max_length=4 * MOST_SAMPLES)]


class WireError(SdrBridgeError):
    """The other end says what nobody can understand; the connection is of no more use."""


class Setup(msgspec.Struct, tag="setup", frozen=True):
    """What a worker is to receive. folder: where relative paths of sources count from. vocoder: of its digital
    channels."""

    folder: str
    extra_ctcss_hz: tuple[float, ...]
    tuner: TunerConfig
    channels: tuple[ChannelConfig, ...]
    vocoder: str = OWN_VOCODER


class Delay(msgspec.Struct, frozen=True):
    """What one stage holds back."""

    stage: _Name
    delay_s: float


class Hello(msgspec.Struct, tag="hello", frozen=True):
    """The source is open. ledger: the stages of each channel, in the order of the signal.

    began_s: of a recording, when it was begun, by the machine's steady clock.
    """

    description: _Text
    kind: _Name
    rate: _Count
    center_hz: int | None
    notes: tuple[_Text, ...] = ()
    ledger: dict[_Name, tuple[Delay, ...]] = {}
    began_s: float = 0.0


class Beat(msgspec.Struct, tag="beat", frozen=True):
    """The worker lives, and has received up to `time`. Counters are since it began.

    samples, lost, gaps, clipped, invalid: of the source. dropped: samples of speech the daemon did not take in time.
    sent_s: when it was said, by the machine's steady clock.
    """

    time: _Time
    samples: _Count = 0
    lost: _Count = 0
    gaps: _Count = 0
    clipped: _Count = 0
    invalid: _Count = 0
    dropped: _Count = 0
    rss_bytes: _Count = 0
    sent_s: float = 0.0


class Begin(msgspec.Struct, tag="begin", frozen=True):
    """An over begins. over: its name at the worker."""

    channel: _Name
    over: _Name
    start: _Time
    facts: Facts


class Known(msgspec.Struct, tag="facts", frozen=True):
    """What is known of an over by now, in whole."""

    channel: _Name
    over: _Name
    facts: Facts


class End(msgspec.Struct, tag="end", frozen=True):
    """An over ends; all its speech has been sent."""

    channel: _Name
    over: _Name
    end: _Time
    on_air_end: _Time
    facts: Facts


class Audio(msgspec.Struct, tag="audio", frozen=True):
    """Speech of a channel from `index` on: float32."""

    channel: _Name
    index: _Time
    samples: _Samples

    def array(self) -> NDArray[np.float32]:
        """The samples. Raises `WireError` where they are no whole number of float32."""
        if len(self.samples) % 4:
            raise WireError(f'speech of "{self.channel}" has {len(self.samples)} bytes; a sample has 4')
        return np.frombuffer(self.samples, _FLOAT32)


class Told(msgspec.Struct, tag="told", frozen=True):
    """A decision of a channel's rules, as an event."""

    event: dict[str, Any]


class Bye(msgspec.Struct, tag="bye", frozen=True):
    """The worker leaves. ended: the source came to its end, and there is no use in starting again."""

    reason: _Text
    ended: bool = False


Message = Setup | Hello | Beat | Begin | Known | End | Audio | Told | Bye

_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(list[Message])


def pack(messages: Sequence[Message]) -> bytes:
    """One packet. Raises `WireError` where it would be too long."""
    body = _encoder.encode(messages)
    if len(body) > MOST_BYTES:
        raise WireError(f"a packet of {len(body)} bytes; {MOST_BYTES} at most")
    return _PREFIX.pack(len(body)) + body


class Unpacker:
    """Bytes as they arrive in, messages out. What is inside is never more than one packet."""

    def __init__(self) -> None:
        self._held = b""

    def feed(self, data: bytes) -> list[Message]:
        """Take bytes; returns the messages that are complete. Raises `WireError`; then nothing more can be read."""
        data = self._held + data
        messages: list[Message] = []
        begin = _PREFIX.size
        while begin <= len(data):
            (length,) = _PREFIX.unpack_from(data, begin - _PREFIX.size)
            if length > MOST_BYTES:
                raise WireError(f"a packet of {length} bytes is announced; {MOST_BYTES} at most")
            end = begin + length
            if end > len(data):
                break
            try:
                messages += _decoder.decode(data[begin:end])
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as problem:
                raise WireError(f"a packet that cannot be read: {problem}") from problem
            begin = end + _PREFIX.size
        self._held = data[begin - _PREFIX.size :]
        return messages
