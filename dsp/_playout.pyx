"""The ring of one over's speech with its pauses marked, and a cursor that plays from it. See `dsp.playout`."""

cimport cython
from libc.string cimport memset

import numpy as np

cdef enum:
    HOP_SAMPLES = 40
    FADE = 40
    EDGE_HOPS = 6
    SHORTEST_CUT = 40
    LEAST_KEPT = 480
    MOST_KEPT = 1200
    TICK = 160

HOP = HOP_SAMPLES

cdef double LEVEL_FALL = 0.998
cdef double FLOOR_RISE = 1.005
cdef double ABOVE_FLOOR = 4.0
cdef double NEVER_ABOVE = 0.05
cdef double ALWAYS_BELOW = 1e-4


@cython.final
cdef class Store:
    """A ring of samples, and for every 5 ms of it whether the speaker pauses."""

    cdef public long long filled
    cdef public long long hops
    cdef float[::1] ring
    cdef unsigned char[::1] quiet
    cdef long long mask, hop_capacity
    cdef double energy, before, before_that, level, floor
    cdef int in_hop

    def __init__(self, long long capacity):
        self.ring = np.zeros(capacity, np.float32)
        self.hop_capacity = capacity // HOP_SAMPLES
        self.quiet = np.zeros(self.hop_capacity, np.uint8)
        self.mask = capacity - 1
        self.filled = self.hops = 0
        self.energy = self.before = self.before_that = self.level = 0.0
        self.floor = -1.0
        self.in_hop = 0

    def push(self, const float[::1] samples):
        cdef Py_ssize_t i
        cdef float x
        with nogil:
            for i in range(samples.shape[0]):
                x = samples[i]
                if not (x - x == 0.0):
                    x = 0.0
                self.ring[self.filled & self.mask] = x
                self.filled += 1
                self.energy += <double>x * <double>x
                self.in_hop += 1
                if self.in_hop == HOP_SAMPLES:
                    self._hop()

    cdef void _hop(self) noexcept nogil:
        cdef double now = self.energy
        cdef double smooth = (now + self.before + self.before_that) / 3.0
        cdef double limit
        if smooth > self.level * LEVEL_FALL:
            self.level = smooth
        else:
            self.level = self.level * LEVEL_FALL
        if self.floor < 0.0 or now < self.floor * FLOOR_RISE:
            self.floor = now
        else:
            self.floor = self.floor * FLOOR_RISE
        limit = self.floor * ABOVE_FLOOR
        if limit < self.level * ALWAYS_BELOW:
            limit = self.level * ALWAYS_BELOW
        if limit > self.level * NEVER_ABOVE:
            limit = self.level * NEVER_ABOVE
        self.quiet[self.hops % self.hop_capacity] = now < limit and smooth < limit
        self.hops += 1
        self.before_that = self.before
        self.before = now
        self.energy = 0.0
        self.in_hop = 0

    def copy(self, long long start, float[::1] out):
        """Samples from `start` on, which lie in what is kept."""
        cdef Py_ssize_t i
        with nogil:
            for i in range(out.shape[0]):
                out[i] = self.ring[(start + i) & self.mask]

    def is_quiet(self, long long hop):
        return bool(self.quiet[hop % self.hop_capacity])


@cython.final
cdef class Cursor:
    """One playback of a Store."""

    cdef public long long position, played, skipped, lost, waited
    cdef Store store
    cdef readonly long long paused
    cdef long long cut, fade_skip
    cdef int fade

    def __init__(self, Store store, long long start):
        self.store = store
        self.position = start
        self.played = self.skipped = self.lost = self.waited = 0
        self.paused = self.cut = self.fade_skip = 0
        self.fade = FADE

    def pull(self, float[::1] out, long long reserve, bint ended, Py_ssize_t step):
        cdef Py_ssize_t n = out.shape[0]
        cdef Py_ssize_t at, due
        cdef long long known
        with nogil:
            at = 0
            while at < n:
                due = step if n - at > step else n - at
                known = self.store.filled
                if not ended:
                    known -= n - at - due
                self._pull(&out[at], due, known, reserve, ended)
                at += due

    def drains_in(self, long long reserve, Py_ssize_t limit):
        """How many pulls of a tick it takes to the end of what is known and will not grow; `limit` if not fewer."""
        cdef float scratch[TICK]
        cdef long long position = self.position, played = self.played, skipped = self.skipped
        cdef long long lost = self.lost, waited = self.waited
        cdef long long paused = self.paused, cut = self.cut, fade_skip = self.fade_skip
        cdef int fade = self.fade
        cdef Py_ssize_t pulls = 0
        with nogil:
            while pulls < limit and self.position < self.store.filled:
                self._pull(scratch, TICK, self.store.filled, reserve, True)
                pulls += 1
        self.position, self.played, self.skipped, self.lost, self.waited = position, played, skipped, lost, waited
        self.paused, self.cut, self.fade_skip, self.fade = paused, cut, fade_skip, fade
        return pulls

    cdef void _pull(self, float* out, Py_ssize_t n, long long known, long long reserve, bint ended) noexcept nogil:
        cdef Py_ssize_t i
        cdef long long late = known - self.position - self.store.mask - 1
        cdef float weight, tail
        if late > 0:
            self.lost += late
            self.position += late
            self.fade = FADE
        for i in range(n):
            if self.position >= known:
                if not ended:
                    self.waited += n - i
                memset(&out[i], 0, (n - i) * sizeof(float))
                return
            if self.position % HOP_SAMPLES == 0 and self.fade == FADE:
                self._consider(n - i, known, reserve)
            if self.fade < FADE:
                # The jump has been made; what lay before it fades away under what follows it.
                weight = (self.fade + <float>0.5) / FADE
                tail = self.store.ring[(self.position - self.fade_skip) & self.store.mask]
                out[i] = tail + weight * (self.store.ring[self.position & self.store.mask] - tail)
                self.fade += 1
            else:
                out[i] = self.store.ring[self.position & self.store.mask]
            self.position += 1
            self.played += 1

    cdef void _consider(self, long long due, long long known, long long reserve) noexcept nogil:
        """Decide at the start of a hop whether to jump ahead in the pause that is being played."""
        cdef long long hop = self.position // HOP_SAMPLES
        cdef long long hops = known // HOP_SAMPLES
        cdef long long ahead, pause, kept, room, excess
        if hop >= hops or not self.store.quiet[hop % self.store.hop_capacity]:
            self.paused = 0
            self.cut = 0
            return
        if self.paused >= EDGE_HOPS:
            excess = known - self.position - due - reserve
            if excess >= SHORTEST_CUT:
                ahead = 1
                while hop + ahead < hops and ahead * HOP_SAMPLES < self.store.mask // 2 and \
                        self.store.quiet[(hop + ahead) % self.store.hop_capacity]:
                    ahead += 1
                pause = (self.paused + ahead) * HOP_SAMPLES + self.cut
                kept = pause * 2 // 5
                if kept < LEAST_KEPT:
                    kept = LEAST_KEPT
                if kept > MOST_KEPT:
                    kept = MOST_KEPT
                room = pause - kept - self.cut
                if room > (ahead - EDGE_HOPS - 1) * HOP_SAMPLES:
                    room = (ahead - EDGE_HOPS - 1) * HOP_SAMPLES
                if room > excess:
                    room = excess
                room -= room % HOP_SAMPLES
                if room >= SHORTEST_CUT:
                    self.position += room
                    self.skipped += room
                    self.cut += room
                    self.fade_skip = room
                    self.fade = 0
        self.paused += 1
