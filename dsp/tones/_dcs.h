/* Slicing of one DCS word. Sums run in eight lanes added in a fixed order. */
#ifndef SDRBRIDGE_DCS_H
#define SDRBRIDGE_DCS_H

#include <math.h>
#include <stdint.h>
#include "_simd.h"

static inline float eight(const float *x)
{
    float lane[8];
    for (int k = 0; k < 8; k++)
        lane[k] = (x[k] + x[k + 8]) + x[k + 16];
    return ((lane[0] + lane[4]) + (lane[1] + lane[5])) + ((lane[2] + lane[6]) + (lane[3] + lane[7]));
}

static const float OF_WORD[24] = {1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0};

/* v: 23 soft bits, oldest first, and one more that does not count. Returns the word, oldest bit in bit 0, or -1 if the
 * bits do not lie about two levels: (sum |v - t|)^2 is 23 * sum (v - t)^2 for two levels without noise and 0.64 of it for
 * Gaussian noise.
 */
SIMD_CLONES
static int32_t slice(const float *restrict v, float two_levels, float least)
{
    float a[24], b[24];
    for (int i = 0; i < 24; i++)
        a[i] = v[i] * OF_WORD[i];
    const float mean = eight(a) / 23.0f;
    for (int i = 0; i < 24; i++) {
        a[i] = fabsf(v[i] - mean) * OF_WORD[i];
        b[i] = v[i] > mean ? OF_WORD[i] : 0.0f;
    }
    const float ones = eight(b), away = eight(a);
    if (ones < 6.5f || ones > 16.5f || away < 23.0f * least)
        return -1;
    /* the middle of the two levels: half of |v - mean| lies on each side */
    const float middle = mean + 0.25f * away * (1.0f / ones - 1.0f / (23.0f - ones));
    for (int i = 0; i < 24; i++) {
        a[i] = fabsf(v[i] - middle) * OF_WORD[i];
        b[i] = a[i] * a[i];
    }
    const float size = eight(a);
    if (size * size < two_levels * 23.0f * eight(b))
        return -1;
    int32_t word = 0;
    for (int i = 0; i < 23; i++)
        word |= (int32_t)(v[i] > middle) << i;
    return word;
}

#endif
