/* The loop of the resampler for one register width; included by _resample_sum.h once for each. */

#define vec WIDE(vec)
#define PARTS (16 / WIDTH)

/* x: complex samples as pairs. Output i is at x[at] + phase/phases of a sample, and each output `step` whole samples and
 * `rest`/phases further than the one before. table: (rows + 1, 2 taps), taps twice, row by row a further 1/rows of a
 * sample; rows == phases needs no interpolation. */
JOIN(TARGET, WIDTH)
static void WIDE(resample)(const float *x, int64_t at, int64_t phase, int64_t step, int64_t rest, int64_t phases,
                     const float *table, int taps, int64_t rows, float *out, int64_t n)
{
    for (int64_t i = 0; i < n; i++) {
        const float *z = x + 2 * at;
        vec sum[PARTS] = {0};
        if (rows == phases) {
            const float *w = table + phase * 2 * taps;
            for (int j = 0; j < 2 * taps; j += 16) {
#pragma GCC unroll 4
                for (int q = 0; q < PARTS; q++)
                    sum[q] += *(const vec *)(z + j + q * WIDTH) * *(const vec *)(w + j + q * WIDTH);
            }
        } else {
            const double place = (double)phase * (double)rows / (double)phases;
            const int64_t row = (int64_t)place;
            const float part = (float)(place - (double)row);
            const float *w = table + row * 2 * taps;
            for (int j = 0; j < 2 * taps; j += 16) {
#pragma GCC unroll 4
                for (int q = 0; q < PARTS; q++) {
                    vec low = *(const vec *)(w + j + q * WIDTH), high = *(const vec *)(w + 2 * taps + j + q * WIDTH);
                    sum[q] += *(const vec *)(z + j + q * WIDTH) * (low + (high - low) * part);
                }
            }
        }
        const float *s = (const float *)sum;
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

#undef PARTS
#undef vec
