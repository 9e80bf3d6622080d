"""The tones and codes that select a squelch: which exist, and which are one and the same on the air.

CTCSS: TIA-603-E, table of standard tones, and the further ones in use (50 in all). DCS: TIA-603-E, 83 codes, and the
21 further ones that radios offer.

A DCS code is sent as the 23-bit word of a Golay (23, 12) code, again and again without a mark where it begins:

    ppppppppppp100ccccccccc      p: 11 parity bits · 100 fixed · c: the three octal digits; sent from the right
    x^11 + x^10 + x^6 + x^5 + x^4 + x^2 + 1

A receiver cannot see where the word starts, so two codes whose words are rotations of each other are the same signal;
likewise one code inverted and another one not (023 inverted is 047).
"""

CTCSS_HZ = (
    67.0, 69.3, 71.9, 74.4, 77.0, 79.7, 82.5, 85.4, 88.5, 91.5,
    94.8, 97.4, 100.0, 103.5, 107.2, 110.9, 114.8, 118.8, 123.0, 127.3,
    131.8, 136.5, 141.3, 146.2, 151.4, 156.7, 159.8, 162.2, 165.5, 167.9,
    171.3, 173.8, 177.3, 179.9, 183.5, 186.2, 189.9, 192.8, 196.6, 199.5,
    203.5, 206.5, 210.7, 218.1, 225.7, 229.1, 233.6, 241.8, 250.3, 254.1,
)  # fmt: skip
"""The 50 tones in use, in hertz."""

DCS_CODES = (
    "023", "025", "026", "031", "032", "036", "043", "047", "051", "053", "054", "065", "071", "072", "073", "074",
    "114", "115", "116", "122", "125", "131", "132", "134", "143", "145", "152", "155", "156", "162", "165", "172",
    "174", "205", "212", "223", "225", "226", "243", "244", "245", "246", "251", "252", "255", "261", "263", "265",
    "266", "271", "274", "306", "311", "315", "325", "331", "332", "343", "346", "351", "356", "364", "365", "371",
    "411", "412", "413", "423", "431", "432", "445", "446", "452", "454", "455", "462", "464", "465", "466", "503",
    "506", "516", "523", "526", "532", "546", "565", "606", "612", "624", "627", "631", "632", "654", "662", "664",
    "703", "712", "723", "731", "732", "734", "743", "754",
)  # fmt: skip
"""The 104 codes in use, as octal digits without polarity."""

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
