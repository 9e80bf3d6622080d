"""Loops of `dsp.convert`: raw little- or big-endian components to float32 and back. See `_convert.h`."""

from libc.stddef cimport ptrdiff_t
from libc.stdint cimport int64_t, uint8_t

cdef extern from "_convert.h" nogil:
    int64_t unpack_u8(const uint8_t* raw, float* out, ptrdiff_t n, int group)
    int64_t unpack_i8(const uint8_t* raw, float* out, ptrdiff_t n, int group)
    int64_t unpack_u16_le(const uint8_t* raw, float* out, ptrdiff_t n, int group)
    int64_t unpack_u16_be(const uint8_t* raw, float* out, ptrdiff_t n, int group)
    int64_t unpack_i16_le(const uint8_t* raw, float* out, ptrdiff_t n, int group)
    int64_t unpack_i16_be(const uint8_t* raw, float* out, ptrdiff_t n, int group)
    int64_t unpack_i24_le(const uint8_t* raw, float* out, ptrdiff_t n, int group)
    int64_t unpack_u32_le(const uint8_t* raw, float* out, ptrdiff_t n, int group)
    int64_t unpack_u32_be(const uint8_t* raw, float* out, ptrdiff_t n, int group)
    int64_t unpack_i32_le(const uint8_t* raw, float* out, ptrdiff_t n, int group)
    int64_t unpack_i32_be(const uint8_t* raw, float* out, ptrdiff_t n, int group)
    int64_t unpack_f32_le(const uint8_t* raw, float* out, ptrdiff_t n, int group)
    int64_t unpack_f32_be(const uint8_t* raw, float* out, ptrdiff_t n, int group)
    int64_t unpack_f64_le(const uint8_t* raw, float* out, ptrdiff_t n, int group)
    int64_t unpack_f64_be(const uint8_t* raw, float* out, ptrdiff_t n, int group)
    int64_t pack_u8(const float* x, uint8_t* raw, ptrdiff_t n, int group)
    int64_t pack_i8(const float* x, uint8_t* raw, ptrdiff_t n, int group)
    int64_t pack_i16_le(const float* x, uint8_t* raw, ptrdiff_t n, int group)
    int64_t pack_f32_le(const float* x, uint8_t* raw, ptrdiff_t n, int group)

ctypedef int64_t (*unpack_loop)(const uint8_t*, float*, ptrdiff_t, int) noexcept nogil
ctypedef int64_t (*pack_loop)(const float*, uint8_t*, ptrdiff_t, int) noexcept nogil

cdef unpack_loop[15] UNPACK = [
    unpack_u8, unpack_i8, unpack_u16_le, unpack_u16_be, unpack_i16_le, unpack_i16_be, unpack_i24_le,
    unpack_u32_le, unpack_u32_be, unpack_i32_le, unpack_i32_be,
    unpack_f32_le, unpack_f32_be, unpack_f64_le, unpack_f64_be,
]
UNPACK_FORMATS = (
    "u8", "i8", "u16_le", "u16_be", "i16_le", "i16_be", "i24_le",
    "u32_le", "u32_be", "i32_le", "i32_be", "f32_le", "f32_be", "f64_le", "f64_be",
)

cdef pack_loop[4] PACK = [pack_u8, pack_i8, pack_i16_le, pack_f32_le]
PACK_FORMATS = ("u8", "i8", "i16_le", "f32_le")


def unpack(int loop, const uint8_t[::1] raw, float[::1] out, int group):
    """Convert len(out) components; returns the samples (of `group` components) at full scale, or set to zero."""
    cdef int64_t count = 0
    cdef ptrdiff_t n = out.shape[0]
    if n:
        with nogil:
            count = UNPACK[loop](&raw[0], &out[0], n, group)
    return count


def pack(int loop, const float[::1] x, uint8_t[::1] raw, int group):
    """Convert len(x) components; returns the samples that were beyond full scale."""
    cdef int64_t count = 0
    cdef ptrdiff_t n = x.shape[0]
    if n:
        with nogil:
            count = PACK[loop](&x[0], &raw[0], n, group)
    return count
