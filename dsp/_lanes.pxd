# C types of the lane transform, and how a plan made in Python becomes one.

from libc.stdint cimport int32_t, int64_t

cdef extern from "_fft_lanes.h" nogil:
    ctypedef struct vec:
        pass
    ctypedef struct lane_plan:
        int n
        int stages
        int radix[12]
        const float *twiddle[12]
        const float *root[12]
        const int32_t *position
        const int32_t *source

cdef inline void fill_plan(lane_plan *to, tuple radices, int n, const float[::1] twiddles, const float[::1] roots,
                           const int32_t[::1] position, const int32_t[::1] source):
    """Point `to` into the tables, which the caller keeps alive."""
    cdef Py_ssize_t t = 0, r = 0
    cdef int m = 1, s, radix
    to.n = n
    to.stages = len(radices)
    for s in range(to.stages):
        radix = radices[s]
        to.radix[s] = radix
        to.twiddle[s] = &twiddles[t]
        to.root[s] = &roots[r]
        t += 2 * m * (radix - 1)
        r += 2 * radix
        m *= radix
    to.position = &position[0]
    to.source = &source[0]
