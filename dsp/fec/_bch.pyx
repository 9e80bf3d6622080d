"""Likeliest code word of the (63,16,23) code with P, over all data words. See `bch`."""

from libc.string cimport memset

# High halves of the data word that are transformed side by side: one vector register of 16-bit sums.
cdef enum:
    LANES = 16


cdef inline int odd(int x) noexcept nogil:
    x ^= x >> 4
    x ^= x >> 2
    x ^= x >> 1
    return x & 1


def likeliest(const short[::1] levels, const unsigned short[::1] columns, const unsigned char[::1] allowed):
    """(data, agreement, agreement of the runner-up); levels (64,) of at most ±511, columns (64,), allowed (16,)."""
    cdef short total[256][LANES]
    cdef short sign[256]
    cdef int high, lane, low, place, step, start, i, data = -1
    cdef short a, b
    cdef int best = -0x40000000, second = -0x40000000
    with nogil:
        for i in range(256):
            sign[i] = 1 if odd(i) else -1
        for high in range(0, 256, 16):
            # Bits whose sum of low data bits is the same share a bin; the transform gives all 256 low halves at once.
            memset(total, 0, sizeof(total))
            for place in range(64):
                low = columns[place] & 0xFF
                for lane in range(LANES):
                    total[low][lane] += levels[place] * sign[columns[place] >> 8 & (high | lane)]
            step = 1
            while step < 256:
                start = 0
                while start < 256:
                    for i in range(start, start + step):
                        for lane in range(LANES):
                            a = total[i][lane]
                            b = total[i + step][lane]
                            total[i][lane] = a + b
                            total[i + step][lane] = a - b
                    start += 2 * step
                step *= 2
            for low in range(256):
                if not allowed[low & 0xF]:
                    continue
                for lane in range(LANES):
                    if total[low][lane] <= second:
                        continue
                    if total[low][lane] > best:
                        second = best
                        best = total[low][lane]
                        data = (high | lane) << 8 | low
                    else:
                        second = total[low][lane]
    return data, best, second
