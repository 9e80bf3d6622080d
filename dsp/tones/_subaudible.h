/* Loops of the low-pass to 1 kHz. Every sum runs in sixteen lanes which are added in a fixed order, whatever the registers. */
#ifndef SDRBRIDGE_TONES_SUBAUDIBLE_H
#define SDRBRIDGE_TONES_SUBAUDIBLE_H

#include <stddef.h>
#include "_simd.h"
#include "_width.h"

#define LANES 16

/* x[i], or 0 where it is not finite, held within +-limit. */
SIMD_CLONES
static void take(const float *restrict x, float *restrict out, ptrdiff_t n, float limit)
{
    for (ptrdiff_t i = 0; i < n; i++) {
        float v = x[i];
        v = v - v == 0.0f ? v : 0.0f;
        v = v > limit ? limit : v;
        out[i] = v < -limit ? -limit : v;
    }
}

#define EACH_WIDTH "tones/_subaudible_sums.h"
#include "_each_width.h"

/* `outputs` (a multiple of 4) dot products of `taps` (n, a multiple of 16) with x, each `step` samples further on. */
static void decimate(const float *x, const float *taps, ptrdiff_t n, ptrdiff_t step, int outputs, float *y)
{
    CALL_WIDEST(decimate, x, taps, n, step, outputs, y);
}

#endif
