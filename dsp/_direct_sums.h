/* The sums of direct conversion for one register width; included by _direct_row.h once for each. */

#define vec WIDE(vec)
#define PARTS (16 / WIDTH)

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

/* head[filled] followed by body: complex samples as pairs; the row's first tap is on sample `start`. c, s: cosine and
 * sine of the row's turn. out: hop complex samples. */
JOIN(TARGET, WIDTH)
static void WIDE(direct_row)(const direct_plan *p, const float *head, int64_t filled, const float *body, int64_t start,
                       float c, float s, float *out)
{
    const int length = p->first_length;
    int64_t joint_at = -1;
    for (int m = 0; m < p->middle; m++) {
        const int64_t at = start + (int64_t)m * p->first_step;
        const float *z;
        if (at >= filled) {
            z = body + 2 * (at - filled);
        } else if (at + length <= filled) {
            z = head + 2 * at;
        } else {
            /* Where head and body meet: what is left of head here, and as much of body as the taps can reach. */
            if (joint_at < 0) {
                joint_at = at;
                for (int64_t i = at; i < filled; i++)
                    p->joint[2 * (i - at)] = head[2 * i], p->joint[2 * (i - at) + 1] = head[2 * i + 1];
            }
            const int64_t last = at + length - joint_at, from = filled - joint_at;
            for (int64_t i = from; i < last; i++)
                p->joint[2 * i] = body[2 * (i - from)], p->joint[2 * i + 1] = body[2 * (i - from) + 1];
            z = p->joint + 2 * (at - joint_at);
        }
        float re, im;
        WIDE(mix_tap)(p, z, &re, &im);
        const float tr = p->turn[2 * m], ti = p->turn[2 * m + 1];
        const float ur = tr * c - ti * s, ui = tr * s + ti * c;
        p->between[2 * m] = re * ur - im * ui;
        p->between[2 * m + 1] = re * ui + im * ur;
    }
    for (int t = 0; t < p->hop; t++) {
        const float *z = p->between + 2 * (int64_t)t * p->second_step;
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
            a[i] += a[i + PARTS];
        WIDE(sum8)((const float *)a, out + 2 * t, out + 2 * t + 1);
    }
}

#undef PARTS
#undef vec
