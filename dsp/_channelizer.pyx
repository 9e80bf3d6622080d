"""The loop of dsp/channelizer.py; the arithmetic is in _channelizer_bank.h."""

from libc.stdint cimport int32_t, int64_t
from libc.stdlib cimport free

from dsp._lanes cimport fill_plan, lane_plan, vec

cdef extern from "stdlib.h" nogil:
    int posix_memalign(void **at, size_t alignment, size_t size)

cdef extern from "_channelizer_bank.h" nogil:
    ctypedef struct bank_group:
        lane_plan plan
        vec *tile
        const float *shape
        const float *turn
        int skip
        int hop
    ctypedef struct bank_lanes:
        int64_t start[16]
        int64_t row[16]
        int64_t bin[16]
        double fine_hz[16]
    void row_phase(const bank_lanes *lanes, int64_t b, double rate, int hop, int skip, float *c, float *s)
    void bank_row(const bank_group *g, const bank_lanes *lanes, const float *re, const float *im, const float *c,
                  const float *s, float *out, int64_t stride)


cdef class BankKernel:
    """Channels of one output rate, sixteen to a group, in the order of their rows."""

    cdef bank_group group
    cdef bank_lanes lanes
    cdef object plan
    cdef const float[:, :, ::1] shape
    cdef const float[:, :, :, ::1] turn
    cdef const int64_t[::1] start
    cdef const int64_t[::1] bins
    cdef const int64_t[::1] rows
    cdef const double[::1] fine_hz
    cdef double rate

    def __cinit__(self, plan, const float[:, :, ::1] shape, const float[:, :, :, ::1] turn, const int64_t[::1] start,
                  const int64_t[::1] bins, const double[::1] fine_hz, const int64_t[::1] rows, int rate, int skip):
        self.plan = plan
        fill_plan(&self.group.plan, plan.radices, plan.n, plan.twiddles, plan.roots, plan.position, plan.source)
        self.shape, self.turn, self.start, self.bins, self.fine_hz = shape, turn, start, bins, fine_hz
        self.rows = rows
        self.rate = rate
        self.group.skip = skip
        self.group.hop = turn.shape[1]
        if posix_memalign(<void **> &self.group.tile, 64, <size_t> 128 * self.group.plan.n):
            raise MemoryError

    def __dealloc__(self):
        free(self.group.tile)

    def run(self, const float[::1] re, const float[::1] im, int64_t row, float complex[:, ::1] out, Py_ssize_t at):
        cdef Py_ssize_t channels = self.rows.shape[0], g, i, channel
        cdef int l
        cdef float c[16]
        cdef float s[16]
        cdef int64_t stride = out.shape[1]
        if not channels:
            return
        with nogil:
            for g in range((channels + 15) // 16):
                for l in range(16):
                    channel = g * 16 + l
                    self.lanes.row[l] = self.rows[channel] if channel < channels else -1
                    i = channel if channel < channels else channels - 1
                    self.lanes.start[l] = self.start[i]
                    self.lanes.bin[l] = self.bins[i]
                    self.lanes.fine_hz[l] = self.fine_hz[i]
                self.group.shape = &self.shape[g, 0, 0]
                self.group.turn = &self.turn[g, 0, 0, 0]
                row_phase(&self.lanes, row, self.rate, self.group.hop, self.group.skip, c, s)
                bank_row(&self.group, &self.lanes, &re[0], &im[0], c, s, <float *> &out[0, at], stride)
