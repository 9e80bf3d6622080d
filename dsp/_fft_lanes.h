/* Sixteen Fourier transforms side by side: each lane of a vector belongs to another transform, so no butterfly ever
 * mixes lanes, every length runs at full width and the results do not depend on the vector width of the machine.
 *
 * A tile holds `n` points of 16 transforms: for each point 16 real parts, then 16 imaginary parts. The transform is
 * decimation in time, in place, mixed radix: the points are put into the tile in digit-reversed order (`position`), the
 * stages combine sub-transforms of growing length, and the result stands in natural order. The first stage can read
 * and the last stage write something other than the tile, which saves a trip through memory at each end.
 *
 * Cooley & Tukey 1965; the 5- and 3-point kernels are those of Winograd's identities written without reordering.
 */
#ifndef SDRBRIDGE_FFT_LANES_H
#define SDRBRIDGE_FFT_LANES_H

#include <stdint.h>
#include <string.h>

#include "_simd.h"

#define LANES 16
#define MAX_STAGES 12
#define MAX_RADIX 13

typedef float vec __attribute__((vector_size(64), may_alias));
typedef float loose_vec __attribute__((vector_size(64), aligned(4), may_alias));
typedef float half_vec __attribute__((vector_size(32), may_alias));
typedef float loose_half __attribute__((vector_size(32), aligned(4), may_alias));
typedef int32_t half_mask __attribute__((vector_size(32)));

#define INLINE static inline __attribute__((always_inline))

typedef struct {
    int n;
    int stages;
    int radix[MAX_STAGES];
    const float *twiddle[MAX_STAGES]; /* [k][q - 1]{cos, sin}, k < m: W^(q k) of length m r */
    const float *root[MAX_STAGES];    /* {cos, sin} of W_r^j, j < r, for the radices without a kernel of their own */
    const int32_t *position;          /* where in the tile point i goes */
} lane_plan;

/* ---- butterflies: in place on r points in registers, forward sign --------------------------------------------- */

INLINE void butterfly2(vec *a, vec *b)
{
    vec r = a[0] - a[1], i = b[0] - b[1];
    a[0] = a[0] + a[1], b[0] = b[0] + b[1];
    a[1] = r, b[1] = i;
}

INLINE void butterfly3(vec *a, vec *b)
{
    const float s = 0.86602540378443864676f; /* sin(2π/3) */
    vec tr = a[1] + a[2], ti = b[1] + b[2];
    vec ur = (a[1] - a[2]) * s, ui = (b[1] - b[2]) * s;
    vec mr = a[0] - tr * 0.5f, mi = b[0] - ti * 0.5f;
    a[0] = a[0] + tr, b[0] = b[0] + ti;
    a[1] = mr + ui, b[1] = mi - ur;
    a[2] = mr - ui, b[2] = mi + ur;
}

INLINE void butterfly4(vec *a, vec *b)
{
    vec sr = a[0] + a[2], si = b[0] + b[2], dr = a[0] - a[2], di = b[0] - b[2];
    vec tr = a[1] + a[3], ti = b[1] + b[3], er = a[1] - a[3], ei = b[1] - b[3];
    a[0] = sr + tr, b[0] = si + ti;
    a[2] = sr - tr, b[2] = si - ti;
    a[1] = dr + ei, b[1] = di - er;
    a[3] = dr - ei, b[3] = di + er;
}

INLINE void butterfly5(vec *a, vec *b)
{
    const float c1 = 0.30901699437494742410f, c2 = -0.80901699437494742410f; /* cos(2π/5), cos(4π/5) */
    const float s1 = 0.95105651629515357212f, s2 = 0.58778525229247312917f;  /* sin(2π/5), sin(4π/5) */
    vec pr = a[1] + a[4], pi = b[1] + b[4], qr = a[1] - a[4], qi = b[1] - b[4];
    vec rr = a[2] + a[3], ri = b[2] + b[3], tr = a[2] - a[3], ti = b[2] - b[3];
    vec ur = a[0] + pr * c1 + rr * c2, ui = b[0] + pi * c1 + ri * c2;
    vec vr = a[0] + pr * c2 + rr * c1, vi = b[0] + pi * c2 + ri * c1;
    vec wr = qr * s1 + tr * s2, wi = qi * s1 + ti * s2;
    vec xr = qr * s2 - tr * s1, xi = qi * s2 - ti * s1;
    a[0] = a[0] + pr + rr, b[0] = b[0] + pi + ri;
    a[1] = ur + wi, b[1] = ui - wr;
    a[4] = ur - wi, b[4] = ui + wr;
    a[2] = vr + xi, b[2] = vi - xr;
    a[3] = vr - xi, b[3] = vi + xr;
}

/* Six points as 3 x 2 by the Chinese remainder map, which needs no twiddles: n = 3 n1 + 2 n2, k = 3 k1 + 4 k2 (mod 6). */
INLINE void butterfly6(vec *a, vec *b)
{
    vec er[3] = {a[0], a[2], a[4]}, ei[3] = {b[0], b[2], b[4]};
    vec fr[3] = {a[3], a[5], a[1]}, fi[3] = {b[3], b[5], b[1]};
    butterfly3(er, ei);
    butterfly3(fr, fi);
    a[0] = er[0] + fr[0], b[0] = ei[0] + fi[0];
    a[3] = er[0] - fr[0], b[3] = ei[0] - fi[0];
    a[4] = er[1] + fr[1], b[4] = ei[1] + fi[1];
    a[1] = er[1] - fr[1], b[1] = ei[1] - fi[1];
    a[2] = er[2] + fr[2], b[2] = ei[2] + fi[2];
    a[5] = er[2] - fr[2], b[5] = ei[2] - fi[2];
}

INLINE void butterfly8(vec *a, vec *b)
{
    const float h = 0.70710678118654752440f;
    vec er[4] = {a[0], a[2], a[4], a[6]}, ei[4] = {b[0], b[2], b[4], b[6]};
    vec fr[4] = {a[1], a[3], a[5], a[7]}, fi[4] = {b[1], b[3], b[5], b[7]};
    butterfly4(er, ei);
    butterfly4(fr, fi);
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
INLINE void butterfly10(vec *a, vec *b)
{
    vec er[5] = {a[0], a[2], a[4], a[6], a[8]}, ei[5] = {b[0], b[2], b[4], b[6], b[8]};
    vec fr[5] = {a[5], a[7], a[9], a[1], a[3]}, fi[5] = {b[5], b[7], b[9], b[1], b[3]};
    butterfly5(er, ei);
    butterfly5(fr, fi);
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

INLINE void butterfly_any(vec *a, vec *b, int r, const float *root)
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

INLINE void butterfly(vec *a, vec *b, int r, const float *root)
{
    switch (r) {
    case 2: butterfly2(a, b); break;
    case 3: butterfly3(a, b); break;
    case 4: butterfly4(a, b); break;
    case 5: butterfly5(a, b); break;
    case 6: butterfly6(a, b); break;
    case 8: butterfly8(a, b); break;
    case 10: butterfly10(a, b); break;
    default: butterfly_any(a, b, r, root);
    }
}

/* ---- stages --------------------------------------------------------------------------------------------------- */

enum { TO_TILE, TO_TILE_TURNED, TO_SPLIT };
/* TO_TILE         back to where it came from
   TO_TILE_TURNED  the same, times turn[point] (a vector of cosines, a vector of sines)
   TO_SPLIT        to re[point * stride], im[point * stride], 16 floats each; the tile is not written */
typedef struct {
    const vec *turn;
    float *re, *im;
    int64_t stride;
} lane_sink;

INLINE void stage_of(vec *tile, int n, int m, int r, const float *twiddle, const float *root, int to,
                     const lane_sink *sink)
{
    const int step = m * r;
    for (int k = 0; k < m; k++) {
        const float *w = twiddle + 2 * (r - 1) * k;
        for (int base = k; base < n; base += step) {
            vec a[MAX_RADIX], b[MAX_RADIX];
            vec *p = tile + 2 * base;
            a[0] = p[0], b[0] = p[1];
            if (m == 1) {
                for (int q = 1; q < r; q++)
                    a[q] = p[2 * q], b[q] = p[2 * q + 1];
            } else {
#pragma GCC unroll 10
                for (int q = 1; q < r; q++) {
                    vec x = p[2 * q * m], y = p[2 * q * m + 1];
                    float c = w[2 * q - 2], s = w[2 * q - 1];
                    a[q] = x * c - y * s;
                    b[q] = x * s + y * c;
                }
            }
            butterfly(a, b, r, root);
#pragma GCC unroll 10
            for (int q = 0; q < r; q++) {
                const int64_t point = base + (int64_t)q * m;
                if (to == TO_TILE) {
                    p[2 * q * m] = a[q], p[2 * q * m + 1] = b[q];
                } else if (to == TO_TILE_TURNED) {
                    vec c = sink->turn[2 * point], s = sink->turn[2 * point + 1];
                    p[2 * q * m] = a[q] * c - b[q] * s;
                    p[2 * q * m + 1] = a[q] * s + b[q] * c;
                } else {
                    *(loose_vec *)(sink->re + point * sink->stride) = a[q];
                    *(loose_vec *)(sink->im + point * sink->stride) = b[q];
                }
            }
        }
    }
}

INLINE void stage(vec *tile, int n, int m, int r, const float *twiddle, const float *root, int to, const lane_sink *sink)
{
    switch (r) {
    case 2: stage_of(tile, n, m, 2, twiddle, root, to, sink); break;
    case 3: stage_of(tile, n, m, 3, twiddle, root, to, sink); break;
    case 4: stage_of(tile, n, m, 4, twiddle, root, to, sink); break;
    case 5: stage_of(tile, n, m, 5, twiddle, root, to, sink); break;
    case 6: stage_of(tile, n, m, 6, twiddle, root, to, sink); break;
    case 8: stage_of(tile, n, m, 8, twiddle, root, to, sink); break;
    case 10: stage_of(tile, n, m, 10, twiddle, root, to, sink); break;
    default: stage_of(tile, n, m, r, twiddle, root, to, sink);
    }
}

/* All stages of one tile; only the last one looks at `to`. */
INLINE void lane_transform(const lane_plan *plan, vec *tile, int to, const lane_sink *sink)
{
    int m = 1, last = plan->stages - 1;
    for (int s = 0; s < last; s++) {
        stage(tile, plan->n, m, plan->radix[s], plan->twiddle[s], plan->root[s], TO_TILE, sink);
        m *= plan->radix[s];
    }
    stage(tile, plan->n, m, plan->radix[last], plan->twiddle[last], plan->root[last], to, sink);
}

/* ---- 8 x 8 transposition and (de)interleaving ------------------------------------------------------------------ */

#define SHUFFLE(a, b, ...) __builtin_shuffle(a, b, (half_mask){__VA_ARGS__})

INLINE void transpose8(half_vec *v)
{
    half_vec t[8];
    for (int i = 0; i < 8; i += 2) {
        t[i] = SHUFFLE(v[i], v[i + 1], 0, 8, 1, 9, 4, 12, 5, 13);
        t[i + 1] = SHUFFLE(v[i], v[i + 1], 2, 10, 3, 11, 6, 14, 7, 15);
    }
    half_vec u[8];
    for (int i = 0; i < 8; i += 4) {
        u[i] = SHUFFLE(t[i], t[i + 2], 0, 1, 8, 9, 4, 5, 12, 13);
        u[i + 1] = SHUFFLE(t[i], t[i + 2], 2, 3, 10, 11, 6, 7, 14, 15);
        u[i + 2] = SHUFFLE(t[i + 1], t[i + 3], 0, 1, 8, 9, 4, 5, 12, 13);
        u[i + 3] = SHUFFLE(t[i + 1], t[i + 3], 2, 3, 10, 11, 6, 7, 14, 15);
    }
    for (int i = 0; i < 4; i++) {
        v[i] = SHUFFLE(u[i], u[i + 4], 0, 1, 2, 3, 8, 9, 10, 11);
        v[i + 4] = SHUFFLE(u[i], u[i + 4], 4, 5, 6, 7, 12, 13, 14, 15);
    }
}

/* 8 complex numbers to 8 real and 8 imaginary parts, and back. */
INLINE void split8(const float *z, half_vec *re, half_vec *im)
{
    half_vec a = *(const loose_half *)z, b = *(const loose_half *)(z + 8);
    half_vec lo = SHUFFLE(a, b, 0, 1, 2, 3, 8, 9, 10, 11), hi = SHUFFLE(a, b, 4, 5, 6, 7, 12, 13, 14, 15);
    *re = SHUFFLE(lo, hi, 0, 2, 8, 10, 4, 6, 12, 14);
    *im = SHUFFLE(lo, hi, 1, 3, 9, 11, 5, 7, 13, 15);
}

INLINE void join8(const half_vec *a, const half_vec *b, float *z)
{
    half_vec re = *a, im = *b;
    half_vec lo = SHUFFLE(re, im, 0, 8, 1, 9, 4, 12, 5, 13), hi = SHUFFLE(re, im, 2, 10, 3, 11, 6, 14, 7, 15);
    *(loose_half *)z = SHUFFLE(lo, hi, 0, 1, 2, 3, 8, 9, 10, 11);
    *(loose_half *)(z + 8) = SHUFFLE(lo, hi, 4, 5, 6, 7, 12, 13, 14, 15);
}

#endif
