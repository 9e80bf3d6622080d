/* Loops of the speech filter: the FIR runs along outputs, the recursive sections run eight rows side by side. */
#ifndef SDRBRIDGE_VOICE_H
#define SDRBRIDGE_VOICE_H

#include <math.h>
#include "_simd.h"
#include "_transpose.h"

#define VOICE_FIR_LANES 80 /* outputs at a time: one block of 10 ms */
#define VOICE_ROWS 8       /* rows side by side */

/* Vectors of gcc and clang, which they cut to what the machine has. */
typedef float voice_run __attribute__((vector_size(16 * sizeof(float)), aligned(4), may_alias));
typedef double voice_rows __attribute__((vector_size(VOICE_ROWS * sizeof(double)), aligned(8), may_alias));

/* Scale, and take what is not a number, infinite or absurd for zero. */
SIMD_CLONES static void voice_scale(const float *x, float gain, float *y, long n)
{
    for (long i = 0; i < n; i++)
        y[i] = fabsf(x[i]) < 1e9f ? x[i] * gain : 0.0f;
}

/* Input sorted into D lines of `width`: line p holds x[p], x[p + D] …; `need` samples of it. The usual decimation gets a loop of
 * known step. */
SIMD_CLONES static void voice_sort(const float *restrict x, long d, float *restrict lines, long width, long need)
{
    if (d == 3) {
        float *restrict a = lines, *restrict b = lines + width, *restrict c = lines + 2 * width;
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

/* y[i] = sum h[k] x[i D + k] from sorted lines, vectors along the outputs. h is symmetric and of odd length: samples that
 * share a tap are added first. y is written up to the next multiple of VOICE_FIR_LANES. */
SIMD_CLONES static void voice_decimate(const float *h, long taps, long d, const float *lines, long width, float *y, long n)
{
    const long half = taps / 2;
    for (long i = 0; i < n; i += VOICE_FIR_LANES) {
        const float *s = lines + (half % d) * width + half / d + i;
        voice_run a0 = h[half] * *(const voice_run *)s, a1 = h[half] * *(const voice_run *)(s + 16);
        voice_run a2 = h[half] * *(const voice_run *)(s + 32), a3 = h[half] * *(const voice_run *)(s + 48);
        voice_run a4 = h[half] * *(const voice_run *)(s + 64);
        /* u follows tap k, v its twin taps - 1 - k; at the end of the lines each steps on by one sample. */
        const float *u = lines + i, *v = lines + ((taps - 1) % d) * width + (taps - 1) / d + i;
        long p = 0, q = (taps - 1) % d;
        for (long k = 0; k < half; k++) {
            a0 += h[k] * (*(const voice_run *)u + *(const voice_run *)v);
            a1 += h[k] * (*(const voice_run *)(u + 16) + *(const voice_run *)(v + 16));
            a2 += h[k] * (*(const voice_run *)(u + 32) + *(const voice_run *)(v + 32));
            a3 += h[k] * (*(const voice_run *)(u + 48) + *(const voice_run *)(v + 48));
            a4 += h[k] * (*(const voice_run *)(u + 64) + *(const voice_run *)(v + 64));
            u += ++p < d ? width : 1 - (d - 1) * width;
            p = p < d ? p : 0;
            v -= --q >= 0 ? width : 1 - (d - 1) * width;
            q = q >= 0 ? q : d - 1;
        }
        *(voice_run *)(y + i) = a0;
        *(voice_run *)(y + i + 16) = a1;
        *(voice_run *)(y + i + 32) = a2;
        *(voice_run *)(y + i + 48) = a3;
        *(voice_run *)(y + i + 64) = a4;
    }
}

/* Eight rows of floats, `width` apart, to x[n][8] in double precision, and back. Both sides have room to the next multiple of
 * 8. A hint of DC comes with it: after a long silence the sections would crawl through denormal numbers. */
SIMD_CLONES static void voice_together(const float *rows, long width, double *x, long n)
{
    for (long i = 0; i < n; i += 8) {
        half_vec v[8];
        for (int r = 0; r < 8; r++)
            v[r] = *(const loose_half *)(rows + r * width + i);
        transpose8(v);
        for (int j = 0; j < 8; j++)
            *(voice_rows *)(x + 8 * (i + j)) = __builtin_convertvector(v[j], voice_rows) + 1e-30;
    }
}

SIMD_CLONES static void voice_apart(const double *x, float *rows, long width, long n)
{
    for (long i = 0; i < n; i += 8) {
        half_vec v[8];
        for (int j = 0; j < 8; j++)
            v[j] = __builtin_convertvector(*(const voice_rows *)(x + 8 * (i + j)), half_vec);
        transpose8(v);
        for (int r = 0; r < 8; r++)
            *(loose_half *)(rows + r * width + i) = v[r];
    }
}

/* Sections b0 b1 b2 a1 a2 (transposed direct form II) in place on x[n][8]; state [count][2][8]. All sections of a sample
 * before the next one: each waits for itself only, so the processor works on several at once. */
static inline __attribute__((always_inline)) void voice_cascade(voice_rows *line, long n, const double *sos, const long count,
                                                                voice_rows *held)
{
    voice_rows u[4], v[4];
    for (long s = 0; s < count; s++) {
        u[s] = held[2 * s];
        v[s] = held[2 * s + 1];
    }
    for (long i = 0; i < n; i++) {
        voice_rows in = line[i];
        for (long s = 0; s < count; s++) {
            const double *c = sos + 5 * s;
            voice_rows y = c[0] * in + u[s];
            u[s] = (c[1] * in - c[3] * y) + v[s];
            v[s] = c[2] * in - c[4] * y;
            in = y;
        }
        line[i] = in;
    }
    for (long s = 0; s < count; s++) {
        held[2 * s] = u[s];
        held[2 * s + 1] = v[s];
    }
}

SIMD_CLONES static void voice_sections(double *x, long n, const double *sos, long sections, double *state)
{
    if (sections == 4)
        voice_cascade((voice_rows *)x, n, sos, 4, (voice_rows *)state);
    else
        voice_cascade((voice_rows *)x, n, sos, 3, (voice_rows *)state);
}

#endif
