/* Sums of the resampler: one output is a dot product of complex samples with real taps, taken between two phases. */
#ifndef SDRBRIDGE_RESAMPLE_SUM_H
#define SDRBRIDGE_RESAMPLE_SUM_H

#include <stdint.h>

#include "_width.h"

#define EACH_WIDTH "_resample_taps.h"
#include "_each_width.h"

static void resample(const float *x, int64_t at, int64_t phase, int64_t step, int64_t rest, int64_t phases,
                     const float *table, int taps, int64_t rows, float *out, int64_t n)
{
    CALL_WIDEST(resample, x, at, phase, step, rest, phases, table, taps, rows, out, n);
}

#endif
