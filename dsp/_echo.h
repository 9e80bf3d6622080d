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

/* A vector of gcc and clang: levels or shapes. One of all lanes is wider than AVX2, and gcc then keeps it on the stack. */
typedef float echo_bank __attribute__((vector_size(4 * ECHO_BANDS), aligned(4), may_alias));

/* Eight two-pole band-pass sections side by side, y = b (x - x'') - a1 y' - a2 y''; adds the squares of what they give to
 * `energy`. What does not wait for the sample before is summed first: the loop takes as long as from one y to the next.
 * sections: b0, a1, a2 of each. state: y, and what is left of the last sample but one and of the last. */
SIMD_CLONES
static void echo_bands(const float *x, ptrdiff_t n, const float *sections, float *state, float *energy)
{
    const echo_bank b = *(const echo_bank *)sections;
    const echo_bank a1 = *(const echo_bank *)(sections + ECHO_BANDS);
    const echo_bank a2 = *(const echo_bank *)(sections + 2 * ECHO_BANDS);
    echo_bank y = *(echo_bank *)state, before = *(echo_bank *)(state + ECHO_BANDS);
    echo_bank last = *(echo_bank *)(state + 2 * ECHO_BANDS), e = *(echo_bank *)energy;
    for (ptrdiff_t i = 0; i < n; i++) {
        float v = fabsf(x[i]) < 1e3f ? x[i] : 0.0f;
        echo_bank in = b * v;
        y = (in + before) - a1 * y;
        before = last;
        last = -in - a2 * y;
        e += y * y;
    }
    *(echo_bank *)state = y;
    *(echo_bank *)(state + ECHO_BANDS) = before;
    *(echo_bank *)(state + 2 * ECHO_BANDS) = last;
    *(echo_bank *)energy = e;
}

/* `count` hops from `first` on, `step` apart, of a ring of `size`: levels no more than `depth` below the loudest, and
 * shapes, which are levels less their mean. What does not lie in begin … end is silence. out: (count, 16). */
SIMD_CLONES
static void echo_take(const float *restrict ring, ptrdiff_t size, ptrdiff_t first, ptrdiff_t count, ptrdiff_t step,
                      ptrdiff_t begin, ptrdiff_t end, float silence, float depth, float *restrict out)
{
    float loud[ECHO_BANDS], loudest = silence;
    for (int k = 0; k < ECHO_BANDS; k++)
        loud[k] = silence;
    ptrdiff_t place = first % size;
    if (place < 0)
        place += size;
    for (ptrdiff_t i = 0; i < count; i++) {
        float *row = out + i * ECHO_LANES;
        const ptrdiff_t hop = first + i * step;
        if (begin <= hop && hop < end) {
            const float *level = ring + place * ECHO_BANDS;
            for (int k = 0; k < ECHO_BANDS; k++) {
                row[k] = level[k];
                loud[k] = level[k] > loud[k] ? level[k] : loud[k];
            }
        } else {
            for (int k = 0; k < ECHO_BANDS; k++)
                row[k] = silence;
        }
        place += step;
        if (place >= size)
            place -= size;
    }
    for (int k = 0; k < ECHO_BANDS; k++)
        loudest = loud[k] > loudest ? loud[k] : loudest;
    for (ptrdiff_t i = 0; i < count; i++) {
        float *row = out + i * ECHO_LANES;
        float mean = 0.0f;
        for (int k = 0; k < ECHO_BANDS; k++) {
            row[k] = row[k] - loudest > -depth ? row[k] - loudest : -depth;
            mean += row[k] / ECHO_BANDS;
        }
        for (int k = 0; k < ECHO_BANDS; k++)
            row[ECHO_BANDS + k] = row[k] - mean;
    }
}

/* Sums and sums of squares of `frames` rows from y on, two rows apart. */
SIMD_CLONES
static void echo_sums(const float *y, int frames, float *sum, float *square)
{
    for (int half = 0; half < ECHO_LANES; half += ECHO_BANDS) {
        echo_bank s = {0}, q = {0};
        for (int t = 0; t < frames; t++) {
            echo_bank row = *(const echo_bank *)(y + 2 * t * ECHO_LANES + half);
            s += row;
            q += row * row;
        }
        *(echo_bank *)(sum + half) = s;
        *(echo_bank *)(square + half) = q;
    }
}

/* The same, one place (two rows) earlier. */
SIMD_CLONES
static void echo_slide(const float *y, int frames, float *sum, float *square)
{
    for (int half = 0; half < ECHO_LANES; half += ECHO_BANDS) {
        echo_bank in = *(const echo_bank *)(y + half);
        echo_bank out = *(const echo_bank *)(y + 2 * frames * ECHO_LANES + half);
        *(echo_bank *)(sum + half) += in - out;
        *(echo_bank *)(square + half) += in * in - out * out;
    }
}

/* Likeness at one place: the lower of the correlations of levels and of shapes. x: (frames, 16), without its mean;
 * frames a multiple of 4. vx: its two sums of squares. sum, square: those of y here. */
SIMD_CLONES
static float echo_like(const float *x, const float *vx, const float *y, int frames, const float *sum,
                       const float *square)
{
    echo_bank a = {0}, b = {0}, c = {0}, d = {0}, as = {0}, bs = {0}, cs = {0}, ds = {0};
    for (int t = 0; t < frames; t += 4) {
        const echo_bank *s = (const echo_bank *)(x + t * ECHO_LANES);
        const echo_bank *r = (const echo_bank *)(y + 2 * t * ECHO_LANES);
        a += s[0] * r[0];
        as += s[1] * r[1];
        b += s[2] * r[4];
        bs += s[3] * r[5];
        c += s[4] * r[8];
        cs += s[5] * r[9];
        d += s[6] * r[12];
        ds += s[7] * r[13];
    }
    const echo_bank xys[2] = {(a + b) + (c + d), (as + bs) + (cs + ds)};
    float like = 1.0f;
    for (int part = 0; part < 2; part++) {
        const echo_bank s = *(const echo_bank *)(sum + part * ECHO_BANDS);
        const echo_bank vys = *(const echo_bank *)(square + part * ECHO_BANDS) - s * s / (float)frames;
        float xy = 0.0f, vy = 0.0f;
        for (int k = 0; k < ECHO_BANDS; k++) {
            xy += xys[part][k];
            vy += vys[k];
        }
        float energy = vx[part] * vy;
        float r = vy > 1e-2f && energy > 1e-3f ? xy / sqrtf(energy) : 0.0f;
        like = r < like ? r : like;
    }
    return like;
}

#endif
