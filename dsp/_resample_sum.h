/* Sums of the resampler: one output is a dot product of complex samples with real taps, taken between two phases. */
#ifndef SDRBRIDGE_RESAMPLE_SUM_H
#define SDRBRIDGE_RESAMPLE_SUM_H

#include <stdint.h>

#include "_simd.h"

typedef float tap_vec __attribute__((vector_size(64), may_alias)); /* eight taps twice, or eight complex samples */
typedef float loose_tap __attribute__((vector_size(64), aligned(4), may_alias));

/* x: complex samples as pairs. Output i is at x[at] + phase/phases of a sample, and each output `step` whole samples and
 * `rest`/phases further than the one before. table: (rows + 1, 2 taps), taps twice, row by row a further 1/rows of a
 * sample; rows == phases needs no interpolation. */
SIMD_CLONES
static void resample(const float *x, int64_t at, int64_t phase, int64_t step, int64_t rest, int64_t phases,
                     const float *table, int taps, int64_t rows, float *out, int64_t n)
{
    for (int64_t i = 0; i < n; i++) {
        const float *z = x + 2 * at;
        tap_vec sum = {0};
        if (rows == phases) {
            const float *w = table + phase * 2 * taps;
            for (int j = 0; j < 2 * taps; j += 16)
                sum += *(const loose_tap *)(z + j) * *(const loose_tap *)(w + j);
        } else {
            const double place = (double)phase * (double)rows / (double)phases;
            const int64_t row = (int64_t)place;
            const float part = (float)(place - (double)row);
            const float *w = table + row * 2 * taps;
            for (int j = 0; j < 2 * taps; j += 16) {
                tap_vec low = *(const loose_tap *)(w + j), high = *(const loose_tap *)(w + 2 * taps + j);
                sum += *(const loose_tap *)(z + j) * (low + (high - low) * part);
            }
        }
        const float *s = (const float *)&sum;
        float re = 0, im = 0;
        for (int j = 0; j < 16; j += 2)
            re += s[j], im += s[j + 1];
        out[2 * i] = re;
        out[2 * i + 1] = im;
        at += step;
        phase += rest;
        if (phase >= phases)
            phase -= phases, at++;
    }
}

#endif
