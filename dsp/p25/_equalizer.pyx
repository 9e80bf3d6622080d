"""One burst of P25 symbols after a frame sync: fixed filter and trained equaliser side by side."""

cimport cython
from libc.math cimport atan2, cos, fabs, sin, sqrt
from libc.string cimport memset

cdef enum:
    STEP = 5  # samples a symbol
    HALF = 8  # samples to either side of a point
    WIDTH = 2 * HALF + 1
    TAPS = 10  # the fixed filter's output, and nine samples two apart
    RING = 256  # symbols remembered
    EVERY = 6  # symbols from one solution of the equaliser to the next
    SNAPS = 64

cdef double PI_4 = 0.7853981633974483


cdef struct Track:
    # Decision feedback differential detection of one stream of points.
    double rr, ri  # the point before, as the points up to it say
    double noise  # mean squared distance from the expected point, relative to its size, 0 … 1
    double spread  # the same in absolute power


cdef inline int _decide(Track *t, double yr, double yi, double turn, double step, int known, double *metric) noexcept nogil:
    # metric: Re(y·conj(expected)) of the symbols +1, +3, −1, −3; returns the dibit, or `known` where it is not negative
    cdef double pr = t.rr * cos(turn) - t.ri * sin(turn)
    cdef double pi = t.rr * sin(turn) + t.ri * cos(turn)
    cdef double qr = yr * pr + yi * pi, qi = yi * pr - yr * pi
    cdef double c1 = cos(step), s1 = sin(step), c3 = cos(3 * step), s3 = sin(3 * step)
    metric[0] = qr * c1 + qi * s1
    metric[1] = qr * c3 + qi * s3
    metric[2] = qr * c1 - qi * s1
    metric[3] = qr * c3 - qi * s3
    cdef int best = 0, d
    if known >= 0:
        return known
    for d in range(1, 4):
        if metric[d] > metric[best]:
            best = d
    return best


cdef inline double _advance(
    Track *t, double yr, double yi, double turn, double step, int dibit, double memory, double settle,
) noexcept nogil:
    # Move on to the next point; returns by how much its angle is off.
    cdef double a = turn + step * SYMBOL[dibit]
    cdef double c = cos(a), s = sin(a)
    cdef double pr = t.rr * c - t.ri * s, pi = t.rr * s + t.ri * c
    cdef double er = yr - pr, ei = yi - pi
    cdef double size = pr * pr + pi * pi, off = er * er + ei * ei
    cdef double relative = off / size if size > off else 1
    cdef double angle = atan2(yi * pr - yr * pi, yr * pr + yi * pi)
    t.noise += settle * (relative - t.noise)
    t.spread += settle * (off - t.spread)
    t.rr = memory * pr + (1 - memory) * yr
    t.ri = memory * pi + (1 - memory) * yi
    return angle


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
cdef class Burst:
    """See `dsp.p25.equalizer`."""

    cdef double fr[WIDTH]
    cdef double fi[WIDTH]
    cdef readonly long long start  # sample of point 0
    cdef readonly double turn, step
    cdef double turn0, step0
    cdef bint free_step
    cdef double forget, shrink, memory, memory_eq, follow
    cdef double gain, slip, trust
    cdef double agree, early, late_by
    cdef int d_last, e_last
    cdef readonly long long resets
    cdef readonly long long forward  # symbols decided
    cdef readonly long long emitted
    cdef Track plain, eq, late
    cdef double psi
    cdef double ar[TAPS][TAPS]
    cdef double ai[TAPS][TAPS]
    cdef double br[TAPS]
    cdef double bi[TAPS]
    cdef double wr[SNAPS][TAPS]
    cdef double wi[SNAPS][TAPS]
    cdef signed char dibit[RING]
    cdef float soft[2][RING][2]
    cdef double quality[2][RING]
    cdef double turns[RING]
    cdef int bias  # 0 judge by the points, 1 fixed filter, 2 equaliser
    cdef bint late_ready

    def __init__(
        self, const double[::1] taps, long long start, double turn, double step, bint free_step,
        double forget, double shrink, double memory, double memory_eq, double follow, double gain,
    ):
        cdef Py_ssize_t i
        for i in range(WIDTH):
            self.fr[i] = taps[i] * cos(turn / STEP * (i - HALF))
            self.fi[i] = -taps[i] * sin(turn / STEP * (i - HALF))
        self.start = start
        self.turn0 = turn
        self.step0 = step
        self.free_step = free_step
        self.forget = forget
        self.shrink = shrink
        self.memory = memory
        self.memory_eq = memory_eq
        self.follow = follow
        self.bias = 0
        self.gain = gain
        self.slip = 0.2
        self.trust = 0.12
        self.emitted = 0
        self.late_ready = False
        self._restart()

    cdef void _restart(self) noexcept nogil:
        self.turn = self.turn0
        self.step = self.step0
        self.forward = 0
        self.psi = 0
        self.agree = 1
        self.early = self.late_by = 0.25
        self.d_last = self.e_last = 0
        self.plain.noise = self.eq.noise = 0.3
        self.plain.spread = self.eq.spread = 0.3
        memset(self.ar, 0, sizeof(self.ar))
        memset(self.ai, 0, sizeof(self.ai))
        memset(self.br, 0, sizeof(self.br))
        memset(self.bi, 0, sizeof(self.bi))

    cdef inline void _window(self, const float complex *x, double *ur, double *ui) noexcept nogil:
        # x: the sample of the point. u[0]: output of the fixed filter; then nine samples.
        cdef Py_ssize_t i
        cdef double r = 0, m = 0
        for i in range(WIDTH):
            r += self.fr[i] * x[i - HALF].real - self.fi[i] * x[i - HALF].imag
            m += self.fr[i] * x[i - HALF].imag + self.fi[i] * x[i - HALF].real
        ur[0] = r
        ui[0] = m
        for i in range(9):
            ur[1 + i] = x[2 * i - HALF].real
            ui[1 + i] = x[2 * i - HALF].imag

    cdef void _learn(self, const double *ur, const double *ui, double tr, double ti, double g) noexcept nogil:
        # g: weight of this symbol
        cdef Py_ssize_t i, j
        cdef double f = self.forget, vr, vi
        for i in range(TAPS):
            vr = g * ur[i]
            vi = g * ui[i]
            for j in range(i + 1):
                self.ar[i][j] = f * self.ar[i][j] + vr * ur[j] + vi * ui[j]
                self.ai[i][j] = f * self.ai[i][j] + vi * ur[j] - vr * ui[j]
            # conj(u)·t
            self.br[i] = f * self.br[i] + vr * tr + vi * ti
            self.bi[i] = f * self.bi[i] + vr * ti - vi * tr

    cdef void _solve(self, double *wr, double *wi) noexcept nogil:
        # (conj(A) + D)·w = b by Cholesky, A = ∑ u·uᴴ; D shrinks all taps but the fixed filter's towards zero.
        cdef double lr[TAPS][TAPS]
        cdef double li[TAPS][TAPS]
        cdef double yr[TAPS]
        cdef double yi[TAPS]
        cdef Py_ssize_t i, j, k
        cdef double power = 0, load, sr, si, d
        for i in range(1, TAPS):
            power += self.ar[i][i]
        power /= TAPS - 1
        # Of the samples' mean power: A holds a window of 1/(1 − forget) symbols at most.
        load = self.shrink * max(self.eq.noise, 0.002) * power * (1 - self.forget) + 1e-9 * power + 1e-30
        for i in range(TAPS):
            for j in range(i + 1):
                sr = self.ar[i][j]
                si = -self.ai[i][j]
                if i == j:
                    sr += load if i else 1e-6 * sr + 1e-30
                for k in range(j):
                    sr -= lr[i][k] * lr[j][k] + li[i][k] * li[j][k]
                    si -= li[i][k] * lr[j][k] - lr[i][k] * li[j][k]
                if i == j:
                    lr[i][i] = sqrt(sr) if sr > 1e-30 else 1e-15
                    li[i][i] = 0
                else:
                    d = 1 / lr[j][j]
                    lr[i][j] = sr * d
                    li[i][j] = si * d
        for i in range(TAPS):
            sr = self.br[i]
            si = self.bi[i]
            for k in range(i):
                sr -= lr[i][k] * yr[k] - li[i][k] * yi[k]
                si -= lr[i][k] * yi[k] + li[i][k] * yr[k]
            yr[i] = sr / lr[i][i]
            yi[i] = si / lr[i][i]
        for i in range(TAPS - 1, -1, -1):
            sr = yr[i]
            si = yi[i]
            for k in range(i + 1, TAPS):
                sr -= lr[k][i] * wr[k] + li[k][i] * wi[k]
                si -= lr[k][i] * wi[k] - li[k][i] * wr[k]
            wr[i] = sr / lr[i][i]
            wi[i] = si / lr[i][i]

    cdef inline void _weigh(
        self, const double *ur, const double *ui, long long snap, double *yr, double *yi,
    ) noexcept nogil:
        cdef Py_ssize_t i
        cdef double r = 0, m = 0
        cdef double *wr = self.wr[snap % SNAPS]
        cdef double *wi = self.wi[snap % SNAPS]
        for i in range(TAPS):
            r += wr[i] * ur[i] - wi[i] * ui[i]
            m += wr[i] * ui[i] + wi[i] * ur[i]
        yr[0] = r
        yi[0] = m

    def train(self, const float complex[::1] x, long long base, const signed char[::1] known):
        """Begin again with the first symbols known: (n,) dibits, n ≥ 24. x[0] is sample `base`."""
        cdef Py_ssize_t n = known.shape[0], k
        cdef long long at
        cdef double ur[TAPS]
        cdef double ui[TAPS]
        cdef double a, total
        if self.start - HALF < base or self.start + STEP * (n - 1) + HALF >= base + x.shape[0]:
            raise ValueError("the known symbols are not among the samples")
        with nogil:
            self._restart()
            # First the mean point and the equaliser over all of them at once, then symbol by symbol.
            self.plain.rr = self.plain.ri = 0
            total = 0
            for k in range(n):
                at = self.start + STEP * k - base
                self._window(&x[at], ur, ui)
                total += SYMBOL[known[k]]
                a = self.turn0 * k + self.step0 * total
                self.plain.rr += (ur[0] * cos(a) + ui[0] * sin(a)) / n
                self.plain.ri += (ui[0] * cos(a) - ur[0] * sin(a)) / n
                self._learn(ur, ui, cos(a), sin(a), 1)
            self._solve(self.wr[0], self.wi[0])
            # The point before the first: turned back by the first frequency step.
            a = -self.turn0
            total = self.plain.rr
            self.plain.rr = total * cos(a) - self.plain.ri * sin(a)
            self.plain.ri = total * sin(a) + self.plain.ri * cos(a)
            self.eq.rr = cos(a)
            self.eq.ri = sin(a)
            self.psi = a
            for k in range(n):
                self._forward(&x[self.start + STEP * k - base], known[k], k > 0 or n > 24)

    def run(self, const float complex[::1] x, long long base):
        """Decide all symbols whose samples are there; returns how many are decided in all."""
        cdef long long end = base + x.shape[0]
        with nogil:
            while self.start + STEP * self.forward + HALF < end:
                self._forward(&x[self.start + STEP * self.forward - base], -1, True)
        return self.forward

    cdef void _forward(self, const float complex *x, int known, bint learn) noexcept nogil:
        cdef double ur[TAPS]
        cdef double ui[TAPS]
        cdef double metric[4]
        cdef double other[4]
        cdef double yr, yi, off, off_eq, gain
        cdef int d, e
        cdef long long k = self.forward
        cdef long long snap = k // EVERY
        cdef Py_ssize_t slot = k % RING
        if k % EVERY == 0 and k > 0:
            self._solve(self.wr[snap % SNAPS], self.wi[snap % SNAPS])
        self._window(x, ur, ui)
        self._weigh(ur, ui, snap, &yr, &yi)
        d = _decide(&self.plain, ur[0], ui[0], self.turn, self.step, known, metric)
        e = _decide(&self.eq, yr, yi, self.turn, self.step, known, other)
        cdef int d0 = d
        _soft(metric, self.plain.spread, self.soft[0][slot])
        _soft(other, self.eq.spread, self.soft[1][slot])
        off = _advance(&self.plain, ur[0], ui[0], self.turn, self.step, d, self.memory, 0.05)
        off_eq = _advance(&self.eq, yr, yi, self.turn, self.step, e, self.memory_eq, 0.05)
        self.quality[0][slot] = self.plain.noise
        self.quality[1][slot] = self.eq.noise
        # The equaliser is taught the phase that the better of both decided, and follows the common phase slowly.
        if self.eq.noise < self.plain.noise:
            self.psi += self.turn + self.step * SYMBOL[e] + self.follow * off_eq
            self.dibit[slot] = e
        else:
            self.psi += self.turn + self.step * SYMBOL[d] + self.follow * off_eq
            self.dibit[slot] = d
        self.turns[slot] = self.turn
        gain = 0.02 if known >= 0 else self.gain
        if self.eq.noise < self.plain.noise:
            off = off_eq
            d = e
        if fabs(off) < 0.7:
            self.turn += gain * off
            if self.free_step:
                self.step += 0.02 * gain * off * SYMBOL[d]
                self.step = min(max(self.step, 0.74 * PI_4), 1.18 * PI_4)
        if learn:
            off = min(self.eq.noise, self.plain.noise) * 10
            self._learn(ur, ui, cos(self.psi), sin(self.psi), 1 if known >= 0 else 1 / (1 + off * off))
        # Out of a fade the equaliser may come back a symbol early or late, perfect to itself. The fixed filter cannot.
        self.agree += 0.04 * ((e == d0) - self.agree)
        self.early += 0.04 * ((e == self.d_last) - self.early)
        self.late_by += 0.04 * ((self.e_last == d0) - self.late_by)
        self.d_last = d0
        self.e_last = e
        if (self.early > self.agree + self.slip or self.late_by > self.agree + self.slip
                or self.plain.noise < self.trust and self.agree < 0.5):
            memset(self.ar, 0, sizeof(self.ar))
            memset(self.ai, 0, sizeof(self.ai))
            memset(self.br, 0, sizeof(self.br))
            memset(self.bi, 0, sizeof(self.bi))
            self.resets += 1
            self.agree = 1
            self.early = self.late_by = 0.25
            self._learn(ur, ui, cos(self.psi), sin(self.psi), 1)
            self.eq = self.plain
            self.eq.rr = cos(self.psi)
            self.eq.ri = sin(self.psi)
            self._solve(self.wr[snap % SNAPS], self.wi[snap % SNAPS])
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
        return self.plain.noise, self.eq.noise

    def emit(
        self, const float complex[::1] x, long long base, long long until, Py_ssize_t lag, double margin,
        float[:, ::1] out, signed char[::1] path,
    ):
        """Soft dibits of the symbols from the last one given to `until`, with the equaliser as solved `lag` symbols later.

        Returns their number; out (n, 2), path (n,) take them.
        """
        cdef double ur[TAPS]
        cdef double ui[TAPS]
        cdef double metric[4]
        cdef double yr, yi, a
        cdef float soft[2]
        cdef int d
        cdef long long k, later
        cdef Py_ssize_t n = 0, slot
        if until > self.forward or until - self.emitted > out.shape[0]:
            raise ValueError("more symbols asked for than are there, or than there is room")
        with nogil:
            while self.emitted < until:
                k = self.emitted
                slot = k % RING
                later = min((k + lag) // EVERY, (self.forward - 1) // EVERY)
                self._window(&x[self.start + STEP * k - base], ur, ui)
                self._weigh(ur, ui, later, &yr, &yi)
                if not self.late_ready:
                    # Points before the first are unknown; begin from this one, turned back by the sync's first symbol.
                    a = self.turns[slot] + 3 * self.step
                    self.late.rr = yr * cos(a) + yi * sin(a)
                    self.late.ri = yi * cos(a) - yr * sin(a)
                    self.late.spread = self.eq.spread
                    self.late.noise = self.eq.noise
                    self.late_ready = True
                d = _decide(&self.late, yr, yi, self.turns[slot], self.step, -1, metric)
                _soft(metric, self.late.spread, soft)
                _advance(&self.late, yr, yi, self.turns[slot], self.step, d, self.memory_eq, 0.05)
                later = min(k + 12, self.forward - 1) % RING
                if self.bias == 2 or (self.bias == 0 and self.quality[1][later] < margin * self.quality[0][later]):
                    out[n, 0] = soft[0]
                    out[n, 1] = soft[1]
                    path[n] = 1
                else:
                    out[n, 0] = self.soft[0][slot][0]
                    out[n, 1] = self.soft[0][slot][1]
                    path[n] = 0
                n += 1
                self.emitted = k + 1
        return n
