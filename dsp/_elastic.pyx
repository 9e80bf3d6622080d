"""Samples between samples, at a step that may change from call to call. See `dsp.elastic`."""

from libc.stdint cimport int64_t

cdef enum:
    LANES = 8

cdef int64_t MASK = 4294967295
cdef double UNIT = 1.0 / 4294967296.0


def interpolate(const float[::1] x, int64_t whole, int64_t fraction, int64_t step, const float[:, ::1] table,
                float[::1] out):
    """out[j] = x at (whole + fraction/2³²) + j·step/2³², through the row of `table` nearest below and the next one.

    table: (rows + 1, taps), taps a multiple of 8; tap t of it belongs to the sample whole − taps/2 + 1 + t. Returns
    False if that would reach outside of x.
    """
    cdef Py_ssize_t n = out.shape[0], taps = table.shape[1]
    cdef Py_ssize_t blocks = taps // LANES, block
    cdef int64_t rows = table.shape[0] - 1, reach = taps // 2
    cdef int64_t place, row, first
    cdef Py_ssize_t j, t, lane
    cdef float blend, low, high
    cdef float below[LANES]
    cdef float above[LANES]
    cdef const float *from_x
    cdef const float *row_taps
    cdef const float *next_taps
    if not n:
        return True
    if taps % LANES or fraction < 0 or fraction > MASK or step < 0:
        return False
    place = fraction + (n - 1) * step
    if whole - reach + 1 < 0 or whole + (place >> 32) + reach >= x.shape[0]:
        return False
    with nogil:
        place = fraction
        for j in range(n):
            first = whole + (place >> 32) - reach + 1
            row = ((place & MASK) * rows) >> 32
            blend = <float>(((place & MASK) * rows - (row << 32)) * UNIT)
            from_x = &x[first]
            row_taps = &table[row, 0]
            next_taps = &table[row + 1, 0]
            for lane in range(LANES):
                below[lane] = above[lane] = 0
            for block in range(blocks):
                t = block * LANES
                for lane in range(LANES):
                    below[lane] += from_x[t + lane] * row_taps[t + lane]
                    above[lane] += from_x[t + lane] * next_taps[t + lane]
            low = ((below[0] + below[4]) + (below[1] + below[5])) + ((below[2] + below[6]) + (below[3] + below[7]))
            high = ((above[0] + above[4]) + (above[1] + above[5])) + ((above[2] + above[6]) + (above[3] + above[7]))
            out[j] = low + blend * (high - low)
            place += step
    return True
