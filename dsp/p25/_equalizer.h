/* Taps of the equaliser, eight of them: a matrix put together from the channel, and solved. Columns of eight, real and
 * imaginary parts apart, so that every line below is one or two vectors.
 */
#ifndef SDRBRIDGE_P25_EQUALIZER_H
#define SDRBRIDGE_P25_EQUALIZER_H

#include <math.h>
#include "_simd.h"

enum { TAPS = 8, SQUARE = TAPS * TAPS };

/* parts: how much of each product of two rays there is; the first `real` of them make the real part of the matrix, the
 * other `all - real` the imaginary part. past, rest: those products, of the symbols before the point and of the others,
 * (all, SQUARE). doubt: weight of the symbols before. noise: added to the diagonal. br, bi: right side, overwritten.
 * wr, wi: the solution, by Cholesky from the lower half.
 */
SIMD_CLONES static void equalizer_taps(const double *parts, int real, int all, const double *past, const double *rest,
    double doubt, double noise, double *restrict br, double *restrict bi, double *restrict wr, double *restrict wi)
{
    double mr[SQUARE] = {0}, mi[SQUARE] = {0}, inverse[TAPS];
    for (int n = 0; n < all; n++, past += SQUARE, rest += SQUARE) {
        double *m = n < real ? mr : mi;
        const double p = parts[n], d = doubt * parts[n];
        for (int i = 0; i < SQUARE; i++)
            m[i] += d * past[i] + p * rest[i];
    }
    for (int j = 0; j < TAPS; j++) {
        double cr[TAPS], ci[TAPS];
        for (int i = 0; i < TAPS; i++)
            cr[i] = mr[TAPS * j + i], ci[i] = mi[TAPS * j + i];
        for (int k = 0; k < j; k++) {
            const double *lr = mr + TAPS * k, *li = mi + TAPS * k;
            const double r = lr[j], m = li[j];
            for (int i = 0; i < TAPS; i++) {
                cr[i] -= lr[i] * r + li[i] * m;
                ci[i] -= li[i] * r - lr[i] * m;
            }
        }
        const double d = cr[j] + noise;
        const double over = inverse[j] = 1 / (d > 1e-30 ? sqrt(d) : 1e-15);
        const double yr = br[j] * over, yi = bi[j] * over;
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
        const double *lr = mr + TAPS * j, *li = mi + TAPS * j;
        double r = wr[j], m = wi[j];
        for (int k = j + 1; k < TAPS; k++) {
            r -= lr[k] * wr[k] + li[k] * wi[k];
            m -= lr[k] * wi[k] - li[k] * wr[k];
        }
        wr[j] = r * inverse[j];
        wi[j] = m * inverse[j];
    }
}

#endif
