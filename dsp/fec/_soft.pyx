"""Log-likelihood ratios to levels. See `soft`."""

from libc.math cimport fabs

# Adding it rounds a double of less than 2⁵¹ to a whole number, ties to even: its last bit stands for 1.
cdef double ROUND = 6755399441055744.0


def levels(const float[::1] llr, float[::1] out, double mean_level, double limit, double largest):
    """round(mean_level · llr / mean |llr|), at most ±limit, into `out`; all 0 where nothing is known.

    Where the sum of all |llr| is more than `largest`, or not a number, each is held to ±largest first, and what is not
    a number becomes 0.
    """
    cdef Py_ssize_t i, n = llr.shape[0]
    cdef double total = 0.0, x, scale
    cdef bint wild
    if n == 0:
        return
    with nogil:
        for i in range(n):
            total += fabs(llr[i])
        wild = not total <= largest
        if wild:
            total = 0.0
            for i in range(n):
                out[i] = held(llr[i], largest)
                total += fabs(out[i])
        scale = mean_level / (total / n) if total > 0.0 else 0.0
        for i in range(n):
            x = scale * (out[i] if wild else llr[i])
            x = -limit if x < -limit else x
            x = limit if x > limit else x
            out[i] = <float>(x + ROUND - ROUND)


def likeliest(const float[:, ::1] levels, const float[:, ::1] signs, int[::1] words, int[::1] errors):
    """Of each row of levels (n, bits) the word that agrees best, the first of equals, and how many levels contradict it.

    signs: (bits, words) of ±1, at most 256 words. words, errors: (n,).
    """
    cdef float total[256]
    cdef float x
    cdef Py_ssize_t row, bit, word, best, count = signs.shape[1], bits = signs.shape[0]
    cdef int wrong
    if levels.shape[1] != bits or not 1 <= count <= 256 or words.shape[0] < levels.shape[0]:
        raise ValueError("levels and code words do not fit")
    if errors.shape[0] < levels.shape[0]:
        raise ValueError("no room for the errors")
    with nogil:
        for row in range(levels.shape[0]):
            for word in range(count):
                total[word] = 0
            for bit in range(bits):
                x = levels[row, bit]
                for word in range(count):
                    total[word] += x * signs[bit, word]
            best = 0
            for word in range(1, count):
                if total[word] > total[best]:
                    best = word
            wrong = 0
            for bit in range(bits):
                wrong += levels[row, bit] * signs[bit, best] < 0
            words[row] = <int>best
            errors[row] = wrong


cdef inline float held(float x, double largest) noexcept nogil:
    if x != x:
        return 0.0
    if x > largest:
        return <float>largest
    return <float>-largest if x < -largest else x
