/* Loops of the speech filter: the FIR runs along outputs, the recursive sections run eight rows side by side. */
#ifndef SDRBRIDGE_VOICE_H
#define SDRBRIDGE_VOICE_H

#include <math.h>
#include "_simd.h"
#include "_transpose.h"
#include "_width.h"

#define VOICE_FIR_LANES 80 /* outputs at a time at most: one block of 10 ms */
#define VOICE_ROWS 8       /* rows side by side */
#define VOICE_SECTIONS 3

/* Scale, and take what is not a number, infinite or absurd for zero. */
SIMD_CLONES static void voice_scale(const float *x, float gain, float *y, long n)
{
    for (long i = 0; i < n; i++)
        y[i] = fabsf(x[i]) < 1e9f ? x[i] * gain : 0.0f;
}

/* Input sorted into D lines of `width`: line p holds x[p], x[p + D] …; `need` samples of it. The usual decimations get a loop
 * of known step. */
SIMD_CLONES static void voice_sort(const float *restrict x, long d, float *restrict lines, long width, long need)
{
    float *restrict a = lines, *restrict b = lines + width, *restrict c = lines + 2 * width;
    if (d == 2) {
        for (long i = 0; i < need; i++) {
            a[i] = x[2 * i];
            b[i] = x[2 * i + 1];
        }
        return;
    }
    if (d == 3) {
        for (long i = 0; i < need; i++) {
            a[i] = x[3 * i];
            b[i] = x[3 * i + 1];
            c[i] = x[3 * i + 2];
        }
        return;
    }
    for (long p = 0; p < d; p++)
        for (long i = 0; i < need; i++)
            lines[p * width + i] = x[i * d + p];
}

#define EACH_WIDTH "_voice_loops.h"
#include "_each_width.h"

/* y[i] = sum h[k] x[i D + k] from sorted lines. h is symmetric and of odd length. y is written up to the next multiple of
 * VOICE_FIR_LANES. */
static void voice_decimate(const float *h, long taps, long d, const float *lines, long width, float *y, long n)
{
    CALL_WIDEST(voice_decimate, h, taps, d, lines, width, y, n);
}

/* De-emphasis (`pole` 0: none) and high-pass in place on x[n][8]; see _voice_loops.h. */
static void voice_sections(double *x, long n, double pole, const double *sections, double *state)
{
    CALL_WIDEST(voice_sections, x, n, pole, sections, state);
}

typedef double voice_four __attribute__((vector_size(32), aligned(8), may_alias));

/* Eight rows of floats, `width` apart, to x[n][8] in double precision, and back. Both sides have room to the next multiple of
 * 8. A hint of DC comes with it: after a long silence the sections would crawl through denormal numbers. */
SIMD_CLONES static void voice_together(const float *rows, long width, double *x, long n)
{
    for (long i = 0; i < n; i += 8) {
        half_vec v[8];
        for (int r = 0; r < 8; r++)
            v[r] = *(const loose_half *)(rows + r * width + i);
        transpose8(v);
        for (int j = 0; j < 8; j++) {
            const vec_4 *four = (const vec_4 *)(v + j);
            *(voice_four *)(x + 8 * (i + j)) = __builtin_convertvector(four[0], voice_four) + 1e-30;
            *(voice_four *)(x + 8 * (i + j) + 4) = __builtin_convertvector(four[1], voice_four) + 1e-30;
        }
    }
}

SIMD_CLONES static void voice_apart(const double *x, float *rows, long width, long n)
{
    for (long i = 0; i < n; i += 8) {
        half_vec v[8];
        for (int j = 0; j < 8; j++) {
            vec_4 *four = (vec_4 *)(v + j);
            four[0] = __builtin_convertvector(*(const voice_four *)(x + 8 * (i + j)), vec_4);
            four[1] = __builtin_convertvector(*(const voice_four *)(x + 8 * (i + j) + 4), vec_4);
        }
        transpose8(v);
        for (int r = 0; r < 8; r++)
            *(loose_half *)(rows + r * width + i) = v[r];
    }
}

#endif
