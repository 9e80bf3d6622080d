"""Numbers as people write them: `155.7525M` is 155 752 500 hertz, `1h30m` is 5400 seconds.

The suffixes k, M and G are decimal. A frequency is an integer number of hertz; what would leave a fraction of a hertz
is refused, because it is a typing error far more often than a wish.
"""

import math
import re
from decimal import Decimal

_FREQUENCY = re.compile(r"\s*([+-]?(?:\d+\.?\d*|\.\d+))\s*([kKMG]?)(?:Hz)?\s*")
_SCALE = {"": 1, "k": 1_000, "K": 1_000, "M": 1_000_000, "G": 1_000_000_000}
_SIZE = re.compile(r"\s*(\d+\.?\d*)\s*([kKMGT]?)B?\s*")
_DURATION = re.compile(r"\s*(?:(\d+)h)?(?:(\d+)m)?(?:(\d+(?:\.\d*)?)s?)?\s*")


def parse_frequency(text: str) -> int:
    """Integer hertz of a frequency, rate, offset or bandwidth: "155.7525M", "12.5k", "-8.09k", "240000".

    Raises ValueError with a message for people.
    """
    match = _FREQUENCY.fullmatch(text)
    if match is None:
        raise ValueError(f'"{text}" is not a frequency; write for example "155.7525M", "12.5k" or "240000"')
    hertz = Decimal(match[1]) * _SCALE[match[2]]
    if hertz != int(hertz):
        raise ValueError(
            f'"{text}" is {hertz.normalize():f} Hz, not a whole number of hertz; nearest is {round(hertz)}'
        )
    return int(hertz)


def format_frequency(hertz: int) -> str:
    """The shortest spelling that `parse_frequency` reads back: 155752500 → "155.7525M"."""
    for suffix in ("G", "M", "k"):
        if abs(hertz) >= _SCALE[suffix]:
            whole, _, part = f"{Decimal(hertz) / _SCALE[suffix]:f}".partition(".")
            part = part.rstrip("0")
            return f"{whole}.{part}{suffix}" if part else whole + suffix
    return str(hertz)


def parse_size(text: str) -> int:
    """Bytes: "20G", "500M", "64000". Raises ValueError with a message for people."""
    match = _SIZE.fullmatch(text)
    if match is None:
        raise ValueError(f'"{text}" is not a size; write for example "20G" or "500M"')
    return int(Decimal(match[1]) * {**_SCALE, "T": 10**12}[match[2]])


def parse_duration(text: str) -> float:
    """Seconds of a duration: "90", "1.5s", "1h30m", "2m5s". Raises ValueError with a message for people."""
    match = _DURATION.fullmatch(text)
    if match is None or not any(match.groups()):
        raise ValueError(f'"{text}" is not a duration; write for example "90", "2m30s" or "1h30m"')
    hours, minutes, seconds = (float(part or 0) for part in match.groups())
    total = 3600 * hours + 60 * minutes + seconds
    if not math.isfinite(total):
        raise ValueError(f'"{text}" is too long for a duration')
    return total
