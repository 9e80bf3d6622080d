"""The loop of `dsp.tones.subaudible`: hold within the limit, low-pass, decimate."""

from libc.stddef cimport ptrdiff_t
from libc.stdint cimport int32_t
from libc.string cimport memcpy

cdef extern from "tones/_subaudible.h" nogil:
    void take(const float* x, float* out, ptrdiff_t n, float limit)
    void decimate(const float* x, const float* taps, ptrdiff_t n, ptrdiff_t step, int outputs, float* y)

cdef enum:
    FRAME = 8       # samples out at once


def lower(const float[:, ::1] x, float[:, ::1] line, int32_t[::1] fresh, int fill, const float[::1] taps, float limit,
          float[::1] scratch, float[:, ::1] out):
    """One block of every row. line: a filter's length of what came before, then `fill` samples that make no frame yet."""
    cdef ptrdiff_t rows = x.shape[0], n = x.shape[1], span = taps.shape[0], i, left
    cdef int factor = <int>(span // FRAME), r, outputs = <int>out.shape[1]
    cdef float first
    with nogil:
        for r in range(rows):
            take(&x[r, 0], &scratch[span + fill], n, limit)
            if fresh[r]:
                # no step where the samples begin: as if the first had been there always
                first = scratch[span + fill]
                for i in range(span + fill):
                    scratch[i] = first
                fresh[r] = 0
            else:
                memcpy(&scratch[0], &line[r, 0], (span + fill) * sizeof(float))
            if outputs:
                decimate(&scratch[factor], &taps[0], span, factor, outputs, &out[r, 0])
            left = (fill + n) % span
            memcpy(&line[r, 0], &scratch[fill + n - left], (span + left) * sizeof(float))
