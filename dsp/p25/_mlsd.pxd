"""Sequence detection of C4FM: the fields and the steps of the detector, for `dsp.p25._equalizer`."""

cdef extern from "p25/_mlsd.h" nogil:
    enum:
        STEP  # samples a symbol
        STATES  # the symbol before and this one
        BRANCHES  # and the next

cdef enum:
    RING = 256  # symbols remembered


cdef class Detector:
    # State 4a + b: symbol a is before symbol b; branch 16a + 4b + c: and c is next.
    cdef readonly long long at  # the next symbol to go through
    cdef readonly double noise  # mean squared distance of a sample from the signal of the likeliest sequence
    cdef double step, memory
    cdef double response[3][STEP]  # of the symbol before, this one and the next, over the samples of this one
    cdef float wr[STEP][BRANCHES]  # the samples of a symbol
    cdef float wi[STEP][BRANCHES]
    cdef float rr[STATES]  # the survivors' reference: the carrier at the point before
    cdef float ri[STATES]
    cdef float by_r[4]  # how a symbol turns the reference
    cdef float by_i[4]
    cdef float alpha[RING][STATES]  # metric of the survivors before each symbol
    cdef float gamma[RING][BRANCHES]  # of the branches of each symbol

    cdef void _shape(self, double step) noexcept nogil
    cdef void _through(self, const float *x, const float *tr, const float *ti) noexcept nogil
    cdef void start(
        self, const float complex *x, const signed char *known, Py_ssize_t n, long long number, double turn, double step
    ) noexcept nogil
    cdef void go(self, const float complex *x, Py_ssize_t count, double turn, double step) noexcept nogil
    cdef void likeliest(self, long long first, Py_ssize_t n, double scale, float *out) noexcept nogil
