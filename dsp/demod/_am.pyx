"""AM envelope of a bank of channels over its own carrier level."""

from libc.math cimport fabsf, sqrt


def detect(
    const float[:, :, ::1] block,
    double[:, ::1] state,
    float[:, ::1] ring,
    long long[:, ::1] position,
    long settle,
    long lost_after,
    double rise,
    double fall,
    float[:, ::1] out,
):
    """One block of every row. state: carrier, sum of the ring. position: place in the ring, carrier's age, low for.

    The ring holds the last `ring.shape[1]` envelope samples; its oldest is the one put out.
    """
    cdef Py_ssize_t rows = block.shape[0], n = block.shape[1], row, i
    cdef Py_ssize_t length = ring.shape[1]
    cdef float a, b, newest, oldest
    cdef double carrier, total, mean, value
    cdef long long at, age, low
    with nogil:
        for row in range(rows):
            carrier = state[row, 0]
            total = state[row, 1]
            at = position[row, 0]
            age = position[row, 1]
            low = position[row, 2]
            for i in range(n):
                a = block[row, i, 0]
                b = block[row, i, 1]
                if fabsf(a) < 1e8 and fabsf(b) < 1e8:
                    newest = <float>sqrt(<double>a * a + <double>b * b)
                else:
                    newest = 0
                oldest = ring[row, at]
                ring[row, at] = newest
                total += <double>newest - <double>oldest
                at += 1
                if at == length:
                    # Once a turn the sum is made afresh: rounding cannot pile up.
                    at = 0
                    total = _sum(&ring[row, 0], length)
                mean = total / length
                low = low + 1 if mean < fall * carrier else 0
                if mean > rise * carrier and mean > 1e-12 or low > lost_after:
                    age = 0
                    low = 0
                    carrier = mean
                if age < settle:
                    age += 1
                # The mean of what came since the carrier rose, then an average over the last `settle` samples.
                carrier += (newest - carrier) / age
                value = oldest / carrier - 1 if carrier > 1e-12 else 0
                out[row, i] = <float>min(max(value, -1.0), 2.0)
            state[row, 0] = carrier
            state[row, 1] = total
            position[row, 0] = at
            position[row, 1] = age
            position[row, 2] = low


cdef inline double _sum(const float *p, Py_ssize_t n) noexcept nogil:
    cdef double total = 0
    cdef Py_ssize_t i
    for i in range(n):
        total += p[i]
    return total
