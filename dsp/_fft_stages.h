/* Butterflies and stages of the lane transform for one register width; included by _fft_lanes.h once for each. */

#define vec WIDE(vec)

/* ---- butterflies: in place on r points in registers, forward sign --------------------------------------------- */

INLINE void WIDE(butterfly2)(vec *a, vec *b)
{
    vec r = a[0] - a[1], i = b[0] - b[1];
    a[0] = a[0] + a[1], b[0] = b[0] + b[1];
    a[1] = r, b[1] = i;
}

INLINE void WIDE(butterfly3)(vec *a, vec *b)
{
    const float s = 0.86602540378443864676f; /* sin(2π/3) */
    vec tr = a[1] + a[2], ti = b[1] + b[2];
    vec ur = (a[1] - a[2]) * s, ui = (b[1] - b[2]) * s;
    vec mr = a[0] - tr * 0.5f, mi = b[0] - ti * 0.5f;
    a[0] = a[0] + tr, b[0] = b[0] + ti;
    a[1] = mr + ui, b[1] = mi - ur;
    a[2] = mr - ui, b[2] = mi + ur;
}

INLINE void WIDE(butterfly4)(vec *a, vec *b)
{
    vec sr = a[0] + a[2], si = b[0] + b[2], dr = a[0] - a[2], di = b[0] - b[2];
    vec tr = a[1] + a[3], ti = b[1] + b[3], er = a[1] - a[3], ei = b[1] - b[3];
    a[0] = sr + tr, b[0] = si + ti;
    a[2] = sr - tr, b[2] = si - ti;
    a[1] = dr + ei, b[1] = di - er;
    a[3] = dr - ei, b[3] = di + er;
}

INLINE void WIDE(butterfly5)(vec *a, vec *b)
{
    /* cos(2π/5) and cos(4π/5) are −1/4 ± √5/4. */
    const float h = 0.55901699437494742410f;                                /* √5/4 */
    const float s1 = 0.95105651629515357212f, s2 = 0.58778525229247312917f; /* sin(2π/5), sin(4π/5) */
    vec pr = a[1] + a[4], pi = b[1] + b[4], qr = a[1] - a[4], qi = b[1] - b[4];
    vec rr = a[2] + a[3], ri = b[2] + b[3], tr = a[2] - a[3], ti = b[2] - b[3];
    vec er = pr + rr, ei = pi + ri, dr = (pr - rr) * h, di = (pi - ri) * h;
    vec mr = a[0] - er * 0.25f, mi = b[0] - ei * 0.25f;
    vec ur = mr + dr, ui = mi + di, vr = mr - dr, vi = mi - di;
    vec wr = qr * s1 + tr * s2, wi = qi * s1 + ti * s2;
    vec xr = qr * s2 - tr * s1, xi = qi * s2 - ti * s1;
    a[0] = a[0] + er, b[0] = b[0] + ei;
    a[1] = ur + wi, b[1] = ui - wr;
    a[4] = ur - wi, b[4] = ui + wr;
    a[2] = vr + xi, b[2] = vi - xr;
    a[3] = vr - xi, b[3] = vi + xr;
}

/* Six points as 3 x 2 by the Chinese remainder map, which needs no twiddles: n = 3 n1 + 2 n2, k = 3 k1 + 4 k2 (mod 6). */
INLINE void WIDE(butterfly6)(vec *a, vec *b)
{
    vec er[3] = {a[0], a[2], a[4]}, ei[3] = {b[0], b[2], b[4]};
    vec fr[3] = {a[3], a[5], a[1]}, fi[3] = {b[3], b[5], b[1]};
    WIDE(butterfly3)(er, ei);
    WIDE(butterfly3)(fr, fi);
    a[0] = er[0] + fr[0], b[0] = ei[0] + fi[0];
    a[3] = er[0] - fr[0], b[3] = ei[0] - fi[0];
    a[4] = er[1] + fr[1], b[4] = ei[1] + fi[1];
    a[1] = er[1] - fr[1], b[1] = ei[1] - fi[1];
    a[2] = er[2] + fr[2], b[2] = ei[2] + fi[2];
    a[5] = er[2] - fr[2], b[5] = ei[2] - fi[2];
}

INLINE void WIDE(butterfly8)(vec *a, vec *b)
{
    const float h = 0.70710678118654752440f;
    vec er[4] = {a[0], a[2], a[4], a[6]}, ei[4] = {b[0], b[2], b[4], b[6]};
    vec fr[4] = {a[1], a[3], a[5], a[7]}, fi[4] = {b[1], b[3], b[5], b[7]};
    WIDE(butterfly4)(er, ei);
    WIDE(butterfly4)(fr, fi);
    vec gr = (fr[1] + fi[1]) * h, gi = (fi[1] - fr[1]) * h;
    vec kr = (fi[3] - fr[3]) * h, ki = (fr[3] + fi[3]) * h;
    a[0] = er[0] + fr[0], b[0] = ei[0] + fi[0];
    a[4] = er[0] - fr[0], b[4] = ei[0] - fi[0];
    a[1] = er[1] + gr, b[1] = ei[1] + gi;
    a[5] = er[1] - gr, b[5] = ei[1] - gi;
    a[2] = er[2] + fi[2], b[2] = ei[2] - fr[2];
    a[6] = er[2] - fi[2], b[6] = ei[2] + fr[2];
    a[3] = er[3] + kr, b[3] = ei[3] - ki;
    a[7] = er[3] - kr, b[7] = ei[3] + ki;
}

/* Ten points as 5 x 2: n = 5 n1 + 2 n2, k = 5 k1 + 6 k2 (mod 10). */
INLINE void WIDE(butterfly10)(vec *a, vec *b)
{
    vec er[5] = {a[0], a[2], a[4], a[6], a[8]}, ei[5] = {b[0], b[2], b[4], b[6], b[8]};
    vec fr[5] = {a[5], a[7], a[9], a[1], a[3]}, fi[5] = {b[5], b[7], b[9], b[1], b[3]};
    WIDE(butterfly5)(er, ei);
    WIDE(butterfly5)(fr, fi);
    a[0] = er[0] + fr[0], b[0] = ei[0] + fi[0];
    a[5] = er[0] - fr[0], b[5] = ei[0] - fi[0];
    a[6] = er[1] + fr[1], b[6] = ei[1] + fi[1];
    a[1] = er[1] - fr[1], b[1] = ei[1] - fi[1];
    a[2] = er[2] + fr[2], b[2] = ei[2] + fi[2];
    a[7] = er[2] - fr[2], b[7] = ei[2] - fi[2];
    a[8] = er[3] + fr[3], b[8] = ei[3] + fi[3];
    a[3] = er[3] - fr[3], b[3] = ei[3] - fi[3];
    a[4] = er[4] + fr[4], b[4] = ei[4] + fi[4];
    a[9] = er[4] - fr[4], b[9] = ei[4] - fi[4];
}

INLINE void WIDE(butterfly_any)(vec *a, vec *b, int r, const float *root)
{
    vec x[MAX_RADIX], y[MAX_RADIX];
    for (int j = 0; j < r; j++)
        x[j] = a[j], y[j] = b[j];
    for (int j = 0; j < r; j++) {
        vec re = x[0], im = y[0];
        for (int q = 1; q < r; q++) {
            const float *w = root + 2 * ((j * q) % r);
            re += x[q] * w[0] - y[q] * w[1];
            im += x[q] * w[1] + y[q] * w[0];
        }
        a[j] = re, b[j] = im;
    }
}

INLINE void WIDE(butterfly)(vec *a, vec *b, int r, const float *root)
{
    switch (r) {
    case 2: WIDE(butterfly2)(a, b); break;
    case 3: WIDE(butterfly3)(a, b); break;
    case 4: WIDE(butterfly4)(a, b); break;
    case 5: WIDE(butterfly5)(a, b); break;
    case 6: WIDE(butterfly6)(a, b); break;
    case 8: WIDE(butterfly8)(a, b); break;
    case 10: WIDE(butterfly10)(a, b); break;
    default: WIDE(butterfly_any)(a, b, r, root);
    }
}

/* ---- stages --------------------------------------------------------------------------------------------------- */

/* tile: 2 LANES floats a point; WIDTH lanes from there. */
INLINE void WIDE(stage_of)(float *tile, int n, int m, int r, const float *twiddle, const float *root, int to,
                           const lane_sink *sink)
{
    const int step = m * r;
    for (int k = 0; k < m; k++) {
        const float *w = twiddle + 2 * (r - 1) * k;
        for (int base = k; base < n; base += step) {
            vec a[MAX_RADIX], b[MAX_RADIX];
            float *p = tile + (int64_t)base * 2 * LANES;
#pragma GCC unroll 10
            for (int q = 0; q < r; q++) {
                const float *z = p + (int64_t)q * m * 2 * LANES;
                vec x = *(const vec *)z, y = *(const vec *)(z + LANES);
                if (m == 1 || q == 0) {
                    a[q] = x, b[q] = y;
                } else {
                    float c = w[2 * q - 2], s = w[2 * q - 1];
                    a[q] = x * c - y * s;
                    b[q] = x * s + y * c;
                }
            }
            WIDE(butterfly)(a, b, r, root);
#pragma GCC unroll 10
            for (int q = 0; q < r; q++) {
                const int64_t point = base + (int64_t)q * m;
                float *z = p + (int64_t)q * m * 2 * LANES;
                if (to == TO_TILE) {
                    *(vec *)z = a[q], *(vec *)(z + LANES) = b[q];
                } else if (to == TO_TILE_TURNED) {
                    const float *turn = sink->turn + point * 2 * LANES;
                    vec c = *(const vec *)turn, s = *(const vec *)(turn + LANES);
                    *(vec *)z = a[q] * c - b[q] * s;
                    *(vec *)(z + LANES) = a[q] * s + b[q] * c;
                } else {
                    *(vec *)(sink->re + point * sink->stride) = a[q];
                    *(vec *)(sink->im + point * sink->stride) = b[q];
                }
            }
        }
    }
}

INLINE void WIDE(stage)(float *tile, int n, int m, int r, const float *twiddle, const float *root, int to, const lane_sink *sink)
{
    switch (r) {
    case 2: WIDE(stage_of)(tile, n, m, 2, twiddle, root, to, sink); break;
    case 3: WIDE(stage_of)(tile, n, m, 3, twiddle, root, to, sink); break;
    case 4: WIDE(stage_of)(tile, n, m, 4, twiddle, root, to, sink); break;
    case 5: WIDE(stage_of)(tile, n, m, 5, twiddle, root, to, sink); break;
    case 6: WIDE(stage_of)(tile, n, m, 6, twiddle, root, to, sink); break;
    case 8: WIDE(stage_of)(tile, n, m, 8, twiddle, root, to, sink); break;
    case 10: WIDE(stage_of)(tile, n, m, 10, twiddle, root, to, sink); break;
    default: WIDE(stage_of)(tile, n, m, r, twiddle, root, to, sink);
    }
}

/* WIDTH complex numbers to real and imaginary parts. */
INLINE void WIDE(deal)(const float *z, vec *re, vec *im)
{
    typedef int32_t order __attribute__((vector_size(4 * WIDTH)));
    const vec a = *(const vec *)z, b = *(const vec *)(z + WIDTH);
#if WIDTH == 16
    *re = __builtin_shuffle(a, b, (order){0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30});
    *im = __builtin_shuffle(a, b, (order){1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23, 25, 27, 29, 31});
#elif WIDTH == 8
    const vec low = __builtin_shuffle(a, b, (order){0, 1, 2, 3, 8, 9, 10, 11});
    const vec high = __builtin_shuffle(a, b, (order){4, 5, 6, 7, 12, 13, 14, 15});
    *re = __builtin_shuffle(low, high, (order){0, 2, 8, 10, 4, 6, 12, 14});
    *im = __builtin_shuffle(low, high, (order){1, 3, 9, 11, 5, 7, 13, 15});
#else
    *re = __builtin_shuffle(a, b, (order){0, 2, 4, 6});
    *im = __builtin_shuffle(a, b, (order){1, 3, 5, 7});
#endif
}

/* The first stage, from the lines of the input: neighbouring places of the tile take points n / r apart. */
INLINE void WIDE(first_of)(float *tile, const lane_plan *plan, int r, const float *const *line, int column)
{
    const int apart = plan->n / r;
    for (int base = 0; base < plan->n; base += r) {
        vec a[MAX_RADIX], b[MAX_RADIX];
        const float *const *from = line + plan->source[base];
        float *p = tile + (int64_t)base * 2 * LANES;
#pragma GCC unroll 10
        for (int q = 0; q < r; q++) {
            const float *z = from[(int64_t)q * apart] + 2 * column;
            /* Where the next tile begins: too many lines at once for the processor to see that they go on. */
            __builtin_prefetch(z + 2 * LANES);
            WIDE(deal)(z, a + q, b + q);
        }
        WIDE(butterfly)(a, b, r, plan->root[0]);
#pragma GCC unroll 10
        for (int q = 0; q < r; q++)
            *(vec *)(p + q * 2 * LANES) = a[q], *(vec *)(p + q * 2 * LANES + LANES) = b[q];
    }
}

INLINE void WIDE(first)(float *tile, const lane_plan *plan, const float *const *line, int column)
{
    switch (plan->radix[0]) {
    case 2: WIDE(first_of)(tile, plan, 2, line, column); break;
    case 3: WIDE(first_of)(tile, plan, 3, line, column); break;
    case 4: WIDE(first_of)(tile, plan, 4, line, column); break;
    case 5: WIDE(first_of)(tile, plan, 5, line, column); break;
    case 6: WIDE(first_of)(tile, plan, 6, line, column); break;
    case 8: WIDE(first_of)(tile, plan, 8, line, column); break;
    case 10: WIDE(first_of)(tile, plan, 10, line, column); break;
    default: WIDE(first_of)(tile, plan, plan->radix[0], line, column);
    }
}

JOIN(TARGET, WIDTH)
static void WIDE(lane_transform)(const lane_plan *plan, float *tile, const float *const *line, int column, int to,
                                 const lane_sink *given)
{
    for (int lane = 0; lane < LANES; lane += WIDTH) {
        const int last = plan->stages - 1;
        lane_sink sink = {0, 0, 0, 0};
        if (to == TO_TILE_TURNED)
            sink.turn = given->turn + lane;
        else if (to == TO_SPLIT)
            sink.re = given->re + lane, sink.im = given->im + lane, sink.stride = given->stride;
        int m = 1;
        for (int s = 0; s <= last; s++) {
            const int r = plan->radix[s];
            if (s == 0 && line)
                WIDE(first)(tile + lane, plan, line, column + lane);
            else if (s < last || to == TO_TILE)
                WIDE(stage)(tile + lane, plan->n, m, r, plan->twiddle[s], plan->root[s], TO_TILE, &sink);
            else if (to == TO_TILE_TURNED)
                WIDE(stage)(tile + lane, plan->n, m, r, plan->twiddle[s], plan->root[s], TO_TILE_TURNED, &sink);
            else
                WIDE(stage)(tile + lane, plan->n, m, r, plan->twiddle[s], plan->root[s], TO_SPLIT, &sink);
            m *= r;
        }
    }
}

#undef vec
