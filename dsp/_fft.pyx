"""The loop of dsp/fft.py; the arithmetic is in _fft_forward.h."""

from libc.stdint cimport int32_t, int64_t
from libc.stdlib cimport free, malloc
from libc.string cimport memcpy

from dsp._lanes cimport fill_plan, lane_plan, vec

cdef extern from "stdlib.h" nogil:
    int posix_memalign(void **at, size_t alignment, size_t size)

cdef extern from "_fft_forward.h" nogil:
    ctypedef struct forward_plan:
        lane_plan down
        lane_plan across
        const float *turn
        vec *tile
        vec *middle
    void forward_transform(const forward_plan *plan, const float *const *line, float *re, float *im)
    void add_hann_power(const float *re, const float *im, float *power, int n)

cdef enum:
    ALIGN = 64


cdef class ForwardKernel:
    cdef forward_plan plan
    cdef object kept
    cdef float[::1] re, im
    cdef int rows, columns, n, margin
    cdef const float **line
    cdef float *joint
    cdef float *turn

    def __cinit__(self, down, across, const float[::1] turn, float[::1] re, float[::1] im, int margin):
        self.kept = (down, across)
        fill_plan(&self.plan.down, down.radices, down.n, down.twiddles, down.roots, down.position, down.source)
        fill_plan(&self.plan.across, across.radices, across.n, across.twiddles, across.roots, across.position, across.source)
        self.rows, self.columns, self.margin = down.n, across.n, margin
        self.n = self.rows * self.columns
        self.re, self.im = re, im
        cdef int64_t tiles = (self.rows + 15) // 16
        cdef size_t point = 2 * 64
        if (posix_memalign(<void **> &self.plan.tile, ALIGN, point * self.rows)
                or posix_memalign(<void **> &self.plan.middle, ALIGN, point * self.columns * tiles)
                or posix_memalign(<void **> &self.turn, ALIGN, 4 * turn.shape[0])
                or posix_memalign(<void **> &self.joint, ALIGN, 8 * self.columns)):
            raise MemoryError
        self.line = <const float **> malloc(sizeof(void *) * self.rows)
        if self.line == NULL:
            raise MemoryError
        memcpy(self.turn, &turn[0], 4 * turn.shape[0])
        self.plan.turn = self.turn

    def __dealloc__(self):
        free(self.plan.tile)
        free(self.plan.middle)
        free(self.turn)
        free(self.joint)
        free(self.line)

    def run(self, const float complex[::1] head, Py_ssize_t filled, const float complex[::1] body, Py_ssize_t start,
            int reach):
        cdef const float *first = <const float *> &head[0] if filled else NULL
        cdef const float *second = <const float *> &body[0] if body.shape[0] else NULL
        cdef float *re = &self.re[0]
        cdef float *im = &self.im[0]
        with nogil:
            self._run(first, filled, second, start, re, im, reach)

    cdef void _run(self, const float *head, Py_ssize_t filled, const float *body, Py_ssize_t start, float *re,
                   float *im, int reach) noexcept nogil:
        cdef Py_ssize_t at, inside
        cdef int r, margin = self.margin, n = self.n
        for r in range(self.rows):
            at = start + <Py_ssize_t> r * self.columns
            if at >= filled:
                self.line[r] = body + 2 * (at - filled)
            elif at + self.columns <= filled:
                self.line[r] = head + 2 * at
            else:
                # The one line in which head ends and body begins.
                inside = filled - at
                memcpy(self.joint, head + 2 * at, 8 * inside)
                memcpy(self.joint + 2 * inside, body, 8 * (self.columns - inside))
                self.line[r] = self.joint
        forward_transform(&self.plan, self.line, re + margin, im + margin)
        memcpy(re + margin - reach, re + margin + n - reach, 4 * reach)
        memcpy(im + margin - reach, im + margin + n - reach, 4 * reach)
        memcpy(re + margin + n, re + margin, 4 * reach)
        memcpy(im + margin + n, im + margin, 4 * reach)

    def add_power(self, float[::1] power):
        with nogil:
            add_hann_power(&self.re[0] + self.margin, &self.im[0] + self.margin, &power[0], self.n)
