"""One burst of P25 symbols after a frame sync: fixed filter and trained equaliser side by side."""

cimport cython
from libc.math cimport cos, fabs, sin
from libc.string cimport memcpy, memmove, memset

from dsp.p25._mlsd cimport Detector

cdef extern from "p25/_equalizer.h" nogil:
    enum:
        TAPS  # of the equaliser, two samples apart
        RAYS  # of the channel, two samples apart
        MADE  # samples of the signal that the decisions make, two apart
        LANES
        ACROSS  # symbols to either side that reach into the equaliser's samples
    ctypedef struct Channel:
        double hr[LANES]
        double hi[LANES]
        double vr[LANES]
        double vi[LANES]
        double hh[RAYS][LANES]
        double vv[RAYS][LANES]
        double power
        double unexplained
    void equalizer_design(
        const double *ray_r, const double *ray_i, const float *reach, const float *past, const float *rest, float doubt,
        float noise, float *wr, float *wi, double *er, double *ei,
    )
    void channel_learn(
        Channel *channel, const double *xr, const double *xi, int count, int place, const double *sr, const double *si,
        double drift, double model,
    )
    void small_circle(double a, double *c, double *s)
    double small_angle(double y, double x)

cdef enum:
    STEP = 5  # samples a symbol
    HALF = 8  # samples to either side of a point
    WIDTH = 2 * HALF + 1
    EARLY = 6  # samples before a point at which the equaliser's taps begin
    RING = 256  # symbols remembered
    MASK = RING - 1
    PULSE = 20  # samples to either side over which the pulse reaches
    BEHIND = 4  # symbols between the newest and the one whose samples the channel learns from
    RECALL = 36  # symbols the equaliser learns from when it wakes
    HEED = 12  # symbols by which the choice of path looks ahead
    ROOM = 1024  # samples kept, turned back by the frequency of the sync
    KEPT = 512  # the newest of them stay when the room is full
    SYNC = 24  # symbols of the sync; so many known ones the sequence detector begins behind

# Where the fixed filter has so little noise it makes no errors (45° are five standard deviations away), and the
# equaliser sleeps; from the second value on it wakes.
cdef double ASLEEP = 0.04
cdef double AWAKE = 0.06
# So much more noise than the fixed filter's, and the equaliser has lost the channel.
cdef double LOST = 1.3
# It learns it anew from the fixed filter's decisions where those are clear enough.
cdef double CLEAR = 0.15
# Share of a new symbol in the measured noise, after the first twenty.
cdef double SETTLE = 0.05
# The noise before anything is known, as much as one symbol says.
cdef double UNKNOWN = 0.3
cdef double PI_4 = 0.7853981633974483


cdef struct Track:
    # Decision feedback differential detection of one stream of points.
    double rr, ri  # the point before, as the points up to it say
    double noise  # mean squared distance from the expected point, relative to its size, 0 … 1
    double spread  # the same in absolute power
    double qr, qi  # the newest point, turned back by the expected one


cdef struct Turns:
    # exp(j(turn + step·symbol)) of the four dibits
    double r[4]
    double i[4]


cdef inline void _turns(double turn, double cr, double ci, Turns *by) noexcept nogil:
    # cr, ci: cosine and sine of the step
    cdef double tr, ti, r = cr * cr - ci * ci, i = 2 * cr * ci
    small_circle(turn, &tr, &ti)
    by.r[0] = tr * cr - ti * ci
    by.i[0] = tr * ci + ti * cr
    by.r[2] = tr * cr + ti * ci
    by.i[2] = ti * cr - tr * ci
    by.r[1] = by.r[0] * r - by.i[0] * i
    by.i[1] = by.r[0] * i + by.i[0] * r
    by.r[3] = by.r[2] * r + by.i[2] * i
    by.i[3] = by.i[2] * r - by.r[2] * i


cdef inline int _nearest(double rr, double ri, double yr, double yi, const Turns *by, double *metric) noexcept nogil:
    # metric: Re(y·conj(expected)) of the four dibits behind the point r; returns the best
    cdef double qr = yr * rr + yi * ri, qi = yi * rr - yr * ri
    cdef int best = 0, d
    for d in range(4):
        metric[d] = qr * by.r[d] + qi * by.i[d]
    for d in range(1, 4):
        if metric[d] > metric[best]:
            best = d
    return best


cdef inline void _advance(
    Track *t, double yr, double yi, const Turns *by, int dibit, double memory, double settle,
) noexcept nogil:
    cdef double pr = t.rr * by.r[dibit] - t.ri * by.i[dibit]
    cdef double pi = t.rr * by.i[dibit] + t.ri * by.r[dibit]
    cdef double er = yr - pr, ei = yi - pi
    cdef double size = pr * pr + pi * pi, off = er * er + ei * ei
    cdef double relative = off / size if size > off else 1
    t.qr = yr * pr + yi * pi
    t.qi = yi * pr - yr * pi
    t.noise += settle * (relative - t.noise)
    t.spread += settle * (off - t.spread)
    t.rr = memory * pr + (1 - memory) * yr
    t.ri = memory * pi + (1 - memory) * yi


cdef double SYMBOL[4]
SYMBOL[0] = 1
SYMBOL[1] = 3
SYMBOL[2] = -1
SYMBOL[3] = -3


cdef inline void _soft(const double *metric, double spread, float *out) noexcept nogil:
    # First bit: 1 for −1 (10) and −3 (11). Second bit: 1 for +3 (01) and −3 (11).
    cdef double scale = 2 / spread if spread > 1e-300 else 0
    cdef double high = metric[2] if metric[2] > metric[3] else metric[3]
    cdef double low = metric[0] if metric[0] > metric[1] else metric[1]
    cdef double value = scale * (high - low)
    out[0] = <float>min(max(value, -60.0), 60.0)
    high = metric[1] if metric[1] > metric[3] else metric[3]
    low = metric[0] if metric[0] > metric[2] else metric[2]
    value = scale * (high - low)
    out[1] = <float>min(max(value, -60.0), 60.0)


@cython.final
@cython.auto_pickle(False)
cdef class Settings:
    """The constants of `dsp.p25.equalizer` that all bursts have in common."""

    cdef double drift, still, model, steer, worth, doubt, memory, margin, margin_sequence, one_ray, calm, wander, band

    def __init__(
        self, *, double drift, double still, double model, double steer, double worth, double doubt, double memory,
        double margin, double margin_sequence, double one_ray, double calm, double wander, double band,
    ):
        self.drift = drift
        self.still = still
        self.model = model
        self.steer = steer
        self.worth = worth
        self.doubt = doubt
        self.memory = memory
        self.margin = margin
        self.margin_sequence = margin_sequence
        self.one_ray = one_ray
        self.calm = calm
        self.wander = wander
        self.band = band


@cython.final
@cython.auto_pickle(False)
cdef class Filters:
    """What belongs to a pulse and to a place between the samples; meaning as `dsp.p25.equalizer` has it.

    memory: of the fixed filter's reference. response: of the sequence detector, empty where it has no part.
    """

    cdef double taps[WIDTH]
    cdef double pulse[2 * PULSE + 1]
    cdef const float[:, :, ::1] products
    cdef const float[:, :, ::1] reach
    cdef const double[:, ::1] response
    cdef double memory, memory_sequence

    def __init__(
        self, const double[::1] taps, const double[::1] pulse, const float[:, :, ::1] products,
        const float[:, :, ::1] reach, double memory, const double[:, ::1] response, double memory_sequence,
    ):
        cdef Py_ssize_t i
        for i in range(WIDTH):
            self.taps[i] = taps[i]
        for i in range(2 * PULSE + 1):
            self.pulse[i] = pulse[i]
        self.products = products
        self.reach = reach
        self.memory = memory
        self.response = response
        self.memory_sequence = memory_sequence


@cython.auto_pickle(False)
cdef class Burst:
    """See `dsp.p25.equalizer.Burst`, which is one."""

    cdef Settings settings
    cdef Filters filters
    cdef readonly long long start  # sample of point 0
    cdef readonly double turn0, step
    cdef double step_r, step_i  # cosine and sine of it
    cdef double more  # turn found since the sync
    cdef double step0
    cdef bint free_step
    cdef double gain, gain_known
    cdef readonly long long decided  # symbols, the known ones included
    cdef readonly long long emitted
    cdef Track plain, eq
    # Samples from `origin` on, counted from the first point, turned back by the frequency of the sync.
    cdef double xr[ROOM]
    cdef double xi[ROOM]
    cdef long long origin, filled
    cdef double or_, oi  # turn of the next of them
    cdef double back_r, back_i  # and from one to the next
    cdef double pr[RING]  # the symbols as points, by decision
    cdef double pi[RING]
    cdef double sr[MADE]  # the signal they make, at even samples; the next is number `made`
    cdef double si[MADE]
    cdef long long made
    cdef Channel channel
    cdef long long learnt  # newest symbol learnt from
    cdef double ur, ui  # the newest point by decision, in the frame of the channel
    cdef double gr[RAYS]  # the channel for which these were solved
    cdef double gi[RAYS]
    cdef float wr[TAPS]
    cdef float wi[TAPS]
    cdef double er[ACROSS]  # what the symbols before leave in the equaliser's output
    cdef double ei[ACROSS]
    cdef float soft[2][RING][2]
    cdef double quality[2][RING]
    cdef signed char said[RING]  # by the fixed filter
    cdef long long woke  # symbol at which the equaliser began to learn
    cdef int bias  # 0 judge by the points, 1 fixed filter, 2 equaliser
    cdef readonly bint awake
    # The likeliest sequence, where it stands in for the fixed filter.
    cdef Detector detector
    cdef bint follows
    cdef signed char known[SYNC]  # the last symbols given, or the sync

    def __init__(
        self, Settings settings not None, Filters filters not None, long long start, double turn, double step,
        bint free_step, double gain, double gain_known,
    ):
        self.settings = settings
        self.filters = filters
        self.start = start
        self.turn0 = turn
        self.back_r = cos(turn / STEP)
        self.back_i = -sin(turn / STEP)
        self.step0 = step
        self.free_step = free_step
        self.bias = 0
        self.gain = gain
        self.gain_known = gain_known
        self.emitted = 0
        self.origin = -HALF
        self.filled = 0
        self.follows = False
        self._restart()

    cdef void _set_step(self, double step) noexcept nogil:
        self.step = step
        self.step_r = cos(step)
        self.step_i = sin(step)

    cdef void _restart(self) noexcept nogil:
        self.more = 0
        self._set_step(self.step0)
        self.decided = 0
        self.woke = 0
        self.awake = False
        self.plain.noise = self.eq.noise = UNKNOWN
        self.plain.spread = self.eq.spread = UNKNOWN
        memset(self.pr, 0, sizeof(self.pr))
        memset(self.pi, 0, sizeof(self.pi))

    cdef void _take(self, const float complex[::1] x, long long base, long long end) noexcept nogil:
        # Samples up to `end`, counted from the first point, into the room.
        cdef long long at = self.origin + self.filled + self.start - base, n = self.filled, gone
        cdef double c = self.back_r, s = self.back_i, t, size
        if end <= self.origin + self.filled:
            return
        while self.origin + n < end:
            if n == ROOM:
                gone = ROOM - KEPT
                memmove(self.xr, self.xr + gone, KEPT * sizeof(double))
                memmove(self.xi, self.xi + gone, KEPT * sizeof(double))
                self.origin += gone
                n = KEPT
                size = 1.5 - 0.5 * (self.or_ * self.or_ + self.oi * self.oi)
                self.or_ *= size
                self.oi *= size
            self.xr[n] = x[at].real * self.or_ - x[at].imag * self.oi
            self.xi[n] = x[at].real * self.oi + x[at].imag * self.or_
            t = self.or_ * c - self.oi * s
            self.oi = self.or_ * s + self.oi * c
            self.or_ = t
            n += 1
            at += 1
        self.filled = n

    cdef inline void _filter(self, long long k, double *yr, double *yi) noexcept nogil:
        # The fixed filter at point k.
        cdef Py_ssize_t i
        cdef double r = 0, m = 0
        cdef double *xr = self.xr + (STEP * k - HALF - self.origin)
        cdef double *xi = self.xi + (STEP * k - HALF - self.origin)
        for i in range(WIDTH):
            r += self.filters.taps[i] * xr[i]
            m += self.filters.taps[i] * xi[i]
        yr[0] = r
        yi[0] = m

    cdef inline void _equalize(self, long long k, double *yr, double *yi) noexcept nogil:
        # Point k: the samples, less what the symbols decided before leave of themselves in them.
        cdef Py_ssize_t i, q
        cdef double r = 0, m = 0
        cdef double *xr = self.xr + (STEP * k - EARLY - self.origin)
        cdef double *xi = self.xi + (STEP * k - EARLY - self.origin)
        for i in range(1, min(<long long>ACROSS, k) + 1):
            q = (k - i) & MASK
            r -= self.er[i - 1] * self.pr[q] - self.ei[i - 1] * self.pi[q]
            m -= self.er[i - 1] * self.pi[q] + self.ei[i - 1] * self.pr[q]
        for i in range(TAPS):
            r += self.wr[i] * xr[2 * i] - self.wi[i] * xi[2 * i]
            m += self.wr[i] * xi[2 * i] + self.wi[i] * xr[2 * i]
        yr[0] = r
        yi[0] = m

    cdef void _make(self, long long end) noexcept nogil:
        # The signal of the decided symbols, up to sample `end` (even, not included).
        cdef long long m, q
        cdef double r, i, c
        for m in range(self.made, end, 2):
            r = i = 0
            for q in range(max((m - PULSE + STEP - 1) // STEP, 0), (m + PULSE) // STEP + 1):
                c = self.filters.pulse[m - STEP * q + PULSE]
                r += c * self.pr[q & MASK]
                i += c * self.pi[q & MASK]
            self.sr[(m >> 1) & (MADE - 1)] = r
            self.si[(m >> 1) & (MADE - 1)] = i
        self.made = end

    cdef void _unknown(self, long long first) noexcept nogil:
        # Nothing is known of the channel before symbol `first`, which is to be learnt from next.
        cdef Py_ssize_t r
        cdef long long n
        cdef double power = 1e-30
        for n in range(STEP * first, STEP * (first + 16)):
            power += self.xr[n - self.origin] * self.xr[n - self.origin]
            power += self.xi[n - self.origin] * self.xi[n - self.origin]
        memset(&self.channel, 0, sizeof(self.channel))
        self.channel.power = power / (16 * STEP)
        self.channel.unexplained = 0.05 * self.channel.power
        for r in range(RAYS):
            self.channel.hh[r][r] = self.channel.power
            self.channel.vv[r][r] = self.settings.still * self.channel.power
        memset(self.gr, 0, sizeof(self.gr))
        memset(self.gi, 0, sizeof(self.gi))
        memset(self.wr, 0, sizeof(self.wr))
        memset(self.wi, 0, sizeof(self.wi))
        memset(self.er, 0, sizeof(self.er))
        memset(self.ei, 0, sizeof(self.ei))
        self.learnt = first - 1
        self._make_again()

    cdef inline void _make_again(self) noexcept nogil:
        # The decisions have changed: the signal they make is made anew from where the next symbol learnt needs it.
        self.made = STEP * (self.learnt + 1) - 4 + ((self.learnt + 1) & 1)

    cdef void _learn(self) noexcept nogil:
        # One symbol more, with the two or three even samples around it.
        cdef long long j = self.learnt + 1
        cdef int o = 1 if j & 1 else 2
        cdef Py_ssize_t first = <Py_ssize_t>(STEP * j - o - self.origin)
        self.learnt = j
        self._make(STEP * j + o + 4)
        channel_learn(
            &self.channel, self.xr + first, self.xi + first, o + 1, <int>(((STEP * j - o) >> 1) + 1) & (MADE - 1), self.sr,
            self.si, self.settings.drift, self.settings.model,
        )

    cdef double _common_turn(self) noexcept nogil:
        # What all taps turn by in a symbol: Im ∑ conj(h)·v / ∑ |h|².
        cdef Py_ssize_t a
        cdef double size = 1e-30, turn = 0
        for a in range(RAYS):
            size += self.channel.hr[a] * self.channel.hr[a] + self.channel.hi[a] * self.channel.hi[a]
            turn += self.channel.hr[a] * self.channel.vi[a] - self.channel.hi[a] * self.channel.vr[a]
        return turn / size

    cdef void _design(self, long long k) noexcept nogil:
        # The taps of least mean square error for the channel as it will be at point k, if that has moved enough.
        cdef double gr[RAYS]
        cdef double gi[RAYS]
        cdef Py_ssize_t a
        cdef double lead = k - self.learnt, moved = 0, left = self.channel.unexplained, power = self.channel.power
        # How far the decisions before are not believed: from a feedback equaliser to a linear one.
        cdef double doubt = min(1.0, 0.05 + self.settings.doubt * self.eq.noise)
        for a in range(RAYS):
            gr[a] = self.channel.hr[a] + lead * self.channel.vr[a]
            gi[a] = self.channel.hi[a] + lead * self.channel.vi[a]
            moved += (gr[a] - self.gr[a]) * (gr[a] - self.gr[a]) + (gi[a] - self.gi[a]) * (gi[a] - self.gi[a])
        if moved < self.settings.worth * max(left, self.settings.model * power):
            return
        memcpy(self.gr, gr, sizeof(gr))
        memcpy(self.gi, gi, sizeof(gi))
        equalizer_design(
            gr, gi, &self.filters.reach[0, 0, 0], &self.filters.products[0, 0, 0], &self.filters.products[1, 0, 0],
            <float>doubt, <float>(max(left, 0.001 * power) + 1e-30), self.wr, self.wi, self.er, self.ei,
        )

    def train_on(self, const float complex[::1] x, long long base, const unsigned char[::1] known):
        """Begin again with the first symbols known: (n,) dibits, n ≥ 24. x[0] is sample `base`."""
        cdef Py_ssize_t n = known.shape[0], k
        cdef double yr, yi, a, total = 0
        cdef Track first
        if n < SYNC:
            raise ValueError("fewer known symbols than the sync has")
        if self.start - HALF < base or self.start + STEP * (n - 1) + HALF >= base + x.shape[0]:
            raise ValueError("the known symbols are not among the samples")
        with nogil:
            self._restart()
            self.origin = -HALF
            self.filled = 0
            self.or_ = cos(self.turn0 / STEP * HALF)
            self.oi = sin(self.turn0 / STEP * HALF)
            self._take(x, base, STEP * (n - 1) + HALF + 1)
            first.rr = first.ri = 0
            self.follows = False
            for k in range(SYNC):
                self.known[k] = known[k]
            for k in range(n):
                self._filter(k, &yr, &yi)
                total += SYMBOL[known[k]]
                a = self.step0 * total
                first.rr += (yr * cos(a) + yi * sin(a)) / n
                first.ri += (yi * cos(a) - yr * sin(a)) / n
            self.plain.rr = first.rr
            self.plain.ri = first.ri
            self.plain.spread = UNKNOWN * (first.rr * first.rr + first.ri * first.ri)
            first = self.plain
            self.ur = 1
            self.ui = 0
            for k in range(n):
                self._forward(known[k])
            if self.plain.noise > ASLEEP or self.bias == 2:
                # Learn the channel from the sync, then go through all of them with the equaliser that follows from it.
                self._unknown(4)
                while self.learnt < 24 - BEHIND - 1:
                    self._learn()
                self._restart()
                self._make_again()
                self.plain = first
                self.eq.rr = self.ur = 1
                self.eq.ri = self.ui = 0
                self.awake = True
                for k in range(n):
                    self._forward(known[k])

    def run(self, const float complex[::1] x, long long base):
        """Decide all symbols whose samples are there; returns how many are decided in all."""
        cdef long long end = base + x.shape[0] - self.start
        with nogil:
            while STEP * self.decided + HALF < end:
                self._take(x, base, STEP * self.decided + HALF + 1)
                self._forward(-1)
        return self.decided

    cdef void _wake(self) noexcept nogil:
        # Learn from what is there before the newest point.
        cdef long long k = self.decided, first = max(k - RECALL, 4)
        self._unknown(first)
        while self.learnt < k - BEHIND - 1:
            self._learn()
        self.eq.noise = self.plain.noise
        self.eq.spread = self.eq.noise
        self.eq.rr = self.ur
        self.eq.ri = self.ui
        self._design(k)
        self.awake = True
        self.woke = k

    cdef void _believe_fixed(self) noexcept nogil:
        # The newest symbols as the fixed filter has them.
        cdef Turns by
        cdef double r
        cdef long long k
        cdef int d
        _turns(self.more, self.step_r, self.step_i, &by)
        for k in range(max(self.decided - RECALL, 1), self.decided):
            d = self.said[k & MASK]
            self.ur = self.pr[(k - 1) & MASK]
            self.ui = self.pi[(k - 1) & MASK]
            r = self.ur * by.r[d] - self.ui * by.i[d]
            self.ui = self.ur * by.i[d] + self.ui * by.r[d]
            self.ur = r
            self.pr[k & MASK] = self.ur
            self.pi[k & MASK] = self.ui

    cdef void _forward(self, int known) noexcept nogil:
        # Decides the next point, whose samples are in the room.
        cdef Turns by
        cdef double metric[4]
        cdef double r, i, off, gain, settle
        cdef int d, e
        cdef bint lost
        cdef long long k = self.decided
        cdef Py_ssize_t slot = k & MASK
        settle = max(SETTLE, 1.0 / (k + 2))
        _turns(self.more, self.step_r, self.step_i, &by)
        self._filter(k, &r, &i)
        d = _nearest(self.plain.rr, self.plain.ri, r, i, &by, metric)
        if known >= 0:
            d = known
        self.said[slot] = d
        _soft(metric, self.plain.spread, self.soft[0][slot])
        _advance(&self.plain, r, i, &by, d, self.filters.memory, settle)
        self.quality[0][slot] = self.plain.noise
        e = d
        if self.awake:
            # Where there is little to win it is solved a quarter as often.
            if not (k & 3 and self.eq.noise > self.plain.noise):
                self._design(k)
            self._equalize(k, &r, &i)
            # The channel learns from the point nearest to what the equaliser gives, in the frame of the channel: one
            # wrong decision does not turn all that follow.
            e = _nearest(self.ur, self.ui, r, i, &by, metric)
            if known >= 0:
                e = known
        gain = self.ur * by.r[e] - self.ui * by.i[e]
        self.ui = self.ur * by.i[e] + self.ui * by.r[e]
        self.ur = gain
        gain = 1.5 - 0.5 * (self.ur * self.ur + self.ui * self.ui)
        self.pr[slot] = self.ur = gain * self.ur
        self.pi[slot] = self.ui = gain * self.ui
        if self.awake:
            e = _nearest(self.eq.rr, self.eq.ri, r, i, &by, metric)
            if known >= 0:
                e = known
            _soft(metric, self.eq.spread, self.soft[1][slot])
            _advance(&self.eq, r, i, &by, e, self.settings.memory, settle)
            self.quality[1][slot] = self.eq.noise
            while self.learnt < k - BEHIND:
                self._learn()
        else:
            self.soft[1][slot][0] = self.soft[0][slot][0]
            self.soft[1][slot][1] = self.soft[0][slot][1]
            self.quality[1][slot] = 2
        if self.awake and self.eq.noise < self.plain.noise:
            off = small_angle(self.eq.qi, self.eq.qr)
            d = e
            if known < 0 and self.eq.noise < 0.5 * self.plain.noise:
                self.more += self.settings.steer * self._common_turn()
        else:
            off = small_angle(self.plain.qi, self.plain.qr)
        gain = self.gain_known if known >= 0 else self.gain
        if fabs(off) < 0.7:
            self.more += gain * off
            if self.free_step:
                r = self.step + 0.02 * gain * off * SYMBOL[d]
                self._set_step(min(max(r, 0.74 * PI_4), 1.18 * PI_4))
        self.decided = k + 1
        if known < 0:
            if self.awake:
                self.awake = self.bias == 2 or self.plain.noise >= ASLEEP
                lost = self.plain.noise < CLEAR and self.eq.noise > LOST * self.plain.noise
                if self.awake and lost and k - self.woke >= RECALL:
                    self._believe_fixed()
                    self._wake()
            elif self.bias == 2 or self.plain.noise > AWAKE:
                self._wake()

    @property
    def turn(self):
        """Frequency error as tracked, radians a symbol."""
        return self.turn0 + self.more

    def soft_into(self, long long first, int path, float[:, ::1] out):
        """Soft dibits as decided, out (n, 2), of the symbols from `first` on. path: 0 fixed, 1 equaliser."""
        cdef Py_ssize_t n
        for n in range(out.shape[0]):
            out[n, 0] = self.soft[path][(first + n) & MASK][0]
            out[n, 1] = self.soft[path][(first + n) & MASK][1]

    def set_bias(self, int path):
        """0: judge by the points; 1: fixed filter; 2: equaliser."""
        self.bias = path

    @property
    def noise(self):
        """Mean squared distance from the expected points of (fixed filter, equaliser), relative, 0 … 1."""
        return self.plain.noise, self.eq.noise if self.awake else self.plain.noise

    def emit_into(
        self, const float complex[::1] x, long long base, long long until, float[:, ::1] out, signed char[::1] path
    ):
        """Soft dibits of the symbols from the last one given to `until`; out (n, 2), path (n,). x[0] is sample `base`."""
        cdef Py_ssize_t n = <Py_ssize_t>(until - self.emitted), skip, i
        cdef long long first = self.emitted
        cdef bint one_ray
        if until > self.decided or n > RING or n > out.shape[0] or n > path.shape[0]:
            raise ValueError("more symbols asked for than are there, or than there is room")
        if n <= 0:
            return
        # A sequence of one ray is the likeliest only where there is no second one.
        one_ray = self.filters.response.shape[0] > 0
        if one_ray and self.awake:
            one_ray = self.eq.noise >= self.settings.one_ray * self.plain.noise
        self._choose(until, self.settings.margin_sequence if one_ray else self.settings.margin, out, path)
        if self.filters.response.shape[0] == 0:
            return
        skip = max(0, SYNC - first)
        if one_ray and skip < n and self.plain.noise > self.settings.calm:
            self._sequence(x, base, first + skip, out[skip:n], path[skip:n])
        else:
            self.follows = False
        # The last symbols given, as far as they are behind the sync.
        skip = max(skip, n - SYNC)
        if skip < n:
            memmove(self.known, self.known + (n - skip), SYNC - (n - skip))
            for i in range(skip, n):
                self.known[SYNC - n + i] = 2 * (out[i, 0] > 0) + (out[i, 1] > 0)

    cdef void _choose(self, long long until, double margin, float[:, ::1] out, signed char[::1] path) noexcept nogil:
        # The path of each symbol, and its soft dibit.
        cdef long long k
        cdef Py_ssize_t n = 0, later
        cdef int way
        for k in range(self.emitted, until):
            later = min(k + HEED, self.decided - 1) & MASK
            way = self.bias == 2 or (self.bias == 0 and self.quality[1][later] < margin * self.quality[0][later])
            if self.quality[1][k & MASK] > 1:
                way = 0
            out[n, 0] = self.soft[way][k & MASK][0]
            out[n, 1] = self.soft[way][k & MASK][1]
            path[n] = way
            n += 1
        self.emitted = until

    cdef int _sequence(
        self, const float complex[::1] x, long long base, long long first, float[:, ::1] out, signed char[::1] path
    ) except -1:
        # The likeliest sequence where the path is the fixed filter's. first: symbol of out[0].
        cdef double turn = self.turn0 + min(max(0.0, self.more - self.settings.wander), self.more + self.settings.wander)
        cdef Detector d = self.detector
        cdef float likely[2 * RING]
        cdef Py_ssize_t n = out.shape[0], i
        cdef long long at, number
        if d is None:
            d = self.detector = Detector(self.filters.response, self.filters.memory_sequence)
        number = d.at if self.follows else first - SYNC
        at = self.start + STEP * (number - 1) + 1 - base
        if at < 0 or at + STEP * (self.decided - number) > x.shape[0]:
            raise ValueError("the symbols are not among the samples")
        if not self.follows:
            d.start(&x[at], self.known, SYNC, number, turn, self.step0)
            self.follows = True
            at += STEP * (d.at - number)
        if self.decided > d.at:
            d.go(&x[at], self.decided - d.at, turn, self.step0)
        d.likeliest(first, n, self.settings.band / max(d.noise, 1e-30), likely)
        for i in range(n):
            if path[i] == 0:
                out[i, 0] = likely[2 * i]
                out[i, 1] = likely[2 * i + 1]
        return 0
