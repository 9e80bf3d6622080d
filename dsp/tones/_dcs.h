/* Slicing of one DCS word. Sums run in eight lanes added in a fixed order, in vectors of eight: three hold the word. */
#ifndef SDRBRIDGE_DCS_H
#define SDRBRIDGE_DCS_H

#include <math.h>
#include <stdint.h>
#include "_simd.h"

typedef float eight __attribute__((vector_size(32), aligned(4), may_alias));
typedef int32_t eight_bits __attribute__((vector_size(32)));

/* Macros where a vector is the result: a function that returns one has another ABI for each width. */
#define SIZE_OF(x) ((eight)((eight_bits)(x) & 0x7FFFFFFF))
#define ABOVE(x, limit, one) ((eight)(((x) > (limit)) & (eight_bits)(one))) /* `one` where x > limit, else 0 */

static inline __attribute__((always_inline)) float sum_of(const eight *x)
{
    const eight h = *x + __builtin_shuffle(*x, (eight_bits){4, 5, 6, 7, 0, 1, 2, 3});
    const eight q = h + __builtin_shuffle(h, (eight_bits){1, 0, 3, 2, 5, 4, 7, 6});
    return q[0] + q[2];
}

/* v: 23 soft bits, oldest first, and one more that does not count. Returns the word, oldest bit in bit 0, or -1 if the
 * bits do not lie about two levels: (sum |v - t|)^2 is 23 * sum (v - t)^2 for two levels without noise and 0.64 of it for
 * Gaussian noise.
 */
SIMD_CLONES
static int32_t slice(const float *restrict v, float two_levels, float least)
{
    /* 1/ones - 1/(23 - ones), a quarter of it, for 7 … 16 ones */
    static const float tilt[] = {0.25f * (1.0f / 7 - 1.0f / 16), 0.25f * (1.0f / 8 - 1.0f / 15), 0.25f * (1.0f / 9 - 1.0f / 14),
                                 0.25f * (1.0f / 10 - 1.0f / 13), 0.25f * (1.0f / 11 - 1.0f / 12), 0.25f * (1.0f / 12 - 1.0f / 11),
                                 0.25f * (1.0f / 13 - 1.0f / 10), 0.25f * (1.0f / 14 - 1.0f / 9), 0.25f * (1.0f / 15 - 1.0f / 8),
                                 0.25f * (1.0f / 16 - 1.0f / 7)};
    const eight_bits bit0 = {1, 2, 4, 8, 16, 32, 64, 128}, bit8 = bit0 << 8;
    const eight_bits bit16 = {1 << 16, 1 << 17, 1 << 18, 1 << 19, 1 << 20, 1 << 21, 1 << 22, 0};
    const eight one = {1, 1, 1, 1, 1, 1, 1, 1}, last = {1, 1, 1, 1, 1, 1, 1, 0};
    const eight v0 = *(const eight *)v, v1 = *(const eight *)(v + 8), v2 = *(const eight *)(v + 16);
    const eight all = v0 + v1 + v2 * last;
    const float mean = sum_of(&all) * (1.0f / 23);
    const eight up = ABOVE(v0, mean, one) + ABOVE(v1, mean, one) + ABOVE(v2, mean, last);
    const float ones = sum_of(&up);
    if (ones < 6.5f || ones > 16.5f)
        return -1;
    const eight off = SIZE_OF(v0 - mean) + SIZE_OF(v1 - mean) + SIZE_OF(v2 - mean) * last;
    const float away = sum_of(&off);
    if (away < 23.0f * least)
        return -1;
    /* the middle of the two levels: half of |v - mean| lies on each side */
    const float middle = mean + away * tilt[(int)ones - 7];
    const eight d0 = v0 - middle, d1 = v1 - middle, d2 = (v2 - middle) * last;
    const eight sizes = SIZE_OF(d0) + SIZE_OF(d1) + SIZE_OF(d2), squares = d0 * d0 + d1 * d1 + d2 * d2;
    const float size = sum_of(&sizes);
    if (size * size < two_levels * 23.0f * sum_of(&squares))
        return -1;
    const eight_bits bits = ((v0 > middle) & bit0) | ((v1 > middle) & bit8) | ((v2 > middle) & bit16);
    const eight_bits h = bits | __builtin_shuffle(bits, (eight_bits){4, 5, 6, 7, 0, 1, 2, 3});
    const eight_bits q = h | __builtin_shuffle(h, (eight_bits){1, 0, 3, 2, 5, 4, 7, 6});
    return q[0] | q[2];
}

#endif
