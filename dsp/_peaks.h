/* What is highest and lowest in a frame. See dsp/peaks.py. */
#ifndef SDRBRIDGE_PEAKS_H
#define SDRBRIDGE_PEAKS_H

#include <math.h>
#include <stddef.h>
#include "_simd.h"

#define PEAKS_LANES 16

/* Whether all is exactly 0. */
SIMD_CLONES
static int peaks_silent(const float *x, ptrdiff_t n)
{
    for (ptrdiff_t i = 0; i < n;) {
        const ptrdiff_t end = n - i < 1024 ? n : i + 1024;
        int sound = 0;
        for (; i < end; i++)
            sound |= x[i] != 0.0f;
        if (sound)
            return 0;
    }
    return 1;
}

/* How far from 0 it gets. */
SIMD_CLONES
static float peaks_reach(const float *x, ptrdiff_t n)
{
    float lanes[PEAKS_LANES] = {0}, reach = 0.0f;
    ptrdiff_t i = 0;
    for (; i + PEAKS_LANES <= n; i += PEAKS_LANES)
        for (int k = 0; k < PEAKS_LANES; k++)
            lanes[k] = fabsf(x[i + k]) > lanes[k] ? fabsf(x[i + k]) : lanes[k];
    for (; i < n; i++)
        reach = fabsf(x[i]) > reach ? fabsf(x[i]) : reach;
    for (int k = 0; k < PEAKS_LANES; k++)
        reach = lanes[k] > reach ? lanes[k] : reach;
    return reach;
}

/* The highest, and the lowest above 0, of every step-th of them; 0 and infinity if there is none. */
static void peaks_every(const float *x, ptrdiff_t n, ptrdiff_t step, float *highest, float *lowest)
{
    float most = 0.0f, least = INFINITY;
    for (ptrdiff_t i = 0; i < n; i += step) {
        const float above = x[i] > 0.0f ? x[i] : INFINITY;
        most = x[i] > most ? x[i] : most;
        least = above < least ? above : least;
    }
    *highest = most;
    *lowest = least;
}

#endif
