/* Loops between raw recorded samples and float32, one function a component format.
 *
 * Work goes in chunks that stay in the first-level cache: first convert, then look at the extremes of the chunk. Only a
 * chunk that holds a full-scale or absurd value is counted sample by sample, so counting costs next to nothing.
 */
#ifndef SDRBRIDGE_CONVERT_H
#define SDRBRIDGE_CONVERT_H

#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "_simd.h"

#define CHUNK 4096 /* components; a multiple of 2, so that I and Q of a sample stay together */

/* Beyond 2^30 times full scale no receiver's level makes sense, and the square of a spectrum would overflow float32. The
 * bit pattern compares as the value does, and infinity and NaN are above every finite value. */
#define ABSURD_BITS 0x4E800000u

static inline uint16_t swap16(uint16_t v) { return __builtin_bswap16(v); }
static inline uint32_t swap32(uint32_t v) { return __builtin_bswap32(v); }
static inline uint64_t swap64(uint64_t v) { return __builtin_bswap64(v); }
#define AS_IS(v) (v)

/* Groups (samples of 1 or 2 components) with a component marked 1. The count of a chunk fits in 16 bits, which keeps the
 * vector lanes narrow. */
static inline int64_t count_groups(const uint8_t *restrict hit, ptrdiff_t m, int group) {
    uint16_t count = 0;
    if (group == 1)
        for (ptrdiff_t i = 0; i < m; i++) count += hit[i];
    else
        for (ptrdiff_t i = 0; i < m / 2; i++) {
            uint16_t pair;
            memcpy(&pair, hit + 2 * i, sizeof pair);
            count += pair != 0;
        }
    return count;
}

/* Converts, and counts the groups that touch full scale. */
#define DEFINE_INTEGER(NAME, WORD, STORE, SWAP, LO, HI, VALUE)                                                         \
    static inline STORE NAME##_load(const uint8_t *p) {                                                                \
        WORD w;                                                                                                        \
        memcpy(&w, p, sizeof w);                                                                                       \
        return (STORE)SWAP(w);                                                                                         \
    }                                                                                                                  \
    SIMD_CLONES static int64_t NAME(const uint8_t *restrict raw, float *restrict out, ptrdiff_t n, int group) {        \
        int64_t clipped = 0;                                                                                           \
        for (ptrdiff_t at = 0; at < n; at += CHUNK) {                                                                  \
            const ptrdiff_t m = n - at < CHUNK ? n - at : CHUNK;                                                       \
            const uint8_t *restrict p = raw + at * (ptrdiff_t)sizeof(WORD);                                            \
            float *restrict q = out + at;                                                                              \
            for (ptrdiff_t i = 0; i < m; i++) {                                                                        \
                const STORE x = NAME##_load(p + i * (ptrdiff_t)sizeof(WORD));                                          \
                q[i] = VALUE(x);                                                                                       \
            }                                                                                                          \
            STORE least = HI, most = LO;                                                                               \
            for (ptrdiff_t i = 0; i < m; i++) {                                                                        \
                const STORE x = NAME##_load(p + i * (ptrdiff_t)sizeof(WORD));                                          \
                least = x < least ? x : least;                                                                         \
                most = x > most ? x : most;                                                                            \
            }                                                                                                          \
            if (least == (LO) || most == (HI)) {                                                                       \
                uint8_t hit[CHUNK];                                                                                    \
                for (ptrdiff_t i = 0; i < m; i++) {                                                                    \
                    const STORE x = NAME##_load(p + i * (ptrdiff_t)sizeof(WORD));                                      \
                    hit[i] = (x == (LO)) | (x == (HI));                                                                \
                }                                                                                                      \
                clipped += count_groups(hit, m, group);                                                                \
            }                                                                                                          \
        }                                                                                                              \
        return clipped;                                                                                                \
    }

#define VALUE_U8(x) (((float)(x) - 127.5f) * 0x1p-7f)
#define VALUE_I8(x) ((float)(x) * 0x1p-7f)
#define VALUE_U16(x) (((float)(x) - 32767.5f) * 0x1p-15f)
#define VALUE_I16(x) ((float)(x) * 0x1p-15f)
#define VALUE_U32(x) ((float)(((double)(x) - 2147483647.5) * 0x1p-31))
#define VALUE_I32(x) ((float)(x) * 0x1p-31f)

DEFINE_INTEGER(unpack_u8, uint8_t, uint8_t, AS_IS, 0, UINT8_MAX, VALUE_U8)
DEFINE_INTEGER(unpack_i8, uint8_t, int8_t, AS_IS, INT8_MIN, INT8_MAX, VALUE_I8)
DEFINE_INTEGER(unpack_u16_le, uint16_t, uint16_t, AS_IS, 0, UINT16_MAX, VALUE_U16)
DEFINE_INTEGER(unpack_u16_be, uint16_t, uint16_t, swap16, 0, UINT16_MAX, VALUE_U16)
DEFINE_INTEGER(unpack_i16_le, uint16_t, int16_t, AS_IS, INT16_MIN, INT16_MAX, VALUE_I16)
DEFINE_INTEGER(unpack_i16_be, uint16_t, int16_t, swap16, INT16_MIN, INT16_MAX, VALUE_I16)
DEFINE_INTEGER(unpack_u32_le, uint32_t, uint32_t, AS_IS, 0, UINT32_MAX, VALUE_U32)
DEFINE_INTEGER(unpack_u32_be, uint32_t, uint32_t, swap32, 0, UINT32_MAX, VALUE_U32)
DEFINE_INTEGER(unpack_i32_le, uint32_t, int32_t, AS_IS, INT32_MIN, INT32_MAX, VALUE_I32)
DEFINE_INTEGER(unpack_i32_be, uint32_t, int32_t, swap32, INT32_MIN, INT32_MAX, VALUE_I32)

/* Three bytes a component, as WAV packs them. */
static int64_t unpack_i24_le(const uint8_t *restrict raw, float *restrict out, ptrdiff_t n, int group) {
    int64_t clipped = 0;
    int touched = 0;
    for (ptrdiff_t i = 0; i < n; i++) {
        const uint8_t *p = raw + 3 * i;
        const uint32_t bits = (uint32_t)p[0] << 8 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 24;
        const int32_t x = (int32_t)bits;
        out[i] = (float)x * 0x1p-31f;
        touched |= (bits == 0x80000000u) | (bits == 0x7FFFFF00u);
        if (group == 1 || (i & 1)) {
            clipped += touched;
            touched = 0;
        }
    }
    return clipped;
}

/* Sets samples with an absurd component to zero, counts them. */
SIMD_CLONES static int64_t clean(float *restrict x, ptrdiff_t n, int group) {
    int64_t invalid = 0;
    for (ptrdiff_t at = 0; at < n; at += CHUNK) {
        const ptrdiff_t m = n - at < CHUNK ? n - at : CHUNK;
        float *restrict q = x + at;
        uint32_t most = 0;
        for (ptrdiff_t i = 0; i < m; i++) {
            uint32_t bits;
            memcpy(&bits, q + i, sizeof bits);
            bits &= 0x7FFFFFFFu;
            most = bits > most ? bits : most;
        }
        if (most > ABSURD_BITS)
            for (ptrdiff_t i = 0; i < m; i += group) {
                uint32_t a, b;
                memcpy(&a, q + i, sizeof a);
                memcpy(&b, q + i + group - 1, sizeof b);
                if ((a & 0x7FFFFFFFu) > ABSURD_BITS || (b & 0x7FFFFFFFu) > ABSURD_BITS) {
                    q[i] = q[i + group - 1] = 0.0f;
                    invalid++;
                }
            }
    }
    return invalid;
}

#define DEFINE_FLOAT(NAME, WORD, REAL, SWAP)                                                                           \
    SIMD_CLONES static int64_t NAME(const uint8_t *restrict raw, float *restrict out, ptrdiff_t n, int group) {        \
        for (ptrdiff_t i = 0; i < n; i++) {                                                                            \
            WORD w;                                                                                                    \
            REAL v;                                                                                                    \
            memcpy(&w, raw + i * (ptrdiff_t)sizeof w, sizeof w);                                                       \
            w = SWAP(w);                                                                                               \
            memcpy(&v, &w, sizeof v);                                                                                  \
            out[i] = (float)v;                                                                                         \
        }                                                                                                              \
        return clean(out, n, group);                                                                                   \
    }

DEFINE_FLOAT(unpack_f32_le, uint32_t, float, AS_IS)
DEFINE_FLOAT(unpack_f32_be, uint32_t, float, swap32)
DEFINE_FLOAT(unpack_f64_le, uint64_t, double, AS_IS)
DEFINE_FLOAT(unpack_f64_be, uint64_t, double, swap64)

/* The other way: nearest step, half to even; beyond full scale the last step, counted; NaN as zero. */
#define DEFINE_PACK(NAME, STORE, GAIN, ZERO, LO, HI)                                                                   \
    SIMD_CLONES static int64_t NAME(const float *restrict x, uint8_t *restrict raw, ptrdiff_t n, int group) {          \
        int64_t clipped = 0;                                                                                           \
        for (ptrdiff_t i = 0; i < n; i++) {                                                                            \
            float v = x[i] == x[i] ? x[i] : 0.0f;                                                                      \
            v = rintf(v * (GAIN) + (ZERO));                                                                            \
            v = v < (LO) ? (LO) : v;                                                                                   \
            v = v > (HI) ? (HI) : v;                                                                                   \
            const STORE s = (STORE)(int32_t)v;                                                                         \
            memcpy(raw + i * (ptrdiff_t)sizeof s, &s, sizeof s);                                                       \
        }                                                                                                              \
        for (ptrdiff_t i = 0; i < n; i += group) {                                                                     \
            const float a = rintf(x[i] * (GAIN) + (ZERO)), b = rintf(x[i + group - 1] * (GAIN) + (ZERO));              \
            clipped += (a < (LO)) | (a > (HI)) | (b < (LO)) | (b > (HI));                                              \
        }                                                                                                              \
        return clipped;                                                                                                \
    }

DEFINE_PACK(pack_u8, uint8_t, 128.0f, 127.5f, 0.0f, 255.0f)
DEFINE_PACK(pack_i8, int8_t, 128.0f, 0.0f, -128.0f, 127.0f)
DEFINE_PACK(pack_i16_le, int16_t, 32768.0f, 0.0f, -32768.0f, 32767.0f)

static int64_t pack_f32_le(const float *restrict x, uint8_t *restrict raw, ptrdiff_t n, int group) {
    (void)group;
    memcpy(raw, x, (size_t)n * sizeof *x);
    return 0;
}

#endif
