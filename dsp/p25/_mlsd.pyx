"""Sequence detection of C4FM: forward pass over one burst, backward pass over what is asked for."""

cimport cython
from libc.math cimport cos, fabs, sin
from libc.string cimport memcpy

cdef enum:
    MASK = RING - 1

cdef float LOWEST = -1e30
cdef float MOST = 60.0  # of a likelihood ratio
# Share of a new symbol in the measured noise.
cdef double SETTLE = 0.03
# The signal of a symbol is computed anew where the deviation is another by so much, radians per unit of symbol.
cdef double CHANGED = 0.002

cdef double SYMBOL[4]
SYMBOL[0] = 1
SYMBOL[1] = 3
SYMBOL[2] = -1
SYMBOL[3] = -3


cdef inline float _most(float a, float b, float c, float d) noexcept nogil:
    cdef float left = a if a > b else b, right = c if c > d else d
    return left if left > right else right


@cython.final
@cython.auto_pickle(False)
cdef class Detector:
    """See `dsp.p25.mlsd`."""

    def __init__(self, const double[:, ::1] response, double memory):
        cdef Py_ssize_t i, n
        for i in range(3):
            for n in range(STEP):
                self.response[i][n] = response[i, n]
        self.memory = memory
        self.noise = self.step = 0
        self.at = 0

    cdef void _shape(self, double step) noexcept nogil:
        # The signal of a symbol with this deviation.
        cdef Py_ssize_t n, a, b, c
        cdef double phase
        if fabs(step - self.step) < CHANGED:
            return
        self.step = step
        for n in range(STEP):
            for a in range(4):
                for b in range(4):
                    for c in range(4):
                        phase = SYMBOL[a] * self.response[0][n] + SYMBOL[b] * self.response[1][n]
                        phase += SYMBOL[c] * self.response[2][n]
                        self.wr[n][16 * a + 4 * b + c] = <float>cos(step * phase)
                        self.wi[n][16 * a + 4 * b + c] = <float>sin(step * phase)

    def begin(
        self, const float complex[::1] x, long long first, const signed char[::1] known, long long number,
        double turn, double step,
    ):
        """Begin behind known dibits (n,), n ≥ 4, the first of which is symbol `number` and has its samples at x[first]."""
        cdef Py_ssize_t n = known.shape[0]
        if n < 4 or first < 0 or first + STEP * (n - 1) > x.shape[0]:
            raise ValueError("the known symbols are not among the samples")
        with nogil:
            self.start(&x[first], &known[0], n, number, turn, step)

    cdef void start(
        self, const float complex *x, const signed char *known, Py_ssize_t n, long long number, double turn, double step
    ) noexcept nogil:
        # As `begin`; x[0] is the first sample of the first of the known symbols.
        cdef Py_ssize_t k, i, j, s
        cdef double cr, ci, r, q, angle, xr, xi, power, share, off, tr = 0, ti = 0
        self._shape(step)
        self.noise = 0
        for k in range(1, n - 1):
            j = 16 * known[k - 1] + 4 * known[k] + known[k + 1]
            cr = ci = power = 0
            for i in range(STEP):
                r = cos(turn * (i + 1) / STEP)
                q = sin(turn * (i + 1) / STEP)
                xr = x[STEP * k + i].real * r + x[STEP * k + i].imag * q
                xi = x[STEP * k + i].imag * r - x[STEP * k + i].real * q
                cr += xr * self.wr[i][j] + xi * self.wi[i][j]
                ci += xi * self.wr[i][j] - xr * self.wi[i][j]
                power += xr * xr + xi * xi
            share = max(1 - self.memory, 1.0 / k)
            tr += share * (cr / STEP - tr)
            ti += share * (ci / STEP - ti)
            off = power / STEP - 2 * (tr * cr + ti * ci) / STEP + tr * tr + ti * ti
            self.noise += max(SETTLE, 1.0 / k) * (off - self.noise)
            angle = turn + step * SYMBOL[known[k]]
            r = tr * cos(angle) - ti * sin(angle)
            ti = tr * sin(angle) + ti * cos(angle)
            tr = r
        self.at = number + n - 1
        for s in range(STATES):
            self.alpha[self.at & MASK][s] = LOWEST
            self.rr[s] = <float>tr
            self.ri[s] = <float>ti
        self.alpha[self.at & MASK][4 * known[n - 2] + known[n - 1]] = 0

    def forward(self, const float complex[::1] x, long long first, Py_ssize_t count, double turn, double step):
        """Go through `count` symbols; the samples of the next one begin at x[first]."""
        if first < 0 or count < 0 or first + STEP * count > x.shape[0]:
            raise ValueError("the symbols are not among the samples")
        if count:
            with nogil:
                self.go(&x[first], count, turn, step)

    cdef void go(self, const float complex *x, Py_ssize_t count, double turn, double step) noexcept nogil:
        # As `forward`; x[0] is the first sample of the next symbol.
        cdef float tr[STEP]
        cdef float ti[STEP]
        cdef Py_ssize_t i, k
        self._shape(step)
        for i in range(STEP):
            tr[i] = <float>cos(turn * (i + 1) / STEP)
            ti[i] = <float>sin(turn * (i + 1) / STEP)
        for i in range(4):
            self.by_r[i] = <float>cos(turn + step * SYMBOL[i])
            self.by_i[i] = <float>sin(turn + step * SYMBOL[i])
        for k in range(count):
            self._through(x + STEP * k, tr, ti)

    cdef void _through(self, const float complex *x, const float *tr, const float *ti) noexcept nogil:
        cdef float cr[BRANCHES]  # the samples against the signal of each branch
        cdef float ci[BRANCHES]
        cdef float rr[STATES]
        cdef float ri[STATES]
        cdef float xr, xi, value, r, i, power = 0, best = LOWEST
        cdef float memory = <float>self.memory, share = <float>((1 - self.memory) / STEP)
        cdef Py_ssize_t n, j, a, s, won = 0
        cdef float *gamma = self.gamma[self.at & MASK]
        cdef float *alpha = self.alpha[self.at & MASK]
        cdef float *beyond = self.alpha[(self.at + 1) & MASK]
        for j in range(BRANCHES):
            cr[j] = ci[j] = 0
        for n in range(STEP):
            xr = x[n].real * tr[n] + x[n].imag * ti[n]
            xi = x[n].imag * tr[n] - x[n].real * ti[n]
            power += xr * xr + xi * xi
            for j in range(BRANCHES):
                cr[j] += xr * self.wr[n][j] + xi * self.wi[n][j]
                ci[j] += xi * self.wr[n][j] - xr * self.wi[n][j]
        # |x|² − |x − r·w|², summed over the samples
        for s in range(STATES):
            r = 2 * self.rr[s]
            i = 2 * self.ri[s]
            value = STEP * (self.rr[s] * self.rr[s] + self.ri[s] * self.ri[s])
            for j in range(4 * s, 4 * s + 4):
                gamma[j] = r * cr[j] + i * ci[j] - value
        for j in range(STATES):
            s = j >> 2
            a = 0
            beyond[j] = alpha[s] + gamma[j]
            for n in range(1, 4):
                value = alpha[4 * n + s] + gamma[16 * n + j]
                if value > beyond[j]:
                    beyond[j] = value
                    a = n
            if beyond[j] > best:
                best = beyond[j]
                won = 16 * a + j
            r = memory * self.rr[4 * a + s] + share * cr[16 * a + j]
            i = memory * self.ri[4 * a + s] + share * ci[16 * a + j]
            rr[j] = r * self.by_r[s] - i * self.by_i[s]
            ri[j] = r * self.by_i[s] + i * self.by_r[s]
        for j in range(STATES):
            beyond[j] -= best
        memcpy(self.rr, rr, sizeof(rr))
        memcpy(self.ri, ri, sizeof(ri))
        self.noise += SETTLE * ((power - gamma[won]) / STEP - self.noise)
        self.at += 1

    def soft(self, long long first, double scale, float[:, ::1] out):
        """Soft dibits (n, 2) of the symbols from `first` on, as all that was gone through says; in units of 1/scale."""
        cdef Py_ssize_t n = out.shape[0]
        if first < 0 or first + n > self.at or self.at - first >= RING:
            raise ValueError("symbols that were not gone through, or too long ago")
        if n:
            with nogil:
                self.likeliest(first, n, scale, &out[0, 0])

    cdef void likeliest(self, long long first, Py_ssize_t n, double scale, float *out) noexcept nogil:
        # As `soft`; out: (n, 2).
        cdef float beta[STATES]
        cdef float into[STATES]
        cdef float of[4]
        cdef float value
        cdef float *gamma
        cdef float *alpha
        cdef long long k
        cdef Py_ssize_t b, s
        for s in range(STATES):
            beta[s] = 0
        for k in range(self.at - 1, first - 1, -1):
            gamma = self.gamma[k & MASK]
            alpha = self.alpha[k & MASK]
            for s in range(STATES):
                b = 4 * (s & 3)
                into[s] = _most(
                    gamma[4 * s] + beta[b], gamma[4 * s + 1] + beta[b + 1],
                    gamma[4 * s + 2] + beta[b + 2], gamma[4 * s + 3] + beta[b + 3],
                )
            if k < first + n:
                for b in range(4):
                    of[b] = _most(
                        alpha[b] + into[b], alpha[4 + b] + into[4 + b],
                        alpha[8 + b] + into[8 + b], alpha[12 + b] + into[12 + b],
                    )
                # First bit: 1 for −1 (10) and −3 (11). Second bit: 1 for +3 (01) and −3 (11).
                value = <float>scale * (max(of[2], of[3]) - max(of[0], of[1]))
                out[2 * (k - first)] = min(max(value, -MOST), MOST)
                value = <float>scale * (max(of[1], of[3]) - max(of[0], of[2]))
                out[2 * (k - first) + 1] = min(max(value, -MOST), MOST)
            value = into[0]
            for s in range(1, STATES):
                value = max(value, into[s])
            for s in range(STATES):
                beta[s] = into[s] - value
