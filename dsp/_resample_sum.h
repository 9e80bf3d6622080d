/* Sums of the resampler: one output is a dot product of complex samples with real taps, taken between two phases. */
#ifndef SDRBRIDGE_RESAMPLE_SUM_H
#define SDRBRIDGE_RESAMPLE_SUM_H

#include <stdint.h>

#include "_width.h"

#define WIDTH 4
#include "_resample_taps.h"
#undef WIDTH
#ifdef HAVE_WIDTHS
#define WIDTH 8
#include "_resample_taps.h"
#undef WIDTH
#define WIDTH 16
#include "_resample_taps.h"
#undef WIDTH
#endif

static void resample(const float *x, int64_t at, int64_t phase, int64_t step, int64_t rest, int64_t phases,
                     const float *table, int taps, int64_t rows, float *out, int64_t n)
{
    CALL_WIDEST(resample, x, at, phase, step, rest, phases, table, taps, rows, out, n);
}

#endif
