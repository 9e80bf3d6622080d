"""Adding one frame to many rows, each with its own gain. See `dsp.mix`."""


def add(const float[::1] frame, const Py_ssize_t[::1] rows, const float[::1] before, const float[::1] after,
        Py_ssize_t ramp, float[:, ::1] out):
    cdef Py_ssize_t n = frame.shape[0]
    cdef Py_ssize_t r, i, row, head
    cdef float gain, step
    with nogil:
        for r in range(rows.shape[0]):
            if rows[r] < 0 or rows[r] >= out.shape[0]:
                with gil:
                    return False
        for r in range(rows.shape[0]):
            row = rows[r]
            gain = after[r]
            head = 0
            if before[r] != gain:
                head = ramp if ramp < n else n
                step = (gain - before[r]) / ramp
                for i in range(head):
                    out[row, i] += frame[i] * (before[r] + step * (i + 1))
            if gain != 0:
                for i in range(head, n):
                    out[row, i] += frame[i] * gain
    return True
