"""The rtl_tcp protocol (osmocom rtl-sdr, `rtl_tcp.c`): a header once, samples for ever, commands the other way.

    header, server → client      RTL0tttttttttggggg     4 bytes "RTL0", tuner type u32, number of gains u32, big-endian
    samples, server → client     iq iq iq …             unsigned 8-bit I and Q, zero between 127 and 128 (SigMF: cu8)
    command, client → server     c pppp                 command u8, parameter u32 big-endian

There is no answer to a command, no sample count, and no sign of a loss.
"""

import struct
from dataclasses import dataclass
from enum import IntEnum

from hw.errors import SourceError

HEADER_BYTES = 12
COMMAND_BYTES = 5
DEFAULT_PORT = 1234

_MAGIC = b"RTL0"
_MOST_GAINS = 1000


class CommandCode(IntEnum):
    """What a command sets. ppm is signed, in two's complement; gains are tenths of a dB, signed as well."""

    FREQUENCY = 0x01
    SAMPLE_RATE = 0x02
    GAIN_MODE = 0x03  # 0 automatic, 1 manual
    GAIN = 0x04
    PPM = 0x05
    IF_GAIN = 0x06
    TEST_MODE = 0x07
    AGC = 0x08
    DIRECT_SAMPLING = 0x09
    OFFSET_TUNING = 0x0A
    RTL_CRYSTAL = 0x0B
    TUNER_CRYSTAL = 0x0C
    GAIN_BY_INDEX = 0x0D
    BIAS_TEE = 0x0E


@dataclass(frozen=True, slots=True)
class Header:
    """tuner: number of `rtl2832.TUNERS`. gains: how many gains the tuner has."""

    tuner: int
    gains: int

    @staticmethod
    def parse(raw: bytes) -> "Header":
        """Raises `SourceError` saying what was received when it is not an rtl_tcp header."""
        if len(raw) == HEADER_BYTES and raw[:4] == _MAGIC:
            header = Header(*struct.unpack(">II", raw[4:]))
            if header.gains <= _MOST_GAINS:
                return header
            raise SourceError(f"an rtl_tcp header that claims {header.gains} gains (a tuner has at most 29)")
        hint = ""
        if raw.startswith((b"HTTP", b"<!", b"SSH-", b"220")):
            hint = "; that is another service, check the port"
        raise SourceError(f"{raw!r} instead of the rtl_tcp header, which begins with {_MAGIC!r}{hint}")

    def encode(self) -> bytes:
        return _MAGIC + struct.pack(">II", self.tuner, self.gains)


@dataclass(frozen=True, slots=True)
class Command:
    """code: usually a `CommandCode`, but any byte can come. value: unsigned, 32 bits."""

    code: int
    value: int

    @staticmethod
    def parse(raw: bytes) -> "Command":
        return Command(*struct.unpack(">BI", raw))

    def encode(self) -> bytes:
        return struct.pack(">BI", self.code, self.value & 0xFFFFFFFF)

    @property
    def signed(self) -> int:
        """The value as a signed number."""
        return self.value - (1 << 32) if self.value >> 31 else self.value
