"""Recorded sample types to complex64 or float32 at full scale ±1.0, and back.

Scales. All are exact powers of two, so 8- and 16-bit types go to float32 and back without changing a bit:

    u8    (x − 127.5) / 128        zero lies between 127 and 128, as the RTL2832 and SigMF's unsigned types have it
    u16   (x − 32767.5) / 32768
    u32   (x − 2147483647.5) / 2³¹
    i8    x / 128
    i16   x / 32768
    i24   x / 2²³                  packed in three bytes, WAV only
    i32   x / 2³¹
    f32, f64  as they are; 1.0 is full scale by convention

A sample type is written as SigMF writes it (SigMF 1.2, `core:datatype`): `c` or `r` for complex or real, the component,
`_le` or `_be` for more than one byte: "cu8", "ci16_le", "rf32_be". `sample_type()` also takes what people write:
"cs16", "cf32", "fc32".

Clipped: a sample whose integer component is the type's lowest or highest value. Invalid: a sample with a component that
is NaN, infinite or over 2³⁰; the whole sample is set to zero, since half of one would be a signal that was never there.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dsp import _convert
from dsp.errors import RangeError, ShapeError

_UNPACK = {name: i for i, name in enumerate(_convert.UNPACK_FORMATS)}
_PACK = {name: i for i, name in enumerate(_convert.PACK_FORMATS)}

_ALIASES = {"fc32": "cf32_le", "fc64": "cf64_le", "cfile": "cf32_le", "complex64": "cf32_le", "complex": "cf32_le"}


@dataclass(frozen=True, slots=True)
class SampleType:
    """How one sample lies in the file.

    name: "cu8", "ci16_le" … component: "u8", "i16_le" … (one of `_convert.UNPACK_FORMATS`). channels: 2 for complex, 1
    for real. size: bytes of one sample, all its components.
    """

    name: str
    component: str
    channels: int
    size: int

    @property
    def is_complex(self) -> bool:
        """Whether a sample is an I and a Q."""
        return self.channels == 2

    @property
    def is_integer(self) -> bool:
        """Whether full scale is a hard limit of the type, so that clipping can be told."""
        return self.component[0] != "f"


@dataclass(frozen=True, slots=True)
class Counts:
    """What a conversion met. clipped: samples at full scale. invalid: samples set to zero."""

    clipped: int = 0
    invalid: int = 0


_NOTHING = Counts()
_COMPLEX64 = np.dtype(np.complex64)
_FLOAT32 = np.dtype(np.float32)
_UINT8 = np.dtype(np.uint8)


def _make(kind: str, component: str) -> SampleType:
    bits = int("".join(c for c in component.split("_")[0] if c.isdigit()))
    channels = 2 if kind == "c" else 1
    return SampleType(kind + component, component, channels, channels * bits // 8)


_TYPES = {t.name: t for component in _UNPACK for t in (_make("c", component), _make("r", component))}

COMPLEX_TYPES = tuple(name for name, t in _TYPES.items() if t.is_complex and "24" not in name)
"""The complex types SigMF knows, all of which `to_complex` reads."""

WRITABLE_TYPES = tuple("c" + component for component in _PACK)
"""What `from_complex` writes."""


def sample_type(name: str) -> SampleType:
    """The type of that name; "cs16" and "ci16" mean "ci16_le". Raises `RangeError` for one that is not known."""
    wanted = name.strip().lower()
    wanted = _ALIASES.get(wanted, wanted)
    if wanted[:2] in ("cs", "rs"):
        wanted = wanted[0] + "i" + wanted[2:]
    for candidate in (wanted, wanted + "_le", wanted.removesuffix("_le").removesuffix("_be")):
        if candidate in _TYPES and (candidate != wanted[:-3] or "8" in candidate):
            return _TYPES[candidate]
    raise RangeError(f"sample type {name[:40]!r} is not known; known are {', '.join(COMPLEX_TYPES)}")


def to_complex(raw: NDArray[np.uint8], kind: SampleType, out: NDArray[np.complex64]) -> Counts:
    """Convert raw bytes to complex samples.

    raw: (n · kind.size,) uint8, C-contiguous, any alignment, may be read-only. out: (n,) complex64, C-contiguous,
    written. Raises `ShapeError` when they do not match, `RangeError` for a real type.
    """
    if not kind.is_complex:
        raise RangeError(f"{kind.name} is a real sample type; to_complex needs a complex one such as c{kind.component}")
    return _unpack(raw, kind, out, _COMPLEX64)


def to_real(raw: NDArray[np.uint8], kind: SampleType, out: NDArray[np.float32]) -> Counts:
    """Convert raw bytes to real samples; as `to_complex`, with out (n,) float32."""
    if kind.is_complex:
        raise RangeError(f"{kind.name} is a complex sample type; to_real needs a real one such as r{kind.component}")
    return _unpack(raw, kind, out, _FLOAT32)


def from_complex(samples: NDArray[np.complex64], kind: SampleType) -> tuple[NDArray[np.uint8], int]:
    """Raw bytes of the samples, and how many samples were beyond full scale and were limited to it.

    samples: (n,) complex64, C-contiguous. Integer types round to the nearest step, half to even; NaN becomes zero.
    Returns (n · kind.size,) uint8. Raises `RangeError` for a type not in `WRITABLE_TYPES`, `ShapeError` for the array.
    """
    if kind.name not in WRITABLE_TYPES:
        raise RangeError(f"{kind.name} is not written; written are {', '.join(WRITABLE_TYPES)}")
    if samples.ndim != 1 or samples.dtype != np.complex64 or not samples.flags.c_contiguous:
        raise ShapeError(f"samples are {samples.shape} {samples.dtype}; need (n,) complex64, contiguous")
    raw = np.empty(len(samples) * kind.size, np.uint8)
    clipped = _convert.pack(_PACK[kind.component], samples.view(np.float32), raw, 2)
    return raw, clipped


def _unpack(raw: NDArray[np.uint8], kind: SampleType, out: NDArray[np.generic], dtype: np.dtype[np.generic]) -> Counts:
    if raw.ndim != 1 or raw.dtype != _UINT8 or not raw.flags.c_contiguous:
        raise ShapeError(f"raw samples are {raw.shape} {raw.dtype}; need (bytes,) uint8, contiguous")
    if out.ndim != 1 or out.dtype != dtype or not out.flags.c_contiguous or not out.flags.writeable:
        raise ShapeError(f"out is {out.shape} {out.dtype}; need (n,) {dtype}, contiguous and writable")
    if len(raw) != len(out) * kind.size:
        raise ShapeError(f"{len(raw)} bytes of {kind.name} do not fill {len(out)} samples of {kind.size} bytes")
    count = _convert.unpack(_UNPACK[kind.component], raw, out.view(_FLOAT32), kind.channels)
    if not count:
        return _NOTHING
    return Counts(clipped=count) if kind.is_integer else Counts(invalid=count)
