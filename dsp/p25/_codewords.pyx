"""A decoded field beside what was received. See `codewords`."""

from libc.math cimport fabsf


def compare(
    const float[::1] levels, const unsigned char[::1] symbols, const unsigned char[:, ::1] sent, unsigned char[::1] data
):
    """(agreement, sum of all |level|, bits that differ) of the code word; its data symbols, packed, into `data`.

    symbols: (n,) of six bits. sent: inner code word of each value, or of each pair of values, one bit a byte. An erasure
    counts as a 0 received. `data` (m,) takes the first 8 m / 6 symbols.
    """
    cdef Py_ssize_t bits = sent.shape[1], words = levels.shape[0] // bits, per_word = symbols.shape[0] // words
    cdef Py_ssize_t i, k
    cdef int value, errors = 0, held = 0, rest = 0
    cdef float agreement = 0, total = 0, x
    cdef const unsigned char* word
    if words * bits != levels.shape[0] or words * per_word != symbols.shape[0] or not 1 <= per_word <= 2:
        raise ValueError("field: levels, symbols and inner code do not fit")
    if sent.shape[0] < (64 if per_word == 1 else 4096) or 4 * data.shape[0] > 3 * symbols.shape[0]:
        raise ValueError("field: too few inner code words, or too few symbols")
    with nogil:
        for i in range(words):
            value = symbols[per_word * i] & 63
            if per_word == 2:
                value = value << 6 | (symbols[2 * i + 1] & 63)
            word = &sent[value, 0]
            for k in range(bits):
                x = levels[bits * i + k]
                agreement += x if word[k] else -x
                total += fabsf(x)
                errors += (x > 0) != word[k]
        k = 0
        for i in range(data.shape[0]):
            while held < 8:
                rest = rest << 6 | (symbols[k] & 63)
                held += 6
                k += 1
            held -= 8
            data[i] = <unsigned char>(rest >> held)
            rest &= 0xFF
    return agreement, total, errors
