"""The loop of dsp/direct.py; the arithmetic is in _direct_row.h."""

from libc.math cimport cos, floor, sin
from libc.stdint cimport int64_t

import numpy as np

cdef extern from "_direct_row.h" nogil:
    ctypedef struct direct_plan:
        int first_length
        int first_step
        const float *first
        int middle
        int turns
        const float *turn
        int second_length
        int second_step
        const float *second
        int hop
        float *mixed
        float *between
        float *joint
    void direct_row(const direct_plan *p, const float *head, int64_t filled, const float *body, int64_t start,
                    int follows, float c, float s, float *out)

cdef double TURN = 6.283185307179586477


cdef class DirectKernel:
    """One channel."""

    cdef direct_plan plan
    cdef const float[::1] first, second, turn
    cdef float complex[::1] mixed, between, joint
    cdef int64_t rate, skip, bin_hz
    cdef double fine_hz

    def __cinit__(self, const float[::1] first, int first_step, const float[::1] turn, int middle, const float[::1] second,
                  int second_step, int hop, int middle_rate, int middle_skip, int64_t bin_hz, double fine_hz):
        self.first, self.second, self.turn = first, second, turn
        self.plan.first_length = first.shape[0] // 4
        self.plan.second_length = second.shape[0] // 2
        self.mixed = np.zeros(middle + 8, dtype=np.complex64)
        self.between = np.zeros(middle + 8, dtype=np.complex64)
        self.joint = np.zeros(2 * self.plan.first_length, dtype=np.complex64)
        self.plan.first, self.plan.first_step = &self.first[0], first_step
        self.plan.middle, self.plan.turns, self.plan.turn = middle, turn.shape[0] // 4, &self.turn[0]
        self.plan.second, self.plan.second_step = &self.second[0], second_step
        self.plan.hop = hop
        self.plan.mixed = <float *> &self.mixed[0]
        self.plan.between, self.plan.joint = <float *> &self.between[0], <float *> &self.joint[0]
        self.rate, self.skip, self.bin_hz, self.fine_hz = middle_rate, middle_skip, bin_hz, fine_hz

    def run(self, const float complex[::1] head, int64_t filled, const float complex[::1] body, int64_t start,
            int64_t step, int64_t row, float complex[::1] out):
        cdef const float *first = <const float *> &head[0] if filled else NULL
        cdef const float *second = <const float *> &body[0] if body.shape[0] else NULL
        cdef int64_t i, sample, whole
        cdef double cycles
        with nogil:
            for i in range(out.shape[0] // self.plan.hop):
                sample = (row + i) * (self.rate // 100) - self.skip
                # The whole hertz exactly, modulo one second; the rest in double precision.
                whole = ((self.bin_hz % self.rate) * (sample % self.rate)) % self.rate
                cycles = self.fine_hz * (<double> sample / <double> self.rate)
                cycles = cycles - floor(cycles) + <double> whole / <double> self.rate
                direct_row(&self.plan, first, filled, second, start + i * step, i > 0,
                           <float> cos(TURN * cycles), <float> -sin(TURN * cycles), <float *> &out[i * self.plan.hop])
