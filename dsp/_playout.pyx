"""The ring of one over's speech with its pauses marked, and cursors that play from it, alone (`dsp.playout`) or many of
them into the frames of those who hear them (`dsp.desk`)."""

cimport cython
cimport numpy as cnp
from libc.string cimport memcpy, memset

import numpy as np

cnp.import_array()

cdef extern from "_mix.h" nogil:
    void mix_add(const float *frame, Py_ssize_t n, float before, float after, Py_ssize_t ramp, float *row)

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


cdef class Store:
    """A ring of samples, and for every 5 ms of it whether the speaker pauses. start: index of the first sample."""

    cdef readonly long long start, capacity
    cdef readonly bint ended
    cdef long long filled, hops
    cdef float[::1] ring
    cdef unsigned char[::1] quiet
    cdef long long mask, hop_capacity
    cdef double energy, before, before_that, level, floor
    cdef int in_hop

    def __init__(self, long long start, long long capacity):
        self.start = start
        self.capacity = capacity
        self.mask = capacity - 1
        self.hop_capacity = capacity // HOP_SAMPLES
        self.ring = np.empty(capacity, np.float32)  # nothing is read that was not written
        self.quiet = np.zeros(self.hop_capacity, np.uint8)
        self.reset()

    def reset(self):
        self.filled = self.hops = 0
        self.energy = self.before = self.before_that = self.level = 0.0
        self.floor = -1.0
        self.in_hop = 0
        self.ended = False

    @property
    def end(self):
        return self.start + self.filled

    def flush(self):
        self.ended = True

    def take(self, cnp.ndarray samples not None):
        """Contiguous float32; returns whether it was that. A typed memoryview would cost more than the work here."""
        if cnp.PyArray_TYPE(samples) != cnp.NPY_FLOAT32 or not cnp.PyArray_IS_C_CONTIGUOUS(samples):
            return False
        self._take(<const float *>cnp.PyArray_DATA(samples), cnp.PyArray_SIZE(samples))
        return True

    cdef void _take(self, const float *x, Py_ssize_t n) noexcept nogil:
        cdef Py_ssize_t i, part
        cdef float *to
        cdef double energy
        cdef float v
        while n:
            to = &self.ring[self.filled & self.mask]
            part = min(n, HOP_SAMPLES - self.in_hop, self.mask + 1 - (self.filled & self.mask))
            energy = self.energy
            for i in range(part):
                v = x[i] if x[i] - x[i] == 0.0 else 0.0
                to[i] = v
                energy += <double>v * <double>v
            self.energy = energy
            self.filled += part
            self.in_hop += part
            x += part
            n -= part
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
        start -= self.start
        with nogil:
            for i in range(out.shape[0]):
                out[i] = self.ring[(start + i) & self.mask]

    def marks(self):
        cdef long long first = max(0, self.hops - self.hop_capacity)
        return [self.quiet[hop % self.hop_capacity] for hop in range(first, self.hops)]


cdef class Cursor:
    """One playback of a Store. at: the next sample, counted from its first."""

    cdef readonly long long reserve, played, skipped, lost, waited
    cdef Store store
    cdef long long first, at, paused, cut, fade_skip
    cdef int fade

    def __init__(self, Store store, long long start, long long reserve):
        self.store = store
        self.reserve = reserve
        self.first = start - store.start
        self.reset()

    def reset(self):
        self.at = self.first
        self.played = self.skipped = self.lost = self.waited = 0
        self.paused = self.cut = self.fade_skip = 0
        self.fade = FADE

    @property
    def position(self):
        return self.store.start + self.at

    @property
    def lag(self):
        return self.store.filled - self.at

    @property
    def pausing(self):
        return self.paused * HOP_SAMPLES

    @property
    def drained(self):
        return self.store.ended and self.at >= self.store.filled

    def pull(self, float[::1] out):
        if out.shape[0]:
            with nogil:
                self._play(&out[0], out.shape[0], out.shape[0])

    def pull_ticks(self, float[::1] out):
        if out.shape[0]:
            with nogil:
                self._play(&out[0], out.shape[0], TICK)

    cdef void _play(self, float *out, Py_ssize_t n, Py_ssize_t step) noexcept nogil:
        """Pulls of `step` samples each, the first of what is over, as if the sound of an over that goes on had come just
        before each."""
        cdef Py_ssize_t at = 0, due = n % step
        cdef long long known
        cdef bint ended = self.store.ended
        if due == 0:
            due = step
        while at < n:
            known = self.store.filled
            if not ended:
                known -= n - at - due
            self._pull(out + at, due, known, ended)
            at += due
            due = step

    def drains_in(self, Py_ssize_t limit):
        """How many pulls of a tick it takes to the end of what is known and will not grow; `limit` if not fewer."""
        cdef float scratch[TICK]
        cdef long long place = self.at, played = self.played, skipped = self.skipped
        cdef long long lost = self.lost, waited = self.waited
        cdef long long paused = self.paused, cut = self.cut, fade_skip = self.fade_skip
        cdef int fade = self.fade
        cdef Py_ssize_t pulls = 0
        with nogil:
            while pulls < limit and self.at < self.store.filled:
                self._pull(scratch, TICK, self.store.filled, True)
                pulls += 1
        self.at, self.played, self.skipped, self.lost, self.waited = place, played, skipped, lost, waited
        self.paused, self.cut, self.fade_skip, self.fade = paused, cut, fade_skip, fade
        return pulls

    cdef void _pull(self, float* out, Py_ssize_t n, long long known, bint ended) noexcept nogil:
        cdef Py_ssize_t i = 0, part
        cdef long long phase, place
        cdef long long late = known - self.at - self.store.mask - 1
        cdef float weight, tail
        if late > 0:
            self.lost += late
            self.at += late
            self.fade = FADE
        while i < n:
            if self.at >= known:
                if not ended:
                    self.waited += n - i
                memset(&out[i], 0, (n - i) * sizeof(float))
                return
            phase = self.at % HOP_SAMPLES
            if phase == 0 and self.fade == FADE:
                self._consider(n - i, known)
            place = self.at & self.store.mask
            if self.fade < FADE:
                # The jump has been made; what lay before it fades away under what follows it.
                part = 1
                weight = (self.fade + <float>0.5) / FADE
                tail = self.store.ring[(self.at - self.fade_skip) & self.store.mask]
                out[i] = tail + weight * (self.store.ring[place] - tail)
                self.fade += 1
            else:
                part = min(n - i, HOP_SAMPLES - phase, known - self.at, self.store.mask + 1 - place)
                memcpy(&out[i], &self.store.ring[place], part * sizeof(float))
            i += part
            self.at += part
            self.played += part

    cdef void _consider(self, long long due, long long known) noexcept nogil:
        """Decide at the start of a hop whether to jump ahead in the pause that is being played."""
        cdef long long hop = self.at // HOP_SAMPLES
        cdef long long hops = known // HOP_SAMPLES
        cdef long long ahead, pause, kept, room, excess
        if hop >= hops or not self.store.quiet[hop % self.store.hop_capacity]:
            self.paused = 0
            self.cut = 0
            return
        if self.paused >= EDGE_HOPS:
            excess = known - self.at - due - self.reserve
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
                    self.at += room
                    self.skipped += room
                    self.cut += room
                    self.fade_skip = room
                    self.fade = 0
        self.paused += 1


@cython.final
cdef class Tape:
    """The last samples of what was played, by index."""

    cdef readonly long long end
    cdef long long first
    cdef float[::1] ring

    def __init__(self, long long at, Py_ssize_t keep):
        self.ring = np.empty(keep, np.float32)
        self.first = self.end = at

    @property
    def begin(self):
        return max(self.first, self.end - self.ring.shape[0])

    def take(self, long long index, const float[::1] samples):
        if samples.shape[0]:
            with nogil:
                self._take(index, &samples[0], samples.shape[0])

    cdef void _take(self, long long index, const float *x, Py_ssize_t n) noexcept nogil:
        cdef Py_ssize_t keep = self.ring.shape[0]
        if index > self.end:
            if index - self.end > keep:
                self.end = index - keep
            self._put(NULL, index - self.end)
        if n > keep:
            x += n - keep
            self.end += n - keep
            n = keep
        self._put(x, n)

    cdef void _put(self, const float *x, Py_ssize_t n) noexcept nogil:
        cdef Py_ssize_t place, part
        while n:
            place = self.end % self.ring.shape[0]
            part = min(n, self.ring.shape[0] - place)
            if x == NULL:
                memset(&self.ring[place], 0, part * sizeof(float))
            else:
                memcpy(&self.ring[place], x, part * sizeof(float))
                x += part
            self.end += part
            n -= part

    def read(self, long long start):
        """From `start`, which is kept, to the end."""
        cdef Py_ssize_t place = start % self.ring.shape[0], n = self.end - start, part
        cdef cnp.ndarray found = np.empty(n, np.float32)
        cdef float *out = <float *>cnp.PyArray_DATA(found)
        part = min(n, self.ring.shape[0] - place)
        memcpy(out, &self.ring[place], part * sizeof(float))
        memcpy(out + part, &self.ring[0], (n - part) * sizeof(float))
        return found


@cython.final
cdef class Leg:
    """A cursor, from when it is played, the rows that hear it, and their gains at the end of the last frame and of the
    next. See `dsp.desk`."""

    cdef readonly cnp.ndarray rows, gains, target
    cdef public long long launch
    cdef public bint heard, sounds
    cdef public Tape tape
    cdef Cursor cursor

    def __init__(self, Cursor cursor, long long launch):
        self.cursor = cursor
        self.launch = launch
        self.heard = self.sounds = False

    def hear(self, cnp.ndarray rows not None, cnp.ndarray gains not None, cnp.ndarray target not None):
        """Contiguous (k,) intp, float32, float32; returns whether they are that."""
        for x, kind in ((rows, cnp.NPY_INTP), (gains, cnp.NPY_FLOAT32), (target, cnp.NPY_FLOAT32)):
            if cnp.PyArray_TYPE(x) != kind or not cnp.PyArray_IS_C_CONTIGUOUS(x) or cnp.PyArray_NDIM(x) != 1:
                return False
        if not cnp.PyArray_SIZE(rows) == cnp.PyArray_SIZE(gains) == cnp.PyArray_SIZE(target):
            return False
        self.rows, self.gains, self.target = rows, gains, target
        return True

    cdef bint _mix(self, const float *frame, Py_ssize_t n, Py_ssize_t ramp, float[:, ::1] out) noexcept nogil:
        cdef const Py_ssize_t *rows = <const Py_ssize_t *>cnp.PyArray_DATA(self.rows)
        cdef const float *gains = <const float *>cnp.PyArray_DATA(self.gains)
        cdef const float *target = <const float *>cnp.PyArray_DATA(self.target)
        cdef Py_ssize_t r, count = cnp.PyArray_DIM(self.rows, 0)
        for r in range(count):
            if rows[r] < 0 or rows[r] >= out.shape[0]:
                return False
        for r in range(count):
            mix_add(frame, n, gains[r], target[r], ramp, &out[rows[r], 0])
        return True


def play(list legs, long long now, float[::1] frame, float[:, ::1] out, Py_ssize_t ramp):
    """Play legs from index `now` on; returns those heard for the first time, or None if one has a row that is not
    there. frame: scratch."""
    cdef Leg leg
    cdef Py_ssize_t n = frame.shape[0], wait
    begun = []
    if n != out.shape[1] or n == 0:
        return None
    for leg in legs:
        wait = max(leg.launch - now, 0)
        leg.sounds = wait < n and not (leg.cursor.store.ended and leg.cursor.at >= leg.cursor.store.filled)
        if wait >= n:
            continue
        memset(&frame[0], 0, wait * sizeof(float))
        leg.cursor._play(&frame[wait], n - wait, TICK)
        if leg.tape is not None:
            leg.tape._take(now, &frame[0], n)
        if not leg._mix(&frame[0], n, ramp, out):
            return None
        leg.gains = leg.target
        if not leg.heard:
            leg.heard = True
            begun.append(leg)
    return begun
