"""The three CRCs of P25 data (TIA-102.BAAA-B clauses 5.2, 5.3.3 and 5.4.2).

    F(x) = (xⁿ · M(x) mod G(x)) + I(x)        I(x) = xⁿ⁻¹ + … + 1

Most significant bit first, the register starts at zero, the remainder is inverted.
"""

from dsp.errors import RangeError

CCITT = 0x11021
"""G(x) = x¹⁶ + x¹² + x⁵ + 1: headers and trunking blocks."""
CRC9 = 0x259
"""G(x) = x⁹ + x⁶ + x⁴ + x³ + 1: confirmed data blocks."""
CRC32 = 0x104C11DB7
"""G(x) = x³² + x²⁶ + x²³ + x²² + x¹⁶ + x¹² + x¹¹ + x¹⁰ + x⁸ + x⁷ + x⁵ + x⁴ + x² + x + 1: whole packets."""


def _table(polynomial: int) -> tuple[int, ...]:
    """Remainder of each byte, times xⁿ."""
    width = polynomial.bit_length() - 1
    table = []
    for byte in range(256):
        register = byte << width
        for power in range(width + 7, width - 1, -1):
            if register >> power & 1:
                register ^= polynomial << (power - width)
        table.append(register)
    return tuple(table)


_TABLES = {polynomial: _table(polynomial) for polynomial in (CCITT, CRC32)}


def _of_bytes(data: bytes, polynomial: int) -> int:
    width = polynomial.bit_length() - 1
    mask, table, register = (1 << width) - 1, _TABLES[polynomial], 0
    for byte in data:
        register = (register << 8 & mask) ^ table[register >> (width - 8) ^ byte]
    return register ^ mask


def ccitt(data: bytes) -> int:
    """CRC of 16 bits."""
    return _of_bytes(data, CCITT)


def crc32(data: bytes) -> int:
    """CRC of 32 bits."""
    return _of_bytes(data, CRC32)


def crc9(serial: int, data: bytes) -> int:
    """CRC of 9 bits over the block's serial number (7 bits) and its data. Raises `RangeError`."""
    if not 0 <= serial < 128:
        raise RangeError(f"serial number of a data block = {serial} does not fit 7 bits: 0 … 127")
    length = 7 + 8 * len(data)
    register = (serial << 8 * len(data) | int.from_bytes(data)) << 9
    for power in range(length + 8, 8, -1):
        if register >> power & 1:
            register ^= CRC9 << (power - 9)
    return register ^ 0x1FF
