"""Logarithm, power and angle functions made of + − × ÷ and √ only.

The C library's own differ in the last bit between versions and machines, and a decision of the encoder (or a table) could
differ with them. IEEE arithmetic without contraction does not, so the same input gives the same bits everywhere. Relative
error below 1e-15, far under what any decision here can see.
"""

from libc.math cimport floor, frexp, ldexp

cdef extern from * nogil:
    """
    #define IMBE_PI 3.141592653589793
    #define IMBE_TWO_PI 6.283185307179586
    """
    const double PI "IMBE_PI"
    const double TWO_PI "IMBE_TWO_PI"


cdef inline double log2_of(double x) noexcept nogil:
    """log₂ x for x > 0: x = m·2^e with m in [√½, √2), log m = 2·artanh((m − 1)/(m + 1)) as a series."""
    cdef int e = 0
    cdef double m = frexp(x, &e)
    if m < 0.7071067811865476:
        m = m + m
        e -= 1
    cdef double s = (m - 1.0) / (m + 1.0)
    cdef double q = s * s
    cdef double p = 1.0 / 23.0
    p = p * q + 1.0 / 21.0
    p = p * q + 1.0 / 19.0
    p = p * q + 1.0 / 17.0
    p = p * q + 1.0 / 15.0
    p = p * q + 1.0 / 13.0
    p = p * q + 1.0 / 11.0
    p = p * q + 1.0 / 9.0
    p = p * q + 1.0 / 7.0
    p = p * q + 1.0 / 5.0
    p = p * q + 1.0 / 3.0
    p = p * q + 1.0
    return e + 2.8853900817779268 * s * p


cdef inline double exp2_of(double x) noexcept nogil:
    """2^x for |x| < 1000: whole part to the exponent, the rest (at most ½) as a Taylor series."""
    cdef double whole = floor(x + 0.5)
    cdef double y = (x - whole) * 0.6931471805599453
    cdef double p = 1.0 / 6227020800.0
    p = p * y + 1.0 / 479001600.0
    p = p * y + 1.0 / 39916800.0
    p = p * y + 1.0 / 3628800.0
    p = p * y + 1.0 / 362880.0
    p = p * y + 1.0 / 40320.0
    p = p * y + 1.0 / 5040.0
    p = p * y + 1.0 / 720.0
    p = p * y + 1.0 / 120.0
    p = p * y + 1.0 / 24.0
    p = p * y + 1.0 / 6.0
    p = p * y + 0.5
    p = p * y + 1.0
    p = p * y + 1.0
    return ldexp(p, <int>whole)


cdef inline void sincos_of(double x, double* c, double* s) noexcept nogil:
    """cos x and sin x for |x| < 1e6: reduced to ±π/4 in two steps, then Taylor series."""
    cdef double k = floor(x * 0.6366197723675814 + 0.5)
    # π/2 in two parts; the first has 33 bits, so that k times it is exact.
    cdef double r = (x - k * 1.5707963267341256) - k * 6.077100506506192e-11
    cdef double q = r * r
    cdef double a = -1.0 / 1307674368000.0
    a = a * q + 1.0 / 6227020800.0
    a = a * q - 1.0 / 39916800.0
    a = a * q + 1.0 / 362880.0
    a = a * q - 1.0 / 5040.0
    a = a * q + 1.0 / 120.0
    a = a * q - 1.0 / 6.0
    a = a * q * r + r
    cdef double b = 1.0 / 20922789888000.0
    b = b * q - 1.0 / 87178291200.0
    b = b * q + 1.0 / 479001600.0
    b = b * q - 1.0 / 3628800.0
    b = b * q + 1.0 / 40320.0
    b = b * q - 1.0 / 720.0
    b = b * q + 1.0 / 24.0
    b = b * q - 0.5
    b = b * q + 1.0
    cdef int turn = (<int>k) & 3
    if turn == 0:
        c[0] = b
        s[0] = a
    elif turn == 1:
        c[0] = -a
        s[0] = b
    elif turn == 2:
        c[0] = -b
        s[0] = -a
    else:
        c[0] = a
        s[0] = -b


cdef inline double wrapped(double x) noexcept nogil:
    """The angle x in [−π, π)."""
    return x - TWO_PI * floor(x / TWO_PI + 0.5)
