"""Loops of `dsp.tones.ctcss`: correlate with every tone, decide. The method is told in the face."""

cimport cython
from libc.math cimport M_PI, atan2, cos, fabs, floor, sin, sqrt
from libc.stddef cimport ptrdiff_t
from libc.stdint cimport int32_t, int64_t

cdef extern from "_lanes.h" nogil:
    void correlate(const float* y, int samples, const float* ref_re, const float* ref_im, const float* turn_re,
                   const float* turn_im, ptrdiff_t tones, float* out_re, float* out_im)
    void ring_sum(const float* ring, int size, int last, int count, ptrdiff_t tones, float* sum)
    void slide(float* sum, const float* fresh, const float* old, ptrdiff_t tones)
    void tone_power(const float* sum_re, const float* sum_im, const float* dc_re, const float* dc_im, float mean,
                    ptrdiff_t tones, float* power)
    float largest(const float* x, ptrdiff_t n)

cdef enum:
    FRAME = 8           # samples at 1 kHz in a sub-block
    WINDOW = 16         # sub-blocks the verdict needs
    HALF = 8            # sub-blocks a locked tone is followed with
    QUARTER = 4         # sub-blocks a turn of the phase is looked for in
    RING = 32           # sub-blocks kept
    TURNS = 64          # sub-blocks whose reference phases are kept
    LOST_AFTER = 16     # bad sub-blocks until the tone counts as gone
    QUIET_AFTER = 40    # sub-blocks in which a tone that announced its end leaves no room for another

cdef double ALONE = 0.16         # most that may be left at another tone, of this one's power
cdef double LEAN = 1.2          # Hz by which the newest three quarters of the window may differ from the whole

FRAMES_PER_CALL = 32
KIND_FOUND, KIND_LOST, KIND_BURST = 0, 1, 2


cdef inline double wrap(double a) noexcept nogil:
    return a - 2.0 * M_PI * floor(a / (2.0 * M_PI) + 0.5)


@cython.final
cdef class CtcssBank:
    """State of all rows. See `dsp.tones.ctcss.CtcssDetector`."""

    cdef readonly int rows
    cdef int tones, known, width, factor
    cdef int64_t start, count
    cdef double ratio, coherence, least, most
    cdef float[::1] power
    cdef float[:, ::1] ref_re, ref_im, sums, turn_re, turn_im, dc_re, dc_im
    cdef float[:, :, ::1] window_re, window_im
    cdef float[:, ::1] sum_re, sum_im, short_sum
    cdef float[:, :, ::1] ring_re, ring_im
    cdef double[::1] hz, tolerance, gain, base_re, base_im, image_re, image_im, amplitude, offset, phase
    cdef double[::1] now_re, now_im, step_re, step_im
    cdef double[:, ::1] over_re, over_im
    cdef int32_t[::1] near_from, near_to, valid, lock, bad, turned, quiet, anchored, gate, seen, stands
    cdef double[::1] turned_by, seen_off
    cdef int64_t[::1] seen_at
    cdef int64_t[:, ::1] events
    cdef int found

    def __init__(self, int rows, int factor, int tones, arrays, limits):
        self.rows, self.factor, self.tones = rows, factor, tones
        self.ratio, self.coherence, self.least, self.most = limits
        for name, value in arrays.items():
            self._bind(name, value)
        self.width = self.ref_re.shape[1]
        self.known = self.hz.shape[0]

    cdef _bind(self, str name, value):
        if name == "power": self.power = value
        elif name == "ref_re": self.ref_re = value
        elif name == "ref_im": self.ref_im = value
        elif name == "sums": self.sums = value
        elif name == "turn_re": self.turn_re = value
        elif name == "turn_im": self.turn_im = value
        elif name == "dc_re": self.dc_re = value
        elif name == "dc_im": self.dc_im = value
        elif name == "window_re": self.window_re = value
        elif name == "window_im": self.window_im = value
        elif name == "sum_re": self.sum_re = value
        elif name == "sum_im": self.sum_im = value
        elif name == "short_sum": self.short_sum = value
        elif name == "ring_re": self.ring_re = value
        elif name == "ring_im": self.ring_im = value
        elif name == "hz": self.hz = value
        elif name == "tolerance": self.tolerance = value
        elif name == "gain": self.gain = value
        elif name == "base_re": self.base_re = value
        elif name == "base_im": self.base_im = value
        elif name == "now_re": self.now_re = value
        elif name == "now_im": self.now_im = value
        elif name == "step_re": self.step_re = value
        elif name == "step_im": self.step_im = value
        elif name == "over_re": self.over_re = value
        elif name == "over_im": self.over_im = value
        elif name == "image_re": self.image_re = value
        elif name == "image_im": self.image_im = value
        elif name == "amplitude": self.amplitude = value
        elif name == "offset": self.offset = value
        elif name == "phase": self.phase = value
        elif name == "turned_by": self.turned_by = value
        elif name == "near_from": self.near_from = value
        elif name == "near_to": self.near_to = value
        elif name == "valid": self.valid = value
        elif name == "lock": self.lock = value
        elif name == "bad": self.bad = value
        elif name == "turned": self.turned = value
        elif name == "quiet": self.quiet = value
        elif name == "anchored": self.anchored = value
        elif name == "gate": self.gate = value
        elif name == "stands": self.stands = value
        elif name == "seen": self.seen = value
        elif name == "seen_off": self.seen_off = value
        elif name == "seen_at": self.seen_at = value
        elif name == "events": self.events = value
        else: raise AttributeError(name)

    def begin(self, int64_t index):
        """Start a stretch of samples without a gap at `index`; what the rows are locked to stays."""
        cdef int r
        self.start, self.count = index, 0
        for r in range(self.rows):
            self.valid[r] = 0
            self.anchored[r] = 0
            self.turned[r] = 0
            self.seen_at[r] = -2

    def process(self, const float[:, ::1] y, ptrdiff_t at, int frames):
        """Take y[:, at : at + 8 · frames] at 1 kHz, at most FRAMES_PER_CALL frames; returns the number of events written."""
        cdef int r, f
        self.found = 0
        if frames <= 0 or self.rows == 0:
            return 0
        with nogil:
            self._turns(frames)
            for r in range(self.rows):
                for f in range(frames):
                    self._frame(r, self.count + f, &y[r, at + f * FRAME])
            self.count += frames
        return self.found

    cdef void _turns(self, int frames) noexcept nogil:
        """Phase of every reference in the middle of the coming sub-blocks, and what a constant correlates to."""
        cdef int f, k, w, slot
        cdef int64_t frame
        cdef double cycles, c, s
        for f in range(frames):
            frame = self.count + f
            slot = <int>(frame % TURNS)
            for k in range(self.known):
                if slot == 0:
                    # anew now and then, so that no rounding gathers; between them one step after the other
                    cycles = self.hz[k] * 0.001 * (FRAME * <double>frame + 0.5 * (FRAME - 1))
                    cycles -= floor(cycles)
                    c, s = cos(2 * M_PI * cycles), -sin(2 * M_PI * cycles)
                else:
                    c = self.now_re[k] * self.step_re[k] - self.now_im[k] * self.step_im[k]
                    s = self.now_re[k] * self.step_im[k] + self.now_im[k] * self.step_re[k]
                self.now_re[k], self.now_im[k] = c, s
                self.turn_re[slot, k], self.turn_im[slot, k] = <float>c, <float>s
                self.dc_re[slot, k] = <float>(c * self.base_re[k] - s * self.base_im[k])
                self.dc_im[slot, k] = <float>(c * self.base_im[k] + s * self.base_re[k])
                # the same over a quarter, a half and a whole window that ends here
                for w in range(3):
                    self.window_re[w, slot, k] = <float>(c * self.over_re[w, k] - s * self.over_im[w, k])
                    self.window_im[w, slot, k] = <float>(c * self.over_im[w, k] + s * self.over_re[w, k])

    cdef void _emit(self, int kind, int r, int64_t frame, int64_t index, int tone) noexcept nogil:
        cdef int64_t decided = self.start + (frame + 1) * FRAME * self.factor
        if index < self.start and kind != 1:
            index = self.start
        self.events[self.found, 0] = kind
        self.events[self.found, 1] = r
        self.events[self.found, 2] = index if index < decided else decided
        self.events[self.found, 3] = decided
        self.events[self.found, 4] = tone
        self.found += 1

    cdef inline int64_t _on_air(self, int64_t frame) noexcept nogil:
        """Index at which a sub-block begins on the air: half an output sample before its first one."""
        return self.start + frame * FRAME * self.factor - 3 * self.factor - self.factor // 2

    cdef inline float _mean(self, int r, int64_t frame, int count) noexcept nogil:
        cdef int j
        cdef float total = 0
        for j in range(count):
            total += self.sums[r, (frame - j) % RING]
        return total / (FRAME * count)

    cdef inline void _sum(self, int r, int64_t frame, int count, int k, double* re, double* im) noexcept nogil:
        """Correlation with tone k over the last `count` sub-blocks, mean taken off."""
        cdef int j
        cdef double m = self._mean(r, frame, count), a = 0, b = 0
        for j in range(count):
            a += self.ring_re[r, (frame - j) % RING, k] - m * self.dc_re[(frame - j) % TURNS, k]
            b += self.ring_im[r, (frame - j) % RING, k] - m * self.dc_im[(frame - j) % TURNS, k]
        re[0], im[0] = a, b

    cdef void _power(self, int r, int64_t frame, int count) noexcept nogil:
        """|correlation|² with every tone over the last `count` sub-blocks, mean taken off, into `power`."""
        cdef int slot = <int>(frame % TURNS)
        cdef float m = self._mean(r, frame, count)
        cdef int which = 2 if count == WINDOW else 1 if count == HALF else 0
        cdef float* re = &self.sum_re[r, 0]
        cdef float* im = &self.sum_im[r, 0]
        if count != WINDOW:
            re, im = &self.short_sum[0, 0], &self.short_sum[1, 0]
            ring_sum(&self.ring_re[r, 0, 0], RING, <int>(frame % RING), count, self.width, re)
            ring_sum(&self.ring_im[r, 0, 0], RING, <int>(frame % RING), count, self.width, im)
        tone_power(re, im, &self.window_re[which, slot, 0], &self.window_im[which, slot, 0], m, self.width,
                   &self.power[0])

    cdef double _stands_out(self, int k) noexcept nogil:
        """Power of tone k over the mean of the tones well away from it."""
        cdef int j, n = self.tones - self.near_to[k] + self.near_from[k]
        cdef double others = 0
        for j in range(self.near_from[k]):
            others += self.power[j]
        for j in range(self.near_to[k], self.tones):
            others += self.power[j]
        return self.power[k] * n / others if others > 0 else 0

    cdef void _frame(self, int r, int64_t frame, const float* y) noexcept nogil:
        cdef int j, slot = <int>(frame % RING), turn = <int>(frame % TURNS)
        cdef float total = 0
        for j in range(FRAME):
            total += y[j]
        self.sums[r, slot] = total
        correlate(y, FRAME, &self.ref_re[0, 0], &self.ref_im[0, 0], &self.turn_re[turn, 0], &self.turn_im[turn, 0],
                  self.width, &self.ring_re[r, slot, 0], &self.ring_im[r, slot, 0])
        if self.valid[r] < RING:
            self.valid[r] += 1
        # the sum over the window slides, and is made anew every 16 sub-blocks so that no rounding gathers
        if self.valid[r] > WINDOW and frame % WINDOW:
            j = <int>((frame - WINDOW) % RING)
            slide(&self.sum_re[r, 0], &self.ring_re[r, slot, 0], &self.ring_re[r, j, 0], self.width)
            slide(&self.sum_im[r, 0], &self.ring_im[r, slot, 0], &self.ring_im[r, j, 0], self.width)
        elif self.valid[r] >= WINDOW:
            ring_sum(&self.ring_re[r, 0, 0], RING, slot, WINDOW, self.width, &self.sum_re[r, 0])
            ring_sum(&self.ring_im[r, 0, 0], RING, slot, WINDOW, self.width, &self.sum_im[r, 0])
        if self.quiet[r] > 0:
            self.quiet[r] -= 1
        if self.gate[r] == 0:
            if self.lock[r] >= 0:
                self._lose(r, frame, self._on_air(frame + 1))
            return
        if self.lock[r] >= 0:
            self._follow(r, frame)
        if self.lock[r] < 0 or self.bad[r] >= 4 or frame % 8 < 2:
            self._seek(r, frame)

    cdef void _lose(self, int r, int64_t frame, int64_t index) noexcept nogil:
        self._emit(1, r, frame, index, self.lock[r])
        self.lock[r] = -1
        self.bad[r] = 0
        self.turned[r] = 0

    cdef int64_t _ended(self, int r, int64_t frame) noexcept nogil:
        """Where the tone ended: the split of the kept sub-blocks that leaves most of it before and least after."""
        cdef int j, k = self.lock[r], at = 0, kept = self.valid[r] if self.valid[r] < RING else RING
        cdef double re, im, along, angle, m, total = 0, most = 0, step = 2 * M_PI * self.offset[r] * 0.001 * FRAME
        m = self._mean(r, frame, kept)
        for j in range(kept):
            angle = self.phase[r] + step * (0.5 * (HALF - 1) - j)
            re = self.ring_re[r, (frame - j) % RING, k] - m * self.dc_re[(frame - j) % TURNS, k]
            im = self.ring_im[r, (frame - j) % RING, k] - m * self.dc_im[(frame - j) % TURNS, k]
            along = (re * cos(angle) + im * sin(angle)) * 2 / (FRAME * self.gain[k] * self.amplitude[r])
            # held within -1 … 1.5: one loud sub-block of hiss must not outweigh many
            along = -1.0 if along < -1.0 else 1.5 if along > 1.5 else along
            total += 0.5 - along
            if total > most:
                most = total
                at = j + 1
        return self._on_air(frame + 1 - at)

    cdef void _follow(self, int r, int64_t frame) noexcept nogil:
        cdef int k = self.lock[r], fresh
        cdef double re, im, size, expected, error, step = 2 * M_PI * self.offset[r] * 0.001 * FRAME
        self.phase[r] = wrap(self.phase[r] + step)
        if self.valid[r] < HALF:
            return
        self._sum(r, frame, HALF, k, &re, &im)
        size = sqrt(re * re + im * im) * 2 / (FRAME * HALF * self.gain[k])
        if self.anchored[r] == 0:
            self.phase[r] = atan2(im, re)
            self.anchored[r] = 1
        error = wrap(atan2(im, re) - self.phase[r])
        if 0.5 * self.amplitude[r] <= size <= 1.6 * self.amplitude[r] and fabs(error) < 1.0:
            # looked at now and then: it costs as much as all the rest
            if frame % 4 == 0:
                self._power(r, frame, HALF)
                self.stands[r] = self._stands_out(k) >= 4.0
            fresh = self.stands[r]
        else:
            fresh = 0
        if fresh:
            self.phase[r] = wrap(self.phase[r] + 0.2 * error)
            self.amplitude[r] += 0.05 * (size - self.amplitude[r])
            if self.bad[r] > 0:
                self.bad[r] -= 1
        else:
            self.bad[r] += 1
        # the turn of phase: the newest quarter, whose centre is 2 sub-blocks later
        self._sum(r, frame, QUARTER, k, &re, &im)
        size = sqrt(re * re + im * im) * 2 / (FRAME * QUARTER * self.gain[k])
        error = wrap(atan2(im, re) - self.phase[r] - 2 * step)
        fresh = 0
        if 0.6 * self.amplitude[r] <= size <= 1.5 * self.amplitude[r] and fabs(error) > 1.2:
            self._power(r, frame, QUARTER)
            if self._stands_out(k) >= 8.0:
                fresh = 1
        if fresh and self.turned[r] > 0 and fabs(wrap(error - self.turned_by[r])) < 0.6:
            self._emit(2, r, frame, self._on_air(frame - QUARTER), k)
            self.quiet[r] = QUIET_AFTER
            self._lose(r, frame, self._on_air(frame - QUARTER))
            return
        self.turned[r] = fresh
        self.turned_by[r] = error
        if self.bad[r] >= LOST_AFTER:
            self._lose(r, frame, self._ended(r, frame))

    cdef bint _alone(self, int r, int64_t frame, int k, double off, double mean, double re, double im) noexcept nogil:
        """Whether little is left at the other tones once this one's share is taken off: a DCS code has many lines."""
        cdef int j, slot = <int>(frame % TURNS)
        cdef double w = 2 * M_PI * 0.001, own, other, angle, c, s, cr, ci, top
        cdef double centre = <double>(frame + 1 - WINDOW) * FRAME + 0.5 * (FRAME * WINDOW - 1)
        top = ALONE * (re * re + im * im)
        own = self._kernel(w * off)
        for j in range(self.known):
            if fabs(self.hz[j] - self.hz[k]) < 6.0:
                continue
            other = self._kernel(w * (self.hz[k] + off - self.hz[j])) / own
            angle = w * (self.hz[k] - self.hz[j]) * centre
            c, s = other * cos(angle), other * sin(angle)
            cr = self.sum_re[r, j] - mean * self.window_re[2, slot, j] - (re * c - im * s)
            ci = self.sum_im[r, j] - mean * self.window_im[2, slot, j] - (re * s + im * c)
            # 17 alternating bits of a code are 67.2 Hz for a whole window; their third harmonic tells
            if fabs(self.hz[k] - 67.2) < 1.0 and fabs(self.hz[j] - 201.6) < 3.0:
                if cr * cr + ci * ci > 0.2 * top:
                    return False
            elif cr * cr + ci * ci > top:
                return False
        return True

    cdef inline double _kernel(self, double turn) noexcept nogil:
        """Sum of exp(i·turn·n) over the window, phase counted from its centre."""
        if fabs(turn) < 1e-9:
            return FRAME * WINDOW
        return sin(0.5 * FRAME * WINDOW * turn) / sin(0.5 * turn)

    cdef void _seek(self, int r, int64_t frame) noexcept nogil:
        cdef int j, k, b
        cdef float top
        cdef double re, im, cr, ci, vr, vi, tr, ti, t, m, size, off, qr, qi, along, spread, newest, nr = 0, ni = 0
        cdef double part_re[4]
        cdef double part_im[4]
        cdef double old_re[2]
        cdef double old_im[2]
        if self.valid[r] < WINDOW:
            return
        self._power(r, frame, WINDOW)
        top = largest(&self.power[0], self.tones // 16 * 16)
        for k in range(self.tones // 16 * 16, self.tones):
            top = self.power[k] if self.power[k] > top else top
        if not self.least * self.least <= top * (4.0 / (FRAME * FRAME * WINDOW * WINDOW)):
            return
        k = 0
        while self.power[k] < top:
            k += 1
        size = sqrt(self.power[k]) * 2 / (FRAME * WINDOW * self.gain[k])
        if not self.least <= size <= self.most:
            return
        if k == self.lock[r] or self.quiet[r] > 0:
            return
        if self._stands_out(k) < self.ratio:
            return
        self._sum(r, frame, WINDOW, k, &re, &im)
        m = self._mean(r, frame, WINDOW)
        qr = qi = spread = 0
        for j in range(4):
            part_re[j] = part_im[j] = 0
        for j in range(WINDOW):
            b = <int>((frame - j) % TURNS)
            cr = self.ring_re[r, (frame - j) % RING, k] - m * self.dc_re[b, k]
            ci = self.ring_im[r, (frame - j) % RING, k] - m * self.dc_im[b, k]
            # the tone's own negative frequency, conj(a)/2 · Σ exp(−2jωt)
            tr = self.turn_re[b, k] * self.turn_re[b, k] - self.turn_im[b, k] * self.turn_im[b, k]
            ti = 2 * self.turn_re[b, k] * self.turn_im[b, k]
            vr = tr * self.image_re[k] - ti * self.image_im[k]
            vi = tr * self.image_im[k] + ti * self.image_re[k]
            cr -= (re * vr + im * vi) / (FRAME * WINDOW)
            ci -= (re * vi - im * vr) / (FRAME * WINDOW)
            if j >= WINDOW - 2:
                old_re[WINDOW - 1 - j] = cr
                old_im[WINDOW - 1 - j] = ci
            part_re[j // 4] += cr
            part_im[j // 4] += ci
            t = (0.5 * (WINDOW - 1) - j) * 0.001 * FRAME
            qr += t * cr
            qi += t * ci
            spread += t * t
            if j < 12:
                t -= 0.002 * FRAME
                nr += t * cr
                ni += t * ci
        re = part_re[0] + part_re[1] + part_re[2] + part_re[3]
        im = part_im[0] + part_im[1] + part_im[2] + part_im[3]
        along = re * re + im * im
        if along <= 0:
            return
        off = WINDOW * (qi * re - qr * im) / (along * 2 * M_PI * spread)
        if fabs(off) > self.tolerance[k]:
            return
        # hiss from before the carrier may tilt the phase of the oldest quarter just so: then the others say another frequency
        vr, vi = part_re[0] + part_re[1] + part_re[2], part_im[0] + part_im[1] + part_im[2]
        newest = 12 * (ni * vr - nr * vi) / ((vr * vr + vi * vi) * 2 * M_PI * 143 * 1e-6 * FRAME * FRAME)
        if not fabs(newest - off) <= LEAN:
            return
        spread = 0
        for j in range(4):
            t = sqrt(part_re[j] * part_re[j] + part_im[j] * part_im[j])
            if t < 0.125 * sqrt(along):
                return
            spread += t
        if sqrt(along) < self.coherence * spread:
            return
        # hiss from before the carrier in the oldest sub-block would tilt the phase: both oldest must fit the tone
        qr = qi = 0
        for j in range(2):
            t = 2 * M_PI * off * (j - 0.5 * (WINDOW - 1)) * 0.001 * FRAME
            qr += WINDOW * old_re[j] - (cos(t) * re - sin(t) * im)
            qi += WINDOW * old_im[j] - (sin(t) * re + cos(t) * im)
            if qr * qr + qi * qi > along * (2.25 if j == 0 else 4.0):
                return
        if not self._alone(r, frame, k, off, m, re, im):
            return
        # and the next window, 8 ms on, must say the same
        if self.seen[r] != k or self.seen_at[r] != frame - 1 or fabs(self.seen_off[r] - off) > 0.25:
            self.seen[r] = k
            self.seen_at[r] = frame
            self.seen_off[r] = off
            return
        if self.lock[r] >= 0:
            self._lose(r, frame, self._ended(r, frame))
        # back to where it began: sub-blocks before the window that still lie along its phase
        j = WINDOW
        while j < self.valid[r] and j < WINDOW + HALF:
            b = <int>((frame - j) % TURNS)
            cr = self.ring_re[r, (frame - j) % RING, k] - m * self.dc_re[b, k]
            ci = self.ring_im[r, (frame - j) % RING, k] - m * self.dc_im[b, k]
            t = 2 * M_PI * off * (0.5 * (WINDOW - 1) - j) * 0.001 * FRAME
            tr = cos(t) * re - sin(t) * im
            ti = sin(t) * re + cos(t) * im
            if (cr * tr + ci * ti) * WINDOW < 0.5 * along:
                break
            j += 1
        self._emit(0, r, frame, self._on_air(frame - j + 1), k)
        self.lock[r] = k
        self.bad[r] = self.turned[r] = 0
        self.stands[r] = 1
        self.amplitude[r] = size
        self.offset[r] = off
        self._sum(r, frame, HALF, k, &re, &im)
        self.phase[r] = atan2(im, re)
        self.anchored[r] = 1
