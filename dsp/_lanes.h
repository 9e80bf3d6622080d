/* Loops shared by the detectors, written so that the compiler can use any vector width and still give the same bits:
 * sums run in a fixed number of lanes which are added in a fixed order.
 */
#ifndef SDRBRIDGE_LANES_H
#define SDRBRIDGE_LANES_H

#include <stddef.h>
#include <math.h>
#include "_simd.h"

#define LANES 16

#if defined(__GNUC__)
#define UNUSED_HERE __attribute__((unused))
#else
#define UNUSED_HERE
#endif

/* x[i], or 0 where it is not finite, held within +-limit. */
SIMD_CLONES UNUSED_HERE
static void take(const float *restrict x, float *restrict out, ptrdiff_t n, float limit)
{
    for (ptrdiff_t i = 0; i < n; i++) {
        float v = x[i];
        v = v - v == 0.0f ? v : 0.0f;
        v = v > limit ? limit : v;
        out[i] = v < -limit ? -limit : v;
    }
}

/* `outputs` dot products of `taps` (n, a multiple of 16) with x, each `step` samples further on. */
SIMD_CLONES UNUSED_HERE
static void decimate(const float *restrict x, const float *restrict taps, ptrdiff_t n, ptrdiff_t step, int outputs,
                     float *restrict y)
{
    for (int j = 0; j < outputs; j++) {
        float lane[LANES] = {0};
        const float *s = x + j * step;
        for (ptrdiff_t i = 0; i < n; i += LANES)
            for (int k = 0; k < LANES; k++)
                lane[k] += s[i + k] * taps[i + k];
        for (int half = LANES / 2; half; half /= 2)
            for (int k = 0; k < half; k++)
                lane[k] += lane[k + half];
        y[j] = lane[0];
    }
}

/* Correlate y (samples,) with `tones` references (samples, tones), turned by (turn_re, turn_im) of each tone. */
SIMD_CLONES UNUSED_HERE
static void correlate(const float *restrict y, int samples, const float *restrict ref_re, const float *restrict ref_im,
                      const float *restrict turn_re, const float *restrict turn_im, ptrdiff_t tones,
                      float *restrict out_re, float *restrict out_im)
{
    for (ptrdiff_t k = 0; k < tones; k += LANES) {
        float a[LANES] = {0}, b[LANES] = {0};
        for (int j = 0; j < samples; j++)
            for (int i = 0; i < LANES; i++) {
                a[i] += y[j] * ref_re[j * tones + k + i];
                b[i] += y[j] * ref_im[j * tones + k + i];
            }
        for (int i = 0; i < LANES; i++) {
            out_re[k + i] = a[i] * turn_re[k + i] - b[i] * turn_im[k + i];
            out_im[k + i] = a[i] * turn_im[k + i] + b[i] * turn_re[k + i];
        }
    }
}

/* Sum of `count` rows of a ring of `size`, a power of two, ending at row `last`. */
SIMD_CLONES UNUSED_HERE
static void ring_sum(const float *restrict ring, int size, int last, int count, ptrdiff_t tones, float *restrict sum)
{
    for (ptrdiff_t k = 0; k < tones; k += LANES) {
        float a[LANES] = {0};
        for (int j = count - 1; j >= 0; j--) {
            const float *row = ring + (ptrdiff_t)((last - j) & (size - 1)) * tones + k;
            for (int i = 0; i < LANES; i++)
                a[i] += row[i];
        }
        for (int i = 0; i < LANES; i++)
            sum[k + i] = a[i];
    }
}

/* sum += fresh - old. */
SIMD_CLONES UNUSED_HERE
static void slide(float *restrict sum, const float *restrict fresh, const float *restrict old, ptrdiff_t tones)
{
    for (ptrdiff_t k = 0; k < tones; k++)
        sum[k] = (sum[k] - old[k]) + fresh[k];
}

/* |sum - mean * dc|^2 of each tone. */
SIMD_CLONES UNUSED_HERE
static void tone_power(const float *restrict sum_re, const float *restrict sum_im, const float *restrict dc_re,
                       const float *restrict dc_im, float mean, ptrdiff_t tones, float *restrict power)
{
    for (ptrdiff_t k = 0; k < tones; k++) {
        const float re = sum_re[k] - mean * dc_re[k], im = sum_im[k] - mean * dc_im[k];
        power[k] = re * re + im * im;
    }
}

/* Largest of x (n, a multiple of 16). */
SIMD_CLONES UNUSED_HERE
static float largest(const float *restrict x, ptrdiff_t n)
{
    float lane[LANES] = {0};
    for (ptrdiff_t k = 0; k < n; k += LANES)
        for (int i = 0; i < LANES; i++)
            lane[i] = x[k + i] > lane[i] ? x[k + i] : lane[i];
    float most = 0;
    for (int i = 0; i < LANES; i++)
        most = lane[i] > most ? lane[i] : most;
    return most;
}

#endif
