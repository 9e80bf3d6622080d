/* Kernels written with explicit vectors, once for each register width: 4, 8 or 16 floats.
 *
 * gcc keeps a vector wider than the machine's registers in memory, at several times the cost, so such a kernel is a
 * header that is included once a width (WIDTH defined), and the widest that the processor has is called. The layout of
 * the data and the order of every sum stay those of 16 floats, so all widths give the same bits.
 */
#ifndef SDRBRIDGE_WIDTH_H
#define SDRBRIDGE_WIDTH_H

#define INLINE static inline __attribute__((always_inline))
#define JOIN_(a, b) a##_##b
#define JOIN(a, b) JOIN_(a, b)
#define WIDE(name) JOIN(name, WIDTH) /* name_4, name_8, name_16 */

#define TARGET_4
#if defined(__GNUC__) && !defined(__clang__) && defined(__x86_64__) && defined(__gnu_linux__)
#define HAVE_WIDTHS
#define TARGET_8 __attribute__((target("arch=x86-64-v3")))
#define TARGET_16 __attribute__((target("arch=x86-64-v4")))
static inline int register_width(void)
{
    return __builtin_cpu_supports("x86-64-v4") ? 16 : __builtin_cpu_supports("x86-64-v3") ? 8 : 4;
}
#define CALL_WIDEST(name, ...)                     \
    do {                                           \
        const int width_ = register_width();       \
        if (width_ == 16)                          \
            name##_16(__VA_ARGS__);                \
        else if (width_ == 8)                      \
            name##_8(__VA_ARGS__);                 \
        else                                       \
            name##_4(__VA_ARGS__);                 \
    } while (0)
#else
#define CALL_WIDEST(name, ...) name##_4(__VA_ARGS__)
#endif

typedef float vec_4 __attribute__((vector_size(16), aligned(4), may_alias));
typedef float vec_8 __attribute__((vector_size(32), aligned(4), may_alias));
typedef float vec_16 __attribute__((vector_size(64), aligned(4), may_alias));

#endif
