/* Loops of the speech filter: the FIR runs along outputs, the recursive sections run eight rows side by side. */
#ifndef SDRBRIDGE_VOICE_H
#define SDRBRIDGE_VOICE_H

#include <math.h>
#include "_simd.h"

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

/* y[i] = sum h[k] x[i D + k], phase by phase, the input sorted into D lines of `width` first, so that vectors run along the outputs.
 * y is written up to the next multiple of VOICE_FIR_LANES. */
SIMD_CLONES static void voice_decimate(const float *x, const float *h, long taps, long d, float *lines, long width, float *y,
                                       long n)
{
    long need = n + (taps - 1) / d;
    for (long p = 0; p < d; p++) {
        long count = p <= (taps - 1) % d ? need : need - 1;
        for (long i = 0; i < count; i++)
            lines[p * width + i] = x[i * d + p];
    }
    for (long i = 0; i < n; i += VOICE_FIR_LANES) {
        voice_run a0 = {0}, a1 = {0}, a2 = {0}, a3 = {0}, a4 = {0};
        for (long p = 0; p < d; p++) {
            const float *s = lines + p * width + i;
            for (long k = p; k < taps; k += d, s++) {
                a0 += h[k] * *(const voice_run *)s;
                a1 += h[k] * *(const voice_run *)(s + 16);
                a2 += h[k] * *(const voice_run *)(s + 32);
                a3 += h[k] * *(const voice_run *)(s + 48);
                a4 += h[k] * *(const voice_run *)(s + 64);
            }
        }
        *(voice_run *)(y + i) = a0;
        *(voice_run *)(y + i + 16) = a1;
        *(voice_run *)(y + i + 32) = a2;
        *(voice_run *)(y + i + 48) = a3;
        *(voice_run *)(y + i + 64) = a4;
    }
}

/* Sections b0 b1 b2 a1 a2 (transposed direct form II) in place on x[n][8]; state [sections][2][8]. */
SIMD_CLONES static void voice_sections(double *x, long n, const double *sos, long sections, double *state)
{
    voice_rows *line = (voice_rows *)x, *held = (voice_rows *)state;
    for (long s = 0; s < sections; s++) {
        double b0 = sos[5 * s], b1 = sos[5 * s + 1], b2 = sos[5 * s + 2], a1 = sos[5 * s + 3], a2 = sos[5 * s + 4];
        voice_rows u = held[2 * s], v = held[2 * s + 1];
        for (long i = 0; i < n; i++) {
            voice_rows in = line[i], y = b0 * in + u;
            u = (b1 * in - a1 * y) + v;
            v = b2 * in - a2 * y;
            line[i] = y;
        }
        held[2 * s] = u;
        held[2 * s + 1] = v;
    }
}

#endif
