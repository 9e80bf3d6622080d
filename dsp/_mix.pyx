"""Adding one frame to many rows, each with its own gain. See `dsp.mix`."""

cdef extern from "_mix.h" nogil:
    void mix_add(const float *frame, Py_ssize_t n, float before, float after, Py_ssize_t ramp, float *row)


def add(const float[::1] frame, const Py_ssize_t[::1] rows, const float[::1] before, const float[::1] after,
        Py_ssize_t ramp, float[:, ::1] out):
    cdef Py_ssize_t n = frame.shape[0]
    cdef Py_ssize_t r
    with nogil:
        for r in range(rows.shape[0]):
            if rows[r] < 0 or rows[r] >= out.shape[0]:
                with gil:
                    return False
        if n:
            for r in range(rows.shape[0]):
                mix_add(&frame[0], n, before[r], after[r], ramp, &out[rows[r], 0])
    return True
