"""Bit fields of trunking blocks and link control words, written as the figures of the standard number them.

A layout is one string: `"service_options 16-23 channel 24-39 talkgroup 40-55 source 56-79"`, bit 0 being the first bit
of octet 0. What the string leaves out is reserved.
"""

from dataclasses import dataclass
from functools import cached_property

from dsp.errors import RangeError


@dataclass(frozen=True)
class Layout:
    """Fields of one message.

    name: the standard's short name. title: its full name. text: the fields, see above. clause: where it is defined.
    """

    name: str
    title: str
    text: str = ""
    clause: str = ""

    @cached_property
    def fields(self) -> dict[str, tuple[int, int]]:
        """First and last bit of each field."""
        words = self.text.split()
        found = {}
        for name, places in zip(words[0::2], words[1::2]):
            first, _, last = places.partition("-")
            found[name] = (int(first), int(last or first))
        return found

    def read(self, data: bytes) -> dict[str, int]:
        """Value of each field in a message."""
        length, value = 8 * len(data), int.from_bytes(data)
        return {
            name: value >> (length - 1 - last) & ((1 << (last - first + 1)) - 1)
            for name, (first, last) in self.fields.items()
        }

    def write(self, data: bytes, values: dict[str, int]) -> bytes:
        """`data` with fields set. Raises `RangeError` for an unknown field or a value that does not fit."""
        length, result = 8 * len(data), int.from_bytes(data)
        for name, value in values.items():
            if name not in self.fields:
                raise RangeError(f"{self.name} has no field {name!r}; it has {', '.join(self.fields) or 'none'}")
            first, last = self.fields[name]
            width = last - first + 1
            if not 0 <= value < 1 << width:
                raise RangeError(f"{self.name}: {name} = {value} does not fit {width} bits: 0 … {(1 << width) - 1}")
            shift = length - 1 - last
            result = result & ~(((1 << width) - 1) << shift) | value << shift
        return result.to_bytes(len(data))


def service_options(value: int) -> dict[str, bool | int]:
    """What the service options octet says (TIA-102.AABC-E clause 3, TIA-102.AABF-D clause 7.4).

    E (emergency) · P (protected) · D (duplex) · M (packet mode) · reserved · priority (3 bits)
    """
    return {
        "emergency": bool(value & 0x80),
        "encrypted": bool(value & 0x40),
        "duplex": bool(value & 0x20),
        "packet": bool(value & 0x10),
        "priority": value & 7,
    }
