/* One millisecond of baseband in five numbers. Sums run in four lanes added in a fixed order, so that every vector width
 * gives the same bits.
 */
#ifndef SDRBRIDGE_SQUELCH_H
#define SDRBRIDGE_SQUELCH_H

#include <math.h>
#include <string.h>
#include "_simd.h"

#define MOST_SAMPLES 512

static inline float in_lanes(const float *restrict x, int n)
{
    float lane[4] = {0};
    for (int i = 0; i < n; i += 4)
        for (int k = 0; k < 4; k++)
            lane[k] += x[i + k];
    return (lane[0] + lane[2]) + (lane[1] + lane[3]);
}

/* x: n complex samples (n a multiple of 8). before: the n samples before, replaced by these with what is not finite set to 0.
 * out: power of the first half, of the second, sum of the magnitudes, Re and Im of the sum of x[i] conj(before[i]).
 */
static inline __attribute__((always_inline)) void one(const float *restrict x, float *restrict before, int n, float *restrict out)
{
    float re[MOST_SAMPLES], im[MOST_SAMPLES], a[MOST_SAMPLES], b[MOST_SAMPLES];
    for (int i = 0; i < n; i++) {
        const float p = x[2 * i] * x[2 * i] + x[2 * i + 1] * x[2 * i + 1];
        const int fine = p < 1e30f;
        re[i] = fine ? x[2 * i] : 0.0f;
        im[i] = fine ? x[2 * i + 1] : 0.0f;
    }
    for (int i = 0; i < n; i++)
        a[i] = re[i] * before[2 * i] + im[i] * before[2 * i + 1];
    for (int i = 0; i < n; i++)
        b[i] = im[i] * before[2 * i] - re[i] * before[2 * i + 1];
    out[3] = in_lanes(a, n);
    out[4] = in_lanes(b, n);
    for (int i = 0; i < n; i++)
        a[i] = re[i] * re[i] + im[i] * im[i];
    for (int i = 0; i < n; i++)
        b[i] = sqrtf(a[i]);
    out[0] = in_lanes(a, n / 2);
    out[1] = in_lanes(a + n / 2, n / 2);
    out[2] = in_lanes(b, n);
    for (int i = 0; i < n; i++) {
        before[2 * i] = re[i];
        before[2 * i + 1] = im[i];
    }
}

/* The usual rate gets loops of known length. */
SIMD_CLONES
static void millisecond(const float *restrict x, float *restrict before, int n, float *restrict out)
{
    if (n == 24)
        one(x, before, 24, out);
    else
        one(x, before, n, out);
}

#endif
