/* Loops of the FM discriminator: vectors run along time, so every output is summed in the same order on every machine. */
#ifndef SDRBRIDGE_DEMOD_FM_H
#define SDRBRIDGE_DEMOD_FM_H

#include <math.h>
#include "_simd.h"

#define FIR_LANES 32

/* Deinterleave, with the power. What is not a number, infinite or absurd (the square of a power would overflow) counts as zero. */
SIMD_CLONES static void fm_split(const float *restrict x, float *restrict re, float *restrict im, float *restrict p, long n)
{
    for (long i = 0; i < n; i++) {
        const float a = x[2 * i], b = x[2 * i + 1], power = a * a + b * b;
        const int ok = power < 1e16f;
        re[i] = ok ? a : 0.0f;
        im[i] = ok ? b : 0.0f;
        p[i] = ok ? power : 0.0f;
    }
}

/* y[i] = sum h[k] x[i + k]; x must be readable, and y writable, up to the next multiple of FIR_LANES. */
SIMD_CLONES static void fm_fir(const float *h, long taps, const float *re, const float *im, float *yre, float *yim, long n)
{
    for (long i = 0; i < n; i += FIR_LANES) {
        float a[FIR_LANES] = {0}, b[FIR_LANES] = {0};
        for (long k = 0; k < taps; k++) {
            const float *p = re + i + k, *q = im + i + k;
            for (int l = 0; l < FIR_LANES; l++) {
                a[l] += h[k] * p[l];
                b[l] += h[k] * q[l];
            }
        }
        for (int l = 0; l < FIR_LANES; l++) {
            yre[i + l] = a[l];
            yim[i + l] = b[l];
        }
    }
}

SIMD_CLONES static void fm_power(const float *re, const float *im, float *p, long n)
{
    for (long i = 0; i < n; i++)
        p[i] = re[i] * re[i] + im[i] * im[i];
}

typedef float fm_eight __attribute__((vector_size(32), aligned(4), may_alias));

/* Sum and sum of squares of n values, n a multiple of 4: eight lanes added in a fixed order, then four values that may be left. */
SIMD_CLONES static void fm_sums(const float *p, long n, float *sum, float *squares)
{
    fm_eight a = {0}, b = {0};
    long i = 0;
    for (; i + 8 <= n; i += 8) {
        const fm_eight v = *(const fm_eight *)(p + i);
        a += v;
        b += v * v;
    }
    float x = ((a[0] + a[4]) + (a[2] + a[6])) + ((a[1] + a[5]) + (a[3] + a[7]));
    float y = ((b[0] + b[4]) + (b[2] + b[6])) + ((b[1] + b[5]) + (b[3] + b[7]));
    for (; i < n; i++) {
        x += p[i];
        y += p[i] * p[i];
    }
    *sum = x;
    *squares = y;
}

/* Blend a wide and a narrow signal, the narrow one's share going from `from` by `step` a sample. */
SIMD_CLONES static void fm_blend(float *wre, float *wim, const float *nre, const float *nim, float from, float step, long first,
                                 long n)
{
    for (long i = 0; i < n; i++) {
        float g = from + step * (float)(first + i + 1);
        wre[i] += g * (nre[i] - wre[i]);
        wim[i] += g * (nim[i] - wim[i]);
    }
}

/* Angle from sample i - 1 to sample i (re and im begin one sample early), times scale.
 *
 * atan(t)/t on 0 … 1 by a polynomial of degree 7 in t squared, interpolated at Chebyshev nodes: 1.5e-7 rad in float32.
 */
SIMD_CLONES static void fm_angle(const float *re, const float *im, float scale, float *out, long n)
{
    for (long i = 0; i < n; i++) {
        float x = re[i + 1] * re[i] + im[i + 1] * im[i];
        float y = im[i + 1] * re[i] - re[i + 1] * im[i];
        float ax = fabsf(x), ay = fabsf(y);
        float hi = ax > ay ? ax : ay, lo = ax > ay ? ay : ax;
        float t = lo / (hi > 1e-37f ? hi : 1e-37f), u = t * t;
        float p = -0.00455979211255908f;
        p = p * u + 0.023780519142746925f;
        p = p * u + -0.05882975459098816f;
        p = p * u + 0.09868865460157394f;
        p = p * u + -0.14003290235996246f;
        p = p * u + 0.19966961443424225f;
        p = p * u + -0.3333181142807007f;
        p = p * u + 0.9999998807907104f;
        p = p * t;
        p = ay > ax ? 1.5707963267948966f - p : p;
        p = x < 0.0f ? 3.141592653589793f - p : p;
        p = y < 0.0f ? -p : p;
        out[i] = hi > 1e-37f ? p * scale : 0.0f;
    }
}

#endif
