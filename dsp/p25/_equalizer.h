/* The channel, learnt, and the taps of the equaliser: a matrix put together from the channel, and solved. Columns of four
 * rays or eight taps, real and imaginary parts apart, so that most lines below are one or two vectors.
 */
#ifndef SDRBRIDGE_P25_EQUALIZER_H
#define SDRBRIDGE_P25_EQUALIZER_H

#include <math.h>
#include "_simd.h"

enum {
    TAPS = 8, /* of the equaliser, two samples apart */
    SQUARE = TAPS * TAPS,
    RAYS = 3, /* of the channel, two samples apart */
    PAIRS = RAYS * RAYS, /* products of two rays: three squares, three real and three imaginary parts */
    ACROSS = 5, /* symbols to either side that reach into the equaliser's samples */
    LANES = 4,
    MADE = 32 /* samples of the signal that the decisions make, two apart */
};

typedef float taps __attribute__((vector_size(4 * TAPS), aligned(4), may_alias));

static inline float sum_of(taps x)
{
    return ((x[0] + x[4]) + (x[1] + x[5])) + ((x[2] + x[6]) + (x[3] + x[7]));
}

/* The taps of least mean square error for a channel of the rays gr, gi, and what the symbols before leave in their output.
 *
 * reach: what a symbol leaves in the sample of each tap by each ray, (RAYS, 1 + ACROSS, TAPS), of the symbol of the point
 * and of those before it, nearest first. past, rest: the products of two rays, of the symbols before the point and of the
 * others, (PAIRS, SQUARE): the powers, then the real, then the imaginary part of conj(a)·b. doubt: weight of the symbols
 * before. noise: added to the diagonal. wr, wi: the solution, by Cholesky from the lower half. er, ei: (ACROSS,).
 */
SIMD_CLONES static void equalizer_design(const double *ray_r, const double *ray_i, const float *reach, const float *past,
    const float *rest, float doubt, float noise, float *restrict wr, float *restrict wi, double *restrict er,
    double *restrict ei)
{
    float mr[SQUARE], mi[SQUARE], br[TAPS], bi[TAPS], inverse[TAPS], parts[PAIRS], gr[RAYS], gi[RAYS];
    for (int a = 0; a < RAYS; a++) {
        gr[a] = (float)ray_r[a];
        gi[a] = (float)ray_i[a];
        parts[a] = gr[a] * gr[a] + gi[a] * gi[a];
    }
    for (int a = 0, m = RAYS; a < RAYS; a++)
        for (int b = a + 1; b < RAYS; b++, m++) {
            parts[m] = gr[a] * gr[b] + gi[a] * gi[b];
            parts[RAYS + m] = gr[a] * gi[b] - gi[a] * gr[b];
        }
    for (int i = 0; i < SQUARE; i += TAPS) {
        taps r = {0}, m = {0};
        for (int n = 0; n < PAIRS; n++) {
            const taps part = parts[n] * (doubt * *(taps *)(past + SQUARE * n + i) + *(taps *)(rest + SQUARE * n + i));
            if (n < 2 * RAYS)
                r += part;
            else
                m += part;
        }
        *(taps *)(mr + i) = r;
        *(taps *)(mi + i) = m;
    }
    taps right_r = {0}, right_i = {0};
    for (int n = 0; n < RAYS; n++) {
        right_r += gr[n] * *(taps *)(reach + n * (1 + ACROSS) * TAPS);
        right_i -= gi[n] * *(taps *)(reach + n * (1 + ACROSS) * TAPS);
    }
    *(taps *)br = right_r;
    *(taps *)bi = right_i;
    for (int j = 0; j < TAPS; j++) {
        float cr[TAPS], ci[TAPS];
        for (int i = 0; i < TAPS; i++)
            cr[i] = mr[TAPS * j + i], ci[i] = mi[TAPS * j + i];
        for (int k = 0; k < j; k++) {
            const float *lr = mr + TAPS * k, *li = mi + TAPS * k;
            const float r = lr[j], m = li[j];
            for (int i = 0; i < TAPS; i++) {
                cr[i] -= lr[i] * r + li[i] * m;
                ci[i] -= li[i] * r - lr[i] * m;
            }
        }
        const float d = cr[j] + noise;
        const float over = inverse[j] = 1 / (d > 1e-30f ? sqrtf(d) : 1e-15f);
        const float yr = br[j] * over, yi = bi[j] * over;
        for (int i = 0; i < TAPS; i++) {
            cr[i] *= over;
            ci[i] *= over;
            mr[TAPS * j + i] = cr[i];
            mi[TAPS * j + i] = ci[i];
            br[i] -= cr[i] * yr - ci[i] * yi;
            bi[i] -= cr[i] * yi + ci[i] * yr;
        }
        wr[j] = yr;
        wi[j] = yi;
    }
    for (int j = TAPS - 1; j >= 0; j--) {
        const float *lr = mr + TAPS * j, *li = mi + TAPS * j;
        float r = wr[j], m = wi[j];
        for (int k = j + 1; k < TAPS; k++) {
            r -= lr[k] * wr[k] + li[k] * wi[k];
            m -= lr[k] * wi[k] - li[k] * wr[k];
        }
        wr[j] = r * inverse[j];
        wi[j] = m * inverse[j];
    }
    const taps vr = *(taps *)wr, vi = *(taps *)wi;
    for (int q = 0; q < ACROSS; q++) {
        taps cr = {0}, ci = {0};
        for (int n = 0; n < RAYS; n++) {
            cr += gr[n] * *(taps *)(reach + (n * (1 + ACROSS) + q + 1) * TAPS);
            ci += gi[n] * *(taps *)(reach + (n * (1 + ACROSS) + q + 1) * TAPS);
        }
        er[q] = (1 - doubt) * sum_of(cr * vr - ci * vi);
        ei[q] = (1 - doubt) * sum_of(cr * vi + ci * vr);
    }
}

/* Kalman filter of the channel: rays h and their slopes per symbol v; covariances of h, of v with h (row: of h, column:
 * of v), of v. The fourth column is room up to a whole vector.
 */
typedef struct {
    double hr[LANES], hi[LANES], vr[LANES], vi[LANES];
    double hh[RAYS][LANES], vh[RAYS][LANES], vv[RAYS][LANES];
    double power;       /* of the samples */
    double unexplained; /* power that the channel does not explain */
} Channel;

typedef double rays __attribute__((vector_size(8 * LANES), aligned(8), may_alias));

/* One symbol more: the channel moves on, then each of `count` samples around it, two apart, corrects it. xr, xi: the
 * first of them. sr, si: the signal that the decisions make, a ring of MADE at even samples, of which `place` is at the
 * first ray of the first sample. drift: variance that the slopes gain, of the power; model: least variance of what the
 * channel does not explain.
 */
SIMD_CLONES static void channel_learn(Channel *channel, const double *xr, const double *xi, int count, int place,
    const double *sr, const double *si, double drift, double model)
{
    rays hr = *(rays *)channel->hr, hi = *(rays *)channel->hi, vr = *(rays *)channel->vr, vi = *(rays *)channel->vi;
    rays hh[RAYS], vh[RAYS], vv[RAYS];
    const double least = model * channel->power;
    const double noise = channel->unexplained > least ? channel->unexplained : least;
    double here = 0, off = 0;
    hr += vr;
    hi += vi;
    for (int b = 0; b < RAYS; b++) {
        const rays across = {channel->vh[0][b], channel->vh[1][b], channel->vh[2][b], 0};
        vv[b] = *(rays *)channel->vv[b];
        vh[b] = *(rays *)channel->vh[b];
        hh[b] = *(rays *)channel->hh[b] + (vh[b] + across) + vv[b];
        vh[b] += vv[b];
        vv[b][b] += drift * channel->power;
    }
    for (int n = 0; n < count; n++) {
        double er = xr[2 * n], ei = xi[2 * n], cr[RAYS], ci[RAYS];
        here += er * er + ei * ei;
        for (int a = 0; a < RAYS; a++) { /* rays two samples early, on time, two samples late */
            cr[a] = sr[(place + n - a) & (MADE - 1)];
            ci[a] = si[(place + n - a) & (MADE - 1)];
            er -= cr[a] * hr[a] - ci[a] * hi[a];
            ei -= cr[a] * hi[a] + ci[a] * hr[a];
        }
        /* Covariances of h and of v times conj(c). */
        const rays gr = hh[0] * cr[0] + hh[1] * cr[1] + hh[2] * cr[2];
        const rays gi = -(hh[0] * ci[0] + hh[1] * ci[1] + hh[2] * ci[2]);
        const rays wr = vh[0] * cr[0] + vh[1] * cr[1] + vh[2] * cr[2];
        const rays wi = -(vh[0] * ci[0] + vh[1] * ci[1] + vh[2] * ci[2]);
        double s = noise;
        for (int a = 0; a < RAYS; a++)
            s += cr[a] * gr[a] - ci[a] * gi[a];
        s = 1 / s;
        off += (er * er + ei * ei) * noise * s;
        const rays kr = gr * s, ki = gi * s, ur = wr * s, ui = wi * s;
        hr += kr * er - ki * ei;
        hi += kr * ei + ki * er;
        vr += ur * er - ui * ei;
        vi += ur * ei + ui * er;
        for (int b = 0; b < RAYS; b++) {
            hh[b] -= kr * gr[b] + ki * gi[b];
            vh[b] -= ur * gr[b] + ui * gi[b];
            vv[b] -= ur * wr[b] + ui * wi[b];
        }
    }
    *(rays *)channel->hr = hr;
    *(rays *)channel->hi = hi;
    *(rays *)channel->vr = vr;
    *(rays *)channel->vi = vi;
    for (int b = 0; b < RAYS; b++) {
        *(rays *)channel->hh[b] = hh[b];
        *(rays *)channel->vh[b] = vh[b];
        *(rays *)channel->vv[b] = vv[b];
    }
    channel->power += 0.02 * (here / count - channel->power);
    channel->unexplained += 0.05 * (off / count - channel->unexplained);
}

/* Sine and cosine; by their series where the angle is small, which the turn found since a sync is. */
static inline void small_circle(double a, double *c, double *s)
{
    if (fabs(a) < 0.1) {
        const double q = a * a;
        *s = a * (1 - q / 6 * (1 - q / 20 * (1 - q / 42)));
        *c = 1 - q / 2 * (1 - q / 12 * (1 - q / 30));
    } else {
        *s = sin(a);
        *c = cos(a);
    }
}

/* Angle of (x, y) where that is below 0.7, to 10⁻⁷; 1 where it is not. */
static inline double small_angle(double y, double x)
{
    if (!(fabs(y) < 0.84 * x))
        return 1;
    /* atan t = 2·atan(t / (1 + √(1 + t²))), and there the series is short. */
    const double t = y / (x + sqrt(x * x + y * y)), q = t * t;
    return 2 * t * (1 - q * (1 / 3.0 - q * (1 / 5.0 - q * (1 / 7.0 - q * (1 / 9.0 - q / 11)))));
}

#endif
