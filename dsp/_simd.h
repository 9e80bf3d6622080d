/* Function multiversioning for the kernels: one binary that is safe on every x86-64 and fast on each.
 *
 * SIMD_CLONES in front of a C function makes gcc emit a version for plain x86-64, one for AVX2 and one for AVX-512 and
 * choose at load time. On aarch64 NEON is the baseline and nothing is needed; musl and clang fall back to the baseline.
 * The clones give the same bits as long as nothing is reassociated and no multiply-add is fused (setup.py sees to it).
 */
#ifndef SDRBRIDGE_SIMD_H
#define SDRBRIDGE_SIMD_H

#if defined(__GNUC__) && !defined(__clang__) && defined(__x86_64__) && defined(__gnu_linux__)
#define SIMD_CLONES __attribute__((target_clones("default", "arch=x86-64-v3", "arch=x86-64-v4")))
#else
#define SIMD_CLONES
#endif

#endif
