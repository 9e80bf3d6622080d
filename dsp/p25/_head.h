/* The head of a unit beside what came: see `dsp.p25.head`. Rows of samples and of trial frequencies are vectors. */
#ifndef SDRBRIDGE_P25_HEAD_H
#define SDRBRIDGE_P25_HEAD_H

#include <math.h>
#include "_simd.h"
#include "p25/_circle.h"

enum {
    HEAD = 57,     /* symbols of the head */
    COMPARED = 51, /* those whose samples are compared, in three blocks of 17 */
    BLOCKS = 3,
    STEP = 5, /* samples a symbol */
    SAMPLES = COMPARED * STEP,
    WIDTH = 256, /* the same, up to whole vectors */
    TURNS = 25,  /* trial frequencies */
    TRIED = 32,
    DEVIATIONS = 13 /* trial deviations */
};

static const float SYMBOL[4] = {1, 3, -1, -3};

/* x: SAMPLES, interleaved. response: (HEAD, WIDTH). by_phase: the symbols bring phase, else the points amplitude. turn:
 * radians a symbol. of: (COMPARED, 2). out: share of the power explained; power; size of what was sent. */
SIMD_CLONES static void head_compare(const float *x, const float *response, int by_phase, const unsigned char *dibits,
    double turn, double step, float *restrict of, double *restrict out)
{
    float sr[WIDTH] = {0}, si[WIDTH] = {0}, c, s;
    int total = 0;
    for (int k = 0; k < HEAD; k++) {
        const float *r = response + k * WIDTH, symbol = SYMBOL[dibits[k]];
        if (by_phase) {
            const float units = (float)step * symbol;
            for (int n = 0; n < WIDTH; n++)
                sr[n] += units * r[n];
        } else {
            total += (int)symbol;
            circle(0.78539816f * (float)(total & 7), &c, &s);
            for (int n = 0; n < WIDTH; n++) {
                sr[n] += c * r[n];
                si[n] += s * r[n];
            }
        }
    }
    const float each = (float)(turn / STEP);
    for (int n = 0; n < WIDTH; n++) {
        if (by_phase) {
            circle(sr[n] + each * (float)n, &c, &s);
            sr[n] = c;
            si[n] = s;
        } else {
            circle(each * (float)n, &c, &s);
            const float r = sr[n] * c - si[n] * s;
            si[n] = sr[n] * s + si[n] * c;
            sr[n] = r;
        }
    }
    double explained = 0, power = 0, size = 0;
    for (int block = 0, k = 0; block < BLOCKS; block++) {
        float br = 0, bi = 0, sent = 0, came = 0;
        for (const int end = k + COMPARED / BLOCKS; k < end; k++) {
            float r = 0, i = 0;
            for (int n = STEP * k; n < STEP * (k + 1); n++) {
                r += sr[n] * x[2 * n] + si[n] * x[2 * n + 1];
                i += sr[n] * x[2 * n + 1] - si[n] * x[2 * n];
                sent += sr[n] * sr[n] + si[n] * si[n];
                came += x[2 * n] * x[2 * n] + x[2 * n + 1] * x[2 * n + 1];
            }
            of[2 * k] = r;
            of[2 * k + 1] = i;
            br += r;
            bi += i;
        }
        explained += sent > 0 ? ((double)br * br + (double)bi * bi) / sent : 0;
        power += came;
        size += sent;
    }
    power = power > 1e-30 ? power : 1e-30;
    out[0] = explained / power;
    out[1] = power;
    out[2] = size;
}

/* of: (COMPARED, 2). turned: units of symbol by which the carrier had turned at each. before, behind: those up to which
 * and from which on are taken. turn, step: between the trials, in radians; steps: 1 or DEVIATIONS of them. out:
 * (DEVIATIONS, TRIED), |∑|² for the best of four quarter turns between the two parts.
 */
SIMD_CLONES static void head_off(const float *of, const float *turned, int before, int behind, double turn, double step,
    int steps, float *restrict out)
{
    float cr[COMPARED][TRIED], ci[COMPARED][TRIED], c, s;
    for (int k = 0; k < COMPARED; k++)
        for (int n = 0; n < TRIED; n++)
            circle((float)(turn * (TURNS / 2 - n)) * (float)k, &cr[k][n], &ci[k][n]);
    for (int d = 0; d < steps; d++) {
        float part[2][2][TRIED] = {{{0}}};
        for (int k = 0; k < COMPARED; k++) {
            if (k >= before && k < behind)
                continue;
            circle((float)(step * (steps / 2 - d)) * turned[k], &c, &s);
            const float r = of[2 * k] * c - of[2 * k + 1] * s, i = of[2 * k] * s + of[2 * k + 1] * c;
            float *pr = part[k >= behind][0], *pi = part[k >= behind][1];
            for (int n = 0; n < TRIED; n++) {
                pr[n] += r * cr[k][n] - i * ci[k][n];
                pi[n] += r * ci[k][n] + i * cr[k][n];
            }
        }
        for (int n = 0; n < TRIED; n++) {
            const float br = part[0][0][n], bi = part[0][1][n], hr = part[1][0][n], hi = part[1][1][n];
            /* |b + h·jⁿ|² = |b|² + |h|² + 2·Re(conj(b)·h·jⁿ) */
            const float along = fabsf(br * hr + bi * hi), across = fabsf(br * hi - bi * hr);
            out[d * TRIED + n] = br * br + bi * bi + hr * hr + hi * hi + 2 * (along > across ? along : across);
        }
    }
}

#endif
