/* The dot products of the low-pass for one register width; included by _subaudible.h once for each. */

#define vec WIDE(vec)
#define PARTS (LANES / WIDTH)
#define FOUR(...) (int __attribute__((vector_size(16)))){__VA_ARGS__}

/* Sixteen lanes to four: the second half is added to the first, then again. */
INLINE void WIDE(fold)(const vec *a, vec_4 *to)
{
#if WIDTH == 16
    const vec_8 *o = (const vec_8 *)a;
    const vec_8 half = o[0] + o[1];
    const vec_4 *q = (const vec_4 *)&half;
    *to = q[0] + q[1];
#elif WIDTH == 8
    const vec_8 half = a[0] + a[1];
    const vec_4 *q = (const vec_4 *)&half;
    *to = q[0] + q[1];
#else
    *to = (a[0] + a[2]) + (a[1] + a[3]);
#endif
}

/* Four outputs at a time: a vector of taps is loaded once for all. */
JOIN(TARGET, WIDTH)
static void WIDE(decimate)(const float *x, const float *taps, ptrdiff_t n, ptrdiff_t step, int outputs, float *y)
{
    for (int j = 0; j < outputs; j += 4, x += 4 * step, y += 4) {
        vec a[4][PARTS] = {0};
        for (ptrdiff_t i = 0; i < n; i += LANES)
#pragma GCC unroll 4
            for (int part = 0; part < PARTS; part++) {
                const vec tap = *(const vec *)(taps + i + part * WIDTH);
#pragma GCC unroll 4
                for (int q = 0; q < 4; q++)
                    a[q][part] += *(const vec *)(x + q * step + i + part * WIDTH) * tap;
            }
        vec_4 f[4];
#pragma GCC unroll 4
        for (int q = 0; q < 4; q++)
            WIDE(fold)(a[q], f + q);
        const vec_4 u = __builtin_shuffle(f[0], f[1], FOUR(0, 1, 4, 5)) + __builtin_shuffle(f[0], f[1], FOUR(2, 3, 6, 7));
        const vec_4 v = __builtin_shuffle(f[2], f[3], FOUR(0, 1, 4, 5)) + __builtin_shuffle(f[2], f[3], FOUR(2, 3, 6, 7));
        *(vec_4 *)y = __builtin_shuffle(u, v, FOUR(0, 2, 4, 6)) + __builtin_shuffle(u, v, FOUR(1, 3, 5, 7));
    }
}

#undef FOUR
#undef PARTS
#undef vec
