"""What a site file may say of tones and codes: whether there is such a one, and which are nearest."""

from dsp.tones.tables import CTCSS_HZ, DCS_CODES
from sdrbridge.table import Table


def nearest_ctcss(hertz: float, count: int = 2) -> tuple[float, ...]:
    """The standard tones nearest to a frequency, in ascending order."""
    return tuple(sorted(sorted(CTCSS_HZ, key=lambda tone: abs(tone - hertz))[:count]))


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
