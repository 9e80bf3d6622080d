/* Loops shared by the detectors, written so that the compiler can use any vector width and still give the same bits:
 * sums run in a fixed number of lanes which are added in a fixed order.
 */
#ifndef SDRBRIDGE_LANES_H
#define SDRBRIDGE_LANES_H

#include <stddef.h>
#include <math.h>
#include "_simd.h"

#define LANES 16

/* Written out where gcc would not make vectors of a loop by itself. */
typedef float lanes_eight __attribute__((vector_size(32), aligned(4), may_alias));

#if defined(__GNUC__)
#define UNUSED_HERE __attribute__((unused))
#else
#define UNUSED_HERE
#endif

/* Correlate y (samples, even) with `tones` references, turned by (turn_re, turn_im) of each tone. A reference counts its phase
 * from the middle of the samples, so its cosines are the same before and after, its sines the opposite: only the first
 * half is given, (samples / 2, tones). */
SIMD_CLONES UNUSED_HERE
static void correlate(const float *restrict y, int samples, const float *restrict ref_re, const float *restrict ref_im,
                      const float *restrict turn_re, const float *restrict turn_im, ptrdiff_t tones,
                      float *restrict out_re, float *restrict out_im)
{
    for (ptrdiff_t k = 0; k < tones; k += 8) {
        lanes_eight a = {0}, b = {0};
        for (int j = 0; j < samples / 2; j++) {
            a += (y[j] + y[samples - 1 - j]) * *(const lanes_eight *)(ref_re + j * tones + k);
            b += (y[j] - y[samples - 1 - j]) * *(const lanes_eight *)(ref_im + j * tones + k);
        }
        const lanes_eight c = *(const lanes_eight *)(turn_re + k), s = *(const lanes_eight *)(turn_im + k);
        *(lanes_eight *)(out_re + k) = a * c - b * s;
        *(lanes_eight *)(out_im + k) = a * s + b * c;
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
