/* Band energies of speech, and how alike two stretches of them are. See dsp/echo.py. */
#ifndef SDRBRIDGE_ECHO_H
#define SDRBRIDGE_ECHO_H

#include <math.h>
#include <stddef.h>
#include "_simd.h"

#define ECHO_BANDS 8
#define ECHO_LANES 16 /* levels of the bands, then their shapes */
#define ECHO_HOP 80
#define ECHO_QUIET 1e-10f

/* Vectors of gcc and clang, which they cut to what the machine has. */
typedef float echo_bank __attribute__((vector_size(4 * ECHO_BANDS), aligned(4), may_alias));
typedef float echo_row __attribute__((vector_size(4 * ECHO_LANES), aligned(4), may_alias));

/* Eight two-pole band-pass sections side by side, direct form II transposed; adds the squares of what they give to
 * `energy`. sections: b0, a1, a2 of each. */
SIMD_CLONES
static void echo_bands(const float *x, ptrdiff_t n, const float *sections, float *state, float *energy)
{
    const echo_bank b = *(const echo_bank *)sections;
    const echo_bank a1 = *(const echo_bank *)(sections + ECHO_BANDS);
    const echo_bank a2 = *(const echo_bank *)(sections + 2 * ECHO_BANDS);
    echo_bank s1 = *(echo_bank *)state, s2 = *(echo_bank *)(state + ECHO_BANDS), e = *(echo_bank *)energy;
    for (ptrdiff_t i = 0; i < n; i++) {
        float v = fabsf(x[i]) < 1e3f ? x[i] : 0.0f;
        echo_bank in = b * v;
        echo_bank y = in + s1;
        s1 = s2 - a1 * y;
        s2 = -in - a2 * y;
        e += y * y;
    }
    *(echo_bank *)state = s1;
    *(echo_bank *)(state + ECHO_BANDS) = s2;
    *(echo_bank *)energy = e;
}

/* Sums and sums of squares of `frames` rows from y on, two rows apart. */
SIMD_CLONES
static void echo_sums(const float *y, int frames, float *sum, float *square)
{
    echo_row s = {0}, q = {0};
    for (int t = 0; t < frames; t++) {
        echo_row row = *(const echo_row *)(y + 2 * t * ECHO_LANES);
        s += row;
        q += row * row;
    }
    *(echo_row *)sum = s;
    *(echo_row *)square = q;
}

/* The same, one place (two rows) earlier. */
SIMD_CLONES
static void echo_slide(const float *y, int frames, float *sum, float *square)
{
    echo_row in = *(const echo_row *)y, out = *(const echo_row *)(y + 2 * frames * ECHO_LANES);
    *(echo_row *)sum += in - out;
    *(echo_row *)square += in * in - out * out;
}

/* Likeness at one place: the lower of the correlations of levels and of shapes. x: (frames, 16), without its mean;
 * frames a multiple of 4. vx: its two sums of squares. sum, square: those of y here. */
SIMD_CLONES
static float echo_like(const float *x, const float *vx, const float *y, int frames, const float *sum,
                       const float *square)
{
    echo_row a = {0}, b = {0}, c = {0}, d = {0};
    for (int t = 0; t < frames; t += 4) {
        const echo_row *s = (const echo_row *)(x + t * ECHO_LANES);
        const echo_row *r = (const echo_row *)(y + 2 * t * ECHO_LANES);
        a += s[0] * r[0];
        b += s[1] * r[2];
        c += s[2] * r[4];
        d += s[3] * r[6];
    }
    a = (a + b) + (c + d);
    float like = 1.0f;
    for (int part = 0; part < 2; part++) {
        float xy = 0.0f, vy = 0.0f;
        for (int k = part * ECHO_BANDS; k < (part + 1) * ECHO_BANDS; k++) {
            xy += a[k];
            vy += square[k] - sum[k] * sum[k] / frames;
        }
        float energy = vx[part] * vy;
        float r = vy > 1e-2f && energy > 1e-3f ? xy / sqrtf(energy) : 0.0f;
        like = r < like ? r : like;
    }
    return like;
}

#endif
