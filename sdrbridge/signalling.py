"""What a site file may say of tones and codes: the nearest of them, and which are one and the same on the air.

A DCS code is sent as the 23-bit word of a Golay (23, 12) code, again and again without a mark where it begins:

    ppppppppppp100ccccccccc      p: 11 parity bits · 100 fixed · c: the three octal digits; sent from the right
    x^11 + x^10 + x^6 + x^5 + x^4 + x^2 + 1

A receiver cannot see where the word starts, so two codes whose words are rotations of each other are the same signal;
likewise one code inverted and another one not (023 inverted is 047).
"""

from dsp.tones.tables import CTCSS_HZ, DCS_CODES
from sdrbridge.table import Table

_GENERATOR = 0b110001110101
_WORD = (1 << 23) - 1


def nearest_ctcss(hertz: float, count: int = 2) -> tuple[float, ...]:
    """The standard tones nearest to a frequency, in ascending order."""
    return tuple(sorted(sorted(CTCSS_HZ, key=lambda tone: abs(tone - hertz))[:count]))


def dcs_word(code: str) -> int:
    """The 23-bit word of a code given as three octal digits; bit 0 is sent first. Raises ValueError."""
    if len(code) != 3:
        raise ValueError(f'"{code}" is not three octal digits')
    data = 0b100 << 9 | int(code, 8)
    rest = data << 11
    for bit in range(22, 10, -1):
        if rest >> bit & 1:
            rest ^= _GENERATOR << bit - 11
    return rest << 12 | data


def dcs_equivalents(code: str) -> tuple[str, ...]:
    """Every name under which a code with polarity ("023N") can be received, itself included, in ascending order.

    All 512 octal codes are searched, not only those in use, since a detector may report any of them.
    """
    word = dcs_word(code[:3]) ^ (_WORD if code[3:] == "I" else 0)
    rotations = {(word << n | word >> 23 - n) & _WORD for n in range(23)}
    found = []
    for number in range(512):
        digits = f"{number:03o}"
        plain = dcs_word(digits)
        if plain in rotations:
            found.append(f"{digits}N")
        if plain ^ _WORD in rotations:
            found.append(f"{digits}I")
    return tuple(found)


def read_dcs(s: Table, text: str) -> str | None:
    """A code with its polarity as a site file says it, "023N"; None where it is not right, which is noted."""
    code = text.upper().removeprefix("D")
    digits, polarity = code[:3], code[3:]
    if len(digits) != 3 or any(c not in "01234567" for c in digits):
        s.problem("dcs", text, 'must be three octal digits and the polarity, e.g. "023N"')
    elif digits not in DCS_CODES:
        nearest = sorted(DCS_CODES, key=lambda c: abs(int(c, 8) - int(digits, 8)))[:2]
        s.problem("dcs", text, f"is not a standard code; nearest are {' and '.join(sorted(nearest))}")
    elif polarity not in ("N", "I"):
        s.problem("dcs", text, f'lacks the polarity: "{digits}N" (normal) or "{digits}I" (inverted)')
    else:
        return code
    return None
