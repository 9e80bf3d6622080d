"""Loops of `dsp.squelch`: what a millisecond looks like, and the decisions. The method is told in the face."""

cimport cython
from libc.math cimport log, log10, sqrt
from libc.stddef cimport ptrdiff_t
from libc.stdint cimport int32_t, int64_t
from libc.string cimport memcpy

cdef extern from "_squelch.h" nogil:
    enum: MOST_SAMPLES
    void milliseconds(const float* x, long count, int n, float* out)
    void coherence(const float* x, float* before, int n, float* out)

cdef enum:
    FM = 0
    AM = 1
    SSB = 2
    GROUP = 5           # milliseconds in a group
    WINDOW = 4          # groups a verdict looks at: 20 ms
    QUIET = 8           # groups of noise before the floor is believed: 40 ms
    GROUPS = 16         # groups kept
    HALVES = 1024       # half milliseconds kept
    LOOK_OPEN = 160     # half milliseconds in which the beginning is looked for: 80 ms
    LOOK_SSB = 900      # the same of speech, which may begin with a weak sound and a pause before it opens: 450 ms
    LEAD = 3            # half milliseconds by which a beginning is put early
    LEAD_SSB = 20       # the same of speech, which swells
    DROP = 8            # milliseconds of nothing that end a strong signal
    LONGEST_HANG = 150  # milliseconds a fading signal may be away
    SSB_HANG = 600      # milliseconds between two words
    AT_ONCE = 32        # milliseconds brought down to numbers at once

cdef double FAINT = 1.6     # power over the floor from which on it is rather speech than noise: 2 dB
cdef double SOUND = 10.0    # log of how much likelier a sound is speech than noise, to be taken for the speech's beginning

MOST_RATE = MOST_SAMPLES * 1000


@cython.final
cdef class SquelchBank:
    """State of all rows. See `dsp.squelch.CarrierSquelch`."""

    cdef readonly int rows
    cdef int samples, fill
    cdef int64_t start, held, count
    cdef float[:, ::1] line, before, half, group_power, group_rough, group_re, group_im
    cdef int32_t[::1] kind, is_open, low, abrupt, dips, calm, bad, quiet, seen, since
    cdef double[::1] rough_idle, rough_open, rough_close, ratio_open, ratio_close
    cdef double[::1] floor, level, power, rough, own_power, own_rough, own_re, own_im, steady
    cdef double[::1] low_power, low_rough, low_re, low_im
    cdef int64_t[::1] closed_at
    cdef int64_t[:, ::1] events
    cdef double[::1] values
    cdef int found

    def __init__(self, int rows, int samples, arrays):
        self.rows, self.samples = rows, samples
        (self.line, self.before, self.half, self.group_power, self.group_rough, self.group_re, self.group_im) = arrays[0]
        (self.kind, self.is_open, self.low, self.abrupt, self.dips, self.calm, self.bad, self.quiet, self.seen,
         self.since) = arrays[1]
        (self.rough_idle, self.rough_open, self.rough_close, self.ratio_open, self.ratio_close, self.floor, self.level,
         self.power, self.rough, self.own_power, self.own_rough, self.own_re, self.own_im, self.steady,
         self.low_power, self.low_rough, self.low_re, self.low_im, self.values) = arrays[2]
        self.closed_at, self.events = arrays[3]

    def begin(self, int64_t index, int64_t held):
        """Start a stretch of samples without a gap at `index`. held: where the stretch before ended."""
        cdef int r
        self.start, self.held, self.count, self.fill = index, held, 0, 0
        for r in range(self.rows):
            self.restart(r)
            if self.closed_at[r] > index:
                self.closed_at[r] = index

    cdef void restart(self, int r) noexcept:
        self.seen[r] = self.low[r] = self.bad[r] = self.quiet[r] = self.since[r] = 0
        self.own_power[r] = self.own_rough[r] = self.own_re[r] = self.own_im[r] = 0
        self.before[r, :] = 0

    def process(self, const float[:, ::1] x, ptrdiff_t at, ptrdiff_t n):
        """Take samples at … at + n of x (rows, 2 · length: I, Q, I, Q …); returns the number of events written."""
        cdef int r, fill
        cdef int64_t count
        cdef ptrdiff_t done, part, whole
        self.found = 0
        if n <= 0 or self.rows == 0:
            return 0
        with nogil:
            for r in range(self.rows):
                fill, count, done = self.fill, self.count, 0
                if fill > 0:
                    part = done = min(self.samples - fill, n)
                    memcpy(&self.line[r, 2 * fill], &x[r, 2 * at], part * 2 * sizeof(float))
                    if fill + part == self.samples:
                        self._take(r, count, &self.line[r, 0], 1)
                        count += 1
                whole = (n - done) // self.samples
                if whole > 0:
                    self._take(r, count, &x[r, 2 * (at + done)], whole)
                    done += whole * self.samples
                if done < n:
                    memcpy(&self.line[r, 0], &x[r, 2 * (at + done)], (n - done) * 2 * sizeof(float))
            self.count += (self.fill + n) // self.samples
            self.fill = <int>((self.fill + n) % self.samples)
        return self.found

    cdef void _take(self, int r, int64_t step, const float* x, ptrdiff_t count) noexcept nogil:
        """`count` milliseconds of one row from x on; the first one is `step`."""
        cdef float sums[3 * AT_ONCE]
        cdef float turn[2]
        cdef float* f
        cdef ptrdiff_t part, i
        cdef double p, w
        turn[0] = turn[1] = 0
        while count > 0:
            part = min(count, AT_ONCE)
            milliseconds(x, part, self.samples, sums)
            for i in range(part):
                f = sums + 3 * i
                self.half[r, (2 * step) % HALVES] = f[0]
                self.half[r, (2 * step + 1) % HALVES] = f[1]
                p = <double>f[0] + f[1]
                w = p - <double>f[2] * f[2] / self.samples
                self.own_power[r] += p
                self.own_rough[r] += w
                if self.kind[r] != FM:
                    coherence(x + 2 * self.samples * i, &self.before[r, 0], self.samples, turn)
                    self.own_re[r] += turn[0]
                    self.own_im[r] += turn[1]
                if self.is_open[r] and self.kind[r] != SSB:
                    self._watch(r, step, p, w, turn[0], turn[1])
                if step % GROUP == GROUP - 1:
                    self._group(r, step)
                step += 1
            x += 2 * self.samples * part
            count -= part

    cdef void _watch(self, int r, int64_t step, double p, double w, double re, double im) noexcept nogil:
        """An open row, every millisecond: is a strong signal suddenly not there?"""
        cdef double limit, ago
        cdef int need
        cdef bint gone
        limit = 4 * self.floor[r] * self.samples if self.floor[r] > 0 else 0.03 * self.level[r]
        if self.level[r] < 4 * limit or p > limit:
            if self.low[r] > 2:
                self.dips[r] = self.low[r] if self.low[r] > self.dips[r] else self.dips[r]
                self.calm[r] = 0
            self.low[r] = 0
            self.calm[r] += 1
            if self.calm[r] >= 1000 and self.dips[r] > 0:
                self.dips[r] = self.dips[r] * 3 // 4
                self.calm[r] = 0
            return
        if self.low[r] == 0:
            # a fade comes down over some milliseconds, a carrier that is switched off does not
            ago = self._power_at(r, step - 2)
            self.abrupt[r] = self.seen[r] * GROUP < 3 or ago >= 0.25 * self.level[r]
            self.low_power[r] = self.low_rough[r] = self.low_re[r] = self.low_im[r] = 0
        self.low[r] += 1
        self.low_power[r] += p
        self.low_rough[r] += w
        self.low_re[r] += re
        self.low_im[r] += im
        need = DROP + 4 * self.dips[r] if self.abrupt[r] else 50 + 4 * self.dips[r]
        if need > LONGEST_HANG:
            need = LONGEST_HANG
        if self.low[r] < need:
            return
        # weaker than it was, and noise: a step of the gain leaves the shape of the signal
        if self.kind[r] == FM:
            gone = self.low_rough[r] >= 0.5 * self.rough_idle[r] * self.low_power[r]
        else:
            gone = self.low_re[r] * self.low_re[r] + self.low_im[r] * self.low_im[r] <= 0.25 * self.low_power[r] ** 2
        if gone:
            self._close(r, step, self.low[r])

    cdef inline double _power_at(self, int r, int64_t step) noexcept nogil:
        if step < 0:
            return 0
        return <double>self.half[r, (2 * step) % HALVES] + self.half[r, (2 * step + 1) % HALVES]

    cdef void _group(self, int r, int64_t step) noexcept nogil:
        """Every 5 ms: the verdict over the last 20."""
        cdef int g = <int>((step // GROUP) % GROUPS), j, at, fit = 0, hang
        cdef double p = 0, w = 0, re = 0, im = 0, least = 1e300, most = 0, q, c, own, mean
        self.group_power[r, g] = <float>self.own_power[r]
        self.group_rough[r, g] = <float>self.own_rough[r]
        self.group_re[r, g] = <float>self.own_re[r]
        self.group_im[r, g] = <float>self.own_im[r]
        self.own_power[r] = self.own_rough[r] = self.own_re[r] = self.own_im[r] = 0
        if self.seen[r] < 1000000:
            self.seen[r] += 1
            self.since[r] += 1
        if self.seen[r] < WINDOW:
            return
        for j in range(WINDOW):
            at = (g - j + GROUPS) % GROUPS
            own = self.group_power[r, at]
            p += own
            w += self.group_rough[r, at]
            re += self.group_re[r, at]
            im += self.group_im[r, at]
            least = own if own < least else least
            most = own if own > most else most
            if self.group_rough[r, at] <= 0.9 * self.rough_idle[r] * own:
                fit += 1
        q, c = self.rough_idle[r], 0
        if p > 0:
            q = w / p
            c = sqrt(re * re + im * im) / p if self.kind[r] != FM else 0
        mean = p / (WINDOW * GROUP * self.samples)
        self.power[r], self.rough[r], self.steady[r] = mean, q, c
        if self.is_open[r]:
            if self._there(r, q, c, mean):
                self.bad[r] = 0
                # from 20 ms ago: what the verdict has not seen yet may already be the end
                if self.since[r] > WINDOW:
                    own = self.group_power[r, (g - WINDOW + GROUPS) % GROUPS] / GROUP
                    self.level[r] += 0.1 * (own - self.level[r])
            else:
                self.bad[r] += 1
            if self.kind[r] == SSB:
                hang = SSB_HANG // GROUP
            elif self.dips[r] > 0 or (self.floor[r] > 0 and self.level[r] < 8 * self.floor[r] * self.samples):
                hang = LONGEST_HANG // GROUP
            else:
                hang = 8
            if self.bad[r] >= hang:
                self._close(r, step, self.bad[r] * GROUP + WINDOW * GROUP)
        elif self._begins(r, q, c, mean, fit) and (least * 12 >= most or self._all_loud(r, least)):
            self._open(r, step)
            return
        self._learn(r, g, q, c)

    cdef bint _begins(self, int r, double q, double c, double mean, int fit) noexcept nogil:
        cdef double over = mean / self.floor[r] - 1 if self.floor[r] > 0 else -1
        if mean <= 0:
            return False
        if self.kind[r] == FM:
            if fit < WINDOW - 1:
                return False
            return q <= self.rough_open[r] or (over >= self.ratio_open[r] and q <= 0.7 * self.rough_idle[r])
        if self.kind[r] == AM:
            if self.floor[r] > 0:
                return c >= 0.45 and over >= self.ratio_open[r]
            return c >= 0.45 and c >= 0.75 * self.ratio_open[r] / (1 + self.ratio_open[r])
        return self.floor[r] > 0 and over >= self.ratio_open[r]

    cdef inline bint _all_loud(self, int r, double least) noexcept nogil:
        """Whether even the weakest group opens: between two beats of a voice SSB falls further than a click may."""
        return self.kind[r] == SSB and least >= (1 + self.ratio_open[r]) * self.floor[r] * GROUP * self.samples

    cdef bint _there(self, int r, double q, double c, double mean) noexcept nogil:
        cdef double over = mean / self.floor[r] - 1 if self.floor[r] > 0 else -1
        if self.kind[r] == FM:
            return q <= self.rough_close[r] or (over >= self.ratio_close[r] and q <= 0.8 * self.rough_idle[r])
        if self.kind[r] == AM:
            return c >= 0.3 and (self.floor[r] <= 0 or over >= self.ratio_close[r])
        return over >= self.ratio_close[r]

    cdef void _learn(self, int r, int g, double q, double c) noexcept nogil:
        """The noise of the channel, from what has its statistics only: a carrier is never taken for it."""
        cdef int j, noise = 1
        cdef double p = 0, w = 0, own
        if self.since[r] < QUIET:
            return
        for j in range(QUIET):
            p += self.group_power[r, (g - j + GROUPS) % GROUPS]
            w += self.group_rough[r, (g - j + GROUPS) % GROUPS]
        if p <= 0:
            return
        if not 0.84 * self.rough_idle[r] * p <= w <= 1.3 * self.rough_idle[r] * p or (self.kind[r] != FM and c > 0.35):
            self.quiet[r] = 0
            return
        self.quiet[r] += 1
        # SSB speech looks now and then like noise: while open only 300 ms of it count
        if self.is_open[r] and (self.kind[r] != SSB or self.quiet[r] < 60):
            return
        own = self.group_power[r, (g - WINDOW + GROUPS) % GROUPS] / (GROUP * self.samples)
        if self.floor[r] <= 0:
            self.floor[r] = p / (QUIET * GROUP * self.samples)
        else:
            self.floor[r] += 0.1 * (own - self.floor[r])

    cdef double _mean_halves(self, int r, int64_t end, int count) noexcept nogil:
        cdef int j
        cdef double total = 0
        for j in range(count):
            total += self.half[r, (end - 1 - j) % HALVES]
        return total / count

    cdef int64_t _split(self, int r, int64_t end, int64_t first, double before, double after) noexcept nogil:
        """Half millisecond at which the power most probably went from `before` to `after` (Page's sum, from the end)."""
        cdef int64_t k = end, best = end
        cdef double total = 0, most = 0, p, slope = 1 / before - 1 / after, step = log(after / before), top
        top = 8 * (after if after > before else before)
        while k > first:
            k -= 1
            p = self.half[r, k % HALVES]
            p = p if p < top else top
            total += p * slope - step
            if total > most:
                most, best = total, k
        return best

    cdef int64_t _first_sound(self, int r, int64_t end, int64_t first, double noise) noexcept nogil:
        """Half millisecond at which speech began: as `_split` for what is hardly more than noise, and what is clearly no
        noise counts however long the pause behind it."""
        cdef int64_t k = end, best = end
        cdef double total = 0, most = 0, least = 0, p
        while k > first:
            k -= 1
            p = self.half[r, k % HALVES] / noise
            total += (p if p < 8 * FAINT else 8 * FAINT) * (1 - 1 / FAINT) - log(FAINT)
            least = total if total < least else least
            if total > most or total - least > SOUND:
                most = least = total
                best = k
        return best

    cdef void _open(self, int r, int64_t step) noexcept nogil:
        cdef bint speech = self.kind[r] == SSB
        cdef int64_t end = 2 * (step + 1), first = end - (LOOK_SSB if speech else LOOK_OPEN), k, index, decided
        cdef int j
        cdef double after = self._mean_halves(r, end, 4 * GROUP), before, own, snr
        if first < 0:
            first = 0
        if self.floor[r] > 0:
            before = 0.5 * self.samples * self.floor[r]
        else:
            before = after
            for j in range(<int>((end - first) // 10)):
                own = self._mean_halves(r, first + 10 * (j + 1), 10)
                before = own if own < before else before
        if before <= 0:
            before = after * 1e-9
        if after > 1.25 * before:
            k = self._first_sound(r, end, first, before) if speech else self._split(r, end, first, before, after)
        elif self.floor[r] > 0:
            k = end - 2 * GROUP * WINDOW
        else:
            k = first
        decided = self.start + (step + 1) * self.samples
        # early rather than late; what begins with the samples themselves began before them
        index = self.start + (k - (LEAD_SSB if speech else LEAD)) * self.samples // 2
        if index < self.start + 3 * self.samples:
            index = self.start if self.start > 0 else 0
        if index < self.closed_at[r]:
            index = self.closed_at[r]
        if self.floor[r] > 0 and after > before:
            snr = self._mean_halves(r, end, <int>(end - k)) / before - 1 if k < end else after / before - 1
        else:
            snr = self._own_snr(r)
        self._emit(0, r, index, decided, 10 * log10(snr if snr > 0.1 else 0.1))
        self.is_open[r] = 1
        self.level[r] = 2 * after
        self.low[r] = self.bad[r] = self.dips[r] = self.calm[r] = self.quiet[r] = self.since[r] = 0

    cdef double _own_snr(self, int r) noexcept nogil:
        """Signal-to-noise ratio from the shape alone."""
        if self.kind[r] == AM:
            return self.steady[r] / (1 - self.steady[r]) if self.steady[r] < 0.999 else 1000.0
        return 2 * self.rough_idle[r] / self.rough[r] - 1 if self.rough[r] > 1e-6 else 1e6

    cdef void _close(self, int r, int64_t step, int gone_ms) noexcept nogil:
        cdef int64_t end = 2 * (step + 1), k, index, decided, first
        cdef int n
        cdef double before = 0.5 * self.level[r], after
        decided = self.start + (step + 1) * self.samples
        first = end - 2 * (gone_ms + 25)
        if first < 0:
            first = 0
        if self.kind[r] == SSB:
            index = decided - SSB_HANG * self.samples
        else:
            n = 12 if end > 12 else <int>end
            after = self._mean_halves(r, end, n)
            if after <= 0:
                after = before * 1e-9
            if before > 1.25 * after:
                k = self._split(r, end, first, before, after)
            else:
                k = end - 2 * gone_ms
            index = self.start + k * self.samples // 2
            if k <= 1 and self.held < self.start:
                index = self.held
        if index < self.start and self.held < self.start:
            index = self.held
        self._emit(1, r, index, decided, 0)
        self.is_open[r] = 0
        self.closed_at[r] = index
        self.low[r] = self.bad[r] = self.quiet[r] = self.since[r] = 0

    cdef void _emit(self, int kind, int r, int64_t index, int64_t decided, double value) noexcept nogil:
        self.events[self.found, 0] = kind
        self.events[self.found, 1] = r
        self.events[self.found, 2] = index if index < decided else decided
        self.events[self.found, 3] = decided
        self.values[self.found] = value
        self.found += 1
