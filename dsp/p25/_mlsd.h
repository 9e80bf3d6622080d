/* The trellis of the sequence detector: see `dsp.p25.mlsd`. State 4a + b: symbol a is before symbol b; branch 16a + 4b + c:
 * and c is next. Branches of the same a and states are rows of vectors.
 */
#ifndef SDRBRIDGE_P25_MLSD_H
#define SDRBRIDGE_P25_MLSD_H

#include "_simd.h"

enum {
    STEP = 5,    /* samples a symbol */
    STATES = 16, /* the symbol before and this one */
    BRANCHES = 64
};

static inline float larger(float a, float b)
{
    return a > b ? a : b;
}

typedef float four __attribute__((vector_size(16), aligned(4), may_alias));

typedef float eight __attribute__((vector_size(32), aligned(4), may_alias));
typedef int mask __attribute__((vector_size(32), aligned(4), may_alias));

#define either(m, a, b) ((eight)(((m) & (mask)(a)) | (~(m) & (mask)(b))))

static inline void each_four_times(const float *x, int n, float *out)
{
    for (int k = 0; k < n; k++)
        *(four *)(out + 4 * k) = (four){x[k], x[k], x[k], x[k]};
}

/* One symbol forward. x: its samples, interleaved; tr, ti: what turns them back. wr, wi: the signal of each branch.
 * alpha: metric of the survivors before, and `beyond` after; gamma: of the branches, |x|² − |x − r·w|² summed over the
 * samples. rr, ri: the survivors' reference, which a symbol turns by by_r, by_i. power: of the samples. Returns gamma of
 * the branch that leads to the best state.
 */
SIMD_CLONES static float mlsd_forward(const float *x, const float *tr, const float *ti, const float (*wr)[BRANCHES],
    const float (*wi)[BRANCHES], const float *alpha, float *restrict gamma, float *restrict beyond, float *restrict rr,
    float *restrict ri, const float *by_r, const float *by_i, float memory, float *power)
{
    float cr[BRANCHES], ci[BRANCHES]; /* the samples against the signal of each branch */
    float before_a[BRANCHES], before_r[BRANCHES], before_i[BRANCHES]; /* of the state that the branch leaves */
    float turn_r[STATES], turn_i[STATES], most[STATES], won[STATES], kr[STATES], ki[STATES];
    const float share = (1 - memory) / STEP;
    float total = 0;
    for (int n = 0; n < STEP; n++) {
        const float xr = x[2 * n] * tr[n] + x[2 * n + 1] * ti[n], xi = x[2 * n + 1] * tr[n] - x[2 * n] * ti[n];
        total += xr * xr + xi * xi;
        if (n == 0)
            for (int j = 0; j < BRANCHES; j++) {
                cr[j] = xr * wr[n][j] + xi * wi[n][j];
                ci[j] = xi * wr[n][j] - xr * wi[n][j];
            }
        else
            for (int j = 0; j < BRANCHES; j++) {
                cr[j] += xr * wr[n][j] + xi * wi[n][j];
                ci[j] += xi * wr[n][j] - xr * wi[n][j];
            }
    }
    each_four_times(alpha, STATES, before_a);
    each_four_times(rr, STATES, before_r);
    each_four_times(ri, STATES, before_i);
    each_four_times(by_r, 4, turn_r);
    each_four_times(by_i, 4, turn_i);
    for (int j = 0; j < BRANCHES; j++)
        gamma[j] = 2 * before_r[j] * cr[j] + 2 * before_i[j] * ci[j]
                   - STEP * (before_r[j] * before_r[j] + before_i[j] * before_i[j]);
    for (int j = 0; j < STATES; j += 8) {
        eight m, w, r, i;
        for (int a = 0; a < BRANCHES; a += STATES) {
            const eight g = *(eight *)(gamma + a + j), value = *(eight *)(before_a + a + j) + g;
            const eight nr = memory * *(eight *)(before_r + a + j) + share * *(eight *)(cr + a + j);
            const eight ni = memory * *(eight *)(before_i + a + j) + share * *(eight *)(ci + a + j);
            if (a == 0) {
                m = value, w = g, r = nr, i = ni;
            } else {
                const mask more = value > m;
                w = either(more, g, w);
                r = either(more, nr, r);
                i = either(more, ni, i);
                m = either(more, value, m);
            }
        }
        *(eight *)(most + j) = m;
        *(eight *)(won + j) = w;
        *(eight *)(kr + j) = r;
        *(eight *)(ki + j) = i;
    }
    int best = 0;
    for (int j = 1; j < STATES; j++)
        if (most[j] > most[best])
            best = j;
    for (int j = 0; j < STATES; j++) {
        rr[j] = kr[j] * turn_r[j] - ki[j] * turn_i[j];
        ri[j] = kr[j] * turn_i[j] + ki[j] * turn_r[j];
        beyond[j] = most[j] - most[best];
    }
    *power = total;
    return won[best];
}

/* One symbol backward. beta: metric of what is behind each state, of the symbol and replaced. of: the best metric of each
 * dibit of the symbol, where asked for.
 */
SIMD_CLONES static void mlsd_backward(const float *gamma, const float *alpha, float *restrict beta, float *restrict of)
{
    float through[BRANCHES], into[STATES], value;
    for (int a = 0; a < BRANCHES; a += STATES)
        for (int j = 0; j < STATES; j++)
            through[a + j] = gamma[a + j] + beta[j];
    for (int s = 0; s < STATES; s++)
        into[s] = larger(larger(through[4 * s], through[4 * s + 1]), larger(through[4 * s + 2], through[4 * s + 3]));
    if (of)
        for (int b = 0; b < 4; b++)
            of[b] = larger(larger(alpha[b] + into[b], alpha[4 + b] + into[4 + b]),
                larger(alpha[8 + b] + into[8 + b], alpha[12 + b] + into[12 + b]));
    value = into[0];
    for (int s = 1; s < STATES; s++)
        value = larger(value, into[s]);
    for (int s = 0; s < STATES; s++)
        beta[s] = into[s] - value;
}

#endif
