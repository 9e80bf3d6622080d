/* One row of output of up to sixteen channels from one spectrum: bins, filter, inverse transform, fine shift.
 *
 * A lane is a channel. The inverse transform is the forward one with real and imaginary parts exchanged on the way in
 * and on the way out.
 */
#ifndef SDRBRIDGE_CHANNELIZER_BANK_H
#define SDRBRIDGE_CHANNELIZER_BANK_H

#include <math.h>

#include "_fft_lanes.h"

typedef struct {
    lane_plan plan;     /* inverse transform of `plan.n` points */
    vec *tile;          /* plan.n points */
    const float *shape; /* [point][lane]: the channel filter over its bins, lowest first, scaled by 1/N */
    const float *turn;  /* [sample of the row]{16 cosines, 16 sines}: fine shift counted from the row's first sample */
    int skip;           /* points before the first valid one */
    int hop;            /* valid points, a multiple of 8 */
} bank_group;

/* What differs between the lanes. row < 0: an empty lane. */
typedef struct {
    int64_t start[LANES]; /* index of the lowest bin in re, im */
    int64_t row[LANES];
    int64_t bin[LANES];   /* bin of the channel's centre, signed */
    double fine_hz[LANES];
} bank_lanes;

/* Phase of row `b` at its first valid sample, from its absolute place and never from what went before, so that it
 * neither drifts nor depends on how the input was cut. The window starts (4 b - 1) / 5 transforms after index 0. */
static void row_phase(const bank_lanes *lanes, int64_t b, double rate, int hop, int skip, float *c, float *s)
{
    const int64_t fifth = ((4 * b - 1) % 5 + 5) % 5;
    const double seconds = (double)(b * hop - skip) / rate;
    for (int l = 0; l < LANES; l++) {
        double cycles = lanes->fine_hz[l] * seconds;
        cycles = (cycles - floor(cycles)) + (double)((lanes->bin[l] % 5 * fifth) % 5) / 5;
        c[l] = (float)cos(6.283185307179586477 * cycles);
        s[l] = (float)-sin(6.283185307179586477 * cycles);
    }
}

/* re, im: a spectrum with margins. out[row * stride + sample]: complex samples as pairs of floats. */
SIMD_CLONES
static void bank_row(const bank_group *g, const bank_lanes *lanes, const float *re, const float *im, const float *c,
                     const float *s, float *out, int64_t stride)
{
    const int n = g->plan.n;
    const int32_t *position = g->plan.position;
    for (int i = 0; i < n; i += 8) {
        const int first = i + 8 <= n ? i : n - 8;
        for (int h = 0; h < 2; h++) {
            half_vec a[8], b[8];
            for (int l = 0; l < 8; l++) {
                const int64_t bin = lanes->start[h * 8 + l] + first;
                a[l] = *(const loose_half *)(re + bin);
                b[l] = *(const loose_half *)(im + bin);
            }
            transpose8(a);
            transpose8(b);
            for (int j = 0; j < 8; j++) {
                half_vec *to = (half_vec *)(g->tile + 2 * position[first + j]);
                half_vec w = *(const loose_half *)(g->shape + (int64_t)(first + j) * LANES + h * 8);
                to[h] = b[j] * w;
                to[2 + h] = a[j] * w;
            }
        }
    }
    lane_transform(&g->plan, g->tile, TO_TILE, 0);
    for (int t = 0; t < g->hop; t++) {
        float *restrict p = (float *)(g->tile + 2 * (g->skip + t));
        const float *restrict w = g->turn + (int64_t)t * 2 * LANES;
        for (int l = 0; l < LANES; l++) {
            const float wr = w[l], wi = w[LANES + l];
            const float ur = wr * c[l] - wi * s[l], ui = wr * s[l] + wi * c[l];
            const float x = p[LANES + l], y = p[l];
            p[l] = x * ur - y * ui;
            p[LANES + l] = x * ui + y * ur;
        }
    }
    for (int h = 0; h < 2; h++) {
        int used = 0;
        for (int l = 0; l < 8; l++)
            used |= lanes->row[h * 8 + l] >= 0;
        if (!used)
            continue;
        for (int t = 0; t < g->hop; t += 8) {
            const half_vec *p = (const half_vec *)(g->tile + 2 * (g->skip + t));
            half_vec a[8], b[8];
            for (int j = 0; j < 8; j++)
                a[j] = p[4 * j + h], b[j] = p[4 * j + 2 + h];
            transpose8(a);
            transpose8(b);
            for (int l = 0; l < 8; l++) {
                const int64_t row = lanes->row[h * 8 + l];
                if (row >= 0)
                    join8(a + l, b + l, out + 2 * (row * stride + t));
            }
        }
    }
}

#endif
