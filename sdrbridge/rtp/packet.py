"""One RTP packet (RFC 3550, 5.1), and the two codecs of RFC 3551 that the bridge speaks: PCMU and L16 at 8 kHz.

     0                   1                   2                   3
     VVPXCCCC MTTTTTTT SSSSSSSS SSSSSSSS    version 2, padding, extension, CSRC count · marker, type · sequence
     timestamp (32)
     SSRC (32)
     CSRC (32 each) … · extension: profile (16) length (16) words … · payload · padding … its length (8)

`RtpPacket.parse` checks the envelope first and reads nothing beyond it; whatever is wrong is a `ValueError`.
"""

import struct
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

VERSION = 2
HEADER = 12
LONGEST = 1500
"""Bytes of a packet that is looked at; a frame of 20 ms needs 332."""

PCMU, CN = 0, 13
"""Static payload types: µ-law, and comfort noise (RFC 3389)."""

_FIXED = struct.Struct(">BBHII")


@dataclass(frozen=True, slots=True)
class RtpPacket:
    """A packet. marker: first of a talkspurt. sequence: 16 bits. timestamp: of its first sample, 32 bits."""

    payload_type: int
    sequence: int
    timestamp: int
    ssrc: int
    payload: bytes
    marker: bool = False

    @classmethod
    def parse(cls, data: bytes) -> "RtpPacket":
        """Read a datagram. Raises `ValueError`."""
        if not HEADER <= len(data) <= LONGEST:
            raise ValueError(f"{len(data)} bytes; a packet has {HEADER} to {LONGEST}")
        first, second, sequence, timestamp, ssrc = _FIXED.unpack_from(data)
        if first >> 6 != VERSION:
            raise ValueError(f"version {first >> 6}; RTP is version {VERSION}")
        start, end = HEADER + 4 * (first & 15), len(data)
        if first & 16:
            if start + 4 > end:
                raise ValueError("the extension is cut off")
            start += 4 + 4 * int.from_bytes(data[start + 2 : start + 4], "big")
        if first & 32:
            end -= data[-1] if data[-1] else end
        if start > end:
            raise ValueError("contributors, extension and padding are longer than the packet")
        return cls(second & 127, sequence, timestamp, ssrc, bytes(data[start:end]), bool(second & 128))

    def encode(self) -> bytes:
        """The datagram."""
        second = self.payload_type | (128 if self.marker else 0)
        return _FIXED.pack(VERSION << 6, second, self.sequence, self.timestamp, self.ssrc) + self.payload


def ahead(later: int, earlier: int, bits: int) -> int:
    """How far `later` lies beyond `earlier` where both wrap round at `bits`; negative if it lies before."""
    half = 1 << (bits - 1)
    return (later - earlier + half) % (2 * half) - half


def _ulaw_table() -> NDArray[np.float32]:
    code = ~np.arange(256) & 0xFF
    magnitude = ((((code & 15) << 3) + 132) << (code >> 4 & 7)) - 132
    return np.asarray(np.where(code & 128, -magnitude, magnitude) / 32768, np.float32)


_ULAW = _ulaw_table()
_EXPONENT = np.array([max(0, (m >> 7).bit_length() - 1) for m in range(32768)], np.int64)
"""Segment of a biased 15-bit magnitude."""


def pcmu_decode(payload: bytes) -> NDArray[np.float32]:
    """µ-law (ITU-T G.711) to (n,) float32."""
    return _ULAW[np.frombuffer(payload, np.uint8)]


def pcmu_encode(samples: NDArray[np.float32]) -> bytes:
    """(n,) float32 to µ-law; beyond ±1 it is clipped."""
    linear = np.clip(np.rint(np.nan_to_num(samples) * 32768), -32635, 32635).astype(np.int64)
    biased = np.abs(linear) + 132
    exponent = _EXPONENT[biased]
    mantissa = biased >> (exponent + 3) & 15
    code = np.where(linear < 0, 128, 0) | exponent << 4 | mantissa
    return bytes((~code & 0xFF).astype(np.uint8).tobytes())


def l16_decode(payload: bytes) -> NDArray[np.float32]:
    """16 bits, most significant byte first, to (n,) float32; an odd last byte is left out."""
    return (np.frombuffer(payload[: len(payload) & ~1], ">i2") / np.float32(32768)).astype(np.float32)


def l16_encode(samples: NDArray[np.float32]) -> bytes:
    """(n,) float32 to 16 bits; beyond ±1 it is clipped."""
    return bytes(np.clip(np.rint(np.nan_to_num(samples) * 32768), -32768, 32767).astype(">i2").tobytes())
