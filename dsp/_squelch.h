/* Milliseconds of baseband in a few numbers each. Sums run in four lanes added in a fixed order, so that every vector width gives
 * the same bits. A sample with an absurd component, or one that is no number, counts as zero.
 */
#ifndef SDRBRIDGE_SQUELCH_H
#define SDRBRIDGE_SQUELCH_H

#include <math.h>
#include "_simd.h"
#include "_width.h"

#define MOST_SAMPLES 512
#define ABSURD 1e30f /* of a power */

/* x: `count` milliseconds of n complex samples (n a multiple of 8). out, three for each: power of the first half, of the second,
 * sum of the magnitudes. */
INLINE void envelopes(const float *restrict x, long count, int n, float *restrict out)
{
    float p[MOST_SAMPLES], a[MOST_SAMPLES];
    for (long k = 0; k < count; k++, x += 2 * n, out += 3) {
        for (int i = 0; i < n; i++) {
            const float power = x[2 * i] * x[2 * i] + x[2 * i + 1] * x[2 * i + 1];
            p[i] = power < ABSURD ? power : 0.0f;
            a[i] = sqrtf(p[i]);
        }
        vec_4 first = {0}, second = {0}, size = {0};
        for (int i = 0; i < n / 2; i += 4) {
            first += *(const vec_4 *)(p + i);
            second += *(const vec_4 *)(p + n / 2 + i);
            size += *(const vec_4 *)(a + i) + *(const vec_4 *)(a + n / 2 + i);
        }
        out[0] = (first[0] + first[2]) + (first[1] + first[3]);
        out[1] = (second[0] + second[2]) + (second[1] + second[3]);
        out[2] = (size[0] + size[2]) + (size[1] + size[3]);
    }
}

/* The usual rates get loops of known length. */
SIMD_CLONES
static void milliseconds(const float *restrict x, long count, int n, float *restrict out)
{
    if (n == 16)
        envelopes(x, count, 16, out);
    else if (n == 24)
        envelopes(x, count, 24, out);
    else
        envelopes(x, count, n, out);
}

static inline float in_lanes(const float *restrict x, int n)
{
    float lane[4] = {0};
    for (int i = 0; i < n; i += 4)
        for (int k = 0; k < 4; k++)
            lane[k] += x[i + k];
    return (lane[0] + lane[2]) + (lane[1] + lane[3]);
}

/* x: n complex samples. before: the n samples before, replaced by these. out: Re and Im of the sum of x[i] conj(before[i]). */
SIMD_CLONES
static void coherence(const float *restrict x, float *restrict before, int n, float *restrict out)
{
    float a[MOST_SAMPLES], b[MOST_SAMPLES];
    for (int i = 0; i < n; i++) {
        const float power = x[2 * i] * x[2 * i] + x[2 * i + 1] * x[2 * i + 1];
        const float re = power < ABSURD ? x[2 * i] : 0.0f, im = power < ABSURD ? x[2 * i + 1] : 0.0f;
        a[i] = re * before[2 * i] + im * before[2 * i + 1];
        b[i] = im * before[2 * i] - re * before[2 * i + 1];
        before[2 * i] = re;
        before[2 * i + 1] = im;
    }
    out[0] = in_lanes(a, n);
    out[1] = in_lanes(b, n);
}

#endif
