"""One burst of P25 symbols after a frame sync: fixed filter and trained equaliser side by side."""

cimport cython
from libc.math cimport atan2, cos, fabs, sin, sqrt
from libc.string cimport memcpy, memset

cdef enum:
    STEP = 5  # samples a symbol
    HALF = 8  # samples to either side of a point
    WIDTH = 2 * HALF + 1
    TAPS = 9  # of the equaliser, two samples apart
    RING = 256  # symbols remembered
    EVERY = 3  # symbols from one design of the equaliser to the next
    SNAPS = 64
    MASK = RING - 1
    PULSE = 20  # samples to either side over which the pulse reaches
    RAYS = 5  # taps of the channel, two samples apart
    BEHIND = 5  # symbols between the newest and the one whose samples the channel learns from
    REACH = 45  # samples before the first point that learning looks at
    RECALL = 36  # symbols the equaliser learns from when it wakes
    HEED = 12  # symbols by which the choice of path looks ahead
    ACROSS = 5  # symbols to either side that reach into the equaliser's samples

# Where the fixed filter has so little noise it makes no errors (45° are five standard deviations away), and the
# equaliser sleeps; from the second value on it wakes.
cdef double ASLEEP = 0.04
cdef double AWAKE = 0.06
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


cdef inline void _turns(double turn, double step, Turns *by) noexcept nogil:
    cdef double tr = cos(turn), ti = sin(turn), cr = cos(step), ci = sin(step)
    cdef double r = cr * cr - ci * ci, i = 2 * cr * ci
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


cdef void _solve(
    double (*ar)[TAPS], double (*ai)[TAPS], const double *br, const double *bi, Py_ssize_t n, double *wr, double *wi,
) noexcept nogil:
    # A·w = b by Cholesky; of A, Hermitian and positive, the lower half is given and overwritten.
    cdef double yr[TAPS]
    cdef double yi[TAPS]
    cdef Py_ssize_t i, j, k
    cdef double sr, si, d
    for i in range(n):
        for j in range(i + 1):
            sr = ar[i][j]
            si = ai[i][j]
            for k in range(j):
                sr -= ar[i][k] * ar[j][k] + ai[i][k] * ai[j][k]
                si -= ai[i][k] * ar[j][k] - ar[i][k] * ai[j][k]
            if i == j:
                ar[i][i] = sqrt(sr) if sr > 1e-30 else 1e-15
                ai[i][i] = 0
            else:
                d = 1 / ar[j][j]
                ar[i][j] = sr * d
                ai[i][j] = si * d
    for i in range(n):
        sr = br[i]
        si = bi[i]
        for k in range(i):
            sr -= ar[i][k] * yr[k] - ai[i][k] * yi[k]
            si -= ar[i][k] * yi[k] + ai[i][k] * yr[k]
        yr[i] = sr / ar[i][i]
        yi[i] = si / ar[i][i]
    for i in range(n - 1, -1, -1):
        sr = yr[i]
        si = yi[i]
        for k in range(i + 1, n):
            sr -= ar[k][i] * wr[k] + ai[k][i] * wi[k]
            si -= ar[k][i] * wi[k] - ai[k][i] * wr[k]
        wr[i] = sr / ar[i][i]
        wi[i] = si / ar[i][i]


@cython.final
cdef class Burst:
    """See `dsp.p25.equalizer`."""

    cdef double fr[WIDTH]
    cdef double fi[WIDTH]
    cdef readonly long long start  # sample of point 0
    cdef readonly double turn, step
    cdef double turn0, step0
    cdef bint free_step
    cdef double forget, shrink, memory, memory_eq, follow
    cdef double gain, gain_known
    cdef double doubt, ahead, forget_fast
    cdef readonly long long forward  # symbols decided
    cdef readonly long long emitted
    cdef Track plain, eq, late
    cdef double pulse[2 * PULSE + 5]  # two zeros to either side
    cdef double pr[RING]  # the symbols as points, by decision
    cdef double pi[RING]
    cdef double sr[RING][STEP]  # the signal they make, five samples around each
    cdef double si[RING][STEP]
    cdef double ar[2][RAYS][RAYS]  # normal equations of the channel over a short and a long window
    cdef double ai[2][RAYS][RAYS]
    cdef double br[2][RAYS]
    cdef double bi[2][RAYS]
    cdef double gr[RAYS]
    cdef double gi[RAYS]
    cdef double residue, power
    cdef double ur, ui  # the newest point by decision, in the frame of the channel
    cdef double wr[SNAPS][TAPS]
    cdef double wi[SNAPS][TAPS]
    cdef double er[SNAPS][ACROSS]  # what the symbols before leave in the equaliser's output
    cdef double ei[SNAPS][ACROSS]
    cdef signed char dibit[RING]
    cdef float soft[2][RING][2]
    cdef double quality[2][RING]
    cdef double turns[RING]
    cdef int bias  # 0 judge by the points, 1 fixed filter, 2 equaliser
    cdef bint late_ready
    cdef bint awake
    cdef long long snap[SNAPS]  # which design stands there

    def __init__(
        self, const double[::1] taps, const double[::1] pulse, long long start, double turn, double step,
        bint free_step, double forget, double forget_fast, double ahead, double shrink, double doubt, double memory,
        double memory_eq, double gain, double gain_known,
    ):
        cdef Py_ssize_t i
        for i in range(WIDTH):
            self.fr[i] = taps[i] * cos(turn / STEP * (i - HALF))
            self.fi[i] = -taps[i] * sin(turn / STEP * (i - HALF))
        memset(self.pulse, 0, sizeof(self.pulse))
        for i in range(2 * PULSE + 1):
            self.pulse[i + 2] = pulse[i]
        self.start = start
        self.turn0 = turn
        self.step0 = step
        self.free_step = free_step
        self.forget = forget
        self.shrink = shrink
        self.memory = memory
        self.memory_eq = memory_eq
        self.bias = 0
        self.gain = gain
        self.gain_known = gain_known
        self.ahead = ahead
        self.forget_fast = forget_fast
        self.doubt = doubt
        self.emitted = 0
        self.late_ready = False
        self._restart()

    cdef void _restart(self) noexcept nogil:
        cdef Py_ssize_t i
        self.turn = self.turn0
        self.step = self.step0
        self.forward = 0
        self.awake = False
        self.plain.noise = self.eq.noise = UNKNOWN
        self.plain.spread = self.eq.spread = UNKNOWN
        memset(self.pr, 0, sizeof(self.pr))
        memset(self.pi, 0, sizeof(self.pi))
        for i in range(SNAPS):
            self.snap[i] = -1

    cdef void _forget(self) noexcept nogil:
        self.residue = 0
        self.power = 0
        memset(self.ar, 0, sizeof(self.ar))
        memset(self.ai, 0, sizeof(self.ai))
        memset(self.br, 0, sizeof(self.br))
        memset(self.bi, 0, sizeof(self.bi))

    cdef inline void _filter(self, const float complex *x, double *yr, double *yi) noexcept nogil:
        # The fixed filter at the point whose sample is x[0].
        cdef Py_ssize_t i
        cdef double r = 0, m = 0
        for i in range(WIDTH):
            r += self.fr[i] * x[i - HALF].real - self.fi[i] * x[i - HALF].imag
            m += self.fr[i] * x[i - HALF].imag + self.fi[i] * x[i - HALF].real
        yr[0] = r
        yi[0] = m

    cdef inline void _equalize(
        self, const float complex *x, long long k, long long snap, double *yr, double *yi,
    ) noexcept nogil:
        # Point k: the samples, less what the symbols decided before leave of themselves in them.
        cdef Py_ssize_t i, q
        cdef double r = 0, m = 0
        cdef double *wr = self.wr[snap % SNAPS]
        cdef double *wi = self.wi[snap % SNAPS]
        cdef double *er = self.er[snap % SNAPS]
        cdef double *ei = self.ei[snap % SNAPS]
        for i in range(1, min(<long long>ACROSS, k) + 1):
            q = (k - i) % RING
            r -= er[i - 1] * self.pr[q] - ei[i - 1] * self.pi[q]
            m -= er[i - 1] * self.pi[q] + ei[i - 1] * self.pr[q]
        for i in range(TAPS):
            r += wr[i] * x[2 * i - HALF].real - wi[i] * x[2 * i - HALF].imag
            m += wr[i] * x[2 * i - HALF].imag + wi[i] * x[2 * i - HALF].real
        yr[0] = r
        yi[0] = m

    cdef void _imagine(self, long long j) noexcept nogil:
        # The signal around symbol j, five samples: the four symbols to either side are decided.
        cdef Py_ssize_t n, m
        cdef double r, i, c
        cdef double qr[9]
        cdef double qi[9]
        for m in range(9):
            qr[m] = self.pr[(j - 4 + m) & MASK]
            qi[m] = self.pi[(j - 4 + m) & MASK]
        for n in range(STEP):
            r = i = 0
            for m in range(9):
                c = self.pulse[n + STEP * (8 - m)]
                r += c * qr[m]
                i += c * qi[m]
            self.sr[j & MASK][n] = r
            self.si[j & MASK][n] = i

    cdef void _learn(self, const float complex *x, long long k) noexcept nogil:
        # x: the sample of point k, the newest that is decided.
        cdef long long j = k - BEHIND
        cdef Py_ssize_t n, m, a, b, w
        cdef double r, i, c, er, ei
        cdef double vr[3 * STEP]
        cdef double vi[3 * STEP]
        cdef double mr[RAYS][RAYS]
        cdef double mi[RAYS][RAYS]
        cdef double dr[RAYS]
        cdef double di[RAYS]
        self._imagine(j + 1)
        if j < 4:
            return
        # One before, it, and one after: rays −4, −2, 0, 2, 4 samples late begin at 9, 7, 5, 3, 1.
        for m in range(3):
            for n in range(STEP):
                vr[m * STEP + n] = self.sr[(j - 1 + m) & MASK][n]
                vi[m * STEP + n] = self.si[(j - 1 + m) & MASK][n]
        memset(mr, 0, sizeof(mr))
        memset(mi, 0, sizeof(mi))
        memset(dr, 0, sizeof(dr))
        memset(di, 0, sizeof(di))
        self.residue *= self.forget
        self.power *= self.forget
        for n in range(STEP):
            er = x[STEP * (j - k) + n - 2].real
            ei = x[STEP * (j - k) + n - 2].imag
            for a in range(RAYS):
                r = vr[n + 9 - 2 * a]
                i = vi[n + 9 - 2 * a]
                for b in range(a + 1):
                    # conj(v_a)·v_b
                    mr[a][b] += r * vr[n + 9 - 2 * b] + i * vi[n + 9 - 2 * b]
                    mi[a][b] += r * vi[n + 9 - 2 * b] - i * vr[n + 9 - 2 * b]
                dr[a] += r * er + i * ei
                di[a] += r * ei - i * er
            self.residue += er * er + ei * ei
        self.power += STEP
        for w in range(2):
            c = self.forget if w else self.forget_fast
            for a in range(RAYS):
                for b in range(a + 1):
                    self.ar[w][a][b] = c * self.ar[w][a][b] + mr[a][b]
                    self.ai[w][a][b] = c * self.ai[w][a][b] + mi[a][b]
                self.br[w][a] = c * self.br[w][a] + dr[a]
                self.bi[w][a] = c * self.bi[w][a] + di[a]

    cdef void _design(self, long long snap) noexcept nogil:
        # Channel by least squares, then the taps of least mean square error for it.
        cdef double mr[TAPS][TAPS]
        cdef double mi[TAPS][TAPS]
        cdef double lr[TAPS]
        cdef double li[TAPS]
        cdef double hr[2 * ACROSS + 1][TAPS]
        cdef double hi[2 * ACROSS + 1][TAPS]
        cdef double cr[2 * HALF + 2 * STEP * ACROSS + 1]
        cdef double ci[2 * HALF + 2 * STEP * ACROSS + 1]
        cdef Py_ssize_t a, b, n, q, m, w, span = HALF + STEP * ACROSS
        cdef double load = 0, noise, r, i, c
        # How far the decisions before are not believed: from a feedback equaliser to a linear one.
        cdef double doubt = min(1.0, 0.05 + self.doubt * self.eq.noise)
        for a in range(RAYS):
            load += self.ar[1][a][a]
        self.snap[snap % SNAPS] = snap
        if load <= 0:
            memset(self.wr[snap % SNAPS], 0, sizeof(self.wr[0]))
            memset(self.wi[snap % SNAPS], 0, sizeof(self.wi[0]))
            memset(self.er[snap % SNAPS], 0, sizeof(self.er[0]))
            memset(self.ei[snap % SNAPS], 0, sizeof(self.ei[0]))
            return
        load = self.shrink * load / RAYS
        for w in range(2):
            for a in range(RAYS):
                for b in range(a + 1):
                    mr[a][b] = self.ar[w][a][b]
                    mi[a][b] = self.ai[w][a][b]
                mr[a][a] += load if w else load * (1 - self.forget) / (1 - self.forget_fast)
            if w:
                _solve(mr, mi, self.br[w], self.bi[w], RAYS, self.gr, self.gi)
            else:
                _solve(mr, mi, self.br[w], self.bi[w], RAYS, lr, li)
        # What the channel does not explain is noise: |x|² − Re(gᴴ·b), exact for the least squares solution.
        noise = self.residue
        for a in range(RAYS):
            noise -= self.gr[a] * self.br[1][a] + self.gi[a] * self.bi[1][a]
        # The long window is the steadier, but as it was many symbols ago: go on along the line from it to the short one.
        for a in range(RAYS):
            self.gr[a] += self.ahead * (lr[a] - self.gr[a])
            self.gi[a] += self.ahead * (li[a] - self.gi[a])
        noise = max(noise / self.power, 1e-4 * self.residue / self.power) + 1e-30
        for n in range(-span, span + 1):
            r = i = 0
            for a in range(RAYS):
                m = n - 2 * (a - RAYS // 2) + PULSE + 2
                if 2 <= m <= 2 * PULSE + 2:
                    r += self.gr[a] * self.pulse[m]
                    i += self.gi[a] * self.pulse[m]
            cr[n + span] = r
            ci[n + span] = i
        for q in range(2 * ACROSS + 1):
            for n in range(TAPS):
                m = 2 * n - HALF - STEP * (q - ACROSS) + span
                hr[q][n] = cr[m]
                hi[q][n] = ci[m]
        # Taps w with y = ∑ w·x: (∑ conj(h)·hᵀ + noise)·w = conj(h₀)
        memset(mr, 0, sizeof(mr))
        memset(mi, 0, sizeof(mi))
        for q in range(2 * ACROSS + 1):
            c = doubt if q < ACROSS else 1
            for a in range(TAPS):
                r = c * hr[q][a]
                i = c * hi[q][a]
                for b in range(a + 1):
                    mr[a][b] += r * hr[q][b] + i * hi[q][b]
                    mi[a][b] += r * hi[q][b] - i * hr[q][b]
        for a in range(TAPS):
            mr[a][a] += noise
            lr[a] = hr[ACROSS][a]
            li[a] = -hi[ACROSS][a]
        _solve(mr, mi, lr, li, TAPS, self.wr[snap % SNAPS], self.wi[snap % SNAPS])
        for q in range(1, ACROSS + 1):
            r = i = 0
            for n in range(TAPS):
                r += self.wr[snap % SNAPS][n] * hr[ACROSS - q][n] - self.wi[snap % SNAPS][n] * hi[ACROSS - q][n]
                i += self.wr[snap % SNAPS][n] * hi[ACROSS - q][n] + self.wi[snap % SNAPS][n] * hr[ACROSS - q][n]
            self.er[snap % SNAPS][q - 1] = r * (1 - doubt)
            self.ei[snap % SNAPS][q - 1] = i * (1 - doubt)

    def train(self, const float complex[::1] x, long long base, const signed char[::1] known):
        """Begin again with the first symbols known: (n,) dibits, n ≥ 24. x[0] is sample `base`."""
        cdef Py_ssize_t n = known.shape[0], k
        cdef double yr, yi, a, total = 0
        cdef Track first
        if self.start - REACH < base or self.start + STEP * (n - 1) + HALF >= base + x.shape[0]:
            raise ValueError("the known symbols are not among the samples")
        with nogil:
            self._restart()
            first.rr = first.ri = 0
            for k in range(n):
                self._filter(&x[self.start + STEP * k - base], &yr, &yi)
                total += SYMBOL[known[k]]
                a = self.turn0 * k + self.step0 * total
                first.rr += (yr * cos(a) + yi * sin(a)) / n
                first.ri += (yi * cos(a) - yr * sin(a)) / n
            # The point before the first: turned back by one frequency step.
            a = -self.turn0
            self.plain.rr = first.rr * cos(a) - first.ri * sin(a)
            self.plain.ri = first.rr * sin(a) + first.ri * cos(a)
            self.plain.spread = UNKNOWN * (first.rr * first.rr + first.ri * first.ri)
            first = self.plain
            self.ur = cos(a)
            self.ui = sin(a)
            for k in range(n):
                self._forward(&x[self.start + STEP * k - base], 0, known[k])
            if self.plain.noise > ASLEEP or self.bias == 2:
                # Learn the channel from all of them, then go through them with the equaliser that follows from it.
                self._forget()
                for k in range(n):
                    self._learn(&x[self.start + STEP * k - base], k)
                self._restart()
                self._design(0)
                self.plain = first
                self.ur = self.eq.rr = cos(a)
                self.ui = self.eq.ri = sin(a)
                self.awake = True
                for k in range(n):
                    self._forward(&x[self.start + STEP * k - base], 0, known[k])

    def run(self, const float complex[::1] x, long long base):
        """Decide all symbols whose samples are there; returns how many are decided in all."""
        cdef long long end = base + x.shape[0], at = self.start + STEP * self.forward
        with nogil:
            while at + HALF < end:
                self._forward(&x[at - base], at - base, -1)
                at += STEP
        return self.forward

    cdef void _wake(self, const float complex *x, Py_ssize_t before) noexcept nogil:
        # x: the sample of the newest point; learn from what there is before it.
        cdef long long k = self.forward, first = max(k - RECALL, 0), snap
        while STEP * (k - first) + REACH > before:
            first += 1
        self._forget()
        self._imagine(first - BEHIND - 1)
        self._imagine(first - BEHIND)
        while first <= k:
            self._learn(x + STEP * (first - k), first)
            first += 1
        self.eq.noise = self.plain.noise
        self.eq.spread = 1
        self._design(k // EVERY)
        for snap in range(max(k - HEED, 0) // EVERY, k // EVERY):
            self._keep(snap, k // EVERY)
        self.eq.rr = self.ur
        self.eq.ri = self.ui
        self.eq.spread = self.eq.noise
        self.awake = True

    cdef inline void _keep(self, long long snap, long long other) noexcept nogil:
        # Design number `snap` is the same as `other`.
        cdef Py_ssize_t to = snap % SNAPS, which = other % SNAPS
        self.snap[to] = snap
        memcpy(self.wr[to], self.wr[which], sizeof(self.wr[0]))
        memcpy(self.wi[to], self.wi[which], sizeof(self.wi[0]))
        memcpy(self.er[to], self.er[which], sizeof(self.er[0]))
        memcpy(self.ei[to], self.ei[which], sizeof(self.ei[0]))

    cdef void _forward(self, const float complex *x, Py_ssize_t before, int known) noexcept nogil:
        # x: the sample of the next point; so many samples are there before it.
        cdef Turns by
        cdef double metric[4]
        cdef double r, i, off, gain, settle
        cdef int d, e
        cdef long long k = self.forward
        cdef long long snap = k // EVERY
        cdef Py_ssize_t slot = k & MASK
        settle = max(SETTLE, 1.0 / (k + 2))
        _turns(self.turn, self.step, &by)
        self._filter(x, &r, &i)
        d = _nearest(self.plain.rr, self.plain.ri, r, i, &by, metric)
        if known >= 0:
            d = known
        _soft(metric, self.plain.spread, self.soft[0][slot])
        _advance(&self.plain, r, i, &by, d, self.memory, settle)
        self.quality[0][slot] = self.plain.noise
        self.turns[slot] = self.turn
        e = d
        if self.awake:
            if k % EVERY == 0 and k > 0:
                if (known >= 0 and k < 4 * EVERY) or (snap & 3 and self.eq.noise > self.plain.noise):
                    self._keep(snap, snap - 1)  # too little learnt yet in this pass, or little to win
                else:
                    self._design(snap)
            self._equalize(x, k, snap, &r, &i)
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
            _advance(&self.eq, r, i, &by, e, self.memory_eq, settle)
            self.quality[1][slot] = self.eq.noise
            self._learn(x, k)
        else:
            self.soft[1][slot][0] = self.soft[0][slot][0]
            self.soft[1][slot][1] = self.soft[0][slot][1]
            self.quality[1][slot] = 2
        if self.awake and self.eq.noise < self.plain.noise:
            off = atan2(self.eq.qi, self.eq.qr)
            d = e
        else:
            off = atan2(self.plain.qi, self.plain.qr)
        gain = self.gain_known if known >= 0 else self.gain
        if fabs(off) < 0.7:
            self.turn += gain * off
            if self.free_step:
                self.step += 0.02 * gain * off * SYMBOL[d]
                self.step = min(max(self.step, 0.74 * PI_4), 1.18 * PI_4)
        if known < 0:
            if self.awake:
                self.awake = self.bias == 2 or self.plain.noise >= ASLEEP
            elif self.bias == 2 or self.plain.noise > AWAKE:
                self._wake(x, before)
        self.forward = k + 1

    def soft_bits(self, long long first, Py_ssize_t count, int path):
        """Soft dibits of `count` symbols as the first pass had them: list of pairs. path: 0 fixed, 1 equaliser."""
        return [
            (self.soft[path][k % RING][0], self.soft[path][k % RING][1]) for k in range(first, first + count)
        ]

    def prefer(self, int path):
        """0: judge by the points; 1: fixed filter; 2: equaliser."""
        self.bias = path

    @property
    def noise(self):
        """Mean squared distance from the expected points of (fixed filter, equaliser), relative, 0 … 1."""
        return self.plain.noise, self.eq.noise if self.awake else self.plain.noise

    def emit(
        self, const float complex[::1] x, long long base, long long until, Py_ssize_t lag, double margin,
        float[:, ::1] out, signed char[::1] path,
    ):
        """Soft dibits of the symbols from the last one given to `until`, with the equaliser as solved `lag` symbols later.

        Returns their number; out (n, 2), path (n,) take them.
        """
        cdef Turns by
        cdef double metric[4]
        cdef double yr, yi
        cdef float soft[2]
        cdef int d
        cdef long long k, later
        cdef Py_ssize_t n = 0, slot
        if until > self.forward or until - self.emitted > out.shape[0]:
            raise ValueError("more symbols asked for than are there, or than there is room")
        with nogil:
            while self.emitted < until:
                k = self.emitted
                slot = k & MASK
                out[n, 0] = self.soft[0][slot][0]
                out[n, 1] = self.soft[0][slot][1]
                path[n] = 0
                later = min((k + lag) // EVERY, (self.forward - 1) // EVERY)
                if self.snap[later % SNAPS] == later:
                    self._equalize(&x[self.start + STEP * k - base], k, later, &yr, &yi)
                    _turns(self.turns[slot], self.step, &by)
                    if not self.late_ready:
                        # Points before the first are unknown: begin from this one, turned back by what it is taken for.
                        d = _nearest(self.pr[(k - 1) & MASK], self.pi[(k - 1) & MASK], yr, yi, &by, metric) if k else 1
                        self.late.rr = yr * by.r[d] + yi * by.i[d]
                        self.late.ri = yi * by.r[d] - yr * by.i[d]
                        self.late.spread = self.eq.spread
                        self.late.noise = self.eq.noise
                        self.late_ready = True
                    d = _nearest(self.late.rr, self.late.ri, yr, yi, &by, metric)
                    _soft(metric, self.late.spread, soft)
                    _advance(&self.late, yr, yi, &by, d, self.memory_eq, SETTLE)
                    later = min(k + HEED, self.forward - 1) & MASK
                    if self.bias == 2 or (
                        self.bias == 0 and self.quality[1][later] < margin * self.quality[0][later]
                    ):
                        out[n, 0] = soft[0]
                        out[n, 1] = soft[1]
                        path[n] = 1
                else:
                    self.late_ready = False
                n += 1
                self.emitted = k + 1
        return n
