"""The loop of dsp/resample.py; the arithmetic is in _resample_sum.h."""

from libc.stdint cimport int64_t

cdef extern from "_resample_sum.h" nogil:
    void resample(const float *x, int64_t at, int64_t phase, int64_t step, int64_t rest, int64_t phases,
                  const float *table, int taps, int64_t rows, float *out, int64_t n)


def resample_into(const float complex[::1] x, int64_t at, int64_t phase, int64_t step, int64_t rest, int64_t phases,
                  const float[:, ::1] table, float complex[::1] out):
    if not out.shape[0]:
        return
    with nogil:
        resample(<const float *> &x[0], at, phase, step, rest, phases, &table[0, 0], table.shape[1] // 2,
                 table.shape[0] - 1, <float *> &out[0], out.shape[0])
