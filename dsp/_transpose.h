/* Eight by eight floats, rows for columns, in vectors of eight. */
#ifndef SDRBRIDGE_TRANSPOSE_H
#define SDRBRIDGE_TRANSPOSE_H

#include <stdint.h>

typedef float half_vec __attribute__((vector_size(32), may_alias));
typedef float loose_half __attribute__((vector_size(32), aligned(4), may_alias));
typedef int32_t half_mask __attribute__((vector_size(32)));

#define SHUFFLE(a, b, ...) __builtin_shuffle(a, b, (half_mask){__VA_ARGS__})

static inline __attribute__((always_inline)) void transpose8(half_vec *v)
{
    half_vec t[8];
    for (int i = 0; i < 8; i += 2) {
        t[i] = SHUFFLE(v[i], v[i + 1], 0, 8, 1, 9, 4, 12, 5, 13);
        t[i + 1] = SHUFFLE(v[i], v[i + 1], 2, 10, 3, 11, 6, 14, 7, 15);
    }
    half_vec u[8];
    for (int i = 0; i < 8; i += 4) {
        u[i] = SHUFFLE(t[i], t[i + 2], 0, 1, 8, 9, 4, 5, 12, 13);
        u[i + 1] = SHUFFLE(t[i], t[i + 2], 2, 3, 10, 11, 6, 7, 14, 15);
        u[i + 2] = SHUFFLE(t[i + 1], t[i + 3], 0, 1, 8, 9, 4, 5, 12, 13);
        u[i + 3] = SHUFFLE(t[i + 1], t[i + 3], 2, 3, 10, 11, 6, 7, 14, 15);
    }
    for (int i = 0; i < 4; i++) {
        v[i] = SHUFFLE(u[i], u[i + 4], 0, 1, 2, 3, 8, 9, 10, 11);
        v[i + 4] = SHUFFLE(u[i], u[i + 4], 4, 5, 6, 7, 12, 13, 14, 15);
    }
}

#endif
