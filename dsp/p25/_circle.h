/* Cosine and sine in single precision, without branches, so that a loop over them is a row of vectors. */
#ifndef SDRBRIDGE_P25_CIRCLE_H
#define SDRBRIDGE_P25_CIRCLE_H

/* Cosine and sine for |a| < 1000, to 10⁻⁶: reduced to ±π/4 in three steps, then the polynomials of Cephes. */
static inline void circle(float a, float *c, float *s)
{
    const float whole = (a * 0.636619772f + 12582912.0f) - 12582912.0f;
    const float x = ((a - whole * 1.5703125f) - whole * 4.837512969970703e-4f) - whole * 7.549789948768648e-8f;
    const int quarter = (int)whole;
    const float z = x * x;
    const float sine = ((-1.9515295891e-4f * z + 8.3321608736e-3f) * z - 1.6666654611e-1f) * z * x + x;
    const float cosine =
        ((2.443315711809948e-5f * z - 1.388731625493765e-3f) * z + 4.166664568298827e-2f) * z * z - 0.5f * z + 1.0f;
    const float p = quarter & 1 ? sine : cosine, q = quarter & 1 ? cosine : sine;
    *c = (quarter + 1) & 2 ? -p : p;
    *s = quarter & 2 ? -q : q;
}

#endif
