"""What a unit says about encryption: algorithm, key and message indicator. Nothing here decrypts.

Algorithm ids: TIA-102.BAAC-D. $80 is unencrypted; any other value means the speech must not be decoded.
"""

from dataclasses import dataclass

from dsp.errors import RangeError, ShapeError

CLEAR = 0x80

ALGORITHMS = {
    0x00: "ACCORDION 1.3",
    0x01: "BATON (auto even)",
    0x02: "FIREFLY Type 1",
    0x03: "MAYFLY Type 1",
    0x04: "SAVILLE",
    0x41: "BATON (auto odd)",
    0x80: "clear",
    0x81: "DES-OFB",
    0x83: "Triple DES",
    0x84: "AES-256",
    0x85: "AES-128",
    0x88: "RC4",
    0x9F: "DES-XL",
    0xAA: "ADP",
}


@dataclass(frozen=True, slots=True)
class EncryptionSync:
    """Message indicator (9 bytes), algorithm id (8 bits) and key id (16 bits)."""

    message_indicator: bytes = bytes(9)
    algorithm: int = CLEAR
    key: int = 0

    @property
    def clear(self) -> bool:
        """The speech is not encrypted."""
        return self.algorithm == CLEAR

    @property
    def algorithm_name(self) -> str:
        """Name of the algorithm, or its number."""
        return ALGORITHMS.get(self.algorithm, f"algorithm ${self.algorithm:02X}")

    @classmethod
    def parse(cls, data: bytes) -> "EncryptionSync":
        """From the 12 bytes of LDU2 (TIA-102.BAAA-B clause 7). Raises `ShapeError`."""
        if len(data) != 12:
            raise ShapeError(f"encryption sync of {len(data)} bytes; it has 12")
        return cls(bytes(data[:9]), data[9], int.from_bytes(data[10:]))

    def encode(self) -> bytes:
        """The 12 bytes of LDU2. Raises `RangeError` for a field that does not fit."""
        if len(self.message_indicator) != 9 or not 0 <= self.algorithm < 256 or not 0 <= self.key < 65536:
            raise RangeError("encryption sync: message indicator 9 bytes, algorithm 0 … 255, key 0 … 65535")
        return self.message_indicator + bytes([self.algorithm]) + self.key.to_bytes(2)
