"""Places of a stream of soft dibits where the frame sync may begin. See `sync`."""

from libc.math cimport fabs

cdef extern from *:
    """
    #if defined(__GNUC__)
    #define ONES(x) __builtin_popcountll(x)
    #else
    static int ONES(unsigned long long x) { int n = 0; while (x) { x &= x - 1; n++; } return n; }
    #endif
    """
    int ONES(unsigned long long x) nogil


cdef Py_ssize_t find(
    const float* llr,
    Py_ssize_t count,
    unsigned long long sync,
    int most_errors,
    float least_agreement,
    long long* places,
    unsigned char* inverted,
    float* scores,
) noexcept nogil:
    """How many of the `count` symbols begin a sync; as `search`."""
    cdef unsigned long long bit0 = 0, bit1 = 0, known0 = 0, known1 = 0
    cdef unsigned long long sync0 = 0, sync1 = 0, mask = 0xFFFFFF
    cdef Py_ssize_t i, k, found = 0
    cdef int common, upright, turned
    cdef float agreement, total, x
    for i in range(24):
        sync0 = sync0 << 1 | (sync >> (47 - 2 * i) & 1)
        sync1 = sync1 << 1 | (sync >> (46 - 2 * i) & 1)
    for i in range(count):
        bit0 = (bit0 << 1 | (llr[2 * i] > 0)) & mask
        bit1 = (bit1 << 1 | (llr[2 * i + 1] > 0)) & mask
        known0 = (known0 << 1 | (llr[2 * i] > 0 or llr[2 * i] < 0)) & mask
        known1 = (known1 << 1 | (llr[2 * i + 1] > 0 or llr[2 * i + 1] < 0)) & mask
        if i < 23:
            continue
        common = ONES(((bit1 ^ sync1) | ~known1) & mask)
        if common > most_errors:
            continue
        upright = common + ONES(((bit0 ^ sync0) | ~known0) & mask)
        turned = common + ONES((~(bit0 ^ sync0) | ~known0) & mask)
        if upright > most_errors and turned > most_errors:
            continue
        agreement = total = 0
        for k in range(24):
            x = llr[2 * (i - 23 + k)]
            if x > 0 or x < 0:
                total += fabs(x)
                agreement += x if (sync0 >> (23 - k) & 1) == (upright <= turned) else -x
            x = llr[2 * (i - 23 + k) + 1]
            if x > 0 or x < 0:
                total += fabs(x)
                agreement += x if sync1 >> (23 - k) & 1 else -x
        if agreement < least_agreement * total:
            continue
        places[found] = i - 23
        inverted[found] = turned < upright
        scores[found] = agreement / total if total > 0 else 0
        found += 1
    return found


def search(
    const float[:, ::1] llr,
    Py_ssize_t first,
    Py_ssize_t end,
    unsigned long long sync,
    int most_errors,
    float least_agreement,
    long long[::1] places,
    unsigned char[::1] inverted,
    float[::1] scores,
):
    """How many places were found; `places`, `inverted` and `scores` (end − first or longer) take them in order.

    A sync that begins at `first` or later and ends before `end` counts if at most `most_errors` of its 48 bits differ and
    its soft bits agree (its score): the sum of those that agree minus that of the others, over the sum of all. An erasure (0 or not a
    number) differs, and has no part in the sums. Inverted: the first bit of every dibit turned over.
    """
    cdef Py_ssize_t i, found
    with nogil:
        found = find(
            &llr[first, 0], end - first, sync, most_errors, least_agreement, &places[0], &inverted[0], &scores[0]
        )
        for i in range(found):
            places[i] += first
    return found
