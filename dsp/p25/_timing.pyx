"""Frame synchronisation of P25: the differential correlator of a bank, and the look at one candidate."""

from libc.math cimport M_PI, atan2, cos, fabs, floor, sin, sqrt, sqrtf

cdef enum:
    SYNC = 24  # symbols of the sync
    STEP = 5  # samples a symbol
    WINDOW = 192  # samples around a candidate that `acquire` copies


# Range of the deviation. Above 4/3 a run of equal symbols is a sync: the outer two are a whole turn apart.
cdef double LEAST = 0.74
cdef double MOST = 1.17
# The 25 samples, not filtered, reach this coherent match in a sync: at 3 dB Eb/N0 in 98 of 100. Of the candidates of noise
# and data one in seven does.
cdef double LEAST_RAW = 0.38
# Looked for with these deviations, as shares of the nominal one.
cdef double DEVIATIONS[3]
DEVIATIONS[0] = 1
DEVIATIONS[1] = 0.88
DEVIATIONS[2] = 1.12
# The turns of a sync, filtered, reach this share of their size; no more is done for less.
cdef double LEAST_SHARE = 0.55


def correlate(
    const float complex[:, ::1] x,
    const signed char[::1] signs,
    Py_ssize_t first,
    float[:, :, ::1] turn,
    float[:, ::1] out,
):
    """Sync metric of the samples `first` … of every row. Shapes and meaning as `dsp.p25.timing` has them."""
    cdef Py_ssize_t rows = x.shape[0], n = x.shape[1], row
    with nogil:
        for row in range(rows):
            _correlate(&x[row, 0], n, &signs[0], first, &turn[row, 0, 0], turn.shape[2], &out[row, 0])


cdef void _correlate(
    const float complex *x, Py_ssize_t n, const signed char *signs, Py_ssize_t first, float *turn, Py_ssize_t width,
    float *out,
) noexcept nogil:
    # turn: three lines: real and imaginary part of the turn in one symbol, divided by the root of its size; that root
    cdef float *re = turn
    cdef float *im = turn + width
    cdef float *size = turn + 2 * width
    cdef Py_ssize_t i, k, begin = first - STEP * (SYNC - 1), count = n - first
    cdef float ar, ai, br, bi, tr, ti, power, root, c, s, pr, pi, mr, mi, total
    for i in range(begin, n):
        ar = x[i].real
        ai = x[i].imag
        br = x[i - STEP].real
        bi = x[i - STEP].imag
        tr = ar * br + ai * bi
        ti = ai * br - ar * bi
        power = sqrtf(tr * tr + ti * ti)
        root = sqrtf(power)
        c = 1 / root if root > 1e-18 else 0
        re[i] = tr * c
        im[i] = ti * c
        size[i] = root
    for i in range(first, n):
        pr = pi = mr = mi = total = 0
        for k in range(SYNC):
            if signs[SYNC - 1 - k] > 0:
                pr += re[i - STEP * k]
                pi += im[i - STEP * k]
            else:
                mr += re[i - STEP * k]
                mi += im[i - STEP * k]
            total += size[i - STEP * k]
        # exp(∓j135°) on the positive and negative symbols, then the sum whatever its phase, which is the frequency error
        c = -0.70710678
        s = 0.70710678
        tr = pr * c + pi * s + mr * c - mi * s
        ti = pi * c - pr * s + mi * c + mr * s
        out[i - first] = sqrtf(tr * tr + ti * ti) / total if total > 0 else 0


cdef inline double _points(
    const double complex *x, Py_ssize_t at, const double *taps, Py_ssize_t half, double *er, double *ei,
) noexcept nogil:
    # The 25 filtered points before and at the sync whose last one is at sample `at`.
    cdef Py_ssize_t k, i, begin
    cdef double r, m, power = 0
    for k in range(SYNC + 1):
        begin = at - STEP * (SYNC - k) - half
        r = m = 0
        for i in range(2 * half + 1):
            r += taps[i] * x[begin + i].real
            m += taps[i] * x[begin + i].imag
        er[k] = r
        ei[k] = m
        power += r * r + m * m
    return power


cdef inline double _groups(const double *er, const double *ei, const signed char *signs, double *g) noexcept nogil:
    # Sums of the turns of the positive and negative symbols (g: four numbers); the share of their size that they reach.
    cdef Py_ssize_t k
    cdef double tr, ti, total = 0
    g[0] = g[1] = g[2] = g[3] = 0
    for k in range(1, SYNC + 1):
        tr = er[k] * er[k - 1] + ei[k] * ei[k - 1]
        ti = ei[k] * er[k - 1] - er[k] * ei[k - 1]
        total += sqrt(tr * tr + ti * ti)
        if signs[k - 1] > 0:
            g[0] += tr
            g[1] += ti
        else:
            g[2] += tr
            g[3] += ti
    if total <= 0:
        return 0
    return (sqrt(g[0] * g[0] + g[1] * g[1]) + sqrt(g[2] * g[2] + g[3] * g[3])) / total


cdef inline double _coherent(
    const double *er, const double *ei, const double *sums, double turn, double step, double *zr, double *zi,
) noexcept nogil:
    # zr, zi: the points turned back by step·sum and turn·k; last the sum of them, whose squared size is returned
    cdef Py_ssize_t k
    cdef double a, c, s, tr = 0, ti = 0
    for k in range(SYNC + 1):
        a = turn * (k - 12) + step * sums[k]
        c = cos(a)
        s = sin(a)
        zr[k] = er[k] * c + ei[k] * s
        zi[k] = ei[k] * c - er[k] * s
        tr += zr[k]
        ti += zi[k]
    zr[SYNC + 1] = tr
    zi[SYNC + 1] = ti
    return tr * tr + ti * ti


cdef inline double _turned_sum(const double *zr, const double *zi, double turn) noexcept nogil:
    # |∑ z·exp(−j·turn·k)|²
    cdef Py_ssize_t k
    cdef double c = cos(turn), s = sin(turn), rr = 1, ri = 0, tr = 0, ti = 0, t
    for k in range(SYNC + 1):
        tr += zr[k] * rr + zi[k] * ri
        ti += zi[k] * rr - zr[k] * ri
        t = rr * c - ri * s
        ri = rr * s + ri * c
        rr = t
    return tr * tr + ti * ti


cdef double _coarse(const float complex *x, Py_ssize_t at, const signed char *signs) noexcept nogil:
    # Coarse frequency from the turns at `at`, radians a symbol.
    cdef Py_ssize_t k, i
    cdef double tr, ti, ar, ai, br, bi, root, sr = 0, si = 0
    cdef double ur = -0.7071067811865476, ui
    for k in range(SYNC):
        i = at - STEP * (SYNC - 1 - k)
        ar = x[i].real
        ai = x[i].imag
        br = x[i - STEP].real
        bi = x[i - STEP].imag
        tr = ar * br + ai * bi
        ti = ai * br - ar * bi
        root = sqrt(sqrt(tr * tr + ti * ti))
        root = 1 / root if root > 1e-18 else 0
        ui = 0.7071067811865476 * signs[k]
        sr += (tr * ur + ti * ui) * root
        si += (ti * ur - tr * ui) * root
    return atan2(si, sr)


cdef bint _resembles(const float complex *x, Py_ssize_t at, const double *sums, double turn) noexcept nogil:
    # The samples themselves look like a sync for one of three deviations and 17 frequencies around `turn`.
    cdef double er[SYNC + 2]
    cdef double ei[SYNC + 2]
    cdef double zr[SYNC + 2]
    cdef double zi[SYNC + 2]
    cdef double power = 0
    cdef Py_ssize_t k, trial, deviation
    for k in range(SYNC + 1):
        er[k] = x[at - STEP * (SYNC - k)].real
        ei[k] = x[at - STEP * (SYNC - k)].imag
        power += er[k] * er[k] + ei[k] * ei[k]
    for deviation in range(3):
        _coherent(er, ei, sums, turn, DEVIATIONS[deviation] * M_PI / 4, zr, zi)
        for trial in range(-8, 9):
            if _turned_sum(zr, zi, trial * 0.0654) > LEAST_RAW * (SYNC + 1) * power:
                return True
    return False


cdef void _derotate(
    const float complex *x, double turn, Py_ssize_t begin, Py_ssize_t n, double complex *y,
) noexcept nogil:
    # y = x[begin … begin + n − 1] less the turn, radians a symbol.
    cdef Py_ssize_t i
    cdef double ar, ai, c, s, rr, ri, t
    c = cos(turn / STEP)
    s = -sin(turn / STEP)
    rr = 1
    ri = 0
    for i in range(n):
        ar = x[begin + i].real
        ai = x[begin + i].imag
        y[i].real = ar * rr - ai * ri
        y[i].imag = ar * ri + ai * rr
        t = rr * c - ri * s
        ri = rr * s + ri * c
        rr = t


def acquire(
    const float complex[::1] x,
    Py_ssize_t at,
    const double[:, :, ::1] taps,
    const signed char[::1] signs,
    const double[::1] sums,
    const double[::1] nominal,
    double[:, ::1] out,
):
    """Look at one candidate with both pulses. Shapes and meaning as `dsp.p25.timing` has them."""
    cdef Py_ssize_t half = (taps.shape[2] - 1) // 2, phases = taps.shape[1], pulse, trial
    cdef Py_ssize_t begin = at - STEP * SYNC - half - 5, n = STEP * SYNC + 2 * half + 11
    cdef double coarse
    cdef double complex y[WINDOW]
    if n > WINDOW:
        raise ValueError("filters too long for the window")
    with nogil:
        coarse = _coarse(&x[0], at, &signs[0])
        if _resembles(&x[0], at, &sums[0], coarse):
            _derotate(&x[0], coarse, begin, n, y)
            for pulse in range(2):
                _acquire(
                    y, at - begin, &taps[pulse, 0, 0], phases, half, &signs[0], &sums[0], pulse == 0, nominal[pulse],
                    &out[pulse, 0], &out[2, 0],
                )
        for trial in range(3):  # C4FM, LSM, C4FM of any deviation
            out[trial, 1] += begin
            out[trial, 3] += coarse


cdef void _acquire(
    const double complex *x, Py_ssize_t at, const double *taps, Py_ssize_t phases, Py_ssize_t half,
    const signed char *signs, const double *sums, bint any_step, double nominal, double *out, double *other,
) noexcept nogil:
    cdef double er[SYNC + 2]
    cdef double ei[SYNC + 2]
    cdef double g[4]
    cdef double share[9]
    cdef Py_ssize_t d, best = 1, width = 2 * half + 1, sample, phase
    cdef double place, curve, power, step
    for d in range(2, 7, 2):
        _points(x, at + d - 4, taps, half, er, ei)
        share[d] = _groups(er, ei, signs, g)
    if max(share[2], share[4], share[6]) < LEAST_SHARE:
        return
    for d in range(9):
        if d != 2 and d != 4 and d != 6:
            _points(x, at + d - 4, taps, half, er, ei)
            share[d] = _groups(er, ei, signs, g)
    for d in range(1, 8):
        if share[d] > share[best]:
            best = d
    curve = share[best - 1] - 2 * share[best] + share[best + 1]
    place = 0.5 * (share[best - 1] - share[best + 1]) / curve if curve < 0 else 0
    place = min(max(place, -0.5), 0.5) + (at + best - 4)
    sample = <Py_ssize_t>floor(place)
    phase = <Py_ssize_t>((place - sample) * phases + 0.5)
    if phase == phases:
        phase = 0
        sample += 1
    power = _points(x, sample, taps + phase * width, half, er, ei)
    _groups(er, ei, signs, g)
    out[1] = sample
    out[2] = phase
    _fit(er, ei, g, sums, power, nominal, False, out)
    if any_step:
        # Positive symbols turn by turn + 3·step, negative ones by turn − 3·step; 6·step is 270° ± 15 %.
        step = (atan2(g[1], g[0]) - atan2(g[3], g[2])) / (2 * M_PI)
        step = (step - floor(step)) * 2 * M_PI / 6
        other[1] = sample
        other[2] = phase
        _fit(er, ei, g, sums, power, step, True, other)


cdef void _fit(
    const double *er, const double *ei, const double *g, const double *sums, double power, double step, bint free_step,
    double *out,
) noexcept nogil:
    cdef double zr[SYNC + 2]
    cdef double zi[SYNC + 2]
    cdef Py_ssize_t k, trial
    cdef double turn, value, top, base, size, angle, w, a, b, p, m
    cdef double n11, n12, n13, n22, n23, n33, y1, y2, y3, det, d2, d3
    step = min(max(step, LEAST * M_PI / 4), MOST * M_PI / 4)
    a = atan2(g[1], g[0]) - 3 * step
    b = atan2(g[3], g[2]) + 3 * step
    p = sqrt(g[0] * g[0] + g[1] * g[1])
    m = sqrt(g[2] * g[2] + g[3] * g[3])
    turn = atan2(p * sin(a) + m * sin(b), p * cos(a) + m * cos(b))
    # The sum over 25 points is sharp in frequency: 17 trials around, 50 Hz apart, then two steps of least squares on the
    # angles for phase, frequency and, where it is free, deviation.
    base = turn
    top = -1
    _coherent(er, ei, sums, base, step, zr, zi)
    for trial in range(-8, 9):
        value = _turned_sum(zr, zi, trial * 0.0654)
        if value > top:
            top = value
            turn = base + trial * 0.0654
    for trial in range(3):
        top = _coherent(er, ei, sums, turn, step, zr, zi)
        if trial == 2:
            break
        n11 = n12 = n13 = n22 = n23 = n33 = y1 = y2 = y3 = 0
        for k in range(SYNC + 1):
            size = zr[k] * zr[k] + zi[k] * zi[k]
            angle = atan2(
                zi[k] * zr[SYNC + 1] - zr[k] * zi[SYNC + 1], zr[k] * zr[SYNC + 1] + zi[k] * zi[SYNC + 1]
            )
            # Points beyond a quarter turn are noise; their angle would pull the wrong way.
            w = size if fabs(angle) < 1.57 else 0
            a = k - 12
            b = sums[k]
            n11 += w
            n12 += w * a
            n13 += w * b
            n22 += w * a * a
            n23 += w * a * b
            n33 += w * b * b
            y1 += w * angle
            y2 += w * a * angle
            y3 += w * b * angle
        if not free_step:
            n13 = n23 = y3 = 0
            n33 = 1
        det = n11 * (n22 * n33 - n23 * n23) - n12 * (n12 * n33 - n23 * n13) + n13 * (n12 * n23 - n22 * n13)
        if det <= 1e-12 * n11 * n22 * n33:
            break
        d2 = (n11 * (y2 * n33 - n23 * y3) - y1 * (n12 * n33 - n23 * n13) + n13 * (n12 * y3 - y2 * n13)) / det
        d3 = (n11 * (n22 * y3 - y2 * n23) - n12 * (n12 * y3 - y2 * n13) + y1 * (n12 * n23 - n22 * n13)) / det
        turn += d2
        step = min(max(step + d3, LEAST * M_PI / 4), MOST * M_PI / 4)
    out[0] = top / ((SYNC + 1) * power) if power > 0 else 0
    out[3] = turn
    out[4] = step


def low_pass(
    const float complex[:, ::1] x, const float[::1] taps, Py_ssize_t step, Py_ssize_t n, float complex[:, ::1] out,
):
    """The last `n` samples of every row of `out`: x (rows, (n − 1)·step + taps) filtered, every step-th kept."""
    cdef Py_ssize_t rows = x.shape[0], m = taps.shape[0], half = (m - 1) // 2, row, i, k
    cdef const float *p
    cdef const float *q
    cdef float r, j
    if x.shape[1] < (n - 1) * step + m or out.shape[1] < n or out.shape[0] != rows:
        raise ValueError("not enough samples, or no room")
    with nogil:
        for row in range(rows):
            for i in range(n):
                p = <const float *>&x[row, i * step]
                q = p + 2 * (m - 1)
                r = taps[half] * p[2 * half]
                j = taps[half] * p[2 * half + 1]
                for k in range(half):  # symmetric
                    r += taps[k] * (p[2 * k] + q[-2 * k])
                    j += taps[k] * (p[2 * k + 1] + q[1 - 2 * k])
                out[row, out.shape[1] - n + i].real = r
                out[row, out.shape[1] - n + i].imag = j
