/* The low-pass of the P25 modem, the sync correlator, and the look at one candidate of a frame sync: see
 * `dsp.p25.timing`. Real and imaginary parts apart, so that every loop over samples, points or trial frequencies is a row
 * of vectors.
 */
#ifndef SDRBRIDGE_P25_TIMING_H
#define SDRBRIDGE_P25_TIMING_H

#include <math.h>
#include <string.h>
#include "_simd.h"
#include "p25/_circle.h"

#if defined(__GNUC__)
#define ALWAYS_INLINE static inline __attribute__((always_inline))
#else
#define ALWAYS_INLINE static inline
#endif

enum {
    SYNC = 24,   /* symbols of the sync */
    STEP = 5,    /* samples a symbol */
    POINTS = 32, /* 25 points, and room up to whole vectors */
    TRIALS = 17, /* frequencies around the one seen, 50 Hz apart */
    TRIED = 24,  /* the same, up to whole vectors */
    REACHED = 8, /* samples of the filters to either side of a point, at most */
    AROUND = 4   /* samples around the candidate at which the last point may be, and one for its phase */
};
enum { BEFORE = STEP * SYNC + REACHED + AROUND + 1, COLUMNS = POINTS + 8 };

static const double PI_4 = 0.78539816339744831;
static const double TRIAL = 0.0654; /* 50 Hz, radians a symbol */

/* Range of the deviation. Above 4/3 a run of equal symbols is a sync: the outer two are a whole turn apart. */
static const double LEAST = 0.74, MOST = 1.17;
/* The 25 samples, not filtered, reach this coherent match in a sync: at 3 dB Eb/N0 in 98 of 100. Of the candidates of
 * noise and data one in seven does. */
static const float LEAST_RAW = 0.38f;
/* Looked for with these deviations, as shares of the nominal one. */
static const double DEVIATIONS[3] = {1, 0.88, 1.12};
/* The turns of a sync, filtered, reach this share of their size; no more is done for less. */
static const float LEAST_SHARE = 0.55f;

static float trial_r[SYNC + 1][TRIED], trial_i[SYNC + 1][TRIED];

/* exp(-j·trial·k) of the trial frequencies; those beyond the last are far from any, and not looked at. */
static void acquire_prepare(void)
{
    for (int k = 0; k <= SYNC; k++)
        for (int n = 0; n < TRIED; n++) {
            trial_r[k][n] = (float)cos(TRIAL * (n - TRIALS / 2) * k);
            trial_i[k][n] = (float)-sin(TRIAL * (n - TRIALS / 2) * k);
        }
}

/* Samples a symbol apart stand side by side: [n][m] is sample STEP·m + n. */
typedef struct {
    float r[STEP][COLUMNS], i[STEP][COLUMNS];
} Samples;

/* z = e, turned back by turn·(k − 12) and step·(the symbols up to k); their sum's squared size is returned. */
ALWAYS_INLINE float coherent(const float *er, const float *ei, const signed char *signs, double turn, double step,
    float *zr, float *zi, float *sum)
{
    float by_r[2], by_i[2], c, s, tr = 0, ti = 0;
    circle((float)(3 * step - turn), &by_r[0], &by_i[0]);
    circle((float)(-3 * step - turn), &by_r[1], &by_i[1]);
    circle((float)(12 * turn), &c, &s);
    for (int k = 0; k <= SYNC; k++) {
        if (k) {
            const int up = signs[k - 1] > 0;
            const float t = c * by_r[up] - s * by_i[up];
            s = c * by_i[up] + s * by_r[up];
            c = t;
        }
        zr[k] = er[k] * c - ei[k] * s;
        zi[k] = er[k] * s + ei[k] * c;
        tr += zr[k];
        ti += zi[k];
    }
    sum[0] = tr;
    sum[1] = ti;
    return tr * tr + ti * ti;
}

/* |∑ z·exp(−j·trial·k)|² of every trial frequency; the best one, and its value. */
ALWAYS_INLINE int best_trial(const float *zr, const float *zi, float *value)
{
    float tr[TRIED] = {0}, ti[TRIED] = {0};
    int best = 0;
    for (int k = 0; k <= SYNC; k++)
        for (int n = 0; n < TRIED; n++) {
            tr[n] += zr[k] * trial_r[k][n] - zi[k] * trial_i[k][n];
            ti[n] += zr[k] * trial_i[k][n] + zi[k] * trial_r[k][n];
        }
    for (int n = 0; n < TRIED; n++)
        tr[n] = tr[n] * tr[n] + ti[n] * ti[n];
    for (int n = 1; n < TRIALS; n++)
        if (tr[n] > tr[best])
            best = n;
    *value = tr[best];
    return best;
}

/* Coarse frequency from the turns of the sync whose last sample is x[0], radians a symbol. */
ALWAYS_INLINE double coarse_turn(const float *x, const signed char *signs)
{
    float sr = 0, si = 0;
    for (int k = 0; k < SYNC; k++) {
        const float *a = x - 2 * STEP * (SYNC - 1 - k), *b = a - 2 * STEP;
        const float tr = a[0] * b[0] + a[1] * b[1], ti = a[1] * b[0] - a[0] * b[1];
        float root = sqrtf(sqrtf(tr * tr + ti * ti));
        root = root > 1e-18f ? 0.70710678f / root : 0;
        const float side = signs[k] > 0 ? root : -root;
        sr += ti * side - tr * root;
        si -= ti * root + tr * side;
    }
    return atan2(si, sr);
}

/* The samples themselves look like a sync for one of three deviations and 17 frequencies around `turn`. */
ALWAYS_INLINE int resembles(const float *x, const signed char *signs, double turn)
{
    float er[SYNC + 1], ei[SYNC + 1], zr[SYNC + 1], zi[SYNC + 1], sum[2], power = 0, value;
    for (int k = 0; k <= SYNC; k++) {
        er[k] = x[-2 * STEP * (SYNC - k)];
        ei[k] = x[-2 * STEP * (SYNC - k) + 1];
        power += er[k] * er[k] + ei[k] * ei[k];
    }
    for (int n = 0; n < 3; n++) {
        coherent(er, ei, signs, turn, DEVIATIONS[n] * PI_4, zr, zi, sum);
        best_trial(zr, zi, &value);
        if (value > LEAST_RAW * (SYNC + 1) * power)
            return 1;
    }
    return 0;
}

/* The samples around less the turn, radians a symbol. x[0] is the candidate's, sample BEFORE of y. */
ALWAYS_INLINE void straighten(const float *x, double turn, Samples *y)
{
    enum { LANES = 8, COUNT = BEFORE + REACHED + AROUND + 2 };
    float rr[LANES], ri[LANES], line_r[COUNT + LANES], line_i[COUNT + LANES];
    const float c = (float)cos(turn / STEP * LANES), s = (float)-sin(turn / STEP * LANES);
    for (int n = 0; n < LANES; n++) {
        rr[n] = (float)cos(turn / STEP * n);
        ri[n] = (float)-sin(turn / STEP * n);
    }
    x -= 2 * BEFORE;
    for (int at = 0; at < COUNT; at += LANES) {
        float ar[LANES] = {0}, ai[LANES] = {0};
        const int there = COUNT - at < LANES ? COUNT - at : LANES;
        for (int n = 0; n < there; n++) {
            ar[n] = x[2 * (at + n)];
            ai[n] = x[2 * (at + n) + 1];
        }
        for (int n = 0; n < LANES; n++) {
            line_r[at + n] = ar[n] * rr[n] - ai[n] * ri[n];
            line_i[at + n] = ar[n] * ri[n] + ai[n] * rr[n];
            const float t = rr[n] * c - ri[n] * s;
            ri[n] = rr[n] * s + ri[n] * c;
            rr[n] = t;
        }
    }
    memset(y, 0, sizeof(*y));
    for (int at = 0; at < COUNT; at++) {
        y->r[at % STEP][at / STEP] = line_r[at];
        y->i[at % STEP][at / STEP] = line_i[at];
    }
}

/* The filtered points of a sync whose last one is `off` samples behind the candidate. taps: 2·half + 1. */
ALWAYS_INLINE void points(const Samples *y, int off, const float *taps, int half, float *er, float *ei)
{
    float sr[POINTS] = {0}, si[POINTS] = {0};
    for (int n = 0; n <= 2 * half; n++) {
        const int at = BEFORE - STEP * SYNC + off - half + n;
        const float *r = y->r[at % STEP] + at / STEP, *i = y->i[at % STEP] + at / STEP, tap = taps[n];
        for (int k = 0; k < POINTS; k++) {
            sr[k] += tap * r[k];
            si[k] += tap * i[k];
        }
    }
    memcpy(er, sr, sizeof(sr));
    memcpy(ei, si, sizeof(si));
}

/* Sums of the turns of the positive and negative symbols (g: four numbers); the share of their size that they reach. */
ALWAYS_INLINE float groups(const float *er, const float *ei, const signed char *signs, float *g)
{
    float tr[SYNC], ti[SYNC], size[SYNC], total = 0;
    for (int k = 0; k < SYNC; k++) {
        tr[k] = er[k + 1] * er[k] + ei[k + 1] * ei[k];
        ti[k] = ei[k + 1] * er[k] - er[k + 1] * ei[k];
        size[k] = sqrtf(tr[k] * tr[k] + ti[k] * ti[k]);
    }
    g[0] = g[1] = g[2] = g[3] = 0;
    for (int k = 0; k < SYNC; k++) {
        const int down = signs[k] > 0 ? 0 : 2;
        g[down] += tr[k];
        g[down + 1] += ti[k];
        total += size[k];
    }
    if (!(total > 0))
        return 0;
    return (sqrtf(g[0] * g[0] + g[1] * g[1]) + sqrtf(g[2] * g[2] + g[3] * g[3])) / total;
}

/* Arc tangent for x ≥ 0, to 10⁻⁵ radians; 0 of (0, 0). Abramowitz and Stegun 4.4.49. */
ALWAYS_INLINE float angle_of(float y, float x)
{
    const float size = fabsf(y), most = size > x ? size : x, least = size > x ? x : size;
    const float a = least / (most > 1e-30f ? most : 1e-30f), q = a * a;
    float p = 0.0208351f;
    p = p * q - 0.0851330f;
    p = p * q + 0.1801410f;
    p = p * q - 0.3302995f;
    p = (p * q + 0.9998660f) * a;
    p = size > x ? 1.57079633f - p : p;
    return y < 0 ? -p : p;
}

ALWAYS_INLINE double within(double value, double least, double most)
{
    return value < least ? least : value > most ? most : value;
}

/* Frequency and, where it is free, deviation of the points; out: match, -, -, turn, step. */
ALWAYS_INLINE void fit(const float *er, const float *ei, const float *g, const signed char *signs, double step,
    int free_step, double *out)
{
    float zr[SYNC + 1], zi[SYNC + 1], wn[SYNC + 1], an[SYNC + 1], sum[2], power = 0, top;
    step = within(step, LEAST * PI_4, MOST * PI_4);
    const double a = atan2(g[1], g[0]) - 3 * step, b = atan2(g[3], g[2]) + 3 * step;
    const double p = sqrt(g[0] * g[0] + g[1] * g[1]), m = sqrt(g[2] * g[2] + g[3] * g[3]);
    double turn = atan2(p * sin(a) + m * sin(b), p * cos(a) + m * cos(b));
    for (int k = 0; k <= SYNC; k++)
        power += er[k] * er[k] + ei[k] * ei[k];
    /* The sum over 25 points is sharp in frequency: 17 trials around, 50 Hz apart, then two steps of least squares on
     * the angles for phase, frequency and, where it is free, deviation. */
    coherent(er, ei, signs, turn, step, zr, zi, sum);
    turn += TRIAL * (best_trial(zr, zi, &top) - TRIALS / 2);
    for (int round = 0;; round++) {
        top = coherent(er, ei, signs, turn, step, zr, zi, sum);
        if (round == 2)
            break;
        for (int k = 0; k <= SYNC; k++) {
            const float along = zr[k] * sum[0] + zi[k] * sum[1], across = zi[k] * sum[0] - zr[k] * sum[1];
            /* Points beyond a quarter turn are noise; their angle would pull the wrong way. */
            wn[k] = along > 0 ? zr[k] * zr[k] + zi[k] * zi[k] : 0;
            an[k] = angle_of(across, along > 0 ? along : 0);
        }
        double n11 = 0, n12 = 0, n13 = 0, n22 = 0, n23 = 0, n33 = 0, y1 = 0, y2 = 0, y3 = 0;
        int symbols = 0;
        for (int k = 0; k <= SYNC; k++) {
            const double w = wn[k], angle = an[k], at = k - 12;
            symbols += k == 0 ? 0 : signs[k - 1] > 0 ? 3 : -3;
            n11 += w;
            n12 += w * at;
            n13 += w * symbols;
            n22 += w * at * at;
            n23 += w * at * symbols;
            n33 += w * symbols * symbols;
            y1 += w * angle;
            y2 += w * at * angle;
            y3 += w * symbols * angle;
        }
        if (!free_step) {
            n13 = n23 = y3 = 0;
            n33 = 1;
        }
        const double det =
            n11 * (n22 * n33 - n23 * n23) - n12 * (n12 * n33 - n23 * n13) + n13 * (n12 * n23 - n22 * n13);
        if (!(det > 1e-12 * n11 * n22 * n33))
            break;
        turn += (n11 * (y2 * n33 - n23 * y3) - y1 * (n12 * n33 - n23 * n13) + n13 * (n12 * y3 - y2 * n13)) / det;
        step += (n11 * (n22 * y3 - y2 * n23) - n12 * (n12 * y3 - y2 * n13) + y1 * (n12 * n23 - n22 * n13)) / det;
        step = within(step, LEAST * PI_4, MOST * PI_4);
    }
    out[0] = power > 0 ? top / ((SYNC + 1) * power) : 0;
    out[3] = turn;
    out[4] = step;
}

/* One pulse; out and other as below. */
ALWAYS_INLINE void acquire_pulse(const Samples *y, const float *taps, int phases, int half, const signed char *signs,
    double nominal, double *out, double *other)
{
    float er[POINTS], ei[POINTS], g[4], share[2 * AROUND + 1];
    for (int n = AROUND - 2; n <= AROUND + 2; n += 2) {
        points(y, n - AROUND, taps, half, er, ei);
        share[n] = groups(er, ei, signs, g);
    }
    if (share[AROUND - 2] < LEAST_SHARE && share[AROUND] < LEAST_SHARE && share[AROUND + 2] < LEAST_SHARE)
        return;
    for (int n = 0; n <= 2 * AROUND; n++)
        if (n != AROUND - 2 && n != AROUND && n != AROUND + 2) {
            points(y, n - AROUND, taps, half, er, ei);
            share[n] = groups(er, ei, signs, g);
        }
    int best = 1;
    for (int n = 1; n < 2 * AROUND; n++)
        if (share[n] > share[best])
            best = n;
    const double left = share[best - 1], right = share[best + 1], curve = left - 2.0 * share[best] + right;
    const double place = within(curve < 0 ? 0.5 * (left - right) / curve : 0, -0.5, 0.5) + best - AROUND;
    int sample = (int)floor(place), phase = (int)((place - sample) * phases + 0.5);
    if (phase == phases) {
        phase = 0;
        sample++;
    }
    points(y, sample, taps + phase * (2 * half + 1), half, er, ei);
    groups(er, ei, signs, g);
    out[1] = sample;
    out[2] = phase;
    fit(er, ei, g, signs, nominal, 0, out);
    if (other) {
        /* Positive symbols turn by turn + 3·step, negative ones by turn − 3·step; 6·step is 270° ± 15 %. */
        double step = (atan2(g[1], g[0]) - atan2(g[3], g[2])) / (8 * PI_4);
        step = (step - floor(step)) * 8 * PI_4 / 6;
        other[1] = sample;
        other[2] = phase;
        fit(er, ei, g, signs, step, 1, other);
    }
}

/* x: interleaved, x[0] the candidate's sample. taps: (2, phases, 2·half + 1). out: (3, 5) zeros: C4FM, LSM, C4FM of any
 * deviation; match, sample from the candidate, phase, turn, step. Stays as it is where nothing resembles a sync.
 */
SIMD_CLONES static void acquire_one(const float *x, const float *taps, int phases, int half, const signed char *signs,
    const double *nominal, double *out)
{
    Samples y;
    const double turn = coarse_turn(x, signs);
    if (!resembles(x, signs, turn))
        return;
    straighten(x, turn, &y);
    for (int pulse = 0; pulse < 2; pulse++)
        acquire_pulse(&y, taps + pulse * phases * (2 * half + 1), phases, half, signs, nominal[pulse], out + 5 * pulse,
            pulse ? 0 : out + 10);
    for (int n = 0; n < 3; n++)
        out[5 * n + 3] += turn;
}

enum {
    BLOCK = 64,  /* outputs of the correlator and of the low-pass worked on at once */
    LONGEST = 80 /* taps of the low-pass, at most */
};

/* Sync metric of the samples `first` … n − 1 of one row. turn: three lines of `width`: real and imaginary part of the turn
 * in one symbol, divided by the root of its size; that root. */
SIMD_CLONES static void correlate_row(
    const float *x, long n, const signed char *signs, long first, float *restrict turn, long width, float *restrict out)
{
    float *restrict re = turn, *restrict im = turn + width, *restrict size = turn + 2 * width;
    for (long i = first - STEP * (SYNC - 1); i < n; i++) {
        const float ar = x[2 * i], ai = x[2 * i + 1], br = x[2 * (i - STEP)], bi = x[2 * (i - STEP) + 1];
        const float tr = ar * br + ai * bi, ti = ai * br - ar * bi, root = sqrtf(sqrtf(tr * tr + ti * ti));
        const float c = root > 1e-18f ? 1 / root : 0;
        re[i] = tr * c;
        im[i] = ti * c;
        size[i] = root;
    }
    for (long at = first; at < n; at += BLOCK) {
        const int count = (int)(n - at < BLOCK ? n - at : BLOCK);
        /* Sums over the negative and over the positive symbols. */
        float sr[2][BLOCK] = {{0}}, si[2][BLOCK] = {{0}}, total[BLOCK] = {0};
        for (int k = 0; k < SYNC; k++) {
            const int up = signs[SYNC - 1 - k] > 0;
            const float *r = re + at - STEP * k, *i = im + at - STEP * k, *s = size + at - STEP * k;
            float *ur = sr[up], *ui = si[up];
            for (int j = 0; j < count; j++) {
                ur[j] += r[j];
                ui[j] += i[j];
                total[j] += s[j];
            }
        }
        /* exp(∓j135°) on them, then the sum whatever its phase, which is the frequency error. */
        const float c = -0.70710678f, s = 0.70710678f;
        for (int j = 0; j < count; j++) {
            const float tr = sr[1][j] * c + si[1][j] * s + sr[0][j] * c - si[0][j] * s;
            const float ti = si[1][j] * c - sr[1][j] * s + si[0][j] * c + sr[0][j] * s;
            const float value = sqrtf(tr * tr + ti * ti) / (total[j] > 0 ? total[j] : 1);
            out[at - first + j] = total[j] > 0 ? value : 0;
        }
    }
}

/* n outputs of the filter, every step-th. x: interleaved, (n − 1)·step + m. taps: m ≤ LONGEST, symmetric. step: 1 or 2. */
SIMD_CLONES static void low_pass_row(
    const float *x, const float *taps, int m, int step, long n, float *restrict out)
{
    for (long at = 0; at < n; at += BLOCK) {
        const int count = (int)(n - at < BLOCK ? n - at : BLOCK);
        const float *in = x + 2 * step * at;
        float odd[2][BLOCK * 2 + LONGEST + 2], sum[2 * BLOCK] = {0};
        if (step == 2) {
            /* Every other sample side by side. */
            for (int j = 0; 2 * j < (count - 1) * 2 + m; j++) {
                const int more = 2 * j + 1 < (count - 1) * 2 + m;
                odd[0][2 * j] = in[4 * j];
                odd[0][2 * j + 1] = in[4 * j + 1];
                odd[1][2 * j] = more ? in[4 * j + 2] : 0;
                odd[1][2 * j + 1] = more ? in[4 * j + 3] : 0;
            }
        }
        for (int k = 0; k < m; k++) {
            const float *from = step == 2 ? odd[k & 1] + 2 * (k >> 1) : in + 2 * k, tap = taps[k];
            for (int j = 0; j < 2 * count; j++)
                sum[j] += tap * from[j];
        }
        memcpy(out + 2 * at, sum, 2 * count * sizeof(float));
    }
}

#endif
