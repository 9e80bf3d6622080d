"""Sequence detection of C4FM: forward pass over one burst, backward pass over what is asked for."""

cimport cython
from libc.math cimport cos, fabs, sin

cdef extern from "p25/_mlsd.h" nogil:
    float mlsd_forward(
        const float *x, const float *tr, const float *ti, const float (*wr)[BRANCHES], const float (*wi)[BRANCHES],
        const float *alpha, float *gamma, float *beyond, float *rr, float *ri, const float *by_r, const float *by_i,
        float memory, float *power,
    )
    void mlsd_backward(const float *gamma, const float *alpha, float *beta, float *of)

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
            self._through(<const float *>(x + STEP * k), tr, ti)

    cdef void _through(self, const float *x, const float *tr, const float *ti) noexcept nogil:
        cdef float power, won
        won = mlsd_forward(
            x, tr, ti, self.wr, self.wi, self.alpha[self.at & MASK], self.gamma[self.at & MASK],
            self.alpha[(self.at + 1) & MASK], self.rr, self.ri, self.by_r, self.by_i, <float>self.memory, &power,
        )
        self.noise += SETTLE * ((power - won) / STEP - self.noise)
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
        cdef float of[4]
        cdef float value
        cdef long long k
        cdef Py_ssize_t s
        for s in range(STATES):
            beta[s] = 0
        for k in range(self.at - 1, first - 1, -1):
            mlsd_backward(self.gamma[k & MASK], self.alpha[k & MASK], beta, of if k < first + n else NULL)
            if k < first + n:
                # First bit: 1 for −1 (10) and −3 (11). Second bit: 1 for +3 (01) and −3 (11).
                value = <float>scale * (max(of[2], of[3]) - max(of[0], of[1]))
                out[2 * (k - first)] = min(max(value, -MOST), MOST)
                value = <float>scale * (max(of[1], of[3]) - max(of[0], of[2]))
                out[2 * (k - first) + 1] = min(max(value, -MOST), MOST)
