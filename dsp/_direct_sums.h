/* The sums of direct conversion for one register width; included by _direct_row.h once for each. */

#define vec WIDE(vec)
#define ints WIDE(ints)
#define PARTS (16 / WIDTH)

typedef int32_t ints __attribute__((vector_size(4 * WIDTH)));

/* Real and imaginary parts change places. */
#if WIDTH == 16
#define SWAPPED(x) __builtin_shuffle(x, (ints){1, 0, 3, 2, 5, 4, 7, 6, 9, 8, 11, 10, 13, 12, 15, 14})
#elif WIDTH == 8
#define SWAPPED(x) __builtin_shuffle(x, (ints){1, 0, 3, 2, 5, 4, 7, 6})
#else
#define SWAPPED(x) __builtin_shuffle(x, (ints){1, 0, 3, 2})
#endif

/* Adds up eight complex numbers: halves, then quarters, then pairs. */
INLINE void WIDE(sum8)(const float *v, float *re, float *im)
{
    vec_4 q[4];
#if WIDTH == 16
    const vec_8 *o = (const vec_8 *)v;
    vec_8 h = o[0] + o[1];
    const vec_4 *k = (const vec_4 *)&h;
    q[0] = k[0] + k[1];
#else
    for (int i = 0; i < 4; i++)
        q[i] = *(const vec_4 *)(v + 4 * i);
    q[0] = (q[0] + q[2]) + (q[1] + q[3]);
#endif
    *re = q[0][0] + q[0][2];
    *im = q[0][1] + q[0][3];
}

/* One sample of the first filter: even and odd groups of eight taps in sums of their own. */
INLINE void WIDE(mix_tap)(const direct_plan *p, const float *z, float *re, float *im)
{
    vec c[2 * PARTS] = {0}, s[2 * PARTS] = {0};
    const float *w = p->first;
    int j = 0;
    for (; j + 16 <= p->first_length; j += 16, z += 32, w += 64) {
#pragma GCC unroll 8
        for (int i = 0; i < 2 * PARTS; i++) {
            const float *v = w + (i / PARTS) * 32 + (i % PARTS) * WIDTH;
            vec x = *(const vec *)(z + i * WIDTH);
            c[i] += x * *(const vec *)v;
            s[i] += x * *(const vec *)(v + 16);
        }
    }
    if (j < p->first_length) {
#pragma GCC unroll 8
        for (int i = 0; i < PARTS; i++) {
            vec x = *(const vec *)(z + i * WIDTH);
            c[i] += x * *(const vec *)(w + i * WIDTH);
            s[i] += x * *(const vec *)(w + 16 + i * WIDTH);
        }
    }
    vec cs[PARTS], ss[PARTS];
#pragma GCC unroll 8
    for (int i = 0; i < PARTS; i++)
        cs[i] = c[i] + c[i + PARTS], ss[i] = s[i] + s[i + PARTS];
    float cr, ci, sr, si;
    WIDE(sum8)((const float *)cs, &cr, &ci);
    WIDE(sum8)((const float *)ss, &sr, &si);
    *re = cr - si;
    *im = ci + sr;
}

#if WIDTH != 16
/* mix_tap of two samples: a vector of taps is loaded once for both, and one part of the sums at a time stays in registers. */
INLINE void WIDE(mix_two)(const direct_plan *p, const float *y, const float *x, float *out)
{
    vec cs[2][PARTS], ss[2][PARTS];
#pragma GCC unroll 4
    for (int part = 0; part < PARTS; part++) {
        const float *a = y + part * WIDTH, *b = x + part * WIDTH, *w = p->first + part * WIDTH;
        vec c[4] = {0}, s[4] = {0};
        int j = 0;
        for (; j + 16 <= p->first_length; j += 16, a += 32, b += 32, w += 64) {
#pragma GCC unroll 2
            for (int i = 0; i < 2; i++) {
                const vec u = *(const vec *)(w + 32 * i), v = *(const vec *)(w + 32 * i + 16);
                const vec f = *(const vec *)(a + 16 * i), g = *(const vec *)(b + 16 * i);
                c[i] += f * u, s[i] += f * v;
                c[i + 2] += g * u, s[i + 2] += g * v;
            }
        }
        if (j < p->first_length) {
            const vec u = *(const vec *)w, v = *(const vec *)(w + 16);
            const vec f = *(const vec *)a, g = *(const vec *)b;
            c[0] += f * u, s[0] += f * v;
            c[2] += g * u, s[2] += g * v;
        }
        cs[0][part] = c[0] + c[1], ss[0][part] = s[0] + s[1];
        cs[1][part] = c[2] + c[3], ss[1][part] = s[2] + s[3];
    }
    for (int k = 0; k < 2; k++) {
        float cr, ci, sr, si;
        WIDE(sum8)((const float *)cs[k], &cr, &ci);
        WIDE(sum8)((const float *)ss[k], &sr, &si);
        out[2 * k] = cr - si;
        out[2 * k + 1] = ci + sr;
    }
}
#else
typedef double vec_pairs __attribute__((vector_size(64), aligned(8), may_alias));
typedef int64_t vec_order __attribute__((vector_size(64)));

/* sum8 of eight vectors at once: the same additions, eight results a time. */
INLINE void sum8_eight(const vec *v, float *out)
{
    const vec_order low = {0, 1, 2, 3, 8, 9, 10, 11}, high = {4, 5, 6, 7, 12, 13, 14, 15};
    const vec_order left = {0, 1, 4, 5, 8, 9, 12, 13}, right = {2, 3, 6, 7, 10, 11, 14, 15};
    const vec_order even = {0, 2, 4, 6, 8, 10, 12, 14}, odd = {1, 3, 5, 7, 9, 11, 13, 15};
#define FOLD(a, b, first, second)                                                             \
    ((vec)__builtin_shuffle((vec_pairs)(a), (vec_pairs)(b), first) +                          \
     (vec)__builtin_shuffle((vec_pairs)(a), (vec_pairs)(b), second))
    vec h[4], q[2];
    for (int i = 0; i < 4; i++)
        h[i] = FOLD(v[2 * i], v[2 * i + 1], low, high);
    for (int i = 0; i < 2; i++)
        q[i] = FOLD(h[2 * i], h[2 * i + 1], left, right);
    *(vec *)out = FOLD(q[0], q[1], even, odd);
#undef FOLD
}

/* mix_tap of eight samples, two at a time: a vector of taps is loaded once for both. */
INLINE void mix_eight(const direct_plan *p, const float *const *z, float *out)
{
    vec cs[8], ss[8];
    for (int k = 0; k < 8; k += 2) {
        const float *y = z[k], *x = z[k + 1], *w = p->first;
        vec c[4] = {0}, s[4] = {0};
        int j = 0;
        for (; j + 16 <= p->first_length; j += 16, y += 32, x += 32, w += 64) {
#pragma GCC unroll 2
            for (int i = 0; i < 2; i++) {
                const vec u = *(const vec *)(w + 32 * i), v = *(const vec *)(w + 32 * i + 16);
                const vec a = *(const vec *)(y + 16 * i), b = *(const vec *)(x + 16 * i);
                c[i] += a * u, s[i] += a * v;
                c[i + 2] += b * u, s[i + 2] += b * v;
            }
        }
        if (j < p->first_length) {
            const vec u = *(const vec *)w, v = *(const vec *)(w + 16);
            const vec a = *(const vec *)y, b = *(const vec *)x;
            c[0] += a * u, s[0] += a * v;
            c[2] += b * u, s[2] += b * v;
        }
        cs[k] = c[0] + c[1], cs[k + 1] = c[2] + c[3];
        ss[k] = s[0] + s[1], ss[k + 1] = s[2] + s[3];
    }
    float re[16], im[16];
    sum8_eight(cs, re);
    sum8_eight(ss, im);
    for (int k = 0; k < 8; k++) {
        out[2 * k] = re[2 * k] - im[2 * k + 1];
        out[2 * k + 1] = re[2 * k + 1] + im[2 * k];
    }
}
#endif

/* One sample of the second filter, as eight sums. */
INLINE void WIDE(second_tap)(const direct_plan *p, const float *z, vec *sums)
{
    vec a[2 * PARTS] = {0};
    int j = 0;
    for (; j + 16 <= p->second_length; j += 16) {
#pragma GCC unroll 8
        for (int i = 0; i < 2 * PARTS; i++)
            a[i] += *(const vec *)(z + 2 * j + i * WIDTH) * *(const vec *)(p->second + 2 * j + i * WIDTH);
    }
    if (j < p->second_length) {
#pragma GCC unroll 8
        for (int i = 0; i < PARTS; i++)
            a[i] += *(const vec *)(z + 2 * j + i * WIDTH) * *(const vec *)(p->second + 2 * j + i * WIDTH);
    }
#pragma GCC unroll 8
    for (int i = 0; i < PARTS; i++)
        sums[i] = a[i] + a[i + PARTS];
}

/* Complex product of each pair of z and a turn, into y: re holds its cosines twice, im −sine, sine. Written out with vectors: from
 * a plain loop gcc 12 makes vfmaddsub, a fused multiply-add, whatever -ffp-contract says. */
INLINE void WIDE(rotate)(const float *z, float *y, const float *re, const float *im, int n)
{
    for (int i = 0; i < 2 * n; i += WIDTH) {
        const vec x = *(const vec *)(z + i);
        *(vec *)(y + i) = x * *(const vec *)(re + i) + SWAPPED(x) * *(const vec *)(im + i);
    }
}

/* The same by one turn for all. n: a multiple of 8. */
INLINE void WIDE(rotate_all)(float *z, float cosine, float sine, int n)
{
    vec c, s;
    for (int i = 0; i < WIDTH; i++)
        c[i] = cosine, s[i] = i % 2 ? sine : -sine;
    for (int i = 0; i < 2 * n; i += WIDTH) {
        const vec x = *(const vec *)(z + i);
        *(vec *)(z + i) = x * c + SWAPPED(x) * s;
    }
}

/* Where the taps of the sample at `at` find their input. */
INLINE const float *WIDE(input)(const direct_plan *p, const float *head, int64_t filled, const float *body, int64_t at,
                                int64_t *joint_at)
{
    const int length = p->first_length;
    if (at >= filled)
        return body + 2 * (at - filled);
    if (at + length <= filled)
        return head + 2 * at;
    /* Where head and body meet: what is left of head here, and as much of body as the taps can reach. */
    if (*joint_at < 0) {
        *joint_at = at;
        for (int64_t i = at; i < filled; i++)
            p->joint[2 * (i - at)] = head[2 * i], p->joint[2 * (i - at) + 1] = head[2 * i + 1];
    }
    const int64_t last = at + length - *joint_at, from = filled - *joint_at;
    for (int64_t i = from; i < last; i++)
        p->joint[2 * i] = body[2 * (i - from)], p->joint[2 * i + 1] = body[2 * (i - from) + 1];
    return p->joint + 2 * (at - *joint_at);
}

/* head[filled] followed by body: complex samples as pairs; the row's first tap is on sample `start`. follows: the row before it
 * was done just before, and its last samples after the first filter are the first ones of this. c, s: cosine and sine of
 * the row's turn. out: hop complex samples. */
JOIN(TARGET, WIDTH)
static void WIDE(direct_row)(const direct_plan *p, const float *head, int64_t filled, const float *body, int64_t start,
                             int follows, float c, float s, float *out)
{
    int64_t joint_at = -1;
    int m = 0, t = 0;
    if (follows) {
        const int step = p->hop * p->second_step;
        for (; m < p->middle - step; m++)
            p->mixed[2 * m] = p->mixed[2 * (m + step)], p->mixed[2 * m + 1] = p->mixed[2 * (m + step) + 1];
    }
#if WIDTH == 16
    for (; m + 8 <= p->middle; m += 8) {
        const float *z[8];
        for (int k = 0; k < 8; k++)
            z[k] = WIDE(input)(p, head, filled, body, start + (int64_t)(m + k) * p->first_step, &joint_at);
        mix_eight(p, z, p->mixed + 2 * m);
    }
#else
    for (; m + 2 <= p->middle; m += 2) {
        const float *y = WIDE(input)(p, head, filled, body, start + (int64_t)m * p->first_step, &joint_at);
        const float *x = WIDE(input)(p, head, filled, body, start + (int64_t)(m + 1) * p->first_step, &joint_at);
        WIDE(mix_two)(p, y, x, p->mixed + 2 * m);
    }
#endif
    for (; m < p->middle; m++) {
        const float *z = WIDE(input)(p, head, filled, body, start + (int64_t)m * p->first_step, &joint_at);
        WIDE(mix_tap)(p, z, p->mixed + 2 * m, p->mixed + 2 * m + 1);
    }
    WIDE(rotate)(p->mixed, p->between, p->turn, p->turn + 2 * p->turns, p->turns);
#if WIDTH == 16
    for (; t + 8 <= p->hop; t += 8) {
        vec sums[8];
        for (int k = 0; k < 8; k++)
            WIDE(second_tap)(p, p->between + 2 * (int64_t)(t + k) * p->second_step, sums + k);
        sum8_eight(sums, out + 2 * t);
    }
#endif
    for (; t < p->hop; t++) {
        vec sums[PARTS];
        WIDE(second_tap)(p, p->between + 2 * (int64_t)t * p->second_step, sums);
        WIDE(sum8)((const float *)sums, out + 2 * t, out + 2 * t + 1);
    }
    WIDE(rotate_all)(out, c, s, p->hop);
}

#undef PARTS
#undef ints
#undef SWAPPED
#undef vec
