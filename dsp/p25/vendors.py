"""Manufacturer's ids (TIA-102.BAAC-D, table of MFID values)."""

STANDARD = (0x00, 0x01)
"""The standard itself: $00, and $01 for what was added after April 2001."""
MOTOROLA = 0x90
HARRIS = 0xA4

NAMES = {
    0x00: "standard",
    0x01: "standard",
    0x09: "ASELSAN",
    0x10: "Relm",
    0x18: "Zetron",
    0x20: "M/A-COM",
    0x28: "Datron",
    0x30: "Icom",
    0x34: "Cisco",
    0x38: "EF Johnson",
    0x40: "Thales",
    0x48: "Cycomm",
    0x50: "Midland",
    0x58: "Daniels",
    0x60: "Tait",
    0x68: "Uniden",
    0x70: "Midstate",
    0x78: "Vertex",
    0x7C: "Airbus",
    0x7E: "Hytera",
    0x90: "Motorola",
    0xA0: "Thales",
    0xA4: "Harris",
    0xB0: "Simoco",
    0xD8: "Tait",
}


def name(mfid: int) -> str:
    """Name of a manufacturer, or its number."""
    return NAMES.get(mfid, f"${mfid:02X}")
