/* One frame added to one row, with a gain that may change over the first samples. See dsp/mix.py. */
#ifndef SDRBRIDGE_MIX_H
#define SDRBRIDGE_MIX_H

#include <stddef.h>
#include "_simd.h"

SIMD_CLONES
static void mix_add(const float *restrict frame, ptrdiff_t n, float before, float after, ptrdiff_t ramp,
                    float *restrict row)
{
    ptrdiff_t head = 0;
    if (before != after) {
        const float step = (after - before) / ramp;
        head = ramp < n ? ramp : n;
        for (ptrdiff_t i = 0; i < head; i++)
            row[i] += frame[i] * (before + step * (i + 1));
    }
    if (after != 0.0f)
        for (ptrdiff_t i = head; i < n; i++)
            row[i] += frame[i] * after;
}

#endif
