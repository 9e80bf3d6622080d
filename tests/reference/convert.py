"""Sample conversion by NumPy in float64, written to be obviously right."""

import numpy as np
from numpy.typing import NDArray

ZERO_AND_SCALE = {
    "u8": (127.5, 2**7),
    "u16": (32767.5, 2**15),
    "u32": (2147483647.5, 2**31),
    "i8": (0, 2**7),
    "i16": (0, 2**15),
    "i24": (0, 2**23),
    "i32": (0, 2**31),
}
ABSURD = 2.0**30


def components(raw: bytes, component: str) -> NDArray[np.float64]:
    """Every component as float64, at full scale ±1.0."""
    base, _, order = component.partition("_")
    if base == "i24":
        wide = b"".join(b"\0" + raw[i : i + 3] for i in range(0, len(raw), 3))
        integers = np.frombuffer(wide, "<i4") >> 8
        return integers / float(2**23)
    code = base[0] + str(int(base[1:]) // 8)
    with np.errstate(invalid="ignore"):
        values = np.frombuffer(raw, (">" if order == "be" else "<") + code).astype(np.float64)
    if base[0] == "f":
        return values
    zero, scale = ZERO_AND_SCALE[base]
    return (values - zero) / scale


def full_scale(component: str) -> tuple[float, float]:
    """Lowest and highest value of an integer component, converted."""
    base = component.partition("_")[0]
    zero, scale = ZERO_AND_SCALE[base]
    low = 0 if base[0] == "u" else -scale
    return (low - zero) / scale, (low + 2 * scale - 1 - zero) / scale


def unpack(raw: bytes, component: str, channels: int) -> tuple[NDArray[np.float32], int]:
    """Components as float32, and the samples clipped (integers) or set to zero (floats)."""
    values = components(raw, component).reshape(-1, channels)
    if component[0] != "f":
        low, high = full_scale(component)
        hit = ((values == low) | (values == high)).any(axis=1)
    else:
        with np.errstate(invalid="ignore", over="ignore"):
            values = values.astype(np.float32).astype(np.float64)
            hit = ~(np.abs(values) <= ABSURD).all(axis=1)
        values[hit] = 0
    return values.astype(np.float32).reshape(-1), int(hit.sum())
