/* One row of one channel by direct conversion: mix and decimate with complex taps, turn, filter with real taps.
 *
 * All sums run in a fixed order over vectors of eight complex samples, so nothing depends on the machine.
 */
#ifndef SDRBRIDGE_DIRECT_ROW_H
#define SDRBRIDGE_DIRECT_ROW_H

#include <math.h>
#include <stdint.h>

#include "_simd.h"

typedef float pair_vec __attribute__((vector_size(64), may_alias)); /* eight complex numbers */
typedef float loose_pair __attribute__((vector_size(64), aligned(4), may_alias));
typedef float quad __attribute__((vector_size(16), may_alias));
typedef float octet __attribute__((vector_size(32), may_alias));

typedef struct {
    int first_length;    /* taps of the first filter, a multiple of 8 */
    int first_step;      /* its decimation */
    const float *first;  /* [first_length / 8]{8 cosine parts, each twice; 8 sine parts, each twice} */
    int middle;          /* samples between the filters in one row */
    const float *turn;   /* [middle] complex: the mixing frequency at the middle rate */
    int second_length;   /* taps of the second filter, a multiple of 8 */
    int second_step;
    const float *second; /* [second_length], each twice */
    int hop;             /* samples out */
    float *between;      /* middle + 8 complex */
    float *joint;        /* 2 first_length complex */
} direct_plan;

/* Adds up the eight complex numbers of v. */
static inline __attribute__((always_inline)) void sum8(const pair_vec *v, float *re, float *im)
{
    const octet *o = (const octet *)v;
    octet a = o[0] + o[1];
    const quad *q = (const quad *)&a;
    quad b = q[0] + q[1];
    *re = b[0] + b[2];
    *im = b[1] + b[3];
}

static inline __attribute__((always_inline)) void mix_tap(const direct_plan *p, const float *z, float *re, float *im)
{
    pair_vec c0 = {0}, s0 = {0}, c1 = {0}, s1 = {0};
    const float *w = p->first;
    int j = 0;
    for (; j + 16 <= p->first_length; j += 16, w += 64) {
        pair_vec x = *(const loose_pair *)(z + 2 * j), y = *(const loose_pair *)(z + 2 * j + 16);
        c0 += x * *(const loose_pair *)w;
        s0 += x * *(const loose_pair *)(w + 16);
        c1 += y * *(const loose_pair *)(w + 32);
        s1 += y * *(const loose_pair *)(w + 48);
    }
    if (j < p->first_length) {
        pair_vec x = *(const loose_pair *)(z + 2 * j);
        c0 += x * *(const loose_pair *)w;
        s0 += x * *(const loose_pair *)(w + 16);
    }
    pair_vec c = c0 + c1, s = s0 + s1;
    float cr, ci, sr, si;
    sum8(&c, &cr, &ci);
    sum8(&s, &sr, &si);
    *re = cr - si;
    *im = ci + sr;
}

/* head[filled] followed by body: complex samples as pairs; the row's first tap is on sample `start`. c, s: cosine and
 * sine of the row's turn. out: hop complex samples. */
SIMD_CLONES
static void direct_row(const direct_plan *p, const float *head, int64_t filled, const float *body, int64_t start,
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
        mix_tap(p, z, &re, &im);
        const float tr = p->turn[2 * m], ti = p->turn[2 * m + 1];
        const float ur = tr * c - ti * s, ui = tr * s + ti * c;
        p->between[2 * m] = re * ur - im * ui;
        p->between[2 * m + 1] = re * ui + im * ur;
    }
    for (int t = 0; t < p->hop; t++) {
        const float *z = p->between + 2 * (int64_t)t * p->second_step;
        pair_vec a = {0}, b = {0};
        int j = 0;
        for (; j + 16 <= p->second_length; j += 16) {
            a += *(const loose_pair *)(z + 2 * j) * *(const loose_pair *)(p->second + 2 * j);
            b += *(const loose_pair *)(z + 2 * j + 16) * *(const loose_pair *)(p->second + 2 * j + 16);
        }
        if (j < p->second_length)
            a += *(const loose_pair *)(z + 2 * j) * *(const loose_pair *)(p->second + 2 * j);
        a += b;
        sum8(&a, out + 2 * t, out + 2 * t + 1);
    }
}

#endif
