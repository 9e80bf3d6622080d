"""DCS codes as words on the air, and which of them are one and the same signal (TIA-603-E, CDCSS).

    bit      22        12 11 10 9 8      0
            ┌────────────┬───────┬────────┐
            │ parity     │ 1 0 0 │ code   │   sent from bit 0 on, again and again without a mark where it begins
            └────────────┴───────┴────────┘
    parity: Golay (23, 12), x^11 + x^10 + x^6 + x^5 + x^4 + x^2 + 1

A receiver cannot see where a word starts, so all rotations of it are one signal with several names (023N is also 340N,
766N and, seen inverted, 047I). Only the standard library is imported here: site files are read by the command line.
"""

from functools import cache

from dsp.errors import RangeError
from dsp.tones.tables import DCS_CODES

WORD_BITS = 23
_GENERATOR = 0b110001110101
_ALL = (1 << WORD_BITS) - 1


def code_word(code: str) -> int:
    """The 23 bits of "023N" or "023I" as they are sent, bit 0 first, a 1 being the higher frequency.

    Raises `RangeError` for anything else than three octal digits and N or I.
    """
    if len(code) != 4 or code[3] not in "NI" or any(c not in "01234567" for c in code[:3]):
        raise RangeError(f'DCS code = "{code}": it is three octal digits and N or I, e.g. "023N"')
    data = 0b100 << 9 | int(code[:3], 8)
    rest = data << 11
    for bit in range(WORD_BITS - 1, 10, -1):
        if rest >> bit & 1:
            rest ^= _GENERATOR << bit - 11
    word = rest << 12 | data
    return word ^ _ALL if code[3] == "I" else word


def rotations(word: int) -> set[int]:
    """Every word that looks the same on the air."""
    return {(word << n | word >> (WORD_BITS - n)) & _ALL for n in range(WORD_BITS)}


@cache
def _names() -> dict[int, tuple[str, ...]]:
    """All names of every signal, by the smallest of its rotations."""
    found: dict[int, list[str]] = {}
    for polarity in "NI":
        for number in range(512):
            name = f"{number:03o}{polarity}"
            found.setdefault(min(rotations(code_word(name))), []).append(name)
    return {word: tuple(names) for word, names in found.items()}


def equivalent_codes(code: str) -> tuple[str, ...]:
    """Every name of the signal that `code` ("023N") is: normal ones first, each in rising order, itself included.

    All 512 octal codes count, not only those in use, since a detector may report any of them. Raises `RangeError`.
    """
    return _names()[min(rotations(code_word(code)))]


def canonical_code(code: str) -> str:
    """The name under which a signal is reported: the lowest code in use, normal before inverted; `code` if none is."""
    return next((n for n in equivalent_codes(code) if n[:3] in DCS_CODES), code)
