"""Samples between samples, at a step that may change from call to call. See `dsp.elastic`."""

cimport numpy as cnp
from libc.math cimport floor, rint
from libc.stdint cimport int64_t
from libc.string cimport memcpy, memmove, memset

import numpy as np

cnp.import_array()

cdef enum:
    LANES = 8

cdef int64_t ONE = 4294967296
cdef int64_t MASK = 4294967295
cdef double UNIT = 1.0 / 4294967296.0


def interpolate(const float[::1] x, int64_t whole, int64_t fraction, int64_t step, const float[:, ::1] table,
                float[::1] out):
    """out[j] = x at (whole + fraction/2³²) + j·step/2³², through the row of `table` nearest below and the next one.

    table: (rows + 1, taps), taps a multiple of 8; tap t of it belongs to the sample whole − taps/2 + 1 + t. Returns
    False if that would reach outside of x.
    """
    cdef Py_ssize_t n = out.shape[0]
    return not n or _interpolate(&x[0], x.shape[0], whole, fraction, step, table, &out[0], n)


cdef bint _interpolate(const float *x, Py_ssize_t size, int64_t whole, int64_t fraction, int64_t step,
                       const float[:, ::1] table, float *out, Py_ssize_t n) noexcept nogil:
    cdef Py_ssize_t taps = table.shape[1]
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
    if taps % LANES or fraction < 0 or fraction > MASK or step < 0:
        return False
    place = fraction + (n - 1) * step
    if whole - reach + 1 < 0 or whole + (place >> 32) + reach >= size:
        return False
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


cdef class Stretch:
    """A memory of what was pushed, and the place in it of the next output: whole + fraction/2³² samples.

    table: as `interpolate` has it. ratio: samples of input for one of output. room: samples that it has to hold, with
    half a filter on either side.
    """

    cdef readonly int64_t end
    cdef readonly Py_ssize_t reach
    cdef const float[:, ::1] table
    cdef float[::1] x
    cdef Py_ssize_t room
    cdef int64_t first, whole, fraction, step
    cdef double ratio

    def __init__(self, const float[:, ::1] table not None, double ratio, Py_ssize_t room):
        self.table = table
        self.reach = table.shape[1] // 2
        self.ratio = ratio
        self.room = room
        self.reset()

    def reset(self):
        self.x = np.zeros(2 * self.room, np.float32)
        # Who plays on where there is nothing yet goes back to half a filter before the first.
        self.first = -2 * self.reach
        self.end = self.whole = self.fraction = 0
        self.set_ppm(0.0)

    def set_ppm(self, double ppm):
        self.step = <int64_t>rint(self.ratio * (1 + ppm * 1e-6) * ONE)

    @property
    def position(self):
        return self._place()

    @property
    def held(self):
        return self.end - self.reach - self._place()

    cdef double _place(self) noexcept nogil:
        return self.whole + self.fraction * UNIT

    def possible(self):
        return self._possible()

    cdef int64_t _possible(self) noexcept nogil:
        cdef int64_t there = ((self.end - self.reach - self.whole) << 32) - self.fraction
        return (there - 1) // self.step + 1 if there > 0 else 0

    def push(self, cnp.ndarray x not None):
        cdef Py_ssize_t n = cnp.PyArray_SIZE(x)
        if cnp.PyArray_TYPE(x) != cnp.NPY_FLOAT32 or not cnp.PyArray_IS_C_CONTIGUOUS(x):
            raise ValueError("what is pushed must be float32 and contiguous")
        if self.end + n - self.first > self.x.shape[0]:
            self._forget()
            if self.end + n - self.first > self.x.shape[0]:
                raise ValueError(f"there is no room for {n} samples more")
        if n:
            memcpy(&self.x[self.end - self.first], cnp.PyArray_DATA(x), n * sizeof(float))
        self.end += n

    cdef void _forget(self) noexcept nogil:
        """Let go of what no output needs any more."""
        cdef int64_t keep = max(self.first, min(self.whole - self.reach, self.end))
        if keep < self.end:
            memmove(&self.x[0], &self.x[keep - self.first], (self.end - keep) * sizeof(float))
        self.first = keep

    def move(self, double position):
        cdef double whole = floor(position)
        self.whole = <int64_t>whole
        self.fraction = <int64_t>rint((position - whole) * ONE)
        self._carry()

    cdef void _carry(self) noexcept nogil:
        self.whole += self.fraction >> 32
        self.fraction &= MASK

    def pull(self, float[::1] out):
        cdef Py_ssize_t n = out.shape[0]
        cdef bint short = n > self._possible(), done
        if not n:
            return
        if short:
            self._pad(((n * self.step + MASK) >> 32) + 2)
        if self.step == ONE and not self.fraction and not short and self.whole >= self.first:
            # At the same pace, on a sample, the filter is that sample alone.
            memcpy(&out[0], &self.x[self.whole - self.first], n * sizeof(float))
        else:
            done = _interpolate(&self.x[0], self.x.shape[0], self.whole - self.first, self.fraction, self.step,
                                self.table, &out[0], n)
            assert done, "the position has left the memory"
        self.fraction += n * self.step
        self._carry()
        if short and self.whole > self.end - self.reach:
            self.whole, self.fraction = self.end - self.reach, 0

    cdef int _pad(self, Py_ssize_t samples) except -1:
        """Silence after the end, so that the filter can reach beyond it."""
        cdef Py_ssize_t at = self.end - self.first, room = at + samples + 2 * self.reach
        if room > self.x.shape[0]:
            self.x = np.concatenate([self.x, np.zeros(room - self.x.shape[0], np.float32)])
        memset(&self.x[at], 0, (self.x.shape[0] - at) * sizeof(float))
        return 0
