"""What is highest and lowest in a frame. See `dsp.peaks`."""

from libc.math cimport INFINITY

cdef extern from "_peaks.h" nogil:
    bint peaks_silent(const float *x, Py_ssize_t n)
    float peaks_reach(const float *x, Py_ssize_t n)
    void peaks_every(const float *x, Py_ssize_t n, Py_ssize_t step, float *highest, float *lowest)


def silent(const float[::1] x):
    return not x.shape[0] or peaks_silent(&x[0], x.shape[0])


def peaks(const float[::1] x, Py_ssize_t first, Py_ssize_t step):
    cdef float reach = 0, highest = 0, lowest = INFINITY
    cdef Py_ssize_t n = x.shape[0]
    if n:
        reach = peaks_reach(&x[0], n)
    if first < n:
        peaks_every(&x[first], n - first, step, &highest, &lowest)
    return reach, highest, lowest
